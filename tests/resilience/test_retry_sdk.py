"""One place that retries: the SDK's own are off or counted, and streams are begun once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.resilience.retry import StackedRetriesWarning
from tests.support.clock import Clock

MODEL, MESSAGES = hs.catalog.DEFAULT_MODEL, [{"role": "user", "content": "hello"}]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def again(clock: Clock) -> Callable[..., Any]:
    return clock.retrying


def test_the_sdks_own_retries_are_counted_and_said(
    mock: MockHandle, again: Callable[..., Any]
) -> None:
    mock.script([{"kind": "status", "status": 503, "headers": {"retry-after-ms": "1"}}] * 20)
    retries: list[hs.Retry] = []
    with openai.OpenAI(base_url=mock.base_url, api_key=mock.api_key) as client:
        ask = again(client.chat.completions.create, on_retry=retries.append)
        with (
            pytest.warns(StackedRetriesWarning, match="3 requests for one attempt"),
            pytest.raises(openai.InternalServerError) as caught,
        ):
            ask(model=MODEL, messages=MESSAGES)
    assert caught.value.__notes__ == ["Given up after 6 requests, of which 4 may have been billed."]
    assert len(mock.entries()) == 6  # and not 15
    assert [(retry.requests, retry.lost) for retry in retries] == [(3, 2)]  # 2 that nobody saw


def test_a_retrying_inside_another_asks_once(
    mock: MockHandle, gw: hs.Gateway, again: Callable[..., Any]
) -> None:
    mock.script([503] * 9)
    inner = hs.retrying(hs.ask)
    with pytest.raises(openai.InternalServerError):
        again(inner, attempts=2)(gw, "hello")
    assert len(mock.entries()) == 2


def test_outside_of_it_the_sdk_retries_as_ever(mock: MockHandle, gw: hs.Gateway) -> None:
    hs.retrying(hs.ask)(gw, "hello")
    mock.script([{"kind": "status", "status": 503, "headers": {"retry-after-ms": "1"}}])
    hs.ask(gw, "hello again")
    assert [entry["attempt"] for entry in mock.entries()] == [0, 0, 1]


def test_an_async_method_of_the_sdk_is_taken_for_what_it_is(
    mock: MockHandle, gw: hs.Gateway, again: Callable[..., Any], clock: Clock
) -> None:
    """``AsyncCompletions.create`` is a plain function that hands back a coroutine."""
    mock.script([503, 503])

    async def main() -> str:
        async with gw.async_client(max_retries=0) as client:
            ask = again(client.chat.completions.create)
            return (await ask(model=MODEL, messages=MESSAGES)).choices[0].message.content

    assert asyncio.run(main()).startswith("[canned reply]")
    assert (len(clock.waits), len(mock.entries())) == (2, 3)


# --- streams


def test_a_stream_that_had_begun_is_not_begun_anew(
    mock: MockHandle, gw: hs.Gateway, again: Callable[..., Any]
) -> None:
    for fault in ({"kind": "disconnect", "after": 3}, {"kind": "end_early", "after": 3}):
        mock.reset()
        mock.script([503, fault])
        with pytest.raises((openai.APIConnectionError, hs.IncompleteStreamError)):
            again(lambda: hs.stream(gw, "hello").read())()
        assert len(mock.entries()) == 2


@pytest.mark.parametrize("asynchronous", [False, True])
def test_begun_anew_if_allowed_and_the_double_cost_is_said(
    mock: MockHandle, gw: hs.Gateway, again: Callable[..., Any], asynchronous: bool
) -> None:
    mock.script([{"kind": "disconnect", "after": 3}, {"kind": "end_early", "after": 3}])
    retries: list[hs.Retry] = []
    options: dict[str, Any] = {"restart_streams": True, "on_retry": retries.append}

    async def main() -> Any:
        async with gw.async_client() as client:
            return await again(hs.astream, **options)(client, "hello", temperature=0)

    begin = again(hs.stream, **options)
    stream = asyncio.run(main()) if asynchronous else begin(gw, "hello", temperature=0)
    assert stream.complete
    assert stream.text == "[canned reply] Hello! How can I help you?"
    assert [(retry.diagnosis.kind, retry.lost) for retry in retries] == [
        ("cut_stream", 1), ("ended_early", 2),
    ]  # fmt: skip
    assert str(retries[0]).endswith("what came is paid for, and paid for again")
    assert [entry["paid"] for entry in mock.entries()] == ["maybe", "maybe", "yes"]
