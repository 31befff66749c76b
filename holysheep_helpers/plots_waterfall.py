"""A figure of one stream: what the wire took, and what the client added."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from holysheep_helpers.latency_summary import ms
from holysheep_helpers.notebook.figures import BLUE, FAILED, GREEN, GREY, PINK, SKY, WHITE
from holysheep_helpers.timed_stream import Text, TimedStream

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
