"""Measurements made by hand, and what a figure of them says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import holysheep_helpers as hs
from holysheep_helpers.latency.data import Text, TimedStream
from holysheep_helpers.latency.run import LatencyRun

figures: Any = hs  # what Matplotlib gives back has no types that are worth checking


STREAM = TimedStream(
    index=0, model="m", due_s=10.0, called_s=10.02, sent_s=10.025, connect_s=0.003,
    new_connection=True, texts=tuple(Text(10.125 + n * 0.01, 3, "answer") for n in range(40)),
    chunks=43, handed_on_s=10.129, output_tokens=40, done_s=10.52,
)  # fmt: skip
"""100 ms to the first token, 10 ms a token."""


FAILED = replace(STREAM, error="429", texts=(), handed_on_s=None, done_s=10.1)


def taking(ttft_ms: float, index: int = 0, start_s: float | None = None) -> TimedStream:
    """A stream with this time to first token, and 100 ms more to its end."""
    began_s = index if start_s is None else start_s
    at_s = began_s + ttft_ms / 1000
    return TimedStream(
        index=index, model="m", due_s=began_s, called_s=began_s, sent_s=began_s,
        texts=(Text(at_s, 3, "answer"), Text(at_s + 0.1, 3, "answer")), chunks=4,
        handed_on_s=at_s + 0.001, output_tokens=2, done_s=at_s + 0.1,
    )  # fmt: skip


def measured(times_ms: Sequence[float], failed: int = 0, **known: Any) -> LatencyRun:
    runs = [taking(ms, index) for index, ms in enumerate(times_ms)]
    runs += [replace(FAILED, index=len(runs) + n) for n in range(failed)]
    return LatencyRun(model="m", runs=tuple(runs), elapsed_s=10.0, **known)


def ladder(start: float, count: int = 20) -> list[float]:
    return [start + step for step in range(count)]


def lines(axes: Any) -> dict[str, Any]:
    return {str(line.get_label()): line for line in axes.get_lines()}


def labels(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def title(axes: Any) -> str:
    return axes.get_title(loc="left").replace("\n", " ")


def words(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.texts]


def queueing(concurrency: int, capacity: int = 4, failed: int = 0) -> LatencyRun:
    """A closed loop in its steady state: 0.2 s a request, its first token halfway."""
    each_s = max(concurrency / capacity, 1) * 0.2
    gap_s = each_s / concurrency
    times_ms = ladder(each_s * 1000 - 105.5, 12)
    runs = [taking(ms, n, n * gap_s - ms / 1000) for n, ms in enumerate(times_ms)]
    runs += [replace(FAILED, index=12 + n, done_s=(12 + n) * gap_s + 0.1) for n in range(failed)]
    return LatencyRun(model="m", runs=tuple(runs), concurrency=concurrency, elapsed_s=10.0)
