"""Servers that send what no schema allows: the SDK takes it, and a measurement survives it."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

import holysheep_helpers as hs
from holysheep_helpers.mock.exchange import Exchange, Request
from holysheep_helpers.mock.timing import Pacer
from tests.support import streams
from tests.support.streams import DONE, ROLE, STOP, delta, event, said, usage
from tests.support.virtual_wire import Wire

STEP_S = 0.1


class Playing:
    """A server that answers every request with these events, ``STEP_S`` apart."""

    def __init__(self, events: tuple[bytes, ...], pacer: Pacer) -> None:
        self._events, self._pacer = events, pacer

    def handle(self, request: Request, exchange: Exchange) -> None:
        head = exchange.head(200, [("content-type", "text/event-stream")], None)
        self._play(exchange, self._pacer.clock(), 0, head)

    def _play(self, exchange: Exchange, began_s: float, nth: int, head: bytes = b"") -> None:
        if nth:
            exchange.write(head + exchange.framed(self._events[nth - 1]))
        if nth == len(self._events):
            exchange.end()
            return
        then = partial(self._play, exchange, began_s, nth + 1, b"" if nth else head)
        self._pacer.call_at(began_s + (nth + 1) * STEP_S, then)

    def refuse(self, status: int, message: str, exchange: Exchange) -> None:
        raise AssertionError(message)


def measured(*events: bytes) -> hs.LatencyRun:
    """Two runs of such a server; whatever came, all that is said of them can be said."""
    run = Wire(app=partial(Playing, events)).measure(2)
    assert len(run) == 2
    assert run.stopped_by is None
    run.to_frame()
    str(run.summary())
    return run


def of_choice(**fields: Any) -> bytes:
    return event(choices=[fields])


ODD = [
    *(event(choices=value) for value in (5, "text", {"a": {}}, ["x"], [None], [{}], None, [])),
    *(of_choice(index=0, delta=value) for value in (None, 5, "text", ["x"])),
    *(delta(content=value) for value in (5, {"text": "x"}, ["x"])),
    *(event(usage=value) for value in (5, "text", {}, {"prompt_tokens": "7"}, [7])),
    *(b"data: %b\n\n" % text for text in (b"5", b"null", b"[]", b'"x"', b"{}")),
    event(model=None, choices=[]),
    b": a comment\n\n",
    b"event: ping\ndata: {}\n\n",
]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd.decode().strip()[-40:])
def test_an_odd_event_costs_no_measurement_and_moves_no_time(odd: bytes) -> None:
    for stream in measured(odd, ROLE, said("a"), said("b"), STOP, usage(2), DONE).runs:
        assert stream.error is None
        assert stream.ttft_s == pytest.approx(3 * STEP_S)
        assert stream.itl_s == pytest.approx(STEP_S)
        assert stream.client_after_s == pytest.approx(0.0)
        assert stream.finish_reason == "stop"
        assert stream.cost_usd is not None


@pytest.mark.parametrize("counts", [{}, {"prompt_tokens": -1, "completion_tokens": -1}, "text"])
def test_a_usage_that_can_not_be_right_leaves_a_good_stream_good(counts: Any) -> None:
    for stream in measured(said("a"), said("b"), STOP, event(choices=[], usage=counts)).runs:
        assert stream.error is None
        assert stream.ttft_s == pytest.approx(STEP_S)
        assert stream.itl_s is stream.cost_usd is stream.output_tokens is None
        assert "no usage came" in stream.notes[0]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_any_line_end_will_do(line_end: bytes) -> None:
    events = [one.replace(b"\n", line_end) for one in (ROLE, said("a"), STOP, usage(1), DONE)]
    for stream in measured(*events).runs:
        assert stream.ttft_s == pytest.approx(2 * STEP_S)
        assert stream.client_after_s == pytest.approx(0.0)
        assert (stream.chunks, stream.output_tokens) == (4, 1)


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_the_first_reasoning_is_handed_on_like_a_first_answer(name: str) -> None:
    for stream in measured(ROLE, delta(**{name: "Hm"}), said("a"), STOP, usage(2)).runs:
        assert stream.ttft_s == pytest.approx(2 * STEP_S)
        assert stream.answer_ttft_s == pytest.approx(3 * STEP_S)
        assert stream.client_after_s == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("events", "error"),
    [
        ((DONE,), "IncompleteStreamError"),
        ((b"\n",), "IncompleteStreamError"),
        ((said("a"), DONE), "IncompleteStreamError"),
        ((said("a"), b"data: {\n\n"), "JSONDecodeError"),
        ((said("a"), b'data: "\xff"\n\n'), "UnicodeDecodeError"),
        ((said("a"), b'data: {"error": "as text"}\n\n'), "APIError"),
        ((said("a"), b'data: {"error": {"message": "x"}}\n\n'), "APIError"),
    ],
)
def test_what_the_sdk_can_not_read_is_a_failure_with_a_name(
    events: tuple[bytes, ...], error: str
) -> None:
    run = measured(*events)
    assert [stream.error for stream in run.runs] == [error] * 2
    assert [run.values("ttft_s"), run.values("itl_s")] == [[float("inf")] * 2] * 2


def test_what_comes_after_the_end_mark_is_nothing() -> None:
    for stream in measured(said("a"), said("b"), STOP, usage(2), DONE, said("late")).runs:
        assert stream.itl_s == pytest.approx(STEP_S)
        assert stream.tokens_per_chunk == 1.0
        assert stream.id == "x"
        assert stream.model == streams.MODEL
