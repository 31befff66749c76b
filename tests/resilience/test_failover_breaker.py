"""Failover and its circuit breaker: who is left alone, for how long, and what it means to all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2
import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.client.gateway import attempt
from holysheep_helpers.mock.handle import MockHandle
from tests.support.clock import Clock
from tests.support.failing_over import GEMINI, MISTRAL, MODELS, PROMPT, WAITS_S, asked, limited
from tests.support.virtual import client_of, completion, error


def test_the_servers_own_word_is_obeyed(gw: hs.Gateway, mock: MockHandle) -> None:
    now_s = 0.0
    breaker = hs.CircuitBreaker(clock=lambda: now_s)
    known: dict[str, Any] = {"models": MODELS, "breaker": breaker}
    mock.script([limited(7)])
    for moment_s in (0.0, 3.0, 6.9):
        now_s = moment_s
        assert hs.failover(gw, PROMPT, **known).model == GEMINI
    now_s = 7.0
    assert hs.failover(gw, PROMPT, **known).model == MISTRAL
    assert asked(mock) == [MISTRAL, GEMINI, GEMINI, GEMINI, MISTRAL]


def test_while_all_are_left_alone_nothing_is_sent(gw: hs.Gateway, mock: MockHandle) -> None:
    now_s = 0.0
    breaker = hs.CircuitBreaker(failures=1, cool_down_s=30, clock=lambda: now_s)
    known: dict[str, Any] = {"models": MODELS, "breaker": breaker}
    mock.script([limited(7), 503])
    with pytest.raises(hs.AllFailedError):
        hs.failover(gw, PROMPT, **known)
    now_s = 2.0
    with pytest.raises(hs.AllFailedError) as caught:
        hs.failover(gw, PROMPT, **known)
    assert [one.cooling_s for one in caught.value.tried] == [5, 28]
    assert caught.value.errors == []
    assert f"{MISTRAL}: left alone for 5.0 s more" in str(caught.value)
    assert len(mock.entries()) == 2
    why = hs.diagnose(caught.value)
    assert (why.kind, why.retryable, why.wait_s) == ("all_failed", True, 5)
    assert why.wait_said_by == "the circuit breaker"
    assert not why.may_have_cost


@pytest.mark.filterwarnings("ignore::holysheep_helpers.client.budget.UnpricedWarning")
def test_a_diagnosis_of_all_failed_takes_the_most_hopeful_of_them(
    live: Callable[..., hs.Gateway], mock: MockHandle
) -> None:
    gw = live()  # with its default budget, which lets unknown models through

    def why(*faults: Any) -> hs.Diagnosis:
        mock.script(list(faults))
        with pytest.raises(hs.AllFailedError) as caught:
            hs.failover(gw, PROMPT, models=MODELS, breaker=hs.CircuitBreaker(), timeout=WAITS_S)
        return hs.diagnose(caught.value)

    waits = [limited(9), limited(4)]
    assert (why(*waits).wait_s, why(*waits).wait_said_by) == (4, "Retry-After")
    assert why(waits[0], 503).wait_s is None  # the second may be asked as soon as back-off allows
    assert why("stall", 503).may_have_cost
    with pytest.raises(hs.AllFailedError) as caught:
        hs.failover(gw, PROMPT, models=["mistral-small", "gpt-5"])
    assert not hs.diagnose(caught.value).retryable


def test_calls_through_one_gateway_share_their_breaker(gw: hs.Gateway, mock: MockHandle) -> None:
    mock.script(503, every=1, model=MISTRAL)
    for _ in range(4):
        hs.failover(gw, PROMPT, models=MODELS)
    asyncio.run(hs.afailover(gw, PROMPT, models=MODELS))
    assert asked(mock).count(MISTRAL) == 3
    with openai.OpenAI(base_url=mock.base_url, api_key=mock.api_key) as client:
        hs.failover(client, PROMPT, models=MODELS)
    assert asked(mock).count(MISTRAL) == 4  # another client knows nothing of it


def test_a_call_that_was_cancelled_is_no_verdict_on_the_model() -> None:
    now_s = 0.0
    breaker = hs.CircuitBreaker(failures=1, cool_down_s=30, clock=lambda: now_s)
    known: dict[str, Any] = {"models": MODELS, "breaker": breaker}
    fates = iter(["fails", "answers", "is cancelled", "answers"])

    async def answer(request: httpx2.Request) -> httpx2.Response:
        fate = "answers" if request.method == "GET" else next(fates)
        if fate == "fails":
            return error(503)
        if fate == "is cancelled":
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)
        return httpx2.Response(200, json=completion("Seoul"))

    async def calls() -> Any:
        nonlocal now_s
        client = await client_of(answer)
        await hs.afailover(client, PROMPT, **known)
        now_s = 30.0
        with pytest.raises(asyncio.CancelledError):
            await hs.afailover(client, PROMPT, **known)
        assert breaker.state(MISTRAL) == "half-open"
        return await hs.afailover(client, PROMPT, **known)

    assert [str(one) for one in asyncio.run(calls()).tried] == [f"{MISTRAL} answered"]


def test_a_crowd_gets_its_answers_and_the_failing_model_few_requests(
    gw: hs.Gateway, mock: MockHandle
) -> None:
    mock.script(503, every=1, model=MISTRAL)

    async def crowd() -> list[Any]:
        calls = (hs.afailover(gw, f"{PROMPT} {n}", models=MODELS) for n in range(100))
        return await asyncio.gather(*calls)

    replies = asyncio.run(crowd())
    assert {reply.model for reply in replies} == {GEMINI}
    assert len(mock.entries()) == 100 + asked(mock).count(MISTRAL)


def test_a_failover_can_be_retried_and_waits_for_the_breaker(
    gw: hs.Gateway, mock: MockHandle
) -> None:
    clock = Clock()
    breaker = hs.CircuitBreaker(failures=1, cool_down_s=20, clock=clock)
    again = clock.retrying(hs.failover)
    mock.script([503, 503])
    reply = again(gw, PROMPT, models=MODELS, breaker=breaker)
    assert [str(one) for one in reply.tried] == [f"{MISTRAL} answered"]
    assert asked(mock) == [MISTRAL, GEMINI, MISTRAL]
    first, second = clock.waits
    assert first <= 0.5  # a back-off, and nothing is sent while both are left alone
    assert 20 - first <= second <= 21


def test_a_retried_failover_counts_its_requests(gw: hs.Gateway, mock: MockHandle) -> None:
    mock.script("reset", every=1)  # each of them may have been answered, and billed
    told: list[hs.Retry] = []
    again = Clock().retrying(hs.failover, attempts=3, on_retry=told.append)
    with pytest.raises(hs.AllFailedError) as caught:
        again(gw, PROMPT, models=MODELS, breaker=hs.CircuitBreaker(failures=9))
    said = "Given up after 4 requests, of which 4 may have been billed."
    assert caught.value.__notes__[-1] == said
    assert len(mock.entries()) == 4
    assert [(one.requests, one.lost) for one in told] == [(2, 2)]


def test_rounds_in_which_all_are_left_alone_are_attempts_too(
    gw: hs.Gateway, mock: MockHandle
) -> None:
    breaker = hs.CircuitBreaker(failures=1, clock=lambda: 0.0)  # it never ends
    mock.script(503, every=1)
    again = Clock().retrying(hs.failover, attempts=4, deadline_s=None)
    with pytest.raises(hs.AllFailedError) as caught:
        again(gw, PROMPT, models=MODELS, breaker=breaker)
    assert caught.value.__notes__[-1] == "Given up after 2 requests."
    assert len(mock.entries()) == 2


@pytest.mark.parametrize("way", ["sync", "async"])
def test_the_deadline_of_a_retry_is_for_all_models_together(way: str) -> None:
    now_s = 0.0
    timeouts: list[float] = []

    def fail(request: httpx2.Request) -> httpx2.Response:
        nonlocal now_s
        timeouts.append(request.extensions["timeout"]["read"])
        now_s += 4
        return error(503)

    async def fail_later(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200) if request.method == "GET" else fail(request)

    async def in_a_loop() -> None:
        client = await client_of(fail_later)
        await hs.afailover(client, PROMPT, models=models, breaker=breaker)

    def at_once() -> None:
        http = httpx2.Client(transport=httpx2.MockTransport(fail))
        key, base = "hs-mock-virtual", "http://127.0.0.1:9/v1"
        client = openai.OpenAI(api_key=key, base_url=base, http_client=http)
        hs.failover(client, PROMPT, models=models, breaker=breaker)

    models, breaker = [*MODELS, "gpt-4.1", "gpt-4o"], hs.CircuitBreaker()
    with (
        attempt(lambda: 10 - now_s),
        pytest.raises(hs.AllFailedError, match=r"; no time was left for gpt-4o\)") as caught,
    ):
        asyncio.run(in_a_loop()) if way == "async" else at_once()
    assert timeouts == [10, 6, 2]
    assert len(caught.value.tried) == 3
