"""Who asks when: closed and open loops, warm-up, and what ends a measurement early."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import accumulate, pairwise
from random import Random
from typing import Any

import httpx2
import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.client.spend import BudgetError
from holysheep_helpers.exceptions import UnexpectedReplyError
from holysheep_helpers.latency.load import Load, RawRun, stagger_s
from holysheep_helpers.mock.stated import AS_DRAWN
from tests.support import virtual
from tests.support.virtual_wire import ITL_S, TTFT_S, Wire, client_of

TAKES_S = TTFT_S + 4 * ITL_S
"""A whole stream of five tokens."""


def close(value: Any) -> Any:
    return pytest.approx(value, abs=1e-6)


class Asked:
    """Runs that take as long as they are told to, and no network."""

    def __init__(self, *takes_s: float) -> None:
        self._takes_s = takes_s
        self.under_way = self.most = 0
        self.runs: list[RawRun] = []

    async def __call__(self, index: int, due_s: float | None) -> RawRun:
        clock = asyncio.get_running_loop().time
        taken = RawRun(index, "m", due_s or clock(), called_s=clock())
        self.runs.append(taken)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(self._takes_s[index % len(self._takes_s)])
        self.under_way -= 1
        taken.done_s = clock()
        return taken


def refusing(asked: Asked, number: int) -> Callable[..., Awaitable[RawRun]]:
    """The same, but the one with this number can't even be asked."""

    async def ask(index: int, due_s: float | None) -> RawRun:
        if index == number:
            raise ZeroDivisionError
        return await asked(index, due_s)

    return ask


def load(ask: Any, drive: Callable[[Load], Awaitable[None]]) -> Load:
    """A load, driven in made-up time."""

    async def main() -> Load:
        made = Load(ask, asyncio.get_running_loop().time)
        await drive(made)
        return made

    return virtual.run(main())


# --- a closed loop


@pytest.mark.parametrize("concurrency", [1, 3, 7])
def test_a_closed_loop_never_asks_more_at_once_and_asks_anew_as_soon_as_it_may(
    concurrency: int,
) -> None:
    draw = Random(concurrency)
    asked = Asked(*(draw.uniform(0.1, 2.0) for _ in range(40)))
    made = load(asked, lambda made: made.closed(40, concurrency, made.runs, 0.0))
    assert asked.most == concurrency
    assert sorted(run.index for run in made.runs) == list(range(40))
    starts = sorted(run.called_s for run in asked.runs)
    ends = sorted(run.done_s for run in asked.runs)
    assert starts == close([0.0] * concurrency + ends[:-concurrency])
    assert [run.done_s for run in made.runs] == ends


def test_fewer_runs_than_askers_are_asked_once_each() -> None:
    asked = Asked(1.0)
    made = load(asked, lambda made: made.closed(3, 10, made.runs, 0.25))
    assert [run.called_s for run in asked.runs] == close([0.0, 0.25, 0.5])
    assert made.clock() == close(1.5)  # the others are not waited for


def test_first_starts_are_spread_over_the_time_of_a_stream() -> None:
    spread = Wire().measure(12, concurrency=4, warmup=4)
    assert [run.called_s for run in spread.runs[:4]] == close([n * TAKES_S / 4 for n in range(4)])
    starts = [run.called_s for run in spread.runs]
    assert [b - a for a, b in pairwise(starts)] == close([TAKES_S / 4] * 11)
    together = Wire().measure(12, concurrency=4, warmup=4, stagger=False)
    assert [run.called_s for run in together.runs[:4]] == close([0.0] * 4)


def test_the_spread_is_that_of_the_median_stream_that_worked() -> None:
    warm = [
        RawRun(n, "m", 5.0, called_s=5.0, done_s=5.0 + took) for n, took in enumerate((2, 4, 9))
    ]
    assert stagger_s(warm, 8) == 0.5
    assert stagger_s(warm, 2) == 1.0  # at most a second
    warm[1].error = openai.OpenAIError()
    assert stagger_s(warm[1:2], 4) == stagger_s([], 4) == 0.1
    assert stagger_s(warm[:2], 8) == 0.25


