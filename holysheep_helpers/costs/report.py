"""A page about a move that can be handed on: Markdown, and the tables behind it as CSV."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from holysheep_helpers.costs.months import compare_models, less_or_more
from holysheep_helpers.costs.moves import Assumptions, sensitivity
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.pricing.money import (
    Exact,
    find_price,
    krw_text,
    priced_models,
    to_krw,
    usd_text,
)

if TYPE_CHECKING:
    from pandas import DataFrame

PAGE = "cost_report.md"


NOT_IN_IT = """\
- No quality was compared. Whether both models answer equally well, your own prompts have to show.
- No volume discount, no tax, no transfer fee: none was published.
- No interest: a dollar in a year counts like one today.
- Not the gateway's own table of monthly costs: what it gives for 10M tokens is what 100M cost.
"""


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
    if not isinstance(assumptions, Assumptions):
        raise InputError(f"assumptions is a {type(assumptions).__name__}: hs.Assumptions(...).")
    if not isinstance(folder, str | Path) or not str(folder).strip():
        raise InputError(f"folder is {folder!r}: a path is needed, 'reports/move' say.")
    place = Path(folder).expanduser()
    tables = {
        "by_model.csv": by_model(assumptions),
        "by_month.csv": _by_month(assumptions),
        "sensitivity.csv": sensitivity(assumptions),
    }
    files = [place / name for name in (PAGE, *tables)]
    for part in (place, *place.parents):
        if part.exists() and not part.is_dir():
            raise InputError(f"{part} is a file: give the folder that the report is to go to.")
    for file in files:
        if file.is_dir():
            raise InputError(f"{file} is a folder: give another one. Nothing was written.")
    there = [file.name for file in files if file.exists()]
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
    return compare_models(
        [*priced_models(), move.baseline, move.model],
        tokens=move.tokens,
        input_share=move.input_share,
        cached_share=move.cached_share,
        baseline=move.baseline,
        rate=move.rate,
        prices=move.prices,
    )


def in_words(move: Assumptions, table: DataFrame) -> str:
    """What a move costs, saves and brings, in three sentences; ``table`` is ``by_model(move)``."""
    here, there = (table.loc[name, "usd"] for name in (move.model, move.baseline))
    saved, share = (table.loc[move.model, f"saving_{name}"] for name in ("usd", "share"))
    first = (
        f"{_tokens(move.tokens)} tokens a month cost {usd_text(here)} USD with {move.model} and "
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
    """``by_model`` for people: rounded to cents, the dearest first, a head on top."""
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


def _by_month(move: Assumptions) -> DataFrame:
    from pandas import DataFrame

    so_far = move.break_even().cumulated_usd(12)
    return DataFrame({"net_gain_so_far_usd": so_far}, dtype=object).rename_axis("month")


def _page(move: Assumptions, table: DataFrame, hangs_on: DataFrame) -> str:
    parts = [
        f"# Moving from {move.baseline} to {move.model}: cost and return",
        in_words(move, table),
        "## What was assumed",
        _markdown(_assumed(move)),
        cached_note(move),
        "## The first month, model by model",
        _markdown(table_rows(table, move.baseline)),
        "## What the result hangs on",
        "Each assumption turned down and up by 20%, by itself; net gain of the first year in USD.",
        _markdown(_hangs_on(hangs_on)),
        "## Where the figures come from",
        _sources(move),
        "## What is not in it",
        NOT_IN_IT.rstrip(),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _assumed(move: Assumptions) -> list[list[str]]:
    running = f"{usd_text(Decimal(move.monthly_running_usd))} USD"
    values = {
        "assumption": "value",
        "tokens in the first month": _tokens(move.tokens),
        "of these prompts (input)": f"{Decimal(move.input_share):.1%}",
        "of the prompts from a cache": f"{Decimal(move.cached_share):.1%}",
        "growth a month": f"{Decimal(move.growth):.1%}",
        "cost of the move, once": f"{usd_text(Decimal(move.one_off_usd))} USD",
        "running cost a month, beside the tokens": running,
    }
    if move.rate is not None:
        values["exchange rate"] = f"{move.rate.krw_per_usd:,f} KRW for 1 USD"
    return [[name, value] for name, value in values.items()]


def _hangs_on(found: DataFrame) -> list[list[str]]:
    rows = [["assumption", "turned down", "as assumed", "turned up"]]
    for row in found.reset_index().to_dict("records"):
        results = (row["result_low"], row["result_base"], row["result_high"])
        rows.append([input_label(row["input"]), *map(usd_text, results)])
    return rows


def _sources(move: Assumptions) -> str:
    found = {name: find_price(name, move.prices) for name in (move.baseline, move.model)}
    lines = [
        f"- {name}: {price.input_usd_per_mtok} USD in, {price.output_usd_per_mtok} USD out, for a "
        f"million tokens ({price.source}; {price.source.note})."
        for name, price in found.items()
    ]
    if move.rate is not None:
        lines.append(f"- Exchange rate: {move.rate.source}.")
    lines.append(
        "- Break-even: cost of the move / (saving - running cost), month by month where the volume "
        "grows. Return: (saving - all costs) / all costs, over twelve months."
    )
    return "\n".join(lines)


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(cells)} |"

    return "\n".join([line(rows[0]), line("---" for _ in rows[0]), *map(line, rows[1:])])


def _tokens(tokens: Exact) -> str:
    return f"{Decimal(tokens):,f}"
