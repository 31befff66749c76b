"""Figures of latency: how it is spread, and before and after a change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import inf, isfinite
from statistics import fmean
from textwrap import fill
from typing import Any, NamedTuple
from unicodedata import east_asian_width

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from holysheep_helpers.exceptions import InputError
from holysheep_helpers.latency import stats
from holysheep_helpers.latency.data import Text, TimedStream
from holysheep_helpers.latency.report import LEAST_RUNS, NAMES, counted, ms, row_of
from holysheep_helpers.latency.run import LatencyRun
from holysheep_helpers.notebook.figures import (
    BLACK,
    BLUE,
    COLOURS,
    FAILED,
    GREEN,
    GREY,
    PINK,
    RED,
    SKY,
    WHITE,
    littles_law,
)

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


WIRE: dict[str, Any] = {"facecolor": BLUE}


CLIENT: dict[str, Any] = {"facecolor": GREEN, "hatch": "////"}


SHORTEST_S = 0.000_05
"""What is shorter rounds to 0.0 ms, and is left out."""


class Phase(NamedTuple):
    """A row: from when to when (seconds since the measurement began), and the chunks in it."""

    name: str
    start_s: float
    end_s: float
    style: dict[str, Any]
    texts: tuple[Text, ...] = ()


def plot_waterfall(stream: TimedStream) -> Figure:
    """One stream, a row for each phase, in milliseconds since it was due.

    Blue is the wire; green, hatched, what the client added; each chunk is a tick. Sending comes
    before connecting in the figure, though the client does some of it after. Phases too short to be
    0.1 ms are left out.
    """
    phases = [phase for phase in _phases(stream) if phase.end_s - phase.start_s >= SHORTEST_S]
    figure, axes = plt.subplots(figsize=(9, 1.8 + 0.4 * max(len(phases), 1)), layout="constrained")
    for row, phase in enumerate(phases):
        _row(axes, row, phase, stream.due_s)
    axes.set_yticks(range(len(phases)), [phase.name for phase in phases])
    axes.set_ylim(len(phases) - 0.4, -0.6)  # the first on top
    axes.set_xlim(0, max(stream.e2e_s * 1000, 0.1) * 1.14)  # room for the last label
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("ms since the intended start")
    axes.set_title(_finding(stream))
    plt.close(figure)  # the returned figure is shown once, by the cell that has it last
    return figure


def _phases(stream: TimedStream) -> Iterator[Phase]:
    yield Phase("waiting for its turn", stream.due_s, stream.called_s, {"facecolor": GREY})
    last_s = stream.called_s
    if stream.sent_s is not None:
        ready_s = stream.sent_s - stream.connect_s
        yield Phase("client: to send", stream.called_s, ready_s, CLIENT)
        yield Phase("connecting", ready_s, stream.sent_s, {"facecolor": PINK, "hatch": ".."})
        last_s = stream.sent_s
    if stream.texts and stream.sent_s is not None:
        first, last = stream.texts[0], stream.texts[-1]
        yield Phase("wire: to the first token", stream.sent_s, first.at_s, WIRE)
        if stream.handed_on_s is not None:
            yield Phase("client: to hand it on", first.at_s, stream.handed_on_s, CLIENT)
        for kind in ("reasoning", "answer"):
            texts = tuple(text for text in stream.texts if text.kind == kind)
            if texts:
                name = f"wire: {len(texts)} chunks of {kind}"
                yield Phase(
                    name,
                    texts[0].at_s,
                    texts[-1].at_s,
                    {"facecolor": SKY, "edgecolor": BLUE},
                    texts,
                )
        last_s = last.at_s
    if stream.failed:
        yield Phase(f"failed: {stream.error}", last_s, stream.done_s, FAILED)
    else:
        yield Phase("to the end of the stream", last_s, stream.done_s, {"facecolor": GREY})


def _row(axes: Axes, row: int, phase: Phase, due_s: float) -> None:
    start_ms, end_ms = 1000 * (phase.start_s - due_s), 1000 * (phase.end_s - due_s)
    style: dict[str, Any] = {"edgecolor": WHITE, **phase.style}
    axes.barh(row, end_ms - start_ms, left=start_ms, height=0.6, **style)
    # However short, it is seen: the edge of a bar has the width of a line.
    edge = phase.style.get("edgecolor", phase.style["facecolor"])
    axes.vlines([start_ms, end_ms], row - 0.3, row + 0.3, color=edge)
    ticks = [1000 * (text.at_s - due_s) for text in phase.texts]
    axes.vlines(ticks, row - 0.3, row + 0.3, color=BLUE, linewidth=0.8)
    axes.annotate(
        f"{ms(phase.end_s - phase.start_s)} ms", (end_ms, row), xytext=(6, 0),
        textcoords="offset points", va="center",
    )  # fmt: skip


def _finding(stream: TimedStream) -> str:
    if stream.failed:
        return f"Failed ({stream.error}) after {ms(stream.e2e_s)} ms"
    if stream.ttft_s is None:
        return f"No token in {ms(stream.e2e_s)} ms"
    added = f", {ms(stream.client_s)} ms more in the client" if stream.client_s else ""
    each = f"\nThen {ms(stream.itl_s)} ms a token" if stream.itl_s else ""
    return f"First token: {ms(stream.ttft_s)} ms on the wire{added}{each}"
