"""Figures of latency: its spread, before and after a change, under load, and in one stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from math import inf, isfinite, isnan
from statistics import fmean
from textwrap import fill
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter
from wcwidth import wcswidth

from holysheep_helpers._checks import check_whole, shown
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.latency import stats
from holysheep_helpers.latency.data import Text, TimedStream
from holysheep_helpers.latency.run import NAMES, TOO_FEW, Comparison, LatencyRun, counted, ms
from holysheep_helpers.latency.stats import estimate
from holysheep_helpers.notebook import figures

STYLES = ("-", "--", "-.", ":")

MARKERS = ("o", "s", "^", "D")

DOT: dict[str, Any] = {"markersize": 9, "markeredgecolor": figures.WHITE, "zorder": 4}

WIRE: dict[str, Any] = {"facecolor": figures.BLUE}

CLIENT: dict[str, Any] = {"facecolor": figures.GREEN, "hatch": "////"}

CONNECTING: dict[str, Any] = {"facecolor": figures.PINK, "hatch": ".."}

IDLE: dict[str, Any] = {"facecolor": figures.GREY}

CHUNKS: dict[str, Any] = {"facecolor": figures.SKY, "edgecolor": figures.BLUE}

SHORTEST_S = 0.000_05
"""What is shorter rounds to 0.0 ms, and is left out."""


def plot_ecdf(
    runs: LatencyRun | Mapping[str, LatencyRun],
    metric: str = "ttft_s",
    *,
    before: LatencyRun | None = None,
) -> Figure:
    """Draw the share of runs that took at most so many milliseconds, the medians marked.

    Shaded is the 95% band within which the whole true curve lies (Dvoretzky, Kiefer, Wolfowitz and
    Massart; ``stats.band``). Failed runs took for ever: they keep a curve below 100%.

    Args:
        runs: one measurement, or several by name.
        metric: a time of ``TimedStream``. Default: ``"ttft_s"``, the time to first token.
        before: an earlier measurement to compare with, drawn in grey. Default: none.

    Returns:
        The figure: milliseconds across, the share of runs (0 to 100%) up.

    Raises:
        InputError: one of them has no run with this metric, or there is no such time.

    Example:
        >>> run = hs.measure_latency(gw, "Say hello.", runs=6, max_tokens=5, progress=False)
        >>> hs.plot_ecdf(run)
        <Figure size 800x450 with 1 Axes>
    """
    named = {"": runs} if isinstance(runs, LatencyRun) else dict(runs)
    samples = {name: in_ms(run, metric, name) for name, run in named.items()}
    if not samples:
        raise InputError("No measurement was given: hand over what hs.measure_latency() gave back.")
    earlier = [] if before is None else in_ms(before, metric, "before")
    edges = _edges([*samples.values(), earlier])
    figure, axes = figures.subplots(figsize=(8, 4.2 + 0.3 * len(samples)), layout="constrained")
    was = ""
    if earlier:
        was = f", before {_ms(stats.quantile(earlier, 0.5))} ms"
        _curve(axes, earlier, edges, "before", color=figures.GREY, linewidth=2)
    medians = {name: stats.quantile(values, 0.5) for name, values in samples.items()}
    looks = zip(cycle(figures.COLOURS), cycle(STYLES), cycle(MARKERS), strict=False)
    for (name, values), (colour, style, marker) in zip(samples.items(), looks, strict=False):
        x, y = _curve(axes, values, edges, name, color=colour, linestyle=style, linewidth=2.5)
        low, high = (np.clip(np.add(y, stats.band(len(values)) * side), 0, 1) for side in (-1, 1))
        axes.fill_between(x, low, high, step="post", color=colour, alpha=0.15, linewidth=0)
        if isfinite(medians[name]):
            axes.plot(medians[name], 0.5, marker, color=colour, **DOT)
    _title(axes, f"Median {NAMES[metric]}: {_range(medians)}{was}")
    axes.set(xlabel=f"{NAMES[metric]}, ms", ylabel="share of runs", xlim=edges, ylim=(0, 1.02))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    band = Patch(label="shaded in the same colour: 95% band of the whole curve", alpha=0)
    figures.legend_below(figure, band, loc="outside lower left", ncols=1, handlelength=3)
    return figure


def _curve(
    axes: Axes, values: Sequence[float], edges: tuple[float, float], name: str, **style: Any
) -> tuple[list[float], list[float]]:
    """Draw the steps, with what there is to say as their label; gives back their points."""
    finite = [value for value in values if isfinite(value)]
    shares = [count / len(values) for count in range(len(finite) + 1)]
    median = estimate(values, "median")
    facts = f"{counted(len(values), 'run')}, median {_ms(median.value)} ms"
    if not isnan(median.low):
        facts += f" (95%: {_ms(median.low)} to {_ms(median.high)})"
    if failed := len(values) - len(finite):
        facts += f", {failed} failed: ends at {shares[-1]:.0%}"
    # A Korean letter is as wide as two Latin ones.
    space = " " if wcswidth(f"{name}: {facts}") <= 84 else "\n"
    label = f"{name}:{space}{facts}" if name else facts
    points = [edges[0], *finite, edges[1]], [*shares, shares[-1]]
    axes.step(*points, where="post", label=label, **style)
    return points


def plot_before_after(
    before: LatencyRun,
    after: LatencyRun,
    metric: str = "ttft_s",
    names: tuple[str, str] = ("before", "after"),
) -> Figure:
    """Draw each run of two measurements as a dot, and the difference of their medians.

    Bars are 95% intervals, from six runs on; one of the difference that holds 0 means that no
    difference was found. The difference is that of ``before.compare(after)``. A failed run is a
    cross at the right edge.

    Args:
        before: the first measurement.
        after: the second measurement.
        metric: a time of ``TimedStream``. Default: ``"ttft_s"``, the time to first token.
        names: what the two are called in the figure. Default: before and after.

    Returns:
        The figure: milliseconds across, the runs above and the difference below.

    Raises:
        InputError: one of them has no run with this metric, or there is no such time.

    Example:
        >>> options = {"runs": 6, "max_tokens": 5, "progress": False}
        >>> one, two = (hs.measure_latency(gw, "Say hello.", **options) for _ in range(2))
        >>> hs.plot_before_after(one, two)
        <Figure size 800x480 with 2 Axes>
    """
    samples = [in_ms(run, metric, name) for run, name in zip((before, after), names, strict=True)]
    compared = Comparison(before, after, [metric])
    figure, (axes, below) = figures.subplots(
        2, 1, figsize=(8, 4.8), height_ratios=(3, 1), layout="constrained"
    )
    edges = _edges(samples, room=0.14)  # for the words over a median
    for row, values in enumerate(samples):
        _dots(axes, row, values, edges, (figures.BLUE, figures.RED)[row])
    axes.set_yticks([0, 1], list(names))
    axes.set(xlabel=f"{NAMES[metric]}, ms", xlim=edges, ylim=(1.5, -0.5))
    axes.grid(visible=False, axis="y")
    found = [1000 * value for value in compared.rows[metric]]
    unknown = compared.unknown(metric)
    _title(axes, NAMES[metric] + (f": {unknown}" if unknown else _verdict(found, names)))
    _difference(below, found, names, unknown == TOO_FEW)
    return figure


def _dots(
    axes: Axes, row: int, values: Sequence[float], edges: tuple[float, float], colour: str
) -> None:
    finite = [value for value in values if isfinite(value)]
    spread = [row + ((number * 0.618) % 1 - 0.5) * 0.5 for number in range(len(values))]
    axes.plot(finite, spread[: len(finite)], MARKERS[row], color=colour, alpha=0.45, markersize=5)
    if failed := len(values) - len(finite):
        axes.plot(edges[1], row, "x", color=figures.BLACK, markersize=9, clip_on=False)
        axes.annotate(
            f"{failed} failed", (edges[1], row), xytext=(0, -9), textcoords="offset points",
            ha="right", va="top", bbox={"facecolor": figures.WHITE, "edgecolor": "none", "pad": 1},
        )  # fmt: skip
    median, low, high = estimate(values, "median")
    if not isfinite(median):
        return
    if not isnan(low):
        axes.hlines(row, low, min(high, edges[1]), color=figures.BLACK, linewidth=3, zorder=3)
    axes.plot(median, row, MARKERS[row], color=colour, **{**DOT, "markersize": 12})
    axes.annotate(
        f"median {_ms(median)}", (median, row - 0.3), ha="center", va="bottom", fontweight="bold"
    )


def _verdict(found: Sequence[float], names: tuple[str, str]) -> str:
    middle, low, high = found
    interval = f"(95%: {_ms(low)} to {_ms(high)} ms)"
    if low <= 0 <= high:
        return f": can't tell {names[0]} and {names[1]} apart\n{interval}"
    how = "longer" if middle > 0 else "shorter"
    return f", {names[1]}: {_ms(abs(middle))} ms {how}\n{interval}"


def _difference(axes: Axes, found: Sequence[float], names: tuple[str, str], few: bool) -> None:
    middle, low, high = found
    axes.axvline(0, color=figures.BLACK, linewidth=1)
    most = max((abs(value) for value in found if isfinite(value)), default=0.0) * 1.25 or 1.0
    if not few:  # an infinite end leaves the picture
        axes.plot([max(low, -most), min(high, most)], [0, 0], color=figures.GREEN, linewidth=3)
    if isfinite(middle):
        axes.plot(middle, 0, "D", color=figures.GREEN, **DOT)
    axes.set(xlim=(-most, most), ylim=(-1, 1), yticks=[])
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(fill(f"{names[1]} minus {names[0]}, difference of the medians, ms", 72))


def plot_latency_sweep(sweep: Mapping[int, LatencyRun], capacity: int | None = None) -> Figure:
    """Draw the time to first token and the answers per second over the concurrency.

    Median, and p90 where ten runs carry it, with 95% intervals. Measure many times as many runs as
    are asked at once: before each has waited for its turn, less is seen. Grey is Little's law, from
    the mean time of a request at the smallest concurrency: beyond the capacity, each request waits
    until one before it is done. Source: J. Little, 1961.

    Args:
        sweep: a measurement for each concurrency, two or more.
        capacity: how many requests the server answers at once. Default: unknown.

    Returns:
        The figure: the concurrency across; left milliseconds, right answers per second.

    Raises:
        InputError: there are fewer than two, one has no token, or ``capacity`` is no whole number.

    Example:
        >>> options = {"runs": 6, "max_tokens": 5, "progress": False}
        >>> sweep = {n: hs.measure_latency(gw, "Hi!", concurrency=n, **options) for n in (1, 2)}
        >>> hs.plot_latency_sweep(sweep)
        <Figure size 1050x440 with 2 Axes>
    """
    if len(sweep) < 2:
        raise InputError(
            f"Measurements given: {len(sweep)}. A dict of concurrency and run is needed, of two "
            "concurrencies or more."
        )
    check_whole("capacity", capacity, optional=True)
    levels = sorted(sweep)
    samples = {n: in_ms(sweep[n], "ttft_s", str(n)) for n in levels}
    rates = [sweep[n].answers_per_s for n in levels]
    figure, (left, right) = figures.subplots(1, 2, figsize=(10.5, 4.4), layout="constrained")
    _law(left, right, levels, sweep[levels[0]], capacity)
    _line(left, samples, 0.5, 0.98, fmt="o-", color=figures.BLUE, label="median")
    _line(left, samples, 0.9, 0.88, fmt="s--", color=figures.RED, label="p90")
    right.plot(levels, rates, "D", color=figures.GREEN, label="measured", **DOT)
    low, high = levels[0], levels[-1]
    ends = [ms(stats.quantile(samples[n], 0.5) / 1000, 0) for n in (low, high)]
    title = f"First token: {ends[0]} ms at {low}, {ends[1]} ms at {high}"
    left.set(title=title, ylabel="time to first token, ms")
    title = f"Answers a second: {rates[0]:.2g} at {low}, {rates[-1]:.2g} at {high}"
    right.set(title=title, ylabel="answers a second")
    for axes in (left, right):
        axes.set_xticks(levels, [str(level) for level in levels])
        top = axes.get_ylim()[1] * (1.3 if axes.texts else 1)  # texts are on top
        axes.set(xlabel="requests at once", ylim=(0, top))
    figures.legend_below(figure, ncols=5)
    return figure


def _law(
    left: Axes, right: Axes, levels: Sequence[int], first: LatencyRun, capacity: int | None
) -> None:
    """Little's law: answers a second, and, where the capacity is known, the wait beyond it."""
    request_s = fmean(run.e2e_s for run in first.runs if not run.failed)
    limit_per_s = capacity / request_s if capacity else None
    steps, rates = figures.littles_curve(levels, request_s, limit_per_s)
    grey: dict[str, Any] = {"color": figures.GREY, "linewidth": 3, "label": "Little's law"}
    right.plot(steps, rates, **grey)
    if capacity is None:
        return
    alone_s = fmean(filter(isfinite, first.values("ttft_s")))
    # W = L / λ: what is more than the request itself takes is waiting
    spans = [alone_s + n / rate - request_s for n, rate in zip(steps, rates, strict=True)]
    left.plot(steps, [1000 * span for span in spans], **grey)
    label = f"capacity, {capacity} at once"
    for axes in (left, right):
        axes.axvline(capacity, color=figures.BLACK, linestyle=":", label=label)


