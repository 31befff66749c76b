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


def judge(exercise: str, answer: Any, *, right: bool, says: str) -> None:
    found = verdict(exercise, answer)
    assert found[0] is right, found
    assert says in found[1]


def by_kind(error: openai.APIError) -> bool:
    return hs.diagnose(error).other_model


def always(error: openai.APIError) -> bool:
    return True


def never(error: openai.APIError) -> bool:
    return False


def by_status(error: openai.APIError) -> bool:
    return getattr(error, "status_code", 0) in (429, 503)


@pytest.mark.parametrize(
    ("asks_another", "retries", "right", "says"),
    [
        (by_kind, 0, True, "when the model is the problem"),
        (always, 0, False, "after the error 401, the server saw 2 requests, and 1 request would"),
        (never, 0, False, "after the error 503, the server saw 1 requests, and 2 requests would"),
        (by_status, 0, False, "after the error 'quota', the server saw 2 requests"),
        (by_kind, 2, False, "after the error 503, the SDK also retries"),
    ],
)
def test_09a_wants_a_failover_by_kind(
    gw: hs.Gateway, mock: MockHandle, asks_another: Any, retries: int, right: bool, says: str
) -> None:
    gw.mock = mock  # pyright: ignore[reportAttributeAccessIssue]

    def ask(model: str) -> Any:
        return gw.client(max_retries=retries).chat.completions.create(
            model=model, messages=[{"role": "user", "content": "hello"}]
        )

    def my_failover() -> Any:
        try:
            return ask(MODELS[0])
        except openai.APIError as error:
            if not asks_another(error):
                raise
            return ask(MODELS[1])

    judge("09a", (gw, my_failover), right=right, says=says)


@pytest.mark.parametrize(
    ("last", "says"),
    [
        (lambda reply: None, "without an error, your function returns no answer"),
        (lambda reply: reply.choices[0].message.content, "your function returns no answer"),
    ],
)
def test_09a_wants_the_answer_itself(
    gw: hs.Gateway, mock: MockHandle, last: Any, says: str
) -> None:
    gw.mock = mock  # pyright: ignore[reportAttributeAccessIssue]

    def my_failover() -> Any:
        return last(
            gw.client(max_retries=0).chat.completions.create(
                model=MODELS[0], messages=[{"role": "user", "content": "hello"}]
            )
        )

    judge("09a", (gw, my_failover), right=False, says=says)
    judge("09a", (gw, lambda: None), right=False, says="the server saw 0 requests")
    judge("09a", my_failover, right=False, says="hand over both")


def test_09a_wants_an_error_that_no_model_can_help_with_to_be_raised(
    gw: hs.Gateway, mock: MockHandle
) -> None:
    gw.mock = mock  # pyright: ignore[reportAttributeAccessIssue]

    def a_sentence() -> Any:
        for model in MODELS:
            try:
                return gw.client(max_retries=0).chat.completions.create(
                    model=model, messages=[{"role": "user", "content": "hello"}]
                )
            except openai.APIError as error:
                if not by_kind(error):
                    return f"Sorry ({error})."
        return None

    judge("09a", (gw, a_sentence), right=False, says="after the error 401, your function raises")


@pytest.mark.parametrize(
    ("answer", "right", "says"),
    [
        (8, True, "12, 22, 32, 42 and 52 s"),
        (8.0, True, "three requests open the circuit"),
        (60, False, "without a breaker"),
        (3, False, "Add the trials"),
        (5, False, "Add the requests that opened"),
        (9, False, "after the minute"),
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
    judge("09c", ask(2, models=MODELS), right=False, says="there are 2 results")
    judge("09c", ask().failed, right=False, says="hand over the BatchResult")
    judge("09c", ask(models=MODELS), right=True, says="is no error any more")
