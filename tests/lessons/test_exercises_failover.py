"""The checks of lesson 9's exercises."""

from __future__ import annotations

import math
from typing import Any

import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.lessons.exercises import verdict
from holysheep_helpers.mock.handle import MockHandle
from tests.support.failing_over import MISTRAL, MODELS

WORTH = {404, 408, 429, 500, 503}


def judge(exercise: str, answer: Any, *, right: bool, says: str) -> None:
    found = verdict(exercise, answer)
    assert found[0] is right, found
    assert says in found[1]


@pytest.mark.parametrize(
    ("answer", "right", "says"),
    [
        (WORTH, True, "neighbours that are not"),
        (sorted(WORTH), True, "neighbours that are not"),
        (WORTH | {400}, False, "a 400 says that the request is wrong"),
        (WORTH | {401}, False, "a 401 is about the key"),
        (WORTH - {404}, False, "a model that is gone"),
        (WORTH - {408}, False, "5 of the seven belong there; you have 4"),
        (WORTH | {200}, False, "was not in the set"),
        (503, False, "a set of statuses"),
    ],
)
def test_09a_wants_what_another_model_can_cure(answer: Any, right: bool, says: str) -> None:
    judge("09a", answer, right=right, says=says)


def test_09a_agrees_with_the_diagnosis(gw: hs.Gateway, mock: MockHandle) -> None:
    for status in sorted(WORTH | {400, 401}):
        body: dict[str, Any] = {"error": {"message": "x", "type": "x", "param": None, "code": None}}
        if status == 404:
            body["error"]["code"] = "model_not_found"
        mock.script([{"kind": "status", "status": status, "body": body}])
        if status in WORTH:
            assert (
                hs.failover(gw, "hello", models=MODELS, breaker=hs.CircuitBreaker()).model
                == MODELS[1]
            )
        else:
            with pytest.raises(openai.APIStatusError):
                hs.failover(gw, "hello", models=MODELS)


@pytest.mark.parametrize(
    ("answer", "right", "says"),
    [
        (8, True, "12, 22, 32, 42, 52 s"),
        (8.0, True, "three open the circuit"),
        (60, False, "without a breaker"),
        (3, False, "And the trials"),
        (5, False, "what opened it before"),
        (9, False, "after the outage"),
        (7, False, "7 is not it"),
        (math.nan, False, "a number is needed"),
        ("8", False, "a number is needed"),
    ],
)
def test_09b_wants_the_trials_too(answer: Any, right: bool, says: str) -> None:
    judge("09b", answer, right=right, says=says)


def test_09b_is_what_the_breaker_does() -> None:
    now_s = 0
    breaker = hs.CircuitBreaker(failures=3, cool_down_s=10, clock=lambda: now_s)
    asked = 0
    for second in range(60):
        now_s = second
        permit = breaker.permit(MISTRAL)
        if permit is not None:
            asked += 1
            permit.failed()
    judge("09b", asked, right=True, says="Right")


def test_09c_wants_another_model_to_answer(gw: hs.Gateway, mock: MockHandle) -> None:
    def ask(count: int = 10, **options: Any) -> hs.BatchResult:
        prompts = [f"p{n}" for n in range(count)]
        return hs.batch_sync(gw, prompts, progress=False, **options)

    headers = {"x-should-retry": "false"}
    down = {"kind": "status", "status": 503, "headers": headers}
    mock.script(down, every=1, model=MISTRAL)
    judge("09c", ask(), right=False, says="10 of 10 have an error")
    judge("09c", ask(model=MODELS[1]), right=False, says="Ask it first")
    judge("09c", ask(2, models=MODELS), right=False, says="2 results came")
    judge("09c", ask().failed, right=False, says="hand over the BatchResult")
    judge("09c", ask(models=MODELS), right=True, says="nobody's error")
