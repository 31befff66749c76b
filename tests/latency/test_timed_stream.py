"""The times of one stream: each is exact, or it is left out and the reason is said."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

import pytest

from holysheep_helpers.latency.data import TimedStream, clock_step_s
from tests.support.streams import (
    COMMENT,
    DONE,
    ROLE,
    STOP,
    delta,
    event,
    made,
    read,
    said,
    texts,
    usage,
)

NO_TEXT = "no text came: no time to first token"


UNREAD = "its bytes can't be read (compressed?): no times of the wire"


NO_USAGE = "no usage came: tokens, and times per token, are unknown"


TOO_FEW = "more texts than tokens in the usage: times per token are unknown"


ONE_TOKEN = "one token: no inter-token latency"


ONE_CHUNK = "one chunk: no inter-token latency"


FEW_BUNDLES = "few chunks that bundle tokens: no inter-token latency"


BUNDLES = "chunks bundle tokens: gaps are not inter-token latency"


def close(value: Any) -> Any:
    return pytest.approx(value, rel=1e-12)


def plain(count: int = 5) -> list[bytes]:
    """The events of a stream of so many tokens, one each, the first of them as the second event."""
    return [ROLE, *(said("word") for _ in range(count)), STOP, usage(count), DONE]


# --- the spans between its moments


def test_every_span_lies_between_the_two_moments_that_it_is_named_for() -> None:
    stream = made(
        due_s=1.0, called_s=1.25, connect_s=0.5, sent_s=2.0, handed_on_s=4.5, done_s=9.0,
        texts=(*texts([4.0], "reasoning"), *texts([6.0, 8.0])),
        output_tokens=3, reasoning_tokens=1, new_connection=True,
    )  # fmt: skip
    assert stream.wait_s == 0.25
    assert stream.client_before_s == 0.25
    assert stream.ttft_s == 2.0
    assert stream.answer_ttft_s == 4.0
    assert stream.wire_s == 6.0
    assert stream.client_after_s == 0.5
    assert stream.client_s == 0.75
    assert stream.user_ttft_s == 3.5
    assert stream.e2e_s == 8.0
    assert stream.gaps_s == (2.0, 2.0)
    assert stream.itl_s == 2.0
    assert stream.decode_tokens_per_s == 0.5
    assert stream.tokens_per_s == 3 / 8
    assert stream.tokens_per_chunk == 1.0
    assert stream.notes == ()


def test_a_plain_stream_is_read_exactly() -> None:
    stream = read(*plain(5), step_s=0.1, handed_on_s=0.2)
    assert stream.ttft_s == stream.answer_ttft_s == close(0.2)
    assert stream.itl_s == close(0.1)
    assert stream.gaps_s == close((0.1,) * 4)
    assert (stream.chunks, stream.output_tokens, stream.finish_reason) == (8, 5, "stop")
    assert stream.notes == ()


def test_the_role_chunk_is_no_first_token_and_comments_and_empty_chunks_are_none() -> None:
    bare = read(said("a"), said("b"), STOP, usage(2))
    full = read(ROLE, COMMENT, delta(), event(choices=[]), said("a"), said("b"), STOP, usage(2))
    assert bare.ttft_s == close(0.1)
    assert full.ttft_s == close(0.5)
    assert full.itl_s == close(bare.itl_s) == close(0.1)


# --- chunks that are no tokens


@pytest.mark.parametrize("tokens", [100, 40, 98, 20])
def test_bundles_of_four_tokens_do_not_stretch_the_inter_token_latency(tokens: int) -> None:
    itl_s = 0.0112
    ends = [*range(4, tokens, 4), tokens]  # a bundle is in with the last of its tokens
    stream = made(texts=texts([0.142 + n * itl_s for n in ends]), output_tokens=tokens)
    assert stream.tokens_per_chunk == tokens / len(ends)
    assert stream.itl_s == pytest.approx(itl_s, abs=0.00005)
    assert stream.gaps_s[0] == pytest.approx(4 * itl_s)
    assert stream.notes == (BUNDLES,)


@pytest.mark.parametrize(("tokens", "size"), [(5, 4), (9, 4), (6, 5), (7, 3), (16, 4)])
def test_few_bundles_have_no_inter_token_latency(tokens: int, size: int) -> None:
    """The first chunk's share would be a guess: of five tokens, four and one look like 2.5 each."""
    ends = [*range(size, tokens, size), tokens]
    stream = made(texts=texts([0.0112 * n for n in ends]), output_tokens=tokens)
    assert stream.itl_s is stream.decode_tokens_per_s is None
    assert stream.tokens_per_chunk == tokens / len(ends)
    assert stream.notes == (FEW_BUNDLES, BUNDLES)


