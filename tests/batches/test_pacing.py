"""The pace: even, never more than the limit in any sixty seconds, and one hold-back for all."""

from __future__ import annotations

import asyncio
import itertools
from random import Random
from typing import Any

import pytest

from holysheep_helpers.batches.pacing import Gate, Limit
from holysheep_helpers.mock.verdict import CROWD
from tests.support import virtual


class Clock:
    """A clock that only moves when it is told to, or slept on; ``late_s`` oversleeps."""

    def __init__(self, late_s: Any = lambda: 0.0) -> None:
        self.now_s = 1000.0
        self._late_s = late_s

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now_s += seconds + self._late_s()


def gate(clock: Clock, rpm: float | None = None, tpm: float | None = None, herd: int = 5) -> Gate:
    made = Gate(Limit(rpm), Limit(tpm), herd, clock, clock.sleep, Random(7))
    made.learning = False
    return made


def most_in_a_minute(sent: list[tuple[float, float]]) -> float:
    """The most that any sixty seconds saw, of (when, how much)."""
    return max(sum(n for at, n in sent if start <= at < start + 60) for start, _ in sent)


def pass_all(gate: Gate, clock: Clock, amounts: list[float]) -> list[tuple[float, float]]:
    async def all_of_them() -> list[tuple[float, float]]:
        sent = []
        for amount in amounts:
            await gate.turn(amount, lambda: False)
            sent.append((clock(), amount))
        return sent

    return asyncio.run(all_of_them())


@pytest.mark.parametrize("rpm", [1, 60, 300, 1000, 7.5])
def test_no_sixty_seconds_see_more_requests_than_the_limit_the_first_neither(rpm: float) -> None:
    clock = Clock()
    count = int(3 * rpm) + 3
    sent = [(at, 1.0) for at, _ in pass_all(gate(clock, rpm), clock, [0] * count)]
    assert most_in_a_minute(sent) <= rpm
    gaps = [b - a for (a, _), (b, _) in itertools.pairwise(sent)]
    assert min(gaps) >= 60 / rpm  # even: no burst at the start either
    assert sent[-1][0] - sent[0][0] <= 1.02 * 60 / int(rpm) * count  # and not slower than need be


