"""The figure of one stream: each phase where it was, and how it ended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from matplotlib.colors import to_hex

from holysheep_helpers.notebook.figures import GREY
from tests.support.latency_runs import FAILED, STREAM, figures, title, words


def bars(axes: Any) -> list[tuple[str, float, float]]:
    names = [label.get_text() for label in axes.get_yticklabels()]
    return [
        (name, round(bar.get_x(), 3), round(bar.get_width(), 3))
        for name, bar in zip(names, axes.patches, strict=True)
    ]


def test_a_waterfall_has_each_phase_where_it_was() -> None:
    (axes,) = figures.plot_waterfall(STREAM).axes
    assert bars(axes) == [
        ("waiting for its turn", 0, 20),
        ("client: to send", 20, 2),
        ("connecting", 22, 3),
        ("wire: to the first token", 25, 100),
        ("client: to return it", 125, 4),
        ("wire: 40 chunks of answer", 125, 390),
        ("to the end of the stream", 515, 5),
    ]
    assert words(axes) == [
        "20.0 ms", "2.0 ms", "3.0 ms", "100.0 ms", "4.0 ms", "390.0 ms", "5.0 ms"
    ]  # fmt: skip
    ticks = [len(group.get_paths()) for group in axes.collections]
    assert sum(ticks) == 40 + 2 * 7  # the chunks, and both edges of each bar
    assert (
        title(axes)
        == "First token: 100.0 ms on the wire, 6.0 ms more in the client Then 10.0 ms a token"
    )
    assert axes.get_xlabel() == "ms since the intended start"
    assert axes.yaxis_inverted()
    assert axes.get_xlim()[0] == 0
    assert axes.get_xlim()[1] > 520


def test_phases_that_took_no_time_are_left_out() -> None:
    (axes,) = figures.plot_waterfall(replace(STREAM, called_s=10.000_01, connect_s=0.0)).axes
    assert [name for name, *_ in bars(axes)][:2] == ["client: to send", "wire: to the first token"]


def test_reasoning_has_a_row_of_its_own() -> None:
    texts = tuple(text._replace(kind="reasoning") for text in STREAM.texts[:15]) + STREAM.texts[15:]
    (axes,) = figures.plot_waterfall(replace(STREAM, texts=texts)).axes
    assert ("wire: 15 chunks of reasoning", 125, 140) in bars(axes)
    assert ("wire: 25 chunks of answer", 275, 240) in bars(axes)


def test_a_waterfall_of_a_failure_ends_in_it() -> None:
    (axes,) = figures.plot_waterfall(FAILED).axes
    assert bars(axes)[-1] == ("failed: 429", 25, 75)
    assert title(axes) == "Failed (429) after 100.0 ms"
    broken = replace(STREAM, error="APIConnectionError", texts=STREAM.texts[:8])
    assert bars(figures.plot_waterfall(broken).axes[0])[-2:] == [
        ("wire: 8 chunks of answer", 125, 70),
        ("failed: APIConnectionError", 195, 325),
    ]
    never_sent = replace(FAILED, sent_s=None)
    assert [name for name, *_ in bars(figures.plot_waterfall(never_sent).axes[0])] == [
        "waiting for its turn", "failed: 429",
    ]  # fmt: skip
    silent = replace(STREAM, texts=(), handed_on_s=None)
    assert title(figures.plot_waterfall(silent).axes[0]) == "No token in 520.0 ms"


def test_waiting_is_grey_as_in_lesson_4() -> None:
    (axes,) = figures.plot_waterfall(STREAM).axes
    assert to_hex(axes.patches[0].get_facecolor()) == GREY
