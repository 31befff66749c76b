"""What the bytes of a reply say, and when: the same however the network cuts them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holysheep_helpers.latency.data import Text
from holysheep_helpers.latency.wire import facts_of, read_events
from tests.support import streams
from tests.support.strategies import often
from tests.support.streams import COMMENT, DONE, END, HEAD, ROLE, STOP, delta, framed, said, usage

EVENTS = (
    *(ROLE, said("Hello"), said(" wörld\r\n\r\n"), said(""), delta(), STOP, usage(9), DONE),
    *(delta(reasoning_content="Hm"), delta(reasoning="So"), COMMENT, b"event: message\n\n"),
    *(streams.event(choices=[]), streams.event(choices=None), b"data: no JSON\n\n"),
    b'data: {"choices":\ndata:  [{"delta": {"content": "in two lines"}}]}\n\n',
)


def facts(*events: bytes) -> dict[str, Any]:
    return facts_of(streams.arrived(*events), 0.0)


def characters(*events: bytes) -> list[tuple[int, str]]:
    return [(text.characters, text.kind) for text in facts(*events)["texts"]]


# --- however it is cut


@st.composite
def cut_replies(draw: st.DrawFn) -> tuple[list[tuple[float, bytes]], list[bytes], list[float]]:
    """The reads of a reply, its events, and when the byte was in that completes each event.

    Lines end in one of three ways, HTTP's chunks and the reads are cut at any place; a read's
    moment is its number.
    """
    line_end = draw(st.sampled_from([b"\n", b"\r\n", b"\r"]))
    events = [
        one.replace(b"\n", line_end) for one in draw(st.lists(st.sampled_from(EVENTS), max_size=8))
    ]
    body = b"".join(events)
    wire, place_of = HEAD, []
    for data in _pieces(body, draw(st.lists(st.integers(0, len(body)), max_size=6))):
        head = b"%x\r\n" % len(data)
        place_of += range(len(wire) + len(head), len(wire) + len(head) + len(data))
        wire += framed(data)
    wire += END
    cuts = sorted(set(draw(st.lists(st.integers(1, len(wire) - 1), max_size=12))))
    reads = [(float(n), piece) for n, piece in enumerate(_pieces(wire, cuts))]
    ends, complete = 0, []
    for one in events:
        ends += len(one)
        last = ends - (2 if line_end == b"\r\n" else 1)  # its carriage return ends a line already
        complete.append(float(bisect_right(cuts, place_of[last])))
    return reads, events, complete


def _pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = [0, *sorted(cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(places)]
    return [piece for piece in pieces if piece]


@often
@given(cut_replies())
def test_no_cut_changes_what_is_read_nor_dates_an_event_before_or_after_its_last_byte(
    reply: tuple[list[tuple[float, bytes]], list[bytes], list[float]],
) -> None:
    reads, events, complete = reply
    until = next((n for n, one in enumerate(events) if b"[DONE]" in one), len(events))
    expected: list[Text] = []
    for one, at_s in zip(events[:until], complete, strict=False):
        alone = facts_of(streams.arrived(one), 0.0)["texts"]
        expected += [text._replace(at_s=at_s) for text in alone]
    found = facts_of(reads, 0.0)
    assert list(found.pop("texts")) == expected
    whole = facts_of([(0.0, b"".join(piece for _, piece in reads))], 0.0)
    del whole["texts"]
    assert found == whole


def test_every_single_cut_of_one_reply() -> None:
    events = [ROLE, COMMENT, said("a"), said("b"), STOP, usage(2), DONE]
    wire = HEAD + b"".join(map(framed, events)) + END
    seen = set()
    for place in range(1, len(wire)):
        found = facts_of([(1.0, wire[:place]), (2.0, wire[place:])], 0.5)
        seen.add(tuple(text.at_s for text in found["texts"]))
        assert [found[name] for name in ("chunks", "output_tokens", "finish_reason")] == [
            *(5, 2, "stop")
        ]
    assert seen == {(1.5, 1.5), (0.5, 1.5), (0.5, 0.5)}


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_a_byte_at_a_time(line_end: bytes) -> None:
    """Each in a chunk of its own, too, so that even a line's end comes in two pieces."""
    first = b'data: {"id": "y",\ndata: "choices": [{"delta": {"content": "in two lines"}}]}\n\n'
    body = b"".join(one.replace(b"\n", line_end) for one in (first, said("b"), STOP))
    reads, complete = [(0.0, HEAD)], []
    for byte in body:
        reads += [(len(reads) + 0.0 + n, bytes([b])) for n, b in enumerate(framed(bytes([byte])))]
        complete.append(reads[-3][0])
    ends = (len(first.replace(b"\n", line_end)), len((first + said("b")).replace(b"\n", line_end)))
    last = 2 if line_end == b"\r\n" else 1
    found = facts_of(reads, 0.0)
    assert found["texts"] == (
        Text(complete[ends[0] - last], 12, "answer"),
        Text(complete[ends[1] - last], 1, "answer"),
    )
    assert (found["chunks"], found["finish_reason"], found["id"]) == (3, "stop", "x")


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nx: %d\r\n\r\n",  # it ends with the connection
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n",
    ],
)
def test_other_ways_to_frame_a_body(head: bytes) -> None:
    body = said("a") + said("b") + STOP
    reads = [(1.0, head % len(body) + body[:-5]), (2.0, body[-5:])]
    found = facts_of(reads, 0.0)
    assert [text.at_s for text in found["texts"]] == [1.0, 1.0]
    assert found["finish_reason"] == "stop"