# --- until the load is whole


def test_what_begins_before_the_last_asker_has_started_is_warm_up() -> None:
    asked = Asked(1.0)
    made = load(asked, lambda made: made.closed(6, 4, made.runs, 0.25, ramp=True))
    assert [run.called_s for run in made.warm] == close([0.0, 0.25, 0.5])
    assert made.began_s == close(0.75)
    assert [run.called_s for run in made.runs] == close([0.75, 1.0, 1.25, 1.5, 1.75, 2.0])
    assert asked.most == 4


def test_answers_that_come_at_once_bring_no_more_than_one_request_each() -> None:
    asked = Asked(0.001)
    made = load(asked, lambda made: made.closed(8, 4, made.runs, 0.25, ramp=True))
    assert [run.index for run in made.warm] == [0, 1, 2]
    assert sorted(run.index for run in made.runs) == list(range(8))
    assert min(run.called_s for run in made.runs) == close(made.began_s) == close(0.75)


def test_a_fatal_status_before_the_load_is_whole_is_met_once_by_each() -> None:
    wire = Wire().script(*[None] * 4, *[401] * 50)
    with pytest.raises(openai.AuthenticationError):
        wire.measure(20, concurrency=4, warmup=4)
    assert len(wire.entries) == 4 + 4
    asked = Asked(0.001)
    made = load(refusing(asked, 1), lambda made: made.closed(8, 4, made.runs, 0.25, ramp=True))
    assert (len(made.warm), made.runs, len(asked.runs)) == (1, [], 1)


# --- an open loop


def poisson(count: int, rate_per_s: float) -> list[float]:
    draw = Random(0)
    return list(accumulate(draw.expovariate(rate_per_s) for _ in range(count)))


@pytest.mark.parametrize("fault", [None, {"kind": "slow", "factor": 50}, 503])
def test_an_open_loop_starts_at_its_own_moments_whatever_the_answers_do(fault: Any) -> None:
    run = Wire().script(*[fault] * 25).measure(25, warmup=1, rate_per_s=12.0)
    assert [stream.due_s for stream in run.runs] == close(poisson(25, 12.0))
    assert [stream.called_s for stream in run.runs] == close(poisson(25, 12.0))
    assert [stream.index for stream in run.runs] == list(range(25))


def test_the_latency_of_a_late_start_runs_from_when_it_was_due() -> None:
    """The client is held up for two seconds: the requests that were due then did not wait."""
    wire = Wire()
    ended: list[RawRun] = []

    def hold_up(taken: RawRun) -> None:
        ended.append(taken)
        if len(ended) == 5:
            wire.loop.virtual.now_s += 2.0

    run = wire.measurement(30, rate_per_s=10.0).run(on_end=hold_up)
    due = poisson(30, 10.0)
    assert [stream.due_s for stream in run.runs] == close(due)
    held_from_s = ended[4].done_s
    late = [stream for stream in run.runs if held_from_s < stream.due_s < held_from_s + 2.0]
    assert len(late) > 10
    for stream in late:
        assert stream.wait_s == close(held_from_s + 2.0 - stream.due_s)
        assert stream.ttft_s == close(TTFT_S)
        assert stream.user_ttft_s == close(stream.wait_s + TTFT_S)
        assert stream.e2e_s == close(stream.wait_s + TAKES_S)
    assert run.values("user_ttft_s") != run.values("ttft_s")


def test_a_closed_loop_leaves_out_those_who_would_have_waited_and_an_open_one_does_not() -> None:
    """Coordinated omission: one stalled reply on a server that works on one request at a time."""
    stalled = {"kind": "stall", "after": 0, "delay_s": 3}

    def slow(**options: Any) -> int:
        wire = Wire(slots=1).script(*[None] * 10, stalled)
        run = wire.measure(40, **options)
        return sum(value > 0.5 for value in run.values("user_ttft_s"))

    assert slow() == 1
    assert slow(rate_per_s=3.0) >= 8


