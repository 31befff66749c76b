"""A page about a move, for others to read: Markdown, and the tables behind it as CSV."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holysheep_helpers._checks import shown
from holysheep_helpers.costs.months import compare_models, less_or_more
from holysheep_helpers.costs.moves import Assumptions, sensitivity
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.pricing.money import find_price, krw_text, priced_models, to_krw, usd_text

if TYPE_CHECKING:
    from pandas import DataFrame

PAGE = "cost_report.md"


def write_report(folder: str | Path, assumptions: Assumptions, *, overwrite: bool = False) -> Path:
    """Write a page about a move into a folder, beside its tables as CSV.

    ``cost_report.md`` says in three sentences what the move costs and saves. Then it states all
    assumptions, the models side by side, what the result hangs on, and where each price comes from.
    ``by_model.csv``, ``by_month.csv`` and ``sensitivity.csv`` have the exact figures, in UTF-8.

    Args:
        folder: the path of the folder. It is made if it is not there.
        assumptions: the ``Assumptions`` of the move.
        overwrite: whether files of these names are replaced. Default: they are not.

    Returns:
        The path of the page.

    Raises:
        InputError: one of the files is there already and ``overwrite`` was not given, or the folder
            is a file. Nothing was written.

    Example:
        >>> move = hs.Assumptions(
        ...     tokens=10_000_000, model="mistral-small-2603", baseline="gpt-4.1", one_off_usd=500
        ... )
        >>> hs.write_report("reports/move", move).name
        'cost_report.md'
    """
    from pandas import DataFrame

    if not isinstance(assumptions, Assumptions):
        raise InputError(f"assumptions is a {type(assumptions).__name__}: hs.Assumptions(...).")
    if not isinstance(folder, str | Path) or not str(folder).strip():
        raise InputError(f"folder is {shown(folder)}: a path is needed, such as 'reports/move'.")
    place = Path(folder).expanduser()
    so_far = {"net_gain_so_far_usd": assumptions.break_even().cumulated_usd()}
    tables = {
        "by_model.csv": by_model(assumptions),
        "by_month.csv": DataFrame(so_far, dtype=object).rename_axis("month"),
        "sensitivity.csv": sensitivity(assumptions),
    }
    paths = [place / name for name in (PAGE, *tables)]
    for part in (place, *place.parents):
        if part.exists() and not part.is_dir():
            raise InputError(f"{part} is a file: give the folder that the report is to go to.")
    for file in paths:
        if file.is_dir():
            raise InputError(f"{file} is a folder: give another one. Nothing was written.")
    there = [file.name for file in paths if file.exists()]
    if there and not overwrite:
        raise InputError(
            f"{place} has {', '.join(there)} already, and nothing was written: give another "
            "folder, or overwrite=True."
        )
    text = _page(assumptions, tables["by_model.csv"], tables["sensitivity.csv"])
    place.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_csv(place / name, encoding="utf-8", lineterminator="\n")
    (place / PAGE).write_text(text, encoding="utf-8", newline="\n")
    return place / PAGE


def by_model(move: Assumptions) -> DataFrame:
    """The first month as ``hs.compare_models()`` has it, for all models with a published price."""
    names = ("tokens", "input_share", "cached_share", "baseline", "rate", "prices")
    asked: dict[str, Any] = {name: getattr(move, name) for name in names}
    return compare_models([*priced_models(), move.baseline, move.model], **asked)


def in_words(move: Assumptions, table: DataFrame) -> str:
    """What a move costs, saves and brings, in three sentences; ``table`` is ``by_model(move)``."""
    here, there = (table.loc[name, "usd"] for name in (move.model, move.baseline))
    saved, share = (table.loc[move.model, f"saving_{name}"] for name in ("usd", "share"))
    first = (
        f"{Decimal(move.tokens):,f} tokens a month cost {usd_text(here)} USD with {move.model} and "
        f"{usd_text(there)} USD with {move.baseline}: {usd_text(abs(saved))} USD "
        f"{'saved' if saved >= 0 else 'more'} a month"
    )
    first += "" if share is None else f" ({abs(share):,.1%})"
    returned = move.roi()
    gain = f"{usd_text(returned.gain_usd)} USD"
    if move.rate is not None:
        gain += f" ({krw_text(to_krw(returned.gain_usd, move.rate))} KRW)"
    if returned.ratio is not None:
        gain += f", a return of {returned.ratio:,.1%} on what it costs"
    return f"{first}. The move {returned.break_even}. Net gain of the first year: {gain}."


def table_rows(table: DataFrame, baseline: str) -> list[list[str]]:
    """``by_model`` for people: rounded to cents, the most expensive first, a head on top."""
    won = ["KRW"] if "krw" in table else []
    rows = [["model", "USD a month", *won, f"against {baseline}"]]
    dearest_first = table.sort_values("usd", ascending=False, kind="stable").reset_index()
    for row in dearest_first.to_dict("records"):
        saved = row["saving_share"]
        against = less_or_more(saved) if saved else "–" if saved is None else "the same"
        krw = [krw_text(row["krw"])] if won else []
        rows.append([row["model"], usd_text(row["usd"]), *krw, against])
    return rows


def cached_note(move: Assumptions) -> str:
    """A sentence if cached tokens are assumed for a model that has no price for them."""
    prices = {name: find_price(name, move.prices) for name in (move.model, move.baseline)}
    without = [name for name, price in prices.items() if price.cached_input_usd_per_mtok is None]
    if not without or not move.cached_share:
        return ""
    return f"No price for cached tokens is known of {' and '.join(without)}: they cost the same."


def input_label(name: str) -> str:
    """An input of ``hs.Assumptions`` in words."""
    return {
        "tokens": "tokens a month",
        "one_off_usd": "one-off cost",
        "monthly_running_usd": "running cost a month",
    }.get(name, name.replace("_", " "))


def _page(move: Assumptions, table: DataFrame, hangs_on: DataFrame) -> str:
    """The page: the template beside this file, filled in."""
    rate = rate_source = ""
    if move.rate is not None:
        rate = f"\n| exchange rate | {move.rate.krw_per_usd:,f} KRW for 1 USD |"
        rate_source = f"\n- Exchange rate: {move.rate.source}."
    head, *models = table_rows(table, move.baseline)
    results = hangs_on[["result_low", "result_base", "result_high"]].itertuples()
    template = files("holysheep_helpers.costs").joinpath(PAGE).read_text(encoding="utf-8")
    page = template.format(
        move=move,
        in_words=in_words(move, table),
        one_off=usd_text(Decimal(move.one_off_usd)),
        running=usd_text(Decimal(move.monthly_running_usd)),
        rate=rate,
        cached_note=cached_note(move),
        models=_lines([head, ["---", *["---:"] * (len(head) - 1)], *models]),
        results=_lines([input_label(name), *map(usd_text, found)] for name, *found in results),
        here=find_price(move.model, move.prices),
        there=find_price(move.baseline, move.prices),
        rate_source=rate_source,
    )
    return re.sub("\n{3,}", "\n\n", page)  # an empty part leaves no gap


def _lines(rows: Iterable[list[str]]) -> str:
    """The rows of a table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