def _line(
    axes: Axes, samples: Mapping[int, Sequence[float]], q: float, height: float, **style: Any
) -> None:
    """A quantile over concurrency; where it is infinite, a word near the top instead."""
    levels, found = np.array([*samples]), np.array([estimate(v, q) for v in samples.values()])
    drawn = np.isfinite(found[:, 0])
    values, lows, highs = found[drawn].T
    top = values.max(initial=0.0) * 1.3  # where an infinite end stops
    bars = np.nan_to_num((values - lows, np.minimum(highs, top) - values))  # no interval, no bar
    axes.errorbar(levels[drawn], values, yerr=bars, capsize=4, markersize=8, **style)
    for n in levels[found[:, 0] == inf]:
        axes.annotate(
            f"{style['label']} ∞", (n, height), color=style["color"],
            xycoords=axes.get_xaxis_transform(), ha="center", va="top",
        )  # fmt: skip


def in_ms(run: LatencyRun, metric: str, name: str) -> list[float]:
    """The values in milliseconds, in rising order, those of failed runs infinite."""
    if metric not in NAMES:
        allowed = ", ".join(NAMES)
        raise InputError(f"There is no time {shown(metric)} to draw: allowed are {allowed}.")
    values = sorted(1000 * value for value in run.values(metric))
    if not values or values[0] == inf:
        raise InputError(
            f"The measurement {name!r} has no run with {metric}: there is nothing to draw. Its "
            "summary(), or the column notes of to_frame(), says why."
        )
    return values


