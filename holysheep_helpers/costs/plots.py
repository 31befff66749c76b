"""Figures of money: models side by side, a table audited, a premium per mix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter, StrMethodFormatter

from holysheep_helpers import catalog
from holysheep_helpers.costs.audits import Audit
from holysheep_helpers.costs.moves import Assumptions, BreakEven
from holysheep_helpers.costs.report import plain
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.notebook.figures import BLACK, BLUE, COLOURS, GREEN, GREY, PALE, RED, WHITE
from holysheep_helpers.pricing.decimals import krw_text, whole_months

if TYPE_CHECKING:
    from pandas import DataFrame

MOST_LETTERS = 80
"""As many fit into the width of the axes."""


RANGE: dict[str, Any] = {"linewidth": 9, "solid_capstyle": "butt"}


DOT: dict[str, Any] = {"markersize": 11, "markeredgecolor": WHITE}


def plot_costs(costs: DataFrame) -> Figure:
    """A bar for each model of ``hs.compare_models()``, the dearest on top, with its cost.

    The baseline, if there is one, is grey; what a model saves against it stands beside the cost,
    and its won if there was a rate. Raises ``InputError`` if there is nothing to draw.
    """
    need(costs, "hs.compare_models()", "usd")
    rows = costs.sort_values("usd", ascending=False, kind="stable")
    models, usd = [str(name) for name in rows.index], list(rows["usd"])
    saved = list(rows["saving_share"]) if "saving_share" in rows else [None] * len(rows)
    won = list(rows["krw"]) if "krw" in rows else [None] * len(rows)
    figure, axes = plt.subplots(figsize=(8, 1.3 + 0.5 * len(rows)), layout="constrained")
    colours = [GREY if share == 0 else BLUE for share in saved]
    bars = axes.barh(models, [float(value) for value in usd], color=colours)
    labels = list(map(_label, usd, won, saved))
    axes.bar_label(bars, labels, padding=4)
    room = 1 - len(labels[0]) / MOST_LETTERS  # for the longest bar, beside its label
    axes.set_xlim(0, float(max(usd)) / room or 1)
    upside_down(axes, len(rows))
    axes.set_xlabel("US dollars")
    axes.set_title(f"{models[-1]}: {usd[-1]:,.2f} USD, {models[0]}: {usd[0]:,.2f} USD")
    plt.close(figure)  # the returned figure is shown once, by the cell that has it last
    return figure


def _label(usd: Decimal, krw: Decimal | None, saved: Decimal | None) -> str:
    parts = [f"{usd:,.2f} USD", *([] if krw is None else [f"{krw_text(krw)} KRW"])]
    if saved:
        parts.append(f"{abs(saved):,.1%} {'less' if saved > 0 else 'more'}")
    return " · ".join(parts)


def plot_audit(audits: Iterable[Audit]) -> Figure:
    """A row for each ``hs.audit_claim()``: what it can cost, and what was claimed.

    The bar goes from the cheapest mix to the dearest; a claim inside it is a dot, one outside a
    cross, with its distance. The axis is logarithmic, so that a factor of ten is as long in each
    row. Raises ``InputError`` if there is nothing to draw.
    """
    rows = list(audits)
    if not rows or not all(isinstance(row, Audit) for row in rows):
        raise InputError("There is no audit to draw: hand over a list of hs.audit_claim(...).")
    if any(not row.usd or not row.lowest_usd for row in rows):
        raise InputError("0 USD can't be drawn on a logarithmic axis: leave that audit out.")
    figure, axes = plt.subplots(figsize=(8, 1.9 + 0.5 * len(rows)), layout="constrained")
    for number, row in enumerate(rows):
        _audited(axes, number, row)
    axes.set_yticks(range(len(rows)), [row.model for row in rows])
    axes.set_xscale("log")
    axes.set_xlim(None, 60 * float(max(max(row.usd, row.highest_usd) for row in rows)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda usd, _: f"{usd:,g}"))
    upside_down(axes, len(rows))
    axes.set_xlabel("US dollars (each step is ten times as much)")
    refuted = sum(not row.possible for row in rows)
    axes.set_title(f"{refuted} of {len(rows)} claims: no mix of so many tokens costs that")
    legend_below(figure, axes)
    plt.close(figure)  # the returned figure is shown once, by the cell that has it last
    return figure


def _audited(axes: Axes, number: int, row: Audit) -> None:
    low, high, claimed = float(row.lowest_usd), float(row.highest_usd), float(row.usd)
    axes.plot([low, high], [number] * 2, color=BLUE, label="possible, by the price list", **RANGE)
    if low == high:
        axes.plot(low, number, "s", color=BLUE, markersize=9)
    if row.possible:
        axes.plot(claimed, number, "o", color=GREEN, label="claimed, and possible", **DOT)
        said = f"{row.usd:,.2f} USD"
    else:
        mark: dict[str, Any] = {"color": RED, "markersize": 10, "markeredgewidth": 3}
        axes.plot(claimed, number, "x", label="claimed, and not possible", **mark)
        over = claimed > high
        far = f"{claimed / high:.1f} × the most" if over else f"{claimed / low:.2f} × the least"
        said = f"{row.usd:,.2f} USD: {far}"
    axes.annotate(
        said, (max(claimed, high), number), (12, 0), textcoords="offset points", va="center"
    )


def plot_premium(premiums: DataFrame) -> Figure:
    """A row for each model of ``hs.premium()``: its premium at each mix, and the published band.

    A dot for each mix, the line between them the range. A model without a premium, for one of the
    prices is unknown, has an empty row that says so. Raises ``InputError`` if there is nothing to
    draw.
    """
    need(premiums, "hs.premium()", "model", "input_share", "premium")
    claims = catalog.published_claims()
    models = list(dict.fromkeys(premiums["model"]))
    figure, axes = plt.subplots(figsize=(8, 1.9 + 0.55 * len(models)), layout="constrained")
    band = [float(claims.premium_low), float(claims.premium_high)]
    said = f"published: {claims.premium_low:.0%} to {claims.premium_high:.0%}"
    axes.axvspan(band[0], band[1], facecolor=PALE, edgecolor="none", label=said, zorder=0)
    axes.axvline(0, color=BLACK, linewidth=1)
    known = premiums[premiums["premium"].notna()]
    for number, model in enumerate(models):
        rows = known[known["model"] == model]
        if not len(rows):
            axes.annotate(
                "unknown: no price to compare with", (0, number), (6, 0),
                textcoords="offset points", va="center",
            )  # fmt: skip
            continue
        found = [float(value) for value in rows["premium"]]
        axes.plot([min(found), max(found)], [number] * 2, color=GREY, linewidth=2, zorder=1)
        _mixes(axes, number, list(rows["input_share"]), found)
    axes.set_yticks(range(len(models)), models)
    axes.margins(x=0.1)
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    upside_down(axes, len(models))
    axes.set_xlabel("gateway's price beyond the direct price")
    if known.empty:
        axes.set_title("No premium is known")
    else:
        ends = " to ".join(f"{end(known['premium']):+.0%}" for end in (min, max))
        axes.set_title(f"From {ends}: it depends on model and mix".replace("+0%", "0%"))
    legend_below(figure, axes)
    plt.close(figure)  # the returned figure is shown once, by the cell that has it last
    return figure


MARKS = ("o", "D", "s", "^", "v", "P")


def _mixes(axes: Axes, number: int, mixes: Sequence[Decimal], found: Sequence[float]) -> None:
    # The first are larger: where several are alike, each is seen.
    sizes = [max(12 - 3 * n, 6) for n in range(len(mixes))]
    rows = zip(MARKS * 9, COLOURS * 9, mixes, found, sizes, strict=False)
    for mark, colour, mix, value, size in rows:
        axes.plot(value, number, mark, color=colour, markersize=size, label=f"{mix:.0%} input")


def need(frame: DataFrame, made_by: str, *columns: str) -> None:
    """Raise ``InputError`` for what is no frame of that function, or has no rows."""
    missing = [name for name in columns if name not in getattr(frame, "columns", ())]
    if missing or not len(frame):
        raise InputError(f"There is nothing to draw: hand over what {made_by} gave back.")


def upside_down(axes: Axes, rows: int) -> None:
    """The first row on top, and no lines between rows."""
    axes.set_ylim(max(rows, 1) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")


def legend_below(figure: Figure, axes: Axes, *more: Patch) -> None:
    """One entry for each label, under the figure."""
    marks = {label: mark for mark, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    marks |= {str(patch.get_label()): patch for patch in more}
    figure.legend(marks.values(), marks.keys(), loc="outside lower center", ncols=4, frameon=False)


Case = BreakEven | Assumptions


DASHES = ("-", "--", ":", "-.")


def plot_break_even(cases: Case | Mapping[str, Case], months: int = 24) -> Figure:
    """What a move has brought, net of all it cost, after 0 to ``months`` months.

    ``cases`` is what ``hs.break_even()`` gave back, or ``hs.Assumptions``, whose volume may grow,
    or several of them by name. A dot marks where a line crosses 0, and the legend says when.
    Raises ``InputError`` if there is nothing to draw.
    """
    count = whole_months(months)
    named = {"": cases} if isinstance(cases, Case) else dict(cases)
    if not named or not all(isinstance(case, Case) for case in named.values()):
        raise InputError("There is nothing to draw: hand over what hs.break_even() gave back.")
    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    axes.axhline(0, color=BLACK, linewidth=1)
    found: list[str] = []
    for number, (name, case) in enumerate(named.items()):
        back = case if isinstance(case, BreakEven) else case.break_even()
        _line(axes, f"{name}: {_when(back)}", back, count, number)
        found.append(_when(back))
    axes.set_title(f"Paid back: {', '.join(found)}")
    axes.set_xlim(0, count)
    axes.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 3, 6, 10], integer=True))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_xlabel("months since the move")
    axes.set_ylabel("net gain so far, USD")
    if len(named) > 1:
        axes.legend(loc="best", frameon=True)
    plt.close(figure)  # the returned figure is shown once, by the cell that has it last
    return figure


def _when(back: BreakEven) -> str:
    return "never" if back.months is None else f"after {back.months:.1f} months"


def _line(axes: Axes, label: str, back: BreakEven, count: int, number: int) -> None:
    gained = list(map(float, back.cumulated_usd(count)))
    colour, dash = COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]
    axes.plot(range(count + 1), gained, dash, color=colour, linewidth=2, label=label)
    if back.months is not None and back.months <= count:
        axes.plot(float(back.months), 0, "o", color=colour, markersize=8)


DOWN: dict[str, Any] = {"facecolor": RED, "hatch": "////", "edgecolor": WHITE}


UP: dict[str, Any] = {"facecolor": BLUE, "edgecolor": WHITE}


def plot_sensitivity(found: DataFrame, axis_label: str = "first year's net gain, USD") -> Figure:
    """A bar for each input of ``hs.sensitivity()``, the one that moves the result most on top.

    Blue is the result with the input turned up, red hatched with it turned down; the black line is
    the result as assumed, the grey one 0. Inputs that move nothing are left out, and named below.
    ``axis_label`` names the result, and its unit. Raises ``InputError`` if there is nothing to
    draw.
    """
    need(found, "hs.sensitivity()", "low", "high", "result_low", "result_high", "moves")
    rows = found[found["moves"] != 0]
    idle = [plain(str(name)) for name in found.index if name not in rows.index]
    base = found["result_base"].iloc[0]
    figure, axes = plt.subplots(figsize=(8, 2 + 0.5 * len(rows)), layout="constrained")
    labels: list[str] = []
    row: Any
    for number, (name, row) in enumerate(rows.iterrows()):
        for result, style in ((row["result_low"], DOWN), (row["result_high"], UP)):
            axes.barh(number, float(result - base), left=float(base), height=0.6, **style)
        labels.append(f"{plain(str(name))}\n{_turned(str(name), row['low'], row['high'])}")
    axes.axvline(float(base), color=BLACK, linewidth=1.5)
    axes.margins(x=0.08)
    left, right = axes.get_xlim()
    if left < 0 < right:
        axes.axvline(0, color=GREY, linewidth=1.5)
    axes.set_yticks(range(len(rows)), labels)
    upside_down(axes, len(rows))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_xlabel(axis_label + (f"\n(moved by neither {' nor '.join(idle)})" if idle else ""))
    axes.set_title(
        f"Most hangs on the {plain(str(rows.index[0]))}"
        if len(rows)
        else "Nothing moves the result"
    )
    legend_below(figure, axes, Patch(label="turned down", **DOWN), Patch(label="turned up", **UP))
    plt.close(figure)  # the returned figure is shown once, by the cell that has it last
    return figure


def _turned(name: str, low: Decimal, high: Decimal) -> str:
    if name.endswith("_share") or name == "growth":
        return f"{low:.0%} to {high:.0%}"
    if low >= 1_000_000:
        return f"{float(low) / 1e6:,g}M to {float(high) / 1e6:,g}M"
    return f"{float(low):,g} to {float(high):,g}"
