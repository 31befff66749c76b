"""Failover of streams: until the first text another model takes over, after it none does."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.mock.handle import MockHandle
from tests.support.failing_over import GEMINI, MISTRAL, MODELS, PROMPT, WAITS_S, asked


@pytest.mark.parametrize(
    "fault", ["stall", "disconnect", "error_in_stream", "end_early", "bad_json"]
)
@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_stream_fails_over_before_its_first_text_and_never_after(
    gw: hs.Gateway, mock: MockHandle, fault: str, way: str
) -> None:
    def read(after: int) -> tuple[Any, Exception | None]:
        mock.reset()
        mock.script({"kind": fault, "after": after}, every=1, model=MISTRAL)
        breaker = hs.CircuitBreaker()
        known: dict[str, Any] = {"models": MODELS, "timeout": WAITS_S, "breaker": breaker}

        async def in_a_loop() -> tuple[Any, Exception | None]:
            stream = await hs.afailover(gw, PROMPT, stream=True, **known)
            try:
                await stream.read()
            except Exception as error:  # noqa: BLE001 (which one is up to the fault)
                return stream, error
            return stream, None

        if way == "async":
            return asyncio.run(in_a_loop())
        stream = hs.failover(gw, PROMPT, stream=True, **known)
        try:
            stream.read()
        except Exception as error:  # noqa: BLE001
            return stream, error
        return stream, None

    stream, error = read(after=0)
    assert error is None
    assert (stream.model, stream.complete, asked(mock)) == (GEMINI, True, [MISTRAL, GEMINI])
    assert stream.text == "".join(text for _, text in stream.timeline)
    assert stream.tried[0].cost is None  # it had begun: it may have been billed

    stream, error = read(after=2)
    assert error is not None
    assert (stream.model, stream.complete, asked(mock)) == (MISTRAL, False, [MISTRAL])
    assert len(stream.timeline) == 2
    assert [str(one) for one in stream.tried] == [f"{MISTRAL} answered"]


def test_a_streams_times_count_from_the_call(gw: hs.Gateway, mock: MockHandle) -> None:
    mock.script([503])
    stream = hs.failover(gw, PROMPT, models=MODELS, stream=True)
    failed_s, until_text_s = (one.elapsed_s for one in stream.tried)
    assert failed_s > 0
    assert stream.ttft_s is not None
    assert failed_s < stream.ttft_s <= failed_s + until_text_s
    assert stream.read()
    with pytest.raises(hs.InputError, match="read already"):
        stream.read()


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_stream_that_is_left_closes_its_connection(
    gw: hs.Gateway, mock: MockHandle, way: str
) -> None:
    known: dict[str, Any] = {"models": MODELS, "stream": True}

    async def in_a_loop() -> Any:
        async with await hs.afailover(gw, PROMPT, **known) as stream:
            async for _ in stream:
                if len(stream.timeline) == 3:
                    break
        return stream

    if way == "async":
        stream = asyncio.run(in_a_loop())
    else:
        with hs.failover(gw, PROMPT, **known) as stream:
            for _ in stream:
                if len(stream.timeline) == 3:
                    break
    assert not stream.complete
    assert len(stream.timeline) == 3
    assert stream.elapsed_s is not None


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_streams_turns_tell_its_bill_once_it_is_known(
    gw: hs.Gateway, mock: MockHandle, way: str
) -> None:
    mock.script(["reset"])
    known: dict[str, Any] = {"models": MODELS, "stream": True}

    async def in_a_loop() -> Any:
        stream = await hs.afailover(gw, PROMPT, **known)
        assert stream.tried[-1].cost is None
        await stream.read()
        return stream

    if way == "async":
        stream = asyncio.run(in_a_loop())
    else:
        stream = hs.failover(gw, PROMPT, **known)
        assert stream.tried[-1].cost is None
        stream.read()
    assert stream.cost
    assert [one.cost for one in stream.tried] == [None, stream.cost]
    assert stream.possibly_paid_twice == 1


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_model_whose_streams_break_off_is_left_alone(
    gw: hs.Gateway, mock: MockHandle, way: str
) -> None:
    breaker = hs.CircuitBreaker(failures=2)
    known: dict[str, Any] = {"models": MODELS, "stream": True, "breaker": breaker}
    mock.script({"kind": "error_in_stream", "after": 2}, every=1, model=MISTRAL)

    async def in_a_loop() -> str:
        return await (await hs.afailover(gw, PROMPT, **known)).read()

    def read() -> str:
        return asyncio.run(in_a_loop()) if way == "async" else plainly()

    def plainly() -> str:
        return hs.failover(gw, PROMPT, **known).read()

    for _ in range(2):
        with pytest.raises(openai.APIError):
            read()
    assert breaker.state(MISTRAL) == "open"
    assert hs.failover(gw, PROMPT, **known).model == GEMINI
    assert asked(mock) == [MISTRAL, MISTRAL, GEMINI]


def test_a_trial_by_a_stream_ends_with_the_stream(gw: hs.Gateway, mock: MockHandle) -> None:
    now_s = 0.0
    breaker = hs.CircuitBreaker(failures=1, cool_down_s=5, clock=lambda: now_s)
    known: dict[str, Any] = {"models": MODELS, "stream": True, "breaker": breaker}
    mock.script([503])
    hs.failover(gw, PROMPT, **known).read()
    now_s = 5.0
    trial = hs.failover(gw, PROMPT, **known)
    assert (trial.model, breaker.state(MISTRAL)) == (MISTRAL, "half-open")
    assert hs.failover(gw, PROMPT, **known).model == GEMINI  # one trial at a time
    trial.read()
    assert breaker.state(MISTRAL) == "closed"


def test_a_stream_that_its_reader_leaves_is_no_failure(gw: hs.Gateway) -> None:
    breaker = hs.CircuitBreaker(failures=1)
    with hs.failover(gw, PROMPT, models=MODELS, stream=True, breaker=breaker) as stream:
        next(iter(stream))
    del stream
    assert [event.what for event in breaker.events] == ["answered"]


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_trial_whose_stream_is_closed_unread_has_ended(
    gw: hs.Gateway, mock: MockHandle, way: str
) -> None:
    now_s = 0.0
    breaker = hs.CircuitBreaker(failures=1, cool_down_s=5, clock=lambda: now_s)
    known: dict[str, Any] = {"models": MODELS, "stream": True, "breaker": breaker}
    mock.script([503])
    hs.failover(gw, PROMPT, **known).read()
    now_s = 5.0

    async def in_a_loop() -> None:
        async with await hs.afailover(gw, PROMPT, **known) as stream:
            assert breaker.state(stream.model) == "half-open"

    if way == "async":
        asyncio.run(in_a_loop())
    else:
        with hs.failover(gw, PROMPT, **known) as stream:
            assert breaker.state(stream.model) == "half-open"
    assert breaker.state(MISTRAL) == "closed"
    assert [event.what for event in breaker.events][-2:] == ["answered", "closed"]


def test_a_reader_who_is_interrupted_says_nothing_of_the_model(gw: hs.Gateway) -> None:
    breaker = hs.CircuitBreaker(failures=1)
    texts: Any = iter(hs.failover(gw, PROMPT, models=MODELS, stream=True, breaker=breaker))
    next(texts)
    with pytest.raises(KeyboardInterrupt):
        texts.throw(KeyboardInterrupt())
    assert [event.what for event in breaker.events] == ["no verdict"]
