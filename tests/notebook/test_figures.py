"""The figures of the lessons: what they show, and what they refuse to show."""

from __future__ import annotations

import warnings
from decimal import Decimal
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt

import holysheep_helpers as hs
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.notebook.figures import COLOURS, KOREAN_FONT, korean_font_found

PROMPT = "Explain step by step how streaming works."


def read(gw: hs.Gateway, prompt: str = PROMPT) -> hs.Stream:
    stream = hs.stream(gw, prompt)
    stream.read()
    return stream


def lines(axes: Any) -> dict[str, Any]:
    return {str(line.get_label()): line for line in axes.get_lines()}


def test_one_stream_is_a_staircase_with_its_first_text_marked(gw: hs.Gateway) -> None:
    stream = read(gw)
    assert stream.ttft_s is not None
    (axes,) = hs.plot_streams(stream).axes
    drawn = lines(axes)
    steps = drawn["text so far"]
    assert list(steps.get_xdata()) == [0, *(at for at, _ in stream.timeline), stream.elapsed_s]
    assert steps.get_ydata()[-1] == len(stream.text)
    assert list(steps.get_ydata()) == sorted(steps.get_ydata())
    assert steps.get_drawstyle() == "steps-post"
    first = drawn[f"first text, {stream.ttft_s:.2f} s"]
    assert list(first.get_xdata()) == [stream.ttft_s] * 2
    assert axes.get_title(loc="left").startswith(f"First text after {stream.ttft_s:.2f} s, all")
    assert (axes.get_xlabel(), axes.get_ylabel()) == (
        "seconds since the call",
        "characters received",
    )
    assert axes.get_xlim()[0] == axes.get_ylim()[0] == 0


def test_several_streams_differ_in_colour_and_name(gw: hs.Gateway) -> None:
    (axes,) = hs.plot_streams({"짧은 답": read(gw, "hello"), "긴 답": read(gw)}).axes
    drawn = lines(axes)
    assert drawn["짧은 답: text so far"].get_color() == COLOURS[0]
    assert drawn["긴 답: text so far"].get_color() == COLOURS[1]
    assert axes.get_title(loc="left").endswith(" s, the soonest of 2")


def test_a_stream_that_broke_off_is_marked(gw: hs.Gateway, mock: MockHandle) -> None:
    mock.script([{"kind": "end_early", "after": 8}])
    stream = hs.stream(gw, PROMPT)
    with pytest.raises(hs.IncompleteStreamError):
        stream.read()
    (axes,) = hs.plot_streams(stream).axes
    assert [text.get_text() for text in axes.texts] == ["ended here, no finish reason"]
    (whole,) = hs.plot_streams(read(gw)).axes
    assert list(whole.texts) == []


@pytest.mark.parametrize("streams", [{}, {"a": None}])
def test_nothing_to_show_is_an_error(gw: hs.Gateway, streams: dict[str, Any]) -> None:
    with hs.stream(gw, PROMPT) as unread:
        for given in (dict.fromkeys(streams, unread), *([unread] if streams else [])):
            with pytest.raises(hs.InputError, match="read"):
                hs.plot_streams(given)
    assert plt.get_fignums() == []


def test_bars_show_each_value_in_the_order_given() -> None:
    figure = hs.plot_bars({"b": Decimal("0.0392"), "a": 544}, "USD", "a costs more")
    (axes,) = figure.axes
    assert [bar.get_bbox().width for bar in axes.containers[0]] == [0.0392, 544]
    assert [text.get_text() for text in axes.texts] == ["0.0392", "544"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "a"]
    assert axes.yaxis_inverted()
    assert (axes.get_xlabel(), axes.get_title(loc="left")) == ("USD", "a costs more")
    assert plt.get_fignums() == []


@pytest.mark.parametrize("values", [{}, {"a": None}, {"a": -1}, {"a": float("nan")}, {"a": "5"}])
def test_bars_of_what_is_no_number_are_an_error(values: Any) -> None:
    with pytest.raises(hs.InputError, match=r"nothing to draw|a is .*: a finite number"):
        hs.plot_bars(values, "USD", "")
    assert plt.get_fignums() == []


def test_korean_can_be_drawn_and_figures_do_not_pile_up(gw: hs.Gateway) -> None:
    assert korean_font_found()
    assert mpl.rcParams["font.family"] == ["DejaVu Sans", KOREAN_FONT]
    stream = read(gw)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a missing glyph would warn
        figure = hs.plot_streams({"스트리밍, 1,450원": stream})
        figure.axes[0].set_title("첫 글자까지 −3 °C 0.14초")
        figure.canvas.draw()
    assert plt.get_fignums() == []
