"""A figure of a circuit breaker over time: what was asked, what failed, who was left alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from holysheep_helpers.circuit import CircuitBreaker, Event
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.notebook.figures import BLACK, BLUE, GREY, PALE, RED, WHITE

MARKS: dict[str, dict[str, Any]] = {
    "answered": {"marker": "o", "color": BLUE, "markersize": 7},
    "failed": {"marker": "x", "color": RED, "markersize": 9, "markeredgewidth": 2.5},
    "no verdict": {"marker": "s", "color": GREY, "markersize": 7, "fillstyle": "none"},
    "passed over": {"marker": "|", "color": GREY, "markersize": 9},
}
SPANS: dict[str, dict[str, Any]] = {
    "open": {"facecolor": PALE, "hatch": "//", "edgecolor": WHITE},
    "half-open": {"facecolor": BLACK, "edgecolor": BLACK, "linewidth": 2},  # however short
}


def plot_circuit(breaker: CircuitBreaker, outage_s: tuple[float, float] | None = None) -> Figure:
    """A row for each model: its requests as marks, and behind them when its circuit was open.

    The horizontal axis is seconds on the breaker's clock, from its first event. Blue dots are
    answers, red crosses failures, hollow squares requests that say nothing of the model (they were
    wrong themselves), grey ticks calls that passed the model over. Hatched is open, black
    half-open, until the trial's verdict. ``outage_s`` is from when to when the first model really
    was down, where that is known, in seconds on the axis: a grey bar above its row, and a dotted
    line at its end. Raises ``InputError`` if the breaker has seen nothing yet, or that outage ends
    before it begins.
    """
    events = list(breaker.events)
    if not events:
        raise InputError(
            "This breaker has seen nothing yet: ask through it, hs.failover(..., breaker=breaker)."
        )
    if outage_s is not None and not outage_s[0] <= outage_s[1]:
        raise InputError(f"outage_s is {outage_s!r}: (from, to) in seconds is needed, in order.")
    models = list(dict.fromkeys(event.model for event in events))
    start_s = events[0].at_s
    end_s = max(events[-1].at_s - start_s, 1e-3)
    figure, axes = plt.subplots(figsize=(9, 1.9 + 0.6 * len(models)), layout="constrained")
    for row, model in enumerate(models):
        _row(axes, row, [event for event in events if event.model == model], start_s, end_s)
    if outage_s is not None:
        _outage(axes, *outage_s)
    axes.set_yticks(range(len(models)), models)
    axes.set_ylim(len(models) - 0.5, -0.6)  # the first on top
    axes.set_xlim(-0.02 * end_s, 1.02 * end_s)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("seconds since the first call")
    counts = Counter((event.model, event.what) for event in events)
    worst = max(models, key=lambda model: (counts[model, "failed"], counts[model, "no verdict"]))
    failed, wrong = counts[worst, "failed"], counts[worst, "no verdict"]
    what = "were wrong themselves" if wrong and not failed else "failed"
    count = f"{failed or wrong} request{'s' * ((failed or wrong) != 1)}"
    axes.set_title(f"{worst}: {count} {what}, {counts[worst, 'passed over']} were spared")
    marks = {label: mark for mark, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(marks.values(), marks.keys(), loc="outside lower center", ncols=6, frameon=False)
    plt.close(figure)  # the returned figure is shown once, by the cell that has it last
    return figure


def _outage(axes: Axes, begins_s: float, ends_s: float) -> None:
    label = f"down from {begins_s:g} to {ends_s:g} s"
    axes.plot([begins_s, ends_s], [-0.46] * 2, color=GREY, linewidth=5, label=label)
    axes.axvline(ends_s, color=GREY, linestyle=":", linewidth=1.5, zorder=0.5)


def _row(axes: Axes, row: int, events: Sequence[Event], start_s: float, end_s: float) -> None:
    for what, from_s, to_s in _spans(events, start_s, end_s):
        span, style = [(from_s, to_s - from_s)], SPANS[what]
        order = 1.5 if what == "half-open" else 1  # not behind the span that follows it
        axes.broken_barh(span, (row - 0.32, 0.64), zorder=order, label=what, **style)
    for what, style in MARKS.items():
        times = [event.at_s - start_s for event in events if event.what == what]
        if times:
            axes.plot(times, [row] * len(times), linestyle="", label=what, **style)


def _spans(
    events: Sequence[Event], start_s: float, end_s: float
) -> Iterator[tuple[str, float, float]]:
    """When the circuit was not closed: its state, from, to. The last one ends with the figure."""
    changes = [event for event in events if event.what in ("closed", "open", "half-open")]
    for event, after in zip(changes, [*changes, None][1:], strict=True):
        if event.what == "closed":
            continue
        until_s = end_s if after is None else after.at_s - start_s
        if event.until_s is not None:
            until_s = min(until_s, event.until_s - start_s)
        yield event.what, event.at_s - start_s, until_s
