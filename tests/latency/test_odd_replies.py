"""Servers that send what no schema allows: what can be read is measured, the rest has a name."""

from __future__ import annotations

import json
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

    end = staticmethod(Exchange.end)

    def __init__(self, events: tuple[bytes, ...], kind: str | None, pacer: Pacer) -> None:
        self._events, self._kind, self._pacer = events, kind, pacer

    def handle(self, request: Request, exchange: Exchange) -> None:
        head = exchange.head(200, [("content-type", self._kind)] if self._kind else [], None)
        self._play(exchange, self._pacer.clock(), 0, head)

    def _play(self, exchange: Exchange, began_s: float, nth: int, head: bytes = b"") -> None:
        if nth:
            exchange.write(head + exchange.framed(self._events[nth - 1]))
        if nth == len(self._events):
            self.end(exchange)
            return
        then = partial(self._play, exchange, began_s, nth + 1, b"" if nth else head)
        self._pacer.call_at(began_s + (nth + 1) * STEP_S, then)

    def refuse(self, status: int, message: str, exchange: Exchange) -> None:
        raise AssertionError(message)


def measured(*events: bytes, kind: str | None = "text/event-stream") -> hs.LatencyRun:
    """Two runs of such a server; whatever came, all that is said of them can be said."""
    run = Wire(app=partial(Playing, events, kind)).measure(2)
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
        ((said("a"), b"data: {\n\n"), "UnexpectedReplyError"),
        ((said("a"), b'data: "\xff"\n\n'), "IncompleteStreamError"),
        ((said("a"), b'data: {"error": "as text"}\n\n'), "APIError"),
        ((said("a"), b'data: {"error": {"message": "x"}}\n\n'), "APIError"),
    ],
)
def test_what_can_not_be_read_is_a_failure_with_a_name(
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


KINDS = [None, "text/plain", "application/json; charset=utf-8", "application/octet-stream"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_is_measured_whatever_its_content_type_says(kind: str | None) -> None:
    run = measured(ROLE, said("a"), said("b"), STOP, usage(2), DONE, kind=kind)
    assert run.runs == measured(ROLE, said("a"), said("b"), STOP, usage(2), DONE).runs
    assert [stream.error for stream in run.runs] == [None, None]
    assert run.values("ttft_s") == pytest.approx([2 * STEP_S] * 2)
    assert run.values("itl_s") == pytest.approx([STEP_S] * 2)


COUNTS = {"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16}


@pytest.mark.parametrize("kind", [*KINDS, "text/event-stream"])
def test_a_whole_answer_in_the_place_of_a_stream_is_one_text_that_was_paid_for(
    kind: str | None,
) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hello"}}
    answer = json.dumps({"id": "x", "model": streams.MODEL, "choices": [choice], "usage": COUNTS})
    body = answer.encode()
    for stream in measured(body[:40], body[40:90], body[90:], kind=kind).runs:
        assert stream.error is None
        assert stream.ttft_s == stream.answer_ttft_s == pytest.approx(3 * STEP_S)
        assert stream.client_after_s == pytest.approx(0.0)
        assert [(text.characters, text.kind) for text in stream.texts] == [(5, "answer")]
        assert (stream.chunks, stream.id, stream.output_tokens) == (1, "x", 9)
        assert stream.cost_usd is not None
        assert stream.cost_usd > 0
        assert "one chunk: no inter-token latency" in stream.notes


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"<html>Sign in</html>", "UnexpectedReplyError"),
        (b'{"error": {"message": "overloaded", "code": 529}}', "GatewayError"),
        (b'{"hello": "world"}', "IncompleteStreamError"),
    ],
)
def test_what_is_neither_a_stream_nor_an_answer_is_a_failure(
    body: bytes, error: str, kind: str | None
) -> None:
    for stream in measured(body, kind=kind).runs:
        assert (stream.error, stream.texts, stream.chunks) == (error, (), 0)


class Breaking(Playing):
    """The same server, but its connection breaks off in the middle of the body."""

    end = staticmethod(Exchange.cut)


@pytest.mark.parametrize("ends", [True, False])
def test_a_line_that_breaks_has_taken_nothing_away_once_the_finish_reason_came(ends: bool) -> None:
    events = (said("a"), said("b"), usage(2), *([STOP] if ends else []))
    for stream in Wire(app=partial(Breaking, events, "text/event-stream")).measure(2).runs:
        assert stream.error == (None if ends else "APIConnectionError")
        assert stream.itl_s == (pytest.approx(STEP_S) if ends else None)
        assert stream.cost_usd is not None