def _edges(samples: Sequence[Sequence[float]], room: float = 0.06) -> tuple[float, float]:
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
    if wcswidth(low + high) > 44:
        return f"{_ms(medians[low])} to {_ms(medians[high])} ms"
    return f"{_ms(medians[low])} ms ({low}) to {_ms(medians[high])} ms ({high})"


def _title(axes: Axes, text: str) -> None:
    lines = (text[0].upper() + text[1:]).splitlines()
    axes.set_title("\n".join(fill(line, 60) for line in lines))


class Phase(NamedTuple):
    """A row: from when to when (seconds since the measurement began), and the chunks in it."""

    name: str
    start_s: float
    end_s: float
    style: dict[str, Any]
    texts: tuple[Text, ...] = ()


def plot_waterfall(stream: TimedStream) -> Figure:
    """Draw one stream as a row for each phase, in milliseconds since it was due.

    Blue is the wire; green, hatched, what the client added; each chunk is a tick. Sending comes
    before connecting in the figure, though the client does some of it after. Phases too short to be
    0.1 ms are left out.

    Args:
        stream: one of the ``runs`` or ``warmups`` of a measurement.

    Returns:
        The figure: milliseconds across, a row for each phase.

    Example:
        >>> run = hs.measure_latency(gw, "Say hello.", runs=1, max_tokens=5, progress=False)
        >>> hs.plot_waterfall(run.runs[0])
        <Figure size 900x... with 1 Axes>
    """
    phases = [phase for phase in _phases(stream) if phase.end_s - phase.start_s >= SHORTEST_S]
    names = [phase.name for phase in phases]
    figure, axes = figures.named_rows(names, 1.8, 0.4, width=9, ends=(0.6, 0.6))
    for row, phase in enumerate(phases):
        start_ms, end_ms = (1000 * (at - stream.due_s) for at in (phase.start_s, phase.end_s))
        style: dict[str, Any] = {"edgecolor": figures.WHITE, **phase.style}
        axes.barh(row, end_ms - start_ms, left=start_ms, height=0.6, **style)
        # However short, it is seen: the edge of a bar has the width of a line.
        edge = phase.style.get("edgecolor", phase.style["facecolor"])
        axes.vlines([start_ms, end_ms], row - 0.3, row + 0.3, color=edge)
        ticks = [1000 * (text.at_s - stream.due_s) for text in phase.texts]
        axes.vlines(ticks, row - 0.3, row + 0.3, color=figures.BLUE, linewidth=0.8)
        took = f"{ms(phase.end_s - phase.start_s)} ms"
        axes.annotate(took, (end_ms, row), (6, 0), **figures.BESIDE)
    end_ms = max(stream.e2e_s * 1000, 0.1) * 1.14  # room for the last label
    axes.set(title=_finding(stream), xlabel="ms since the intended start", xlim=(0, end_ms))
    return figure