@pytest.mark.parametrize("size", range(2, 9))
@pytest.mark.parametrize("tokens", [10, 20, 37, 64, 100, 333])
def test_an_inter_token_latency_is_within_five_percent_or_left_out(tokens: int, size: int) -> None:
    ends = [*range(size, tokens, size), tokens]
    stream = made(texts=texts([0.01 * n for n in ends]), output_tokens=tokens)
    assert stream.itl_s is None or stream.itl_s == pytest.approx(0.01, rel=0.05)
    assert (stream.itl_s is None) == (FEW_BUNDLES in stream.notes)


def test_more_chunks_than_tokens_still_divide_by_the_tokens() -> None:
    stream = made(texts=texts([0.1, 0.2, 0.3, 0.4, 0.5]), output_tokens=3)
    assert stream.itl_s == close(0.4 / 2)
    assert stream.tokens_per_chunk == 0.6
    one = made(texts=texts([0.1, 0.2]), output_tokens=1)
    assert one.itl_s is None
    assert one.notes == (ONE_TOKEN,)


# --- reasoning


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_comes_first_and_the_answer_has_a_first_token_of_its_own(name: str) -> None:
    thoughts = [delta(**{name: "Hm"}) for _ in range(3)]
    stream = read(ROLE, *thoughts, said("a"), said("b"), STOP, usage(5, reasoning=3))
    assert stream.ttft_s == close(0.2)
    assert stream.answer_ttft_s == close(0.5)
    assert stream.itl_s == close(0.1)
    assert stream.tokens_per_chunk == 1.0


def test_reasoning_that_the_server_keeps_to_itself_is_not_divided_by() -> None:
    stream = read(ROLE, *[said("a")] * 11, STOP, usage(111, reasoning=100))
    assert stream.ttft_s == stream.answer_ttft_s == close(0.2)
    assert stream.itl_s == close(0.1)
    assert stream.tokens_per_chunk == 1.0
    assert stream.tokens_per_s == 111 / stream.e2e_s


def test_reasoning_alone_has_no_answer() -> None:
    stream = read(*[delta(reasoning="Hm")] * 3, delta(finish="length"), usage(3, reasoning=3))
    assert stream.ttft_s == close(0.1)
    assert stream.answer_ttft_s is None
    assert stream.itl_s == close(0.1)


@pytest.mark.parametrize(
    ("output", "reasoning"), [(0, None), (0, 0), (5, 5), (3, 9), (12, 10), (100, 90)]
)
def test_a_usage_that_contradicts_the_texts_gives_no_times_per_token(
    output: int, reasoning: int | None
) -> None:
    """Where hidden reasoning is not within the output tokens, taking it off would be wrong."""
    stream = read(*[said("a")] * 11, STOP, usage(output, reasoning=reasoning))
    assert stream.ttft_s == close(0.1)
    assert stream.itl_s is stream.tokens_per_chunk is stream.decode_tokens_per_s is None
    assert stream.notes == (TOO_FEW,)


# --- what is missing


def test_without_usage_there_is_no_time_per_token() -> None:
    stream = read(ROLE, said("a"), said("b"), STOP, DONE)
    assert stream.ttft_s == close(0.2)
    assert stream.gaps_s == close((0.1,))
    assert stream.output_tokens is None
    assert stream.itl_s is stream.tokens_per_chunk is stream.tokens_per_s is None
    assert stream.notes == (NO_USAGE,)