# --- what counts as text, and of which kind


def test_a_chunk_with_the_role_alone_or_without_text_is_a_chunk_and_no_token() -> None:
    found = facts(ROLE, delta(), streams.event(choices=[]), streams.event(), said("Hi"), STOP)
    assert found["texts"] == (Text(0.5, 2, "answer"),)
    assert found["chunks"] == 6
    assert found["id"] == "x"


def test_comments_and_the_end_mark_are_no_chunks() -> None:
    found = facts(COMMENT, COMMENT + said("Hi"), COMMENT, STOP, DONE)
    assert (found["chunks"], found["texts"]) == (2, (Text(0.2, 2, "answer"),))


def test_nothing_counts_after_the_end_mark_as_nothing_does_for_the_sdk() -> None:
    assert facts(said("a"), DONE, said("late"), usage(5)) == facts(said("a"))


def test_reasoning_is_known_by_its_two_names_and_as_a_part_of_the_content() -> None:
    part = {"type": "thinking", "thinking": [{"type": "text", "text": "Well"}]}
    assert characters(
        delta(reasoning_content="Hmm", content=None),
        delta(reasoning="So", content=""),
        delta(content=[part]),
        delta(content=[{"type": "text", "text": "Hi"}]),
        said("there"),
    ) == [(3, "reasoning"), (2, "reasoning"), (4, "reasoning"), (2, "answer"), (5, "answer")]


@pytest.mark.parametrize(
    "odd",
    [
        *(streams.event(choices=value) for value in (5, "text", True, {"a": {}}, ["x"], [None])),
        *(streams.event(choices=[{"delta": value}]) for value in (None, 5, "text", ["x"], {})),
        *(delta(content=value) for value in (5, True, {"text": "x"}, [], [5], [{"text": 5}])),
        *(delta(reasoning=value) for value in (5, {}, ["x"])),
        *(b"data: %b\n\n" % text for text in (b"5", b"null", b"[]", b'"x"', b'"\xff"', b"{")),
        b"data: " + b"[" * 100_000 + b"\n\n",
        b"event: ping\n\n",
        b"id: 5\nretry: 7\n\n",
        b"nonsense\n\n",
        b"data\n\n",
    ],
)
def test_what_is_no_chunk_of_a_chat_has_no_text_and_hides_none(odd: bytes) -> None:
    found = facts(odd, said("Hi"), STOP)
    assert found["texts"] == (Text(0.2, 2, "answer"),)
    assert found["finish_reason"] == "stop"


def test_a_broken_reply_gives_what_came_before_it_broke() -> None:
    good = HEAD + framed(said("a"))
    for broken in (b"", b"ZZZ\r\n", framed(said("b"))[:-9], b"\x00\xff"):
        found = facts_of([(1.0, good), (2.0, broken)], 0.0)
        assert found["texts"] == (Text(1.0, 1, "answer"),)
    assert facts_of([(1.0, b"\x16\x03 no HTTP at all")], 0.0) == {"chunks": 0, "texts": ()}
    assert facts_of([], 0.0) == {"chunks": 0, "texts": ()}


def test_a_reply_that_is_no_stream_has_no_events() -> None:
    body = b'{"error": {"message": "as asked for"}}'
    head = b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: %d\r\n\r\n" % len(body)
    assert list(read_events([(1.0, head + body)])) == []


def test_the_finish_reason_and_the_id_stay_known_after_the_chunk_that_told_them() -> None:
    found = facts(said("a"), STOP, delta(), b'data: {"choices": [{"delta": {}}]}\n\n')
    assert (found["finish_reason"], found["id"]) == ("stop", "x")


# --- usage


def test_the_last_usage_counts_where_each_chunk_carries_one() -> None:
    found = facts(
        *(streams.event(choices=[], usage={"completion_tokens": n}) for n in (1, 2, 3)),
        streams.event(choices=[], usage=None),
    )
    assert found["output_tokens"] == 3


def test_the_tokens_are_those_of_the_usage() -> None:
    found = facts(said("a"), usage(9, reasoning=4, prompt=7))
    assert [found[f"{name}_tokens"] for name in ("prompt", "output", "reasoning")] == [7, 9, 4]


@pytest.mark.parametrize("count", [None, -1, 1.5, "9", True, [9]])
def test_what_is_no_count_is_no_usage(count: Any) -> None:
    assert "output_tokens" not in facts(usage(count))
    assert "output_tokens" not in facts(streams.event(usage=count))
    assert "reasoning_tokens" not in facts(usage(5, reasoning=count))