# --- what ends it early


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 422])
@pytest.mark.parametrize("rate_per_s", [None, 50.0])
def test_a_fatal_status_ends_it_and_what_was_measured_is_kept(
    status: int, rate_per_s: float | None
) -> None:
    wire = Wire().script(None, None, None, status)
    run = wire.measure(200, rate_per_s=rate_per_s)
    assert str(status) in [stream.error for stream in run.runs]
    assert sum(not stream.failed for stream in run.runs) >= 3
    assert len(run) == len(wire.entries) < 30  # what was under way is read to its end
    assert all(entry["outcome"] in ("delivered", "error") for entry in wire.entries)
    assert run.stopped_by is not None
    assert run.stopped_by.endswith("Error")
    assert run.asked == 200


@pytest.mark.parametrize(("warmup", "concurrency", "sent"), [(0, 1, 1), (3, 1, 1), (6, 2, 2)])
def test_a_fatal_status_is_raised_where_nothing_was_measured(
    warmup: int, concurrency: int, sent: int
) -> None:
    wire = Wire().script(*[401] * 50)
    with pytest.raises(openai.AuthenticationError) as caught:
        wire.measure(5, warmup=warmup, concurrency=concurrency)
    assert "refused the key" in caught.value.__notes__[0]
    assert len(wire.entries) == sent


@pytest.mark.parametrize(
    ("fault", "error"),
    [("reset", openai.APIConnectionError), ({"kind": "html", "status": 200}, UnexpectedReplyError)],
)
def test_nothing_more_is_asked_of_who_answered_no_warm_up(
    fault: Any, error: type[Exception]
) -> None:
    wire = Wire().script(*[fault] * 50)
    with pytest.raises(error):
        wire.measure(20, warmup=3)
    assert len(wire.entries) == 3
    once = Wire().script(None, fault, fault)
    assert len(once.measure(20, warmup=3)) == 20
    cold = Wire().script(*[fault] * 50)
    assert len(cold.measure(5, warmup=0).failed) == 5


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_other_failures_are_counted_and_the_measurement_goes_on(status: int) -> None:
    run = Wire().script(*[status] * 4).measure(4)
    assert [stream.error for stream in run.runs] == [str(status)] * 4
    assert run.stopped_by is None


def test_nothing_is_asked_twice() -> None:
    wire = Wire().script(429, 503, {"kind": "disconnect", "after": 2}, {"kind": "reset"})
    wire.measure(6)
    assert [entry["attempt"] for entry in wire.entries] == [0] * 6


def refusing_from(number: int) -> Callable[[], openai.AsyncOpenAI]:
    """A client whose budget is spent from so-manieth request on."""
    seen: list[httpx2.Request] = []

    async def check(request: httpx2.Request) -> None:
        seen.append(request)
        if len(seen) >= number:
            raise BudgetError("Not sent: all is spent.")

    return lambda: client_of(event_hooks={"request": [check]})


def test_a_budget_that_is_spent_midway_ends_it_and_keeps_what_was_measured() -> None:
    wire = Wire()
    run = wire.measure(20, client=refusing_from(6), concurrency=2)
    assert (len(run), len(wire.entries), run.failed) == (5, 5, [])
    assert run.stopped_by == "BudgetError"


@pytest.mark.parametrize("warmup", [0, 2])
def test_a_budget_that_was_spent_before_is_raised(warmup: int) -> None:
    wire = Wire()
    with pytest.raises(BudgetError, match="all is spent"):
        wire.measure(5, client=refusing_from(1 + warmup), warmup=warmup)
    assert len(wire.entries) == warmup


def test_what_nobody_foresaw_ends_it_like_that_too() -> None:
    made = load(refusing(Asked(1.0), 4), lambda made: made.closed(20, 2, made.runs, 0.0))
    assert sorted(run.index for run in made.runs) == [0, 1, 2, 3]
    assert isinstance(made.stopped_by, ZeroDivisionError)


def test_two_measurements_of_one_mock_are_the_same() -> None:
    def once() -> hs.LatencyRun:
        return Wire(AS_DRAWN).measure(10, concurrency=3, warmup=3)

    assert once().runs == once().runs
