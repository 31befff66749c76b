"""The checks of lessons 11's and 12's exercises: right, or what is off."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

import holysheep_helpers as hs
from holysheep_helpers.mock.handle import MockHandle
from tests.support.exercises import judge

RULES = "Answer in one sentence, and name the parcel by its number. " * 200


def rules_first(question: str, date: str) -> list[dict[str, str]]:
    return [
        {"role": "system", "content": RULES},
        {"role": "user", "content": f"Today is {date}. {question}"},
    ]


def date_first(question: str, date: str) -> list[dict[str, str]]:
    return [
        {"role": "system", "content": f"Today is {date}. {RULES}"},
        {"role": "user", "content": question},
    ]


def question_first(question: str, date: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"{question} {date} {RULES}"}]


def without_rules(question: str, date: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"{question} {date}"}]


def without_a_date(question: str, date: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"{RULES} {question}"}]


@pytest.mark.parametrize(
    ("support_prompt", "right", "says"),
    [
        (rules_first, True, "reads most of its prompt from the cache"),
        (date_first, False, "tokens came from the cache. Put what changes"),
        (question_first, False, "tokens came from the cache. Put what changes"),
        (without_rules, False, "Caching begins at 1,024: send RULES"),
        (without_a_date, False, "the date is in none of your messages"),
        (lambda question, date: None, False, "your function returns None"),
    ],
)
def test_11a_wants_the_start_that_stays(
    gw: hs.Gateway, mock: MockHandle, support_prompt: Any, right: bool, says: str
) -> None:
    gw.mock = mock  # pyright: ignore[reportAttributeAccessIssue]
    judge("11a", (gw, support_prompt), right=right, says=says)


# 24M in and 6M out: 120.00 USD against 8.40 USD, so 111.60 USD a month
@pytest.mark.parametrize(
    ("answer", "right", "says"),
    [
        (Decimal("111.6") * 12 * 1450, True, "at a rate with a date"),
        (1_941_840, True, "at a rate with a date"),
        (1_941_840.0, False, "your answer is a float"),
        (Decimal("111.6") * 12, False, "right in US dollars"),
        (Decimal("111.6") * 1450, False, "that is one month"),
        (Decimal(510) * 12 * 1450, False, "of 100M tokens at 50/50"),
        (Decimal(51) * 12 * 1450, False, "for 10M tokens at 50/50"),
        (Decimal(153) * 12 * 1450, False, "80% of these tokens are input"),
        (Decimal("194.4") * 12 * 1450, False, "80% are input, not output"),
        (5, False, "5 won is not right"),
        (Decimal("NaN"), False, "an amount in won is needed"),
        ("1941840", False, "an amount in won is needed"),
    ],
)
def test_11b_wants_a_year_in_won(answer: Any, right: bool, says: str) -> None:
    judge("11b", answer, right=right, says=says)


@pytest.mark.parametrize(
    ("answer", "right", "says"),
    [
        (40, True, "must remain each month"),
        (Decimal("40.00"), True, "must remain each month"),
        ("40", True, "must remain each month"),
        (41, False, "pays back after 12.2 months"),
        (50, False, "this much must remain"),
        (90, False, "the move never pays back"),
        (500, False, "the move never pays back"),
        (-1, False, "0 or more"),
        (None, False, "still empty"),
        ([], False, "an amount in US dollars"),
    ],
)
def test_12a_wants_the_running_cost_at_the_edge(answer: Any, right: bool, says: str) -> None:
    judge("12a", answer, right=right, says=says)


def months(saving: Decimal, growth: Decimal, running: int = 5, early: int = 0) -> int:
    left, count = Decimal(1000), 0
    saving *= (1 + growth) ** early
    while left > 0:
        left -= saving - running
        saving *= 1 + growth
        count += 1
    return count


@pytest.mark.parametrize(
    ("answer", "right", "says"),
    [
        (months, True, "15 months instead of 22"),
        (lambda saving, growth: months(saving, growth * 0), False, "The saving must grow"),
        (lambda saving, growth: months(saving, growth, 0), False, "Subtract the running cost"),
        (lambda saving, growth: months(saving, growth) + 7, False, "and 22 is right"),
        (lambda saving, growth: None, False, "returns None. Return the number"),
        (15, False, "hand over the function itself"),
    ],
)
def test_12b_wants_a_saving_that_grows(answer: Any, right: bool, says: str) -> None:
    judge("12b", answer, right=right, says=says)
