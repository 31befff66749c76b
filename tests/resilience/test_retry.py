"""Asking again: at one place, after the right wait, within attempts and a deadline."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from statistics import fmean
from typing import Any

import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.resilience.retry import Policy
from tests.support import virtual
from tests.support.clock import Clock, virtual_429


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def again(clock: Clock) -> Callable[..., Any]:
    return clock.retrying


def test_an_answer_at_the_first_try_is_handed_on(again: Callable[..., Any], clock: Clock) -> None:
    assert again(lambda a, *, b: (a, b))(1, b=2) == (1, 2)
    assert clock.waits == []


def test_the_decorator_keeps_name_and_kind_of_the_function() -> None:
    @hs.retrying(attempts=2)
    async def ask_it() -> int:
        """Asks."""
        return 5

    @hs.retrying
    def plain() -> int:
        return 6

    assert (ask_it.__name__, ask_it.__doc__) == ("ask_it", "Asks.")
    assert asyncio.iscoroutinefunction(ask_it)
    assert not asyncio.iscoroutinefunction(plain)
    assert (asyncio.run(ask_it()), plain()) == (5, 6)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_retry_after_comes_first_and_a_draw_on_top(
    mock: MockHandle, gw: hs.Gateway, again: Callable[..., Any], clock: Clock, asynchronous: bool
) -> None:
    wait = {"kind": "status", "status": 429, "headers": {"retry-after": "3"}}
    mock.script([wait, 503, wait])
    lines: list[str] = []

    def note(retry: hs.Retry) -> None:
        lines.append(str(retry))

    async def main() -> None:
        async with gw.async_client() as client:
            await (
                await again(hs.astream, on_retry=lambda r: lines.append(str(r)))(client, "a")
            ).read()

    if asynchronous:
        asyncio.run(main())
    else:
        again(hs.ask, on_retry=note)(gw, "a")
    first, second, third = clock.waits
    assert 3.125 <= first <= 3.5
    assert 0.125 <= second <= 1.0
    assert 3.125 <= third <= 5.0
    assert lines[0] == f"attempt 1 of 5: rate_limit, Retry-After says 3 s; again in {first:.2f} s"
    assert lines[1] == f"attempt 2 of 5: server_error; again in {second:.2f} s"
    assert [entry["attempt"] for entry in mock.entries()] == [0] * 4  # the SDK's own are off


def test_a_herd_that_was_told_the_same_second_comes_back_apart() -> None:
    waits = []
    for number in range(200):
        clock, tries = Clock(), iter([virtual_429(), None])

        def call(tries: Iterator[Any] = tries) -> None:
            if (error := next(tries)) is not None:
                raise error

        clock.retrying(call, seed=number)()
        waits += clock.waits
    assert min(waits) >= 1.125
    assert max(waits) - min(waits) > 0.3
    assert 1.25 < fmean(waits) < 1.375


def test_what_can_not_succeed_is_asked_once(
    mock: MockHandle, gw: hs.Gateway, again: Callable[..., Any], clock: Clock
) -> None:
    for fault in (400, 401, 403, 404, "quota"):
        mock.reset()
        mock.script([fault] * 5)
        with pytest.raises(openai.APIStatusError) as caught:
            again(hs.ask)(gw, "hello 429 500")
        assert len(mock.entries()) == 1
        assert not any("Given up" in note for note in getattr(caught.value, "__notes__", ()))
    assert clock.waits == []


def test_attempts_are_used_up_with_a_note(
    mock: MockHandle, gw: hs.Gateway, again: Callable[..., Any]
) -> None:
    mock.script([503, "reset", 503, 503])
    with pytest.raises(openai.InternalServerError) as caught:
        again(hs.ask, attempts=3)(gw, "hello")
    note = "Given up after 3 requests, of which 1 may have been billed."
    assert caught.value.__notes__[-1] == note
    assert len(mock.entries()) == 3


def test_a_wait_beyond_the_deadline_is_not_waited(
    mock: MockHandle, gw: hs.Gateway, again: Callable[..., Any], clock: Clock
) -> None:
    mock.script([503, {"kind": "status", "status": 429, "headers": {"retry-after": "3600"}}])
    with pytest.raises(
        hs.DeadlineError, match="deadline_s=60 out of 2 requests: the next"
    ) as caught:
        again(hs.ask)(gw, "hello")
    assert isinstance(caught.value.__cause__, openai.RateLimitError)
    assert len(clock.waits) == 1
    assert "Before that, rate_limit" in hs.diagnose(caught.value).what


def test_without_a_deadline_it_waits_as_long_as_it_was_told(
    mock: MockHandle, gw: hs.Gateway, again: Callable[..., Any], clock: Clock
) -> None:
    mock.script([{"kind": "status", "status": 429, "headers": {"retry-after": "3600"}}])
    assert again(hs.ask, deadline_s=None)(gw, "hello").text
    assert clock.waits[0] > 3600


def test_a_synchronous_attempt_gets_no_more_time_than_is_left(
    gw: hs.Gateway, again: Callable[..., Any], clock: Clock
) -> None:
    seen = []

    def call() -> None:
        from holysheep_helpers.client.gateway import sync_client

        plain = sync_client(gw)
        parts = sync_client(gw.client().with_options(timeout=openai.Timeout(600, connect=2)))
        seen.append((plain.timeout, parts.timeout, plain.max_retries))
        clock.now_s += 35
        raise virtual_429()

    with pytest.raises(hs.DeadlineError):
        again(call)()
    assert len(seen) == 2
    assert seen[0] == (30, openai.Timeout(60, connect=2), 0)
    assert 23 < seen[1][0] < 24
    assert gw.client().max_retries == 3


def test_an_asynchronous_attempt_under_way_is_ended_at_the_deadline() -> None:
    async def never() -> None:
        await asyncio.sleep(1000)

    async def main() -> float:
        with pytest.raises(hs.DeadlineError, match="1 request, of which 1 may have been billed"):
            await hs.retrying(never, deadline_s=7)()
        return asyncio.get_running_loop().time()

    assert virtual.run(main()) == 7


def test_an_own_time_out_is_no_deadline_of_ours() -> None:
    async def impatient() -> None:
        async with asyncio.timeout(1):
            await asyncio.sleep(1000)

    with pytest.raises(TimeoutError) as caught:
        virtual.run(Policy(attempts=1).around(impatient)())
    assert not isinstance(caught.value, hs.DeadlineError)


def test_a_cancelled_call_is_cancelled() -> None:
    calls = []

    async def main() -> None:
        async def never() -> None:
            calls.append(1)
            await asyncio.sleep(1000)

        task = asyncio.create_task(hs.retrying(never)())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    virtual.run(main())
    assert calls == [1]


# --- input, log


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"attempts": 0}, "attempts is 0: a whole number, 1 or more"),
        ({"attempts": True}, "attempts is True"),
        ({"attempts": 2.5}, r"attempts is 2\.5"),
        ({"deadline_s": 0}, "deadline_s is 0: seconds, more than 0, is needed, or None"),
        ({"deadline_s": float("nan")}, "deadline_s is nan"),
        ({"deadline_s": float("inf")}, "seconds, more than 0, is needed, or None"),
        ({"on_retry": "print"}, "on_retry is 'print'"),
    ],
)
def test_bad_arguments_are_refused_at_once(options: dict[str, Any], says: str) -> None:
    with pytest.raises(hs.InputError, match=says):
        hs.retrying(print, **options)


def test_what_is_no_call_is_refused(gw: hs.Gateway) -> None:
    with pytest.raises(hs.InputError, match="a function is needed, which is called again"):
        hs.retrying("an answer")  # pyright: ignore[reportArgumentType, reportCallIssue]

    def generator() -> Iterator[int]:
        yield 1

    with pytest.raises(hs.InputError, match="sends nothing when it is called"):
        hs.retrying(generator)


def test_without_a_hook_a_line_goes_to_the_log_and_nothing_to_the_screen(
    mock: MockHandle, gw: hs.Gateway, again: Callable[..., Any],
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    mock.script([503])
    with caplog.at_level(logging.INFO, "holysheep_helpers"):
        again(hs.ask)(gw, "a secret prompt")
    (line,) = [r.getMessage() for r in caplog.records if r.name == "holysheep_helpers"]
    assert line.startswith("attempt 1 of 5: server_error; again in 0.")
    assert capfd.readouterr() == ("", "")
