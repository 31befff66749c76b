"""Where asking again could go wrong: clients, time-outs, hooks, forks, threads, interrupts."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from random import Random
from threading import Barrier
from typing import Any

import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.batches import batch
from holysheep_helpers.batches.worker import Asker
from holysheep_helpers.diagnosis.waiting import LEAST_BACK_OFF_S, LONGEST_BACK_OFF_S, back_off_s
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.resilience.retry import Policy
from tests.support.clock import Clock, virtual_429
from tests.support.watched import NoWait


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def again(clock: Clock) -> Callable[..., Any]:
    return clock.retrying


# --- clients and time-outs


def test_a_stream_outlives_the_client_that_only_the_call_held(gw: hs.Gateway) -> None:
    stream = hs.retrying(hs.stream)(gw.client(max_retries=0), "hello", temperature=0)
    gc.collect()
    assert stream.read() == "[canned reply] Hello! How can I help you?"


def test_a_time_out_of_the_calls_own_is_no_longer_than_what_is_left(
    gw: hs.Gateway, monkeypatch: pytest.MonkeyPatch, again: Callable[..., Any], clock: Clock
) -> None:
    from openai.resources.chat import Completions

    seen = []

    def create(_: Any, **arguments: Any) -> None:
        seen.append(arguments.get("timeout"))
        clock.now_s += 50
        raise virtual_429()

    monkeypatch.setattr(Completions, "create", create)
    for ask in (hs.ask, hs.stream):
        for timeout in (600, None, openai.Timeout(600, connect=2), openai.NOT_GIVEN):
            seen.clear()
            with pytest.raises(hs.DeadlineError):
                again(ask)(gw, "hello", timeout=timeout)
            first, second = seen
            if isinstance(timeout, openai.Timeout):
                assert (first.connect, first.read) == (2, pytest.approx(60))
                assert second.read < 10
            elif timeout is openai.NOT_GIVEN:
                assert first == 30  # the client's own
                assert second < 10
            else:
                assert first == pytest.approx(60)
                assert 0 < second < 10
    with pytest.raises(openai.RateLimitError):
        hs.ask(gw, "hello", timeout=600)
    assert seen[-1] == 600  # nobody retries here


def test_a_synchronous_stream_that_drips_ends_at_the_deadline(
    mock: MockHandle, gw: hs.Gateway, again: Callable[..., Any], clock: Clock
) -> None:
    def drip() -> str:
        text = ""
        for part in hs.stream(gw, "hello"):
            text += part
            clock.now_s += 40
        return text

    mock.script([503])
    with pytest.raises(hs.DeadlineError, match=r"in the middle of the stream: [1-9]") as caught:
        again(drip)()
    assert caught.value.__notes__ == ["Before that: 1 request."]
    assert len(mock.entries()) == 2
    assert drip()  # outside of it there is no deadline


def test_a_failover_inside_counts_all_of_its_requests(
    mock: MockHandle, gw: hs.Gateway, again: Callable[..., Any]
) -> None:
    mock.script([503, "reset"] * 9)
    retries: list[hs.Retry] = []
    call = again(hs.failover, attempts=4, on_retry=retries.append)
    with pytest.raises(hs.AllFailedError) as caught:
        call(gw, "hello", models=["mistral-small-2603", "gemini-2.5-flash"])
    assert [(retry.requests, retry.lost) for retry in retries] == [(2, 1)]
    assert len(mock.entries()) == 4
    note = "Given up after 4 requests, of which 2 may have been billed."
    assert caught.value.__notes__[-1] == note


def test_a_failover_inside_gives_each_model_what_is_left(
    gw: hs.Gateway, monkeypatch: pytest.MonkeyPatch, again: Callable[..., Any], clock: Clock
) -> None:
    from openai.resources.chat import Completions

    seen = []

    def create(_: Any, **arguments: Any) -> None:
        seen.append(arguments["timeout"])
        clock.now_s += 25
        raise virtual_429()

    monkeypatch.setattr(Completions, "create", create)
    models = ["mistral-small-2603", "gemini-2.5-flash", "gpt-4.1", "claude-sonnet-4-5"]
    with pytest.raises(hs.DeadlineError):
        again(hs.failover, deadline_s=60)(gw, "hello", models=models)
    assert seen == [30, 30, pytest.approx(10)]  # and the fourth is not sent


def test_a_batch_inside_retries_its_own(
    mock: MockHandle, gw: hs.Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "Asker", partial(Asker, random=NoWait()))
    mock.script([503] * 20)
    retries: list[hs.Retry] = []
    result = asyncio.run(hs.retrying(hs.batch, on_retry=retries.append)(gw, ["one"]))
    assert (len(result.failed), len(mock.entries()), retries) == (1, 6, [])  # and not 30


def test_a_task_that_outlives_the_call_is_on_its_own(mock: MockHandle, gw: hs.Gateway) -> None:
    mock.script([{"kind": "status", "status": 503, "headers": {"retry-after-ms": "1"}}])

    async def main() -> Any:
        over = asyncio.Event()

        async def later() -> hs.AsyncStream:
            await over.wait()
            return await hs.astream(gw, "hello")  # the SDK retries here, as ever

        async def call() -> asyncio.Task[hs.AsyncStream]:
            return asyncio.create_task(later())

        task = await hs.retrying(call)()
        over.set()
        return await (await task).read()

    assert asyncio.run(main())
    assert [entry["attempt"] for entry in mock.entries()] == [0, 1]


# --- waits


def test_the_back_off_has_no_end_of_its_numbers() -> None:
    draw = Random(1)
    assert LEAST_BACK_OFF_S <= back_off_s(100_000, draw) <= LONGEST_BACK_OFF_S


def test_full_jitter_draws_evenly_from_all_of_the_range() -> None:
    policy = Policy()
    for attempt, longest_s in ((1, 0.5), (3, 2.0), (9, 30.0)):
        step_s = (longest_s - LEAST_BACK_OFF_S) / 10
        drawn = [back_off_s(attempt, policy.random) for _ in range(5000)]
        counts = [0] * 10
        for wait_s in drawn:
            counts[min(int((wait_s - LEAST_BACK_OFF_S) / step_s), 9)] += 1
        chi_squared = sum((count - 500) ** 2 / 500 for count in counts)
        assert chi_squared < 60  # with 9 degrees of freedom: once in 10^9 runs


def test_forks_of_one_process_do_not_draw_alike() -> None:
    """A server that forks its workers after the import would make a herd of them.

    What has no state in this process, a fork can't take along.
    """
    with pytest.raises(NotImplementedError):
        Policy().random.getstate()


def test_two_threads_that_share_a_decorated_function_count_apart(clock: Clock) -> None:
    both = Barrier(2)
    retries: list[hs.Retry] = []

    def call() -> int:
        both.wait(timeout=10)
        raise virtual_429()

    asked = clock.retrying(call, attempts=2, deadline_s=None, on_retry=retries.append)
    with ThreadPoolExecutor(2) as pool:
        errors = [future.exception() for future in [pool.submit(asked) for _ in range(2)]]
    assert [error.__notes__ for error in errors if error] == [["Given up after 2 requests."]] * 2
    assert [retry.requests for retry in retries] == [1, 1]


# --- hooks, interrupts, methods


def test_a_hook_that_fails_ends_it_and_keeps_what_the_call_met(clock: Clock) -> None:
    def hook(_: hs.Retry) -> None:
        raise RuntimeError("stop")

    def call() -> None:
        raise virtual_429()

    with pytest.raises(RuntimeError, match="stop") as caught:
        clock.retrying(call, on_retry=hook)()
    assert isinstance(caught.value.__context__, openai.RateLimitError)
    assert clock.waits == []


def test_a_hook_that_nobody_would_await_is_refused() -> None:
    async def hook(_: hs.Retry) -> None: ...

    with pytest.raises(hs.InputError, match="a plain function is needed"):
        hs.retrying(print, on_retry=hook)


def test_an_interrupt_is_no_failure(clock: Clock) -> None:
    for stop in (KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError):
        calls = []

        def call(calls: list[int] = calls, stop: type[BaseException] = stop) -> None:
            calls.append(1)
            raise stop

        with pytest.raises(stop):
            clock.retrying(call)()
        assert (calls, clock.waits) == ([1], [])


def test_methods_partials_and_callables_are_functions_too(clock: Clock) -> None:
    class Bot:
        def __init__(self) -> None:
            self.calls = 0

        def fail_once(self, text: str) -> str:
            self.calls += 1
            if self.calls == 1:
                raise virtual_429()
            return text

        async def __call__(self, text: str) -> str:
            return self.fail_once(text)

    class Decorated(Bot):
        ask = hs.retrying(attempts=1)(Bot.fail_once)

    assert clock.retrying(Bot().fail_once)("a") == "a"
    assert clock.retrying(partial(Bot().fail_once, "b"))() == "b"
    assert asyncio.run(clock.retrying(Bot())("c")) == "c"
    assert asyncio.run(clock.retrying(partial(Bot().__call__, "d"))()) == "d"
    with pytest.raises(openai.RateLimitError):
        Decorated().ask("e")


@pytest.mark.parametrize(
    ("said", "least_s"),
    [("-5", 0), ("0", 0), ("nan", 0), ("soon", 0), ("7", 7), ("1e3", 1000),
     ("Tue, 24 Nov 2026 10:00:05 GMT", 5)],
)  # fmt: skip
def test_every_form_of_retry_after(clock: Clock, said: str, least_s: float) -> None:
    import httpx2

    request = httpx2.Request("POST", "http://127.0.0.1:9/v1/chat/completions")
    headers = {"retry-after": said, "date": "Tue, 24 Nov 2026 10:00:00 GMT"}
    response = httpx2.Response(429, headers=headers, request=request)
    error = openai.RateLimitError("x", response=response, body=None)
    answers = iter([error, None])

    def call() -> None:
        if (failed := next(answers)) is not None:
            raise failed

    clock.retrying(call, deadline_s=None)()
    (wait_s,) = clock.waits
    assert least_s + LEAST_BACK_OFF_S <= wait_s <= least_s + 0.5


# --- errors that come with status 200


@pytest.mark.parametrize(("streamed", "anew", "calls"), [
    (False, False, 2), (True, False, 1), (True, True, 2),
])  # fmt: skip
def test_an_error_in_a_reply_is_asked_again_and_in_a_stream_only_if_that_may_begin_anew(
    again: Callable[..., Any], clock: Clock, streamed: bool, anew: bool, calls: int
) -> None:
    tries = []

    def call() -> str:
        tries.append(1)
        if len(tries) == 1:
            body = {"error": {"code": 429, "metadata": {"retry_after_seconds": 11}}}
            raise hs.GatewayError("x", body, partial_text="Hel", streamed=streamed)
        return "answered"

    retrying = again(call, attempts=3, restart_streams=anew)
    if calls == 1:
        with pytest.raises(hs.GatewayError):
            retrying()
    else:
        assert retrying() == "answered"
        assert 11 < clock.waits[0] < 12
    assert len(tries) == calls
