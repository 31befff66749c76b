"""Figures of lesson 8: what the server saw of one call, and a herd that comes back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from math import inf
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from holysheep_helpers._checks import shown
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.notebook import figures
from holysheep_helpers.resilience.circuit_breaker import CircuitBreaker, Event

LEAST_WIDTH_S = 0.004


LEAST_AXIS_S = 0.1
"""The axis is at least this long, so that a quick refusal does not fill the figure."""


WINDOW_S = 0.05


_PAID: dict[str, tuple[str, dict[str, Any]]] = {
    "yes": ("answered, billed", {"facecolor": figures.BLUE}),
    "no": ("refused, not billed", figures.FAILED),
    "maybe": ("lost, billed perhaps", figures.LIMITED),
}


def plot_attempts(entries: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Draw the requests behind one call, as the mock saw them: a row for each way to ask.

    Args:
        entries: what ``gw.mock.entries()`` gave for each way, by name.

    Returns:
        A Matplotlib figure; its axis is seconds since the first request of a row arrived.

    Raises:
        InputError: there is nothing to draw.

    Example:
        >>> mocked = hs.connect("mock")
        >>> reply = hs.ask(mocked, "Say hello.")
        >>> hs.plot_attempts({"hs.ask": mocked.mock.entries()}).axes[0].get_title(loc="left")
        'Answered after ...'
    """
    if not entries or not all(entries.values()):
        empty = next((name for name, rows in entries.items() if not rows), "")
        raise InputError(f"The mock saw no request for {empty!r}: nothing to draw.")
    figure, axes = figures.subplots(figsize=(8, 1.5 + 0.6 * len(entries)), layout="constrained")
    for row, seen in enumerate(entries.values()):
        first_s = last_s = seen[0]["arrived_s"]
        for entry in seen:
            last_s = max(last_s, entry["ended_s"] or entry["arrived_s"])
            took_s = max((entry["ended_s"] or last_s) - entry["arrived_s"], LEAST_WIDTH_S)
            style = _PAID[entry["paid"]][1]
            axes.barh(row, took_s, left=entry["arrived_s"] - first_s, height=0.6, **style)
        axes.plot([0, last_s - first_s], [row, row], color=figures.GREY, linewidth=1, zorder=0)
        count = f"{len(seen)} request{'s' * (len(seen) != 1)}"
        axes.annotate(count, (last_s - first_s, row), (8, 0), **figures.BESIDE)
    axes.set_yticks(range(len(entries)), list(entries))
    axes.invert_yaxis()
    axes.margins(x=0.2)
    axes.set_xlim(0, max(axes.get_xlim()[1], LEAST_AXIS_S))
    axes.grid(visible=False, axis="y")
    answered = sum(rows[-1]["paid"] == "yes" for rows in entries.values())
    found = f"{answered} of {len(entries)} ways to ask got their answer"
    if len(entries) == 1:
        found = f"{'Answered' if answered else 'No answer'} after {axes.texts[0].get_text()}"
    axes.set(xlabel="seconds since the first request arrived", title=found)
    there = {entry["paid"] for rows in entries.values() for entry in rows}
    marks = [Patch(label=label, **style) for paid, (label, style) in _PAID.items() if paid in there]
    figures.legend_below(figure, *marks)
    return figure


def most_at_once(times: Sequence[float]) -> int:
    """The most arrivals within 50 ms, whenever those begin; ``times`` are seconds."""
    ordered, first, most = sorted(times), 0, 0
    for last, at_s in enumerate(ordered):
        while at_s - ordered[first] > WINDOW_S:
            first += 1
        most = max(most, last + 1 - first)
    return most


def plot_herd(returns: Mapping[str, Sequence[float]]) -> Figure:
    """Draw when clients that met a limit together come back: how many in each 50 ms.

    Args:
        returns: for each name the seconds since the limit was met, one for each client.

    Returns:
        A Matplotlib figure with a histogram for each name.

    Raises:
        InputError: there are no times.

    Example:
        >>> hs.plot_herd({"at once": [1.0, 1.0, 1.01]}).axes[0].get_title(loc="left")
        'at once: at most 3 of 3 within any 50 ms'
    """
    if not returns or not all(len(times) for times in returns.values()):
        raise InputError("There are no times: a dict of names and seconds is needed.")
    last_s = max(max(times) for times in returns.values())
    edges = [n * WINDOW_S for n in range(int(last_s / WINDOW_S) + 2)]
    look = {"figsize": (8, 1 + 1.5 * len(returns)), "sharex": True, "sharey": True}
    figure, grid = figures.subplots(len(returns), squeeze=False, **look)
    for axes, (name, times), colour in zip(grid[:, 0], returns.items(), cycle(figures.COLOURS)):
        axes.hist(times, bins=edges, color=colour)
        title = f"{name}: at most {most_at_once(times)} of {len(times)} within any 50 ms"
        axes.set(title=title, ylabel="requests")
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    grid[-1, 0].set_xlabel("seconds since the limit was met")
    figure.tight_layout()
    return figure