def _phases(stream: TimedStream) -> Iterator[Phase]:
    yield Phase("waiting for its turn", stream.due_s, stream.called_s, IDLE)
    last_s = stream.called_s
    if stream.sent_s is not None:
        ready_s = stream.sent_s - stream.connect_s
        yield Phase("client: to send", stream.called_s, ready_s, CLIENT)
        yield Phase("connecting", ready_s, stream.sent_s, CONNECTING)
        last_s = stream.sent_s
    if stream.texts and stream.sent_s is not None:
        first_s, last_s = stream.texts[0].at_s, stream.texts[-1].at_s
        yield Phase("wire: to the first token", stream.sent_s, first_s, WIRE)
        if stream.handed_on_s is not None:
            yield Phase("client: to return it", first_s, stream.handed_on_s, CLIENT)
        for kind in ("reasoning", "answer"):
            if texts := tuple(text for text in stream.texts if text.kind == kind):
                name = f"wire: {len(texts)} chunks of {kind}"
                yield Phase(name, texts[0].at_s, texts[-1].at_s, CHUNKS, texts)
    end = f"failed: {stream.error}" if stream.failed else "to the end of the stream"
    yield Phase(end, last_s, stream.done_s, figures.FAILED if stream.failed else IDLE)


def _finding(stream: TimedStream) -> str:
    if stream.failed:
        return f"Failed ({stream.error}) after {ms(stream.e2e_s)} ms"
    if stream.ttft_s is None:
        return f"No token in {ms(stream.e2e_s)} ms"
    added = f", {ms(stream.client_s)} ms more in the client" if stream.client_s else ""
    each = f"\nThen {ms(stream.itl_s)} ms a token" if stream.itl_s else ""
    return f"First token: {ms(stream.ttft_s)} ms on the wire{added}{each}"
