"""The circuit breaker: a list of promises, then its states against a model that is written anew."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

import holysheep_helpers as hs
from holysheep_helpers.resilience.circuit_breaker import Permit
from tests.support.strategies import examples

A, B = "mistral-small-2603", "gemini-2.5-flash"


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> hs.CircuitBreaker:
    return hs.CircuitBreaker(failures=3, cool_down_s=30, clock=clock)


def permit(breaker: hs.CircuitBreaker, model: str = A, **how: Any) -> Permit:
    given = breaker.permit(model, **how)
    assert given is not None
    return given


def fail(breaker: hs.CircuitBreaker, times: int, model: str = A) -> None:
    for _ in range(times):
        permit(breaker, model).failed()


def test_three_failures_in_a_row_open_it_for_the_cool_down(
    breaker: hs.CircuitBreaker, clock: Clock
) -> None:
    fail(breaker, 2)
    permit(breaker).answered()
    fail(breaker, 2)
    assert breaker.state(A) == "closed"
    fail(breaker, 1)
    assert (breaker.state(A), breaker.cooling_s(A)) == ("open", 30)
    clock.now_s += 29.9
    assert breaker.permit(A) is None
    clock.now_s += 0.1
    assert (breaker.state(A), breaker.cooling_s(A)) == ("half-open", 0)


def test_each_model_has_a_circuit_of_its_own(breaker: hs.CircuitBreaker) -> None:
    fail(breaker, 3)
    assert breaker.permit(A) is None
    assert breaker.permit(B) is not None
    assert (breaker.state(A), breaker.state(B)) == ("open", "closed")


def test_half_open_lets_one_through_and_its_answer_closes(
    breaker: hs.CircuitBreaker, clock: Clock
) -> None:
    fail(breaker, 3)
    clock.now_s += 30
    trial = permit(breaker)
    assert [breaker.permit(A) for _ in range(5)] == [None] * 5
    trial.answered()
    assert breaker.state(A) == "closed"
    fail(breaker, 2)
    assert breaker.state(A) == "closed"  # it counts from nothing again


def test_a_trial_that_fails_opens_it_again(breaker: hs.CircuitBreaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now_s += 31
    permit(breaker).failed()
    assert breaker.cooling_s(A) == 30


def test_the_servers_own_word_opens_it_at_once_and_for_as_long_as_it_says(
    breaker: hs.CircuitBreaker, clock: Clock
) -> None:
    permit(breaker).failed(wait_s=2.5)
    assert breaker.cooling_s(A) == 2.5
    permit(breaker, B).failed(for_sure=True)
    assert breaker.cooling_s(B) == 30
    clock.now_s += 2.5
    permit(breaker).failed(wait_s=0)  # "retry-after: 0" is no wait
    assert breaker.cooling_s(A) == 30


def test_of_several_words_the_longest_counts(breaker: hs.CircuitBreaker) -> None:
    three = [permit(breaker) for _ in range(3)]
    for wait_s, given in zip((2, 9, 5), three, strict=True):
        given.failed(wait_s=wait_s)
    assert breaker.cooling_s(A) == 9


def test_a_verdict_from_before_the_last_change_does_not_count(
    breaker: hs.CircuitBreaker, clock: Clock
) -> None:
    late, later = permit(breaker), permit(breaker)
    fail(breaker, 3)
    late.answered()
    assert breaker.state(A) == "open"
    clock.now_s += 30
    trial = permit(breaker)
    later.failed()
    assert breaker.state(A) == "half-open"
    trial.answered()
    assert breaker.state(A) == "closed"


def test_without_a_verdict_the_next_may_try(breaker: hs.CircuitBreaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now_s += 30
    permit(breaker).no_verdict()
    permit(breaker)  # and nobody tells of this one
    clock.now_s += 29
    assert breaker.permit(A) is None
    clock.now_s += 1
    permit(breaker).answered()
    assert breaker.state(A) == "closed"


def test_who_insists_gets_through_unless_the_server_itself_said_no(
    breaker: hs.CircuitBreaker, clock: Clock
) -> None:
    fail(breaker, 3)
    permit(breaker, insist=True).failed()
    assert breaker.cooling_s(A) == 30
    permit(breaker, insist=True).answered()
    assert breaker.state(A) == "closed"
    permit(breaker).failed(wait_s=5)
    assert breaker.permit(A, insist=True) is None
    clock.now_s += 5
    permit(breaker, insist=True)
    permit(breaker, insist=True)  # while another's trial is under way


def test_it_tells_what_it_saw_and_where_it_stands(breaker: hs.CircuitBreaker, clock: Clock) -> None:
    assert repr(breaker) == "No model was asked yet: all circuits are closed."
    permit(breaker, B).answered()
    fail(breaker, 3)
    breaker.permit(A)
    assert repr(breaker) == f"{B}: closed\n{A}: open, for 30.0 s more"
    clock.now_s += 30
    permit(breaker).answered()
    assert [(event.at_s, event.model, event.what) for event in breaker.events] == [
        (100, B, "answered"),
        *[(100, A, "failed")] * 3,
        (100, A, "open"),
        (100, A, "passed over"),
        *[(130, A, what) for what in ("half-open", "answered", "closed")],
    ]
    assert [event.until_s for event in breaker.events if event.what == "open"] == [130]
    fail(breaker, 1)
    assert repr(breaker).splitlines()[1] == f"{A}: closed, 1 failures in a row"


@pytest.mark.parametrize(
    "wrong",
    [
        {"failures": 0}, {"failures": 1.5}, {"failures": True}, {"cool_down_s": 0},
        {"cool_down_s": float("inf")}, {"cool_down_s": float("nan")}, {"cool_down_s": "30"},
    ],
)  # fmt: skip
def test_what_can_not_be_a_setting_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(hs.InputError, match=f"{next(iter(wrong))} is "):
        hs.CircuitBreaker(**wrong)


class States(RuleBasedStateMachine):
    """Any order of requests, verdicts and waits, against the three states in plain words."""

    FAILURES, COOL_DOWN_S = 2, 10
    under_way = Bundle("under_way")

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.breaker = hs.CircuitBreaker(
            failures=self.FAILURES, cool_down_s=self.COOL_DOWN_S, clock=self.clock
        )
        self.state, self.row, self.until_s, self.told = "closed", 0, 0.0, False
        self.trial: Permit | None = None
        self.trial_until_s = 0.0
        self.current: list[Permit] = []  # of this state: their verdicts count

    def _opened(self, until_s: float, told: bool) -> None:
        self.state, self.until_s, self.told = "open", until_s, told
        self.trial, self.current = None, []

    @rule(seconds=st.integers(1, 12))
    def time_passes(self, seconds: int) -> None:
        self.clock.now_s += seconds
        if self.state == "open" and self.clock.now_s >= self.until_s:
            self.state = "half-open"

    @rule(target=under_way, insist=st.booleans())
    def ask(self, insist: bool) -> Any:
        given = self.breaker.permit(A, insist=insist)
        busy = self.trial is not None and self.clock.now_s < self.trial_until_s
        refused = {
            "closed": False,
            "open": self.told or not insist,
            "half-open": busy and not insist,
        }[self.state]
        assert (given is None) == refused
        if given is not None and self.state != "closed":
            self.trial, self.current = given, []
            self.trial_until_s = self.clock.now_s + self.COOL_DOWN_S
        if given is not None:
            self.current.append(given)
        return given

    @rule(given=consumes(under_way))
    def answered(self, given: Permit | None) -> None:
        if given is None:
            return
        given.answered()
        if given in self.current:
            if self.trial is not None:
                self.state, self.trial, self.current = "closed", None, []
            self.row = 0

    @rule(given=consumes(under_way), wait_s=st.sampled_from([None, 0, 3, 25]), sure=st.booleans())
    def failed(self, given: Permit | None, wait_s: float | None, sure: bool) -> None:
        if given is None:
            return
        given.failed(wait_s, for_sure=sure)
        told, until_s = bool(wait_s) or sure, self.clock.now_s + (wait_s or self.COOL_DOWN_S)
        if given not in self.current:
            if told and self.told and self.state != "closed":
                self.until_s = max(self.until_s, until_s)
                self.state = "open" if self.clock.now_s < self.until_s else "half-open"
            return
        self.row += 1
        if told or self.trial is not None or self.row >= self.FAILURES:
            self._opened(until_s, told)

    @rule(given=consumes(under_way))
    def given_up(self, given: Permit | None) -> None:
        if given is None:
            return
        given.no_verdict()
        if given is self.trial:
            self.trial = None

    @invariant()
    def agrees(self) -> None:
        assert self.breaker.state(A) == self.state
        left_s = self.until_s - self.clock.now_s if self.state == "open" else 0.0
        assert self.breaker.cooling_s(A) == left_s


TestStates = States.TestCase


TestStates.settings = settings(max_examples=examples(200), stateful_step_count=40, deadline=None)
