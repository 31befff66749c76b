"""Figures of lesson 6: what the server saw of one call, and a herd that comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from holysheep_helpers.exceptions import InputError
from holysheep_helpers.notebook.figures import BLUE, COLOURS, FAILED, GREY, LIMITED

LEAST_WIDTH_S = 0.004
LEAST_AXIS_S = 0.1
"""A request that was refused at once shall not fill the figure."""
WINDOW_S = 0.05
_PAID: dict[str, tuple[str, dict[str, Any]]] = {
    "yes": ("answered, billed", {"facecolor": BLUE}),
    "no": ("refused, not billed", FAILED),
    "maybe": ("lost, billed perhaps", LIMITED),
}


def plot_attempts(entries: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """The requests behind one call, as the mock saw them: a row for each way to ask, by name.

    ``entries`` has what ``gw.mock.entries()`` gave for each. The axis is seconds since the first
    request of a row arrived. Raises ``InputError`` where there is nothing to draw.
    """
    if not entries or not all(entries.values()):
        empty = next((name for name, rows in entries.items() if not rows), "")
        raise InputError(f"The mock saw no request for {empty!r}: nothing to draw.")
    figure, axes = plt.subplots(figsize=(8, 1.5 + 0.6 * len(entries)), layout="constrained")
    for row, seen in enumerate(entries.values()):
        first_s, last_s = seen[0]["arrived_s"], seen[0]["arrived_s"]
        for entry in seen:
            last_s = max(last_s, entry["ended_s"] or entry["arrived_s"])
            took_s = max((entry["ended_s"] or last_s) - entry["arrived_s"], LEAST_WIDTH_S)
            style = _PAID[entry["paid"]][1]
            axes.barh(row, took_s, left=entry["arrived_s"] - first_s, height=0.6, **style)
        axes.plot([0, last_s - first_s], [row, row], color=GREY, linewidth=1, zorder=0)
        count = f"{len(seen)} request{'s' * (len(seen) != 1)}"
        axes.annotate(
            count, (last_s - first_s, row), (8, 0), textcoords="offset points", va="center"
        )
    axes.set_yticks(range(len(entries)), list(entries))
    axes.invert_yaxis()
    axes.margins(x=0.2)
    axes.set_xlim(0, max(axes.get_xlim()[1], LEAST_AXIS_S))
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("seconds since the first request arrived")
    answered = sum(rows[-1]["paid"] == "yes" for rows in entries.values())
    found = f"{answered} of {len(entries)} ways to ask got their answer"
    if len(entries) == 1:
        found = f"{'Answered' if answered else 'No answer'} after {axes.texts[0].get_text()}"
    axes.set_title(found)
    there = {entry["paid"] for rows in entries.values() for entry in rows}
    marks = [Patch(label=label, **style) for paid, (label, style) in _PAID.items() if paid in there]
    figure.legend(handles=marks, loc="outside lower center", ncols=3, frameon=False)
    plt.close(figure)  # the returned figure is shown once, by the cell that has it last
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
    """When clients that met a limit together come back: how many in each 50 ms, by name.

    ``returns`` has for each name the seconds since the limit was met, one for each client. Raises
    ``InputError`` where there is nobody.
    """
    if not returns or not all(len(times) for times in returns.values()):
        raise InputError("Nobody comes back: a dict of names and seconds is needed.")
    last_s = max(max(times) for times in returns.values())
    edges = [n * WINDOW_S for n in range(int(last_s / WINDOW_S) + 2)]
    figure, all_axes = plt.subplots(
        len(returns),
        1,
        sharex=True,
        sharey=True,
        squeeze=False,
        figsize=(8, 1 + 1.5 * len(returns)),
    )
    for axes, (name, times), colour in zip(
        all_axes[:, 0], returns.items(), COLOURS * len(returns), strict=False
    ):
        axes.hist(times, bins=edges, color=colour)
        axes.set_title(f"{name}: at most {most_at_once(times)} of {len(times)} within any 50 ms")
        axes.set_ylabel("requests")
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    all_axes[-1, 0].set_xlabel("seconds since the limit was met")
    figure.tight_layout()
    plt.close(figure)
    return figure
