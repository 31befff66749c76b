"""Figures of a move: when it has paid for itself, and which assumption that hangs on."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from holysheep_helpers.cost_report import plain
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.notebook.figures import BLACK, BLUE, COLOURS, GREY, RED, WHITE
from holysheep_helpers.plots_cost import legend_below, need, upside_down
from holysheep_helpers.pricing.decimals import whole_months
from holysheep_helpers.returns import BreakEven
from holysheep_helpers.what_if import Assumptions

if TYPE_CHECKING:
    from pandas import DataFrame

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
