"""Figures of lessons 11 and 12: models, audits, premiums, break-even, sensitivity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from itertools import cycle
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter

from holysheep_helpers import catalog
from holysheep_helpers.costs.audits import Audit
from holysheep_helpers.costs.months import less_or_more
from holysheep_helpers.costs.moves import Assumptions, BreakEven
from holysheep_helpers.costs.report import input_label
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.notebook import figures
from holysheep_helpers.pricing.money import krw_text, whole_months

if TYPE_CHECKING:
    from pandas import DataFrame

Case = BreakEven | Assumptions

DASHES = ("-", "--", ":", "-.")
MARKS = ("o", "D", "s", "^", "v", "P")
CROSS: dict[str, Any] = {"color": figures.RED, "markersize": 10, "markeredgewidth": 3}
DOT: dict[str, Any] = {"color": figures.GREEN, "markersize": 11, "markeredgecolor": figures.WHITE}
DOWN: dict[str, Any] = {"facecolor": figures.RED, "hatch": "////", "edgecolor": figures.WHITE}
RANGE: dict[str, Any] = {"color": figures.BLUE, "linewidth": 9, "solid_capstyle": "butt"}
UP: dict[str, Any] = {"facecolor": figures.BLUE, "edgecolor": figures.WHITE}


def plot_costs(costs: DataFrame) -> Figure:
    """Draw a bar with its cost for each model, the most expensive on top.

    The baseline, if there is one, is grey. What a model saves against it is below its
    name, with the cost, also in won if there was a rate.

    Args:
        costs: what ``hs.compare_models()`` gave back.

    Returns:
        A Matplotlib ``Figure``.

    Raises:
        InputError: there is nothing to draw.

    Example:
        >>> figure = hs.plot_costs(hs.compare_models(["gpt-4.1"], tokens=10_000_000))
        >>> figure.axes[0].get_title(loc="left")
        'gpt-4.1 costs least: 55.00 USD'
    """
    _need(costs, "hs.compare_models()", "usd")
    rows = costs.sort_values("usd", ascending=False, kind="stable")
    models, usd = [str(name) for name in rows.index], list(rows["usd"])
    labels, colours = [], []
    for model, row in zip(models, rows.to_dict("records"), strict=True):
        won = f" · {krw_text(row['krw'])} KRW" if "krw" in row else ""
        saved = row.get("saving_share")
        less = f" · {less_or_more(saved)}" if saved else ""
        labels.append(f"{model}\n{row['usd']:,.2f} USD{won}{less}")
        colours.append(figures.GREY if saved == 0 else figures.BLUE)
    figure, axes = figures.named_rows(labels, 1.3, 0.6)
    axes.barh(range(len(rows)), [float(value) for value in usd], color=colours)
    axes.set(xlim=(0, float(max(usd)) or 1), xlabel="US dollars")
    axes.set_title(f"{models[-1]} costs least: {usd[-1]:,.2f} USD")
    return figure


def plot_audit(audits: Iterable[Audit]) -> Figure:
    """Draw a row for each audited claim: what the tokens can cost, and what was claimed.

    The bar goes from the cheapest mix to the most expensive one. A claim inside it is a dot, one
    outside it is a cross, with its distance. The axis is logarithmic, so that a factor of ten is as
    long in each row.

    Args:
        audits: a list of what ``hs.audit_claim()`` gave back.

    Returns:
        A Matplotlib ``Figure``.

    Raises:
        InputError: there is nothing to draw, or 0 USD, which a logarithmic axis does not have.

    Example:
        >>> figure = hs.plot_audit([hs.audit_claim("550", "gpt-4.1", 10_000_000)])
        >>> figure.axes[0].texts[0].get_text()
        '550.00 USD: 6.9 × the most'
    """
    rows = list(audits)
    if not rows or not all(isinstance(row, Audit) for row in rows):
        raise InputError("There is no audit to draw: hand over a list of hs.audit_claim(...).")
    if any(not row.usd or not row.lowest_usd for row in rows):
        raise InputError("0 USD can't be drawn on a logarithmic axis: leave that audit out.")
    figure, axes = figures.named_rows([row.model for row in rows], 1.9, 0.5)
    for number, row in enumerate(rows):
        low, high, claimed = float(row.lowest_usd), float(row.highest_usd), float(row.usd)
        axes.plot([low, high], [number] * 2, label="possible, by the price list", **RANGE)
        if low == high:
            axes.plot(low, number, "s", color=figures.BLUE, markersize=9)
        said = f"{row.usd:,.2f} USD"
        if row.possible:
            axes.plot(claimed, number, "o", label="claimed, and possible", **DOT)
        else:
            axes.plot(claimed, number, "x", label="claimed, and not possible", **CROSS)
            most, least = f"{claimed / high:.1f} × the most", f"{claimed / low:.2f} × the least"
            said += f": {most if claimed > high else least}"
        axes.annotate(said, (max(claimed, high), number), (12, 0), **figures.BESIDE)
    last = max(max(row.usd, row.highest_usd) for row in rows)
    axes.set(xscale="log", xlim=(None, 60 * float(last)))
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.set_xlabel("US dollars (each step is ten times as much)")
    refuted = sum(not row.possible for row in rows)
    axes.set_title(f"{refuted} of {len(rows)} claims: no mix of so many tokens costs that")
    figures.legend_below(figure)
    return figure


def plot_premium(premiums: DataFrame) -> Figure:
    """Draw a row for each model: its premium at each mix, and the published band.

    A dot stands for each mix, and the line between them is the range. A model without a premium,
    for one of the prices is unknown, has an empty row that says so.

    Args:
        premiums: what ``hs.premium()`` gave back.

    Returns:
        A Matplotlib ``Figure``.

    Raises:
        InputError: there is nothing to draw.

    Example:
        >>> figure = hs.plot_premium(hs.premium(["gpt-4.1"]))
        >>> figure.axes[0].get_title(loc="left")
        'From 0% to +50%: it depends on model and mix'
    """
    _need(premiums, "hs.premium()", "model", "input_share", "premium")
    claims = catalog.published_claims()
    models = list(dict.fromkeys(premiums["model"]))
    figure, axes = figures.named_rows(models, 1.9, 0.55)
    band = float(claims.premium_low), float(claims.premium_high)
    said = f"published: {claims.premium_low:.0%} to {claims.premium_high:.0%}"
    axes.axvspan(*band, facecolor=figures.PALE, edgecolor="none", label=said, zorder=0)
    axes.axvline(0, color=figures.BLACK, linewidth=1)
    known = premiums[premiums["premium"].notna()]
    for number, model in enumerate(models):
        rows = known[known["model"] == model]
        if not len(rows):
            axes.annotate(
                "unknown: no price to compare with", (0, number), (6, 0), **figures.BESIDE
            )
            continue
        found = [float(value) for value in rows["premium"]]
        axes.plot([min(found), max(found)], [number] * 2, color=figures.GREY, linewidth=2, zorder=1)
        looks = zip(cycle(MARKS), cycle(figures.COLOURS), rows["input_share"], found, strict=False)
        for n, (mark, colour, mix, value) in enumerate(looks):
            size = max(12 - 3 * n, 6)  # the first are larger: where several are alike, each is seen
            label = f"{mix:.0%} input"
            axes.plot(value, number, mark, color=colour, markersize=size, label=label)
    axes.margins(x=0.1)
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.set_xlabel("gateway's price beyond the direct price")
    if known.empty:
        axes.set_title("No premium is known")
    else:
        ends = " to ".join(f"{end(known['premium']):+.0%}" for end in (min, max))
        axes.set_title(f"From {ends}: it depends on model and mix".replace("+0%", "0%"))
    figures.legend_below(figure)
    return figure


def plot_break_even(cases: Case | Mapping[str, Case], months: int = 24) -> Figure:
    """Draw what a move has brought, net of all it cost, month by month.

    A dot marks where a line crosses 0, and the legend says when.

    Args:
        cases: what ``hs.break_even()`` gave back, or ``hs.Assumptions``, whose volume may grow, or
            a dict with several of them by name.
        months: the last month that is drawn, 1 to 1,200. Default: 24.

    Returns:
        A Matplotlib ``Figure``.

    Raises:
        InputError: there is nothing to draw, or ``months`` is out of range.

    Example:
        >>> figure = hs.plot_break_even(hs.break_even(one_off_usd=100, monthly_saving_usd=50))
        >>> figure.axes[0].get_title(loc="left")
        'Paid back: after 2.0 months'
    """
    count = whole_months(months)
    given = {"": cases} if isinstance(cases, Case) else dict(cases)
    if not given or not all(isinstance(case, Case) for case in given.values()):
        raise InputError("There is nothing to draw: hand over what hs.break_even() gave back.")
    figure, axes = figures.subplots(figsize=(8, 4), layout="constrained")
    axes.axhline(0, color=figures.BLACK, linewidth=1)
    found: list[str] = []
    looks = zip(cycle(DASHES), cycle(figures.COLOURS), given.items(), strict=False)
    for dash, colour, (name, case) in looks:
        back = case if isinstance(case, BreakEven) else case.break_even()
        found.append("never" if back.months is None else f"after {back.months:.1f} months")
        gained = list(map(float, back.cumulated_usd(count)))
        label = f"{name}: {found[-1]}"
        axes.plot(range(count + 1), gained, dash, color=colour, linewidth=2, label=label)
        if back.months is not None and back.months <= count:
            axes.plot(float(back.months), 0, "o", color=colour, markersize=8)
    axes.set(title=f"Paid back: {', '.join(found)}", xlim=(0, count))
    axes.set(xlabel="months since the move", ylabel="net gain so far, USD")
    axes.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 3, 6, 10], integer=True))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    if len(given) > 1:
        axes.legend(loc="best", frameon=True)
    return figure


def plot_sensitivity(found: DataFrame, axis_label: str = "first year's net gain, USD") -> Figure:
    """Draw a bar for each input of a move, the one that changes the result most on top.

    Blue is the result with the input turned up, orange hatched with it turned down. The black line
    is the result as assumed, the grey one 0. Inputs that change nothing are left out, and named
    below.

    Args:
        found: what ``hs.sensitivity()`` gave back.
        axis_label: the name of the result, with its unit.

    Returns:
        A Matplotlib ``Figure``.

    Raises:
        InputError: there is nothing to draw.

    Example:
        >>> move = hs.Assumptions(tokens=10_000_000, model="gpt-4.1", baseline="claude-sonnet-4-5")
        >>> hs.plot_sensitivity(hs.sensitivity(move)).axes[0].get_title(loc="left")
        'Most hangs on the tokens a month'
    """
    _need(found, "hs.sensitivity()", "low", "high", "result_low", "result_high", "moves")
    rows = found[found["moves"] != 0]
    names = [input_label(str(name)) for name in rows.index]
    idle = [input_label(name) for name in found.index if name not in rows.index]
    base = found["result_base"].iloc[0]
    ranges = map(_range, rows.index, rows["low"], rows["high"])
    labels = [f"{name}\n{ends}" for name, ends in zip(names, ranges, strict=True)]
    figure, axes = figures.named_rows(labels, 2, 0.5)
    for number, results in enumerate(zip(rows["result_low"], rows["result_high"], strict=True)):
        for result, style in zip(results, (DOWN, UP), strict=True):
            axes.barh(number, float(result - base), left=float(base), height=0.6, **style)
    axes.axvline(float(base), color=figures.BLACK, linewidth=1.5)
    axes.margins(x=0.08)
    left, right = axes.get_xlim()
    if left < 0 < right:
        axes.axvline(0, color=figures.GREY, linewidth=1.5)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel(axis_label + (f"\n(moved by neither {' nor '.join(idle)})" if idle else ""))
    axes.set_title(f"Most hangs on the {names[0]}" if names else "Nothing moves the result")
    figures.legend_below(figure, Patch(label="turned down", **DOWN), Patch(label="turned up", **UP))
    return figure


def _range(name: Any, low: Decimal, high: Decimal) -> str:
    if name.endswith("_share") or name == "growth":
        return f"{low:.0%} to {high:.0%}"
    if low >= 1_000_000:
        return f"{float(low) / 1e6:,g}M to {float(high) / 1e6:,g}M"
    return f"{float(low):,g} to {float(high):,g}"


def _need(frame: DataFrame, made_by: str, *columns: str) -> None:
    """Raise ``InputError`` for what is no frame of that function, or has no rows."""
    missing = [name for name in columns if name not in getattr(frame, "columns", ())]
    if missing or not len(frame):
        raise InputError(f"There is nothing to draw: hand over what {made_by} gave back.")
