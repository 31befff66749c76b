"""Figures of latency: how it is spread, and before and after a change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isfinite
from textwrap import fill
from typing import Any
from unicodedata import east_asian_width

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from holysheep_helpers import stats
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.latency_run import LatencyRun
from holysheep_helpers.latency_summary import LEAST_RUNS, NAMES, counted, ms, row_of
from holysheep_helpers.notebook.figures import BLACK, BLUE, COLOURS, GREEN, GREY, RED, WHITE

STYLES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D")
DOT: dict[str, Any] = {"markersize": 9, "markeredgecolor": WHITE, "zorder": 4}
LARGE: dict[str, Any] = {**DOT, "markersize": 12}
TOO_FEW = f": too few runs to tell ({LEAST_RUNS} of each are the least)"
Interval = tuple[float, float]


def plot_ecdf(
    runs: LatencyRun | Mapping[str, LatencyRun],
    metric: str = "ttft_s",
    *,
    before: LatencyRun | None = None,
) -> Figure:
    """The share of runs (0 to 100%) that took at most so many milliseconds; the medians marked.

    ``runs`` is one measurement, or several by name. ``metric`` is a time of ``TimedStream``. Shaded
    is the 95% band of Dvoretzky, Kiefer, Wolfowitz and Massart (``stats.band``), within which the
    whole true curve lies. Failed runs took for ever: they keep a curve below 100%. ``before`` is a
    run to compare with, in grey. Raises ``InputError`` if one has no run with this metric.
    """
    named = {"": runs} if isinstance(runs, LatencyRun) else dict(runs)
    samples = {name: in_ms(run, metric, name) for name, run in named.items()}
    if not samples:
        raise InputError("No measurement was given: hand over what hs.measure_latency() gave back.")
    earlier = None if before is None else in_ms(before, metric, "before")
    edges = _edges([*samples.values(), *([earlier] if earlier else [])])
    figure, axes = plt.subplots(figsize=(8, 4.2 + 0.3 * len(samples)), layout="constrained")
    if earlier is not None:
        _curve(axes, earlier, edges, "before", color=GREY, linewidth=2)
    for number, (name, values) in enumerate(samples.items()):
        colour, style = COLOURS[number % len(COLOURS)], STYLES[number % len(STYLES)]
        _curve(axes, values, edges, name, color=colour, linestyle=style, linewidth=2.5)
        _shade(axes, values, edges, colour)
        if isfinite(median := stats.quantile(values, 0.5)):
            axes.plot(median, 0.5, MARKERS[number % len(MARKERS)], color=colour, **DOT)
    medians = {name: stats.quantile(values, 0.5) for name, values in samples.items()}
    was = "" if earlier is None else f", before {_ms(stats.quantile(earlier, 0.5))} ms"
    _title(axes, f"Median {NAMES[metric]}: {_range(medians)}{was}")
    axes.set_xlabel(f"{NAMES[metric]}, ms")
    axes.set_ylabel("share of runs")
    axes.set_xlim(edges)
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    lines = [line for line in axes.get_lines() if not str(line.get_label()).startswith("_")]
    band = Patch(facecolor=GREY, alpha=0.3, label="shaded: 95% band of the whole curve")
    figure.legend(handles=[*lines, band], loc="outside lower left", frameon=False, handlelength=3)
    return _done(figure)


def _curve(axes: Axes, values: Sequence[float], edges: Interval, name: str, **style: Any) -> None:
    finite = [value for value in values if isfinite(value)]
    shares = [count / len(values) for count in range(1, len(finite) + 1)]
    row = row_of(name, values)
    facts = f"{counted(row.count, 'run')}, median {_ms(row.median)} ms"
    if row.median_interval is not None:
        facts += " (95%: {} to {})".format(*map(_ms, row.median_interval))
    if failed := len(values) - len(finite):
        facts += f", {failed} failed: ends at {shares[-1]:.0%}"
    label = f"{name}: {facts}" if name else facts
    if _width(label) > 84:
        label = f"{name}:\n{facts}"
    steps = [edges[0], *finite, edges[1]]
    axes.step(steps, [0, *shares, shares[-1]], where="post", label=label, **style)


def _shade(axes: Axes, values: Sequence[float], edges: Interval, colour: str) -> None:
    finite = [value for value in values if isfinite(value)]
    half = stats.band(len(values))
    shares = [count / len(values) for count in range(len(finite) + 1)]
    shares.append(shares[-1])
    axes.fill_between(
        [edges[0], *finite, edges[1]],
        [max(share - half, 0) for share in shares],
        [min(share + half, 1) for share in shares],
        step="post", color=colour, alpha=0.15, linewidth=0,
    )  # fmt: skip


def plot_before_after(
    before: LatencyRun,
    after: LatencyRun,
    metric: str = "ttft_s",
    names: tuple[str, str] = ("before", "after"),
) -> Figure:
    """Each run of two measurements as a dot, their medians, and below the difference of these.

    Bars are 95% intervals, from six runs on; one of the difference that holds 0 means: can't tell
    them apart. The difference is that of ``before.compare(after)``. A failed run is a cross at the
    right edge. Raises ``InputError`` if one of them has no run with this metric.
    """
    samples = [in_ms(run, metric, name) for run, name in zip((before, after), names, strict=True)]
    compared = before.compare(after).rows.get(metric)
    if compared is None:
        found = stats.difference(samples[0], samples[1], "median")
    else:
        middle, low, high = (1000 * value for value in compared)
        found = middle, low, high
    figure, (axes, below) = plt.subplots(
        2, 1, figsize=(8, 4.8), height_ratios=(3, 1), layout="constrained"
    )
    edges = _edges(samples, room=0.14)  # for the words over a median
    for row, values in enumerate(samples):
        _dots(axes, row, values, edges, (BLUE, RED)[row])
    axes.set_yticks([0, 1], list(names))
    axes.set_ylim(1.5, -0.5)
    axes.set_xlim(edges)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(f"{NAMES[metric]}, ms")
    few = min(map(len, samples)) < LEAST_RUNS
    _title(axes, f"{NAMES[metric]}{TOO_FEW}" if few else _verdict(found, names, NAMES[metric]))
    _difference(below, found, names, few)
    return _done(figure)


def _dots(axes: Axes, row: int, values: Sequence[float], edges: Interval, colour: str) -> None:
    finite = [value for value in values if isfinite(value)]
    spread = [row + ((number * 0.618) % 1 - 0.5) * 0.5 for number in range(len(values))]
    axes.plot(finite, spread[: len(finite)], MARKERS[row], color=colour, alpha=0.45, markersize=5)
    if failed := len(values) - len(finite):
        axes.plot(edges[1], row, "x", color=BLACK, markersize=9, clip_on=False)
        axes.annotate(
            f"{failed} failed", (edges[1], row), xytext=(0, -9), textcoords="offset points",
            ha="right", va="top", bbox={"facecolor": WHITE, "edgecolor": "none", "pad": 1},
        )  # fmt: skip
    found = row_of("", values)
    median = found.median
    if not isfinite(median):
        return
    if found.median_interval is not None:
        low, high = found.median_interval
        axes.plot([low, min(high, edges[1])], [row, row], color=BLACK, linewidth=3, zorder=3)
    axes.plot(median, row, MARKERS[row], color=colour, **LARGE)
    axes.annotate(
        f"median {_ms(median)}", (median, row - 0.3), ha="center", va="bottom", fontweight="bold"
    )


def _verdict(found: Sequence[float], names: tuple[str, str], what: str) -> str:
    middle, low, high = found
    if not isfinite(middle):
        return f"{what}: half or more failed, so that there is no median to compare"
    interval = f"(95%: {_ms(low)} to {_ms(high)} ms)"
    if low <= 0 <= high:
        return f"{what}: can't tell {names[0]} and {names[1]} apart\n{interval}"
    how = "longer" if middle > 0 else "shorter"
    return f"{what}, {names[1]}: {_ms(abs(middle))} ms {how}\n{interval}"


def _difference(axes: Axes, found: Sequence[float], names: tuple[str, str], few: bool) -> None:
    axes.axvline(0, color=BLACK, linewidth=1)
    finite = [value for value in found if isfinite(value)]
    most = max(map(abs, finite), default=0.0) * 1.25 or 1.0
    low, high = max(found[1], -most), min(found[2], most)  # an infinite end leaves the picture
    if not few:
        axes.plot([low, high], [0, 0], color=GREEN, linewidth=3)
    if isfinite(found[0]):
        axes.plot(found[0], 0, "D", color=GREEN, **DOT)
    axes.set_xlim(-most, most)
    axes.set_ylim(-1, 1)
    axes.set_yticks([])
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(fill(f"{names[1]} minus {names[0]}, difference of the medians, ms", 72))


def in_ms(run: LatencyRun, metric: str, name: str) -> list[float]:
    """The values in milliseconds, in rising order, those of failed runs infinite."""
    if metric not in NAMES:
        raise InputError(f"There is no time {metric!r} to draw: allowed are {', '.join(NAMES)}.")
    values = sorted(1000 * value for value in run.values(metric))
    if not values or values[0] == inf:
        raise InputError(
            f"The measurement {name!r} has no run with {metric}: there is nothing to draw. Its "
            "summary(), or the column notes of to_frame(), says why."
        )
    return values


def _edges(samples: Sequence[Sequence[float]], room: float = 0.06) -> Interval:
    """Both ends of the axis: room on each side of all that is finite."""
    finite = [value for values in samples for value in values if isfinite(value)]
    low, high = min(finite), max(finite)
    beside = room * (high - low) or 0.05 * abs(high) or 1.0
    return max(low - beside, 0.0) if low >= 0 else low - beside, high + beside


def _ms(value: float) -> str:
    return ms(value / 1000, 2 if abs(value) < 10 else 1)


def _range(medians: Mapping[str, float]) -> str:
    low, high = (choose(medians, key=medians.__getitem__) for choose in (min, max))
    if len(medians) == 1:
        return f"{_ms(medians[low])} ms"
    if _width(low + high) > 44:
        return f"{_ms(medians[low])} to {_ms(medians[high])} ms"
    return f"{_ms(medians[low])} ms ({low}) to {_ms(medians[high])} ms ({high})"


def _width(text: str) -> int:
    """In Latin letters: a Korean one is as wide as two."""
    return sum(1 + (east_asian_width(letter) in "WF") for letter in text)


def _title(axes: Axes, text: str) -> None:
    lines = (text[0].upper() + text[1:]).splitlines()
    axes.set_title("\n".join(fill(line, 60) for line in lines))


def _done(figure: Figure) -> Figure:
    plt.close(figure)  # the returned figure is shown once, by the cell that has it last
    return figure