MARKS: dict[str, dict[str, Any]] = {
    "answered": {"marker": "o", "color": figures.BLUE, "markersize": 7},
    "failed": {"marker": "x", "color": figures.RED, "markersize": 9, "markeredgewidth": 2.5},
    "no verdict": {"marker": "s", "color": figures.GREY, "markersize": 7, "fillstyle": "none"},
    "passed over": {"marker": "|", "color": figures.GREY, "markersize": 9},
}


SPANS: dict[str, dict[str, Any]] = {
    "open": {"facecolor": figures.PALE, "hatch": "//", "edgecolor": figures.WHITE, "zorder": 1},
    # Seen, however short, and not behind the span that follows it.
    "half-open": {"color": figures.BLACK, "linewidth": 2, "zorder": 1.5},
}


def plot_circuit(breaker: CircuitBreaker, outage_s: tuple[float, float] | None = None) -> Figure:
    """Draw a row for each model: its requests, and when its circuit was open.

    Blue dots are answers, orange crosses failures, hollow squares requests that say nothing of the
    model (they were wrong themselves), grey ticks calls that passed the model over. Hatched is
    open, black half-open, until the trial's verdict.

    Args:
        breaker: a ``CircuitBreaker`` through which was asked.
        outage_s: from when to when the first model really was down, in seconds on the axis, where
            that is known: a grey bar above its row, and a dotted line at its end. Default: none.

    Returns:
        A Matplotlib figure; its axis is seconds on the breaker's clock since its first event.

    Raises:
        InputError: the breaker has seen nothing yet, or the outage ends before it begins.

    Example:
        >>> breaker = hs.CircuitBreaker()
        >>> breaker.permit("gpt-4.1").failed()
        >>> hs.plot_circuit(breaker).axes[0].get_title(loc="left")
        'gpt-4.1: 1 request failed, 0 were spared'
    """
    events = list(breaker.events)
    if not events:
        raise InputError(
            "This breaker has seen nothing yet: ask through it, hs.failover(..., breaker=breaker)."
        )
    if outage_s is not None and not outage_s[0] <= outage_s[1]:
        raise InputError(
            f"outage_s is {shown(outage_s)}: (from, to) in seconds is needed, in order."
        )
    models = list(dict.fromkeys(event.model for event in events))
    start_s = events[0].at_s
    end_s = max(events[-1].at_s - start_s, 1e-3)
    figure, axes = figures.named_rows(models, 1.9, 0.6, width=9, ends=(0.6, 0.5))
    for row, model in enumerate(models):
        _row(axes, row, [event for event in events if event.model == model], start_s, end_s)
    if outage_s is not None:
        label = f"down from {outage_s[0]:g} to {outage_s[1]:g} s"
        axes.plot(outage_s, [-0.46] * 2, color=figures.GREY, linewidth=5, label=label)
        axes.axvline(outage_s[1], color=figures.GREY, linestyle=":", linewidth=1.5, zorder=0.5)
    axes.set(xlim=(-0.02 * end_s, 1.02 * end_s), xlabel="seconds since the first call")
    counts = Counter((event.model, event.what) for event in events)
    worst = max(models, key=lambda model: (counts[model, "failed"], counts[model, "no verdict"]))
    failed, wrong = counts[worst, "failed"], counts[worst, "no verdict"]
    what = "were wrong themselves" if wrong and not failed else "failed"
    count = f"{failed or wrong} request{'s' * ((failed or wrong) != 1)}"
    axes.set_title(f"{worst}: {count} {what}, {counts[worst, 'passed over']} were spared")
    half = Line2D([], [], marker="|", linestyle="", markersize=14, markeredgewidth=2)
    half.set(color=figures.BLACK, label="half-open")
    figures.legend_below(figure, *[half] * any(e.what == "half-open" for e in events), ncols=6)
    return figure


def _row(axes: Axes, row: int, events: Sequence[Event], start_s: float, end_s: float) -> None:
    for what, from_s, to_s in _spans(events, start_s, end_s):
        span = [(from_s, to_s - from_s)]
        axes.broken_barh(span, (row - 0.32, 0.64), label=what, **SPANS[what])
    for what, style in MARKS.items():
        if times := [event.at_s - start_s for event in events if event.what == what]:
            axes.plot(times, [row] * len(times), linestyle="", label=what, **style)


def _spans(
    events: Sequence[Event], start_s: float, end_s: float
) -> Iterator[tuple[str, float, float]]:
    """When the circuit was not closed: its state, from, to. The last one ends with the figure."""
    changes = [event for event in events if event.what in ("closed", "open", "half-open")]
    ends_s = [*(event.at_s - start_s for event in changes), end_s][1:]
    for event, until_s in zip(changes, ends_s, strict=True):
        if event.what != "closed":
            opens_s = inf if event.until_s is None else event.until_s - start_s
            yield event.what, event.at_s - start_s, min(until_s, opens_s)