def test_one_token_has_no_inter_token_latency() -> None:
    stream = read(ROLE, said("a"), STOP, usage(1))
    assert (stream.ttft_s, stream.tokens_per_chunk, stream.gaps_s) == (close(0.2), 1.0, ())
    assert stream.itl_s is stream.decode_tokens_per_s is None
    assert stream.notes == (ONE_TOKEN,)


def test_several_tokens_in_one_chunk_have_none_either() -> None:
    stream = read(ROLE, said("all of it"), STOP, usage(4))
    assert stream.itl_s is None
    assert stream.notes == (ONE_CHUNK, BUNDLES)


def test_texts_that_came_together_have_no_decode_speed() -> None:
    stream = made(texts=texts([0.5, 0.5, 0.5]), output_tokens=3)
    assert stream.itl_s == 0.0
    assert stream.decode_tokens_per_s is None


def test_an_empty_stream_has_no_first_token() -> None:
    stream = read(ROLE, STOP, usage(0), DONE)
    assert stream.ttft_s is stream.answer_ttft_s is stream.wire_s is stream.itl_s is None
    assert stream.client_s is stream.user_ttft_s is stream.tokens_per_chunk is None
    assert stream.e2e_s == close(0.4)
    assert stream.notes == (NO_TEXT,)


def test_bytes_that_the_sdk_could_read_and_we_could_not_are_said() -> None:
    stream = made(handed_on_s=0.5)
    assert stream.ttft_s is None
    assert stream.notes == (UNREAD, NO_USAGE)


def test_a_request_that_was_never_sent_has_no_times_of_the_wire() -> None:
    stream = made(sent_s=None, error="APIConnectionError")
    assert stream.ttft_s is stream.answer_ttft_s is stream.wire_s is None
    assert stream.client_before_s is stream.client_s is None
    assert stream.failed
    assert stream.notes == ("failed: APIConnectionError",)


def test_a_failure_midway_keeps_what_came_but_no_time_per_token_nor_throughput() -> None:
    stream = read(ROLE, said("a"), said("b"), usage(9), error="IncompleteStreamError")
    assert stream.ttft_s == close(0.2)
    assert len(stream.texts) == 2
    assert stream.itl_s is stream.tokens_per_s is stream.decode_tokens_per_s is None


def test_a_stream_of_no_length_has_no_throughput() -> None:
    assert made(done_s=0.0, output_tokens=5).tokens_per_s is None


def test_a_stream_can_not_be_changed() -> None:
    stream = made(cost_usd=Decimal("0.1"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        stream.error = "429"  # pyright: ignore[reportAttributeAccessIssue]
    assert TimedStream.__slots__
    assert not hasattr(stream, "__dict__")


# --- clocks that move in steps

FINE = [0.0013, 0.1434, 0.1545, 0.1661, 0.1770, 0.1881, 0.1994, 0.2107]


@pytest.mark.parametrize("step_s", [0.0156, 0.015625, 0.010, 0.0011])
def test_a_coarse_clock_is_known_by_its_steps(step_s: float) -> None:
    moments = [1000.0 + (at // step_s) * step_s for at in (*FINE, 0.31, 2.7, 61.9)]
    assert clock_step_s(moments) == pytest.approx(step_s, rel=0.01)


def test_the_steps_are_found_though_no_two_stamps_are_one_step_apart() -> None:
    step_s = 0.0156
    assert clock_step_s([n * step_s for n in (0, 3, 7, 10, 14, 17)]) == pytest.approx(step_s)


def test_a_fine_clock_is_not_called_coarse() -> None:
    assert clock_step_s(FINE) is None
    assert clock_step_s([n * 0.0156 + 0.0004 * (n % 3) for n in range(9)]) is None
    assert clock_step_s([n * 0.0009 for n in range(9)]) is None  # finer than 1 ms


def test_a_few_stamps_tell_nothing_of_the_clock() -> None:
    assert clock_step_s([n * 0.0156 for n in range(5)] * 9) is None
    assert clock_step_s([n * 0.0156 for n in range(6)]) == pytest.approx(0.0156)
    assert clock_step_s([]) is clock_step_s([1.0] * 50) is None
