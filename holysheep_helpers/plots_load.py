"""A figure of latency under load: what more requests at once bring, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from statistics import fmean
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from holysheep_helpers.exceptions import InputError
from holysheep_helpers.latency_run import LatencyRun
from holysheep_helpers.latency_summary import ms, row_of
from holysheep_helpers.notebook.figures import BLACK, BLUE, GREEN, GREY, RED, littles_law
from holysheep_helpers.plots_latency import DOT, in_ms

Point = tuple[float | None, tuple[float, float] | None]
"""A quantile and its interval, as far as the sample carries them."""


def plot_latency_sweep(sweep: Mapping[int, LatencyRun], capacity: int | None = None) -> Figure:
    """Left the time to first token over concurrency, right the answers a second.

    ``sweep`` has a measurement for each concurrency, two or more. Median, and p90 where ten runs
    carry it, with 95% intervals, from many times as many runs as are asked at once: before each has
    waited for its turn, less is seen. Grey is Little's law, from the mean time of a request at the
    smallest concurrency, for a server that answers ``capacity`` at once, if that is known: beyond
    it, each request waits until one before it is done. Raises ``InputError`` if there is nothing to
    draw.
    """
    if len(sweep) < 2:
        raise InputError(
            f"Measurements given: {len(sweep)}. A dict of concurrency and run is needed, of two "
            "concurrencies or more."
        )
    if capacity is not None and (not isinstance(capacity, int) or capacity < 1):
        raise InputError(
            f"capacity is {capacity!r}: a whole number, 1 or more, is needed, or None."
        )
    levels = sorted(sweep)
    rows = {n: row_of(str(n), in_ms(sweep[n], "ttft_s", str(n))) for n in levels}
    rates = [sweep[n].answers_per_s for n in levels]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.4), layout="constrained")
    _law(left, right, levels, sweep[levels[0]], capacity)
    medians = {n: (row.median, row.median_interval) for n, row in rows.items()}
    _line(left, medians, 0.98, fmt="o-", color=BLUE, label="median")
    p90s = {n: (row.percentiles[0.9], row.percentile_intervals[0.9]) for n, row in rows.items()}
    _line(left, p90s, 0.88, fmt="s--", color=RED, label="p90")
    right.plot(levels, rates, "D", color=GREEN, label="measured", **DOT)
    low, high = levels[0], levels[-1]
    ends = [ms(rows[n].median / 1000, 0) for n in (low, high)]
    left.set_title(f"First token: {ends[0]} ms at {low}, {ends[1]} ms at {high}")
    right.set_title(f"Answers a second: {rates[0]:.2g} at {low}, {rates[-1]:.2g} at {high}")
    left.set_ylabel("time to first token, ms")
    right.set_ylabel("answers a second")
    for axes in (left, right):
        axes.set_xscale("log", base=2)
        axes.set_xticks(levels, [str(level) for level in levels])
        axes.set_xlabel("requests at once")
        axes.set_ylim(0, axes.get_ylim()[1] * (1.3 if axes.texts else 1))  # texts stand on top
    marks = [axes.get_legend_handles_labels() for axes in (left, right)]
    once = {label: mark for found in marks for mark, label in zip(*found, strict=True)}
    figure.legend(
        once.values(), once.keys(), loc="outside lower center", ncols=len(once), frameon=False
    )
    plt.close(figure)  # the returned figure is shown once, by the cell that has it last
    return figure


def _law(
    left: Axes, right: Axes, levels: Sequence[int], first: LatencyRun, capacity: int | None
) -> None:
    """Little's law: answers a second, and, where the capacity is known, the wait beyond it."""
    request_s = fmean(run.e2e_s for run in first.runs if not run.failed)
    steps = [levels[0] * (levels[-1] / levels[0]) ** (n / 100) for n in range(101)]
    limit_per_s = None if capacity is None else capacity / request_s
    rates = [littles_law(n, request_s, limit_per_s) for n in steps]
    grey: dict[str, Any] = {"color": GREY, "linewidth": 3, "label": "Little's law"}
    right.plot(steps, rates, **grey)
    if capacity is None:
        return
    alone_s = fmean(filter(isfinite, first.values("ttft_s")))
    # W = L / λ: what is more than the request itself takes is waiting
    spans = [alone_s + n / rate - request_s for n, rate in zip(steps, rates, strict=True)]
    left.plot(steps, [1000 * span for span in spans], **grey)
    for axes in (left, right):
        axes.axvline(capacity, color=BLACK, linestyle=":", label=f"capacity, {capacity} at once")


def _line(axes: Axes, found: Mapping[int, Point], height: float, **style: Any) -> None:
    """A quantile over concurrency; where it is infinite, a word near the top instead."""
    carried = {n: (q, interval or (q, q)) for n, (q, interval) in found.items() if q is not None}
    drawn = {n: point for n, point in carried.items() if isfinite(point[0])}
    values = [value for value, _ in drawn.values()]
    top = max(values, default=0.0) * 1.3  # where an infinite end stops
    below = [value - low for value, (low, _) in drawn.values()]
    above = [min(high, top) - value for value, (_, high) in drawn.values()]
    axes.errorbar(list(drawn), values, yerr=(below, above), capsize=4, markersize=8, **style)
    for n in sorted(carried.keys() - drawn.keys()):
        axes.annotate(
            f"{style['label']} ∞", (n, height), color=style["color"],
            xycoords=axes.get_xaxis_transform(), ha="center", va="top",
        )  # fmt: skip