@pytest.mark.parametrize("seed", range(5))
def test_a_stalled_event_loop_does_not_break_the_limit(seed: int) -> None:
    draw = Random(seed)
    clock = Clock(lambda: draw.choice([0.0, 0.01, 0.5, 7.0]))
    sent = [(at, 1.0) for at, _ in pass_all(gate(clock, 60), clock, [0] * 400)]
    assert most_in_a_minute(sent) <= 60
    gaps = sorted(b - a for (a, _), (b, _) in itertools.pairwise(sent))
    assert gaps[len(gaps) // 10] > 0.3  # what was missed is not made up in a burst


@pytest.mark.parametrize("seed", range(5))
def test_tokens_are_paced_by_their_sum(seed: int) -> None:
    draw, clock = Random(seed), Clock()
    amounts = [float(draw.randint(1, 200)) for _ in range(600)]
    sent = pass_all(gate(clock, tpm=6000), clock, amounts)
    assert most_in_a_minute(sent) <= 6000
    span_s = sent[-1][0] - sent[0][0]
    assert span_s <= 1.05 * sum(amounts) / 6000 * 60


def test_a_prompt_that_is_larger_than_a_minutes_tokens_goes_alone() -> None:
    clock = Clock()
    sent = pass_all(gate(clock, tpm=100), clock, [10, 250, 10])
    waits = [at - 1000 for at, _ in sent]
    assert waits[0] == 0
    assert waits[1] >= 60
    assert waits[2] >= waits[1] + 150


def test_usage_that_was_less_than_the_estimate_gives_time_back() -> None:
    clock, limit = Clock(), Limit(600)
    note = limit.take(clock(), 300)
    assert limit.wait_s(clock(), 300) == pytest.approx(30.3)
    limit.correct(note, 100)
    assert limit.wait_s(clock(), 300) == pytest.approx(10.1)
    limit.correct(note, 600)
    assert limit.wait_s(clock(), 300) == pytest.approx(60.6)


def test_without_a_limit_nothing_waits() -> None:
    clock = Clock()
    sent = pass_all(gate(clock), clock, [1e9] * 1000)
    assert {at for at, _ in sent} == {1000.0}


def test_a_limit_that_is_learnt_counts_what_went_before_it() -> None:
    clock = Clock()
    learning = gate(clock)
    learning.learning = learning.requests.is_learnt = True
    before = pass_all(learning, clock, [0] * 20)
    clock.now_s += 0.05
    learning.learn({"x-ratelimit-limit-requests": "60"}, done=True)
    sent = [*before, *pass_all(learning, clock, [0] * 100)]
    assert most_in_a_minute([(at, 1.0) for at, _ in sent]) <= 60
    assert sent[20][0] == pytest.approx(1000 + 20 * 1.01)


@pytest.mark.parametrize("text", ["", "none", "0", "-5", "1e3", "²"])
def test_a_header_that_is_no_limit_is_none(text: str) -> None:
    clock = Clock()
    made = gate(clock)
    made.requests.is_learnt = True
    made.learn({"x-ratelimit-limit-requests": text}, done=True)
    assert made.requests.per_minute is None


def released(herd: int, holds: list[float], seed: int = 3, *, answers: bool = False) -> list[float]:
    """When each of a herd is let through after hold-backs, in seconds since the first one."""

    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        made = Gate(Limit(None), Limit(None), herd, loop.time, asyncio.sleep, Random(seed))
        made.learning = False
        for wait_s in holds:
            made.hold(wait_s, loop.time())
        times: list[float] = []

        async def one() -> None:
            await made.turn(0, lambda: False)
            times.append(loop.time())
            if answers:
                made.went_well()

        await asyncio.gather(*(one() for _ in range(herd)))
        return times

    return virtual.run(main())


def test_one_429_holds_back_all_and_lets_them_go_spread_out() -> None:
    times = released(20, [4.0])
    assert times[0] == pytest.approx(4.0)
    assert times == sorted(times)
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert min(gaps) >= 0.05
    assert len({round(gap, 4) for gap in gaps}) > 10  # by chance, not in step
    assert 2.0 < times[-1] - times[0] < 6.0
    assert released(20, [4.0], seed=4) != times


def test_a_herd_of_any_size_comes_back_without_a_stampede() -> None:
    times = released(200, [1.0], answers=True)
    crowd = max(sum(at <= other < at + 0.05 for other in times) for at in times)
    assert crowd < CROWD


def test_a_retry_after_of_0_is_no_leave_to_ask_without_an_end() -> None:
    clock = Clock()
    made = gate(clock)
    waits = []
    for _ in range(4):
        waits.append(made.hold(0.0, clock()))
        clock.now_s += waits[-1]
    assert all(w >= low for w, low in zip(waits, [0.5, 1, 2, 4], strict=True))


def test_without_a_limit_no_more_than_the_last_minute_is_remembered() -> None:
    clock = Clock()
    made = gate(clock, tpm=1e9)

    async def main() -> None:
        for _ in range(300):
            await made.turn(1, lambda: False)
            clock.now_s += 1.0

    asyncio.run(main())
    assert len(made.requests._minute) <= 61


def test_429s_of_one_herd_count_once_and_the_longest_wait_holds() -> None:
    clock = Clock()
    made = gate(clock, herd=10)
    for wait_s in (2.0, 5.0, 1.0):
        made.hold(wait_s, sent_s=990.0)
    first_gap_s = made._gap_s
    clock.now_s += 5.0
    made.hold(2.0, sent_s=clock())  # sent after the hold was over: too fast still
    assert made._gap_s == 2 * first_gap_s
    for _ in range(200):
        made.went_well()
    assert made._gap_s == 0


def test_a_429_without_a_wait_doubles_it() -> None:
    clock = Clock()
    made = gate(clock)
    waits = []
    for _ in range(8):
        waits.append(made.hold(None, clock()))
        clock.now_s += waits[-1]
    assert all(
        longest / 2 <= wait <= longest
        for wait, longest in zip(waits, [1, 2, 4, 8, 16, 30, 30, 30], strict=True)
    )
