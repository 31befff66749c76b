"""The checks of lessons 11's and 12's exercises: right, or what is off."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest

from tests.support.exercises import judge


@pytest.mark.parametrize(
    ("answer", "right", "says"),
    [
        ("0.75", True, "7.5M at 3 USD"),
        (Decimal("0.75"), True, "7.5M"),
        (0.75, True, "7.5M"),
        ("0.5", False, "at 50% input they cost 90.00 USD"),
        (0.25, False, "that is the output's share"),
        (75, False, "as a share, from 0 to 1"),
        (7, False, "7 is no share"),
        ("three quarters", False, "a share from 0 to 1 is needed"),
        (math.nan, False, "a share from 0 to 1 is needed"),
        (True, False, "a share from 0 to 1 is needed"),
        ("1e9999", False, "is no share"),
    ],
)
def test_11a_wants_the_mix_that_makes_a_claim_true(answer: Any, right: bool, says: str) -> None:
    judge("11a", answer, right=right, says=says)


# 24M in and 6M out: 120.00 USD against 8.40 USD, so 111.60 USD a month
@pytest.mark.parametrize(
    ("answer", "right", "says"),
    [
        (Decimal("111.6") * 12 * 1450, True, "at a rate that has a day"),
        (1_941_840, True, "at a rate that has a day"),
        (1_941_840.0, False, "your answer is a float"),
        (Decimal("111.6") * 12, False, "right in US dollars"),
        (Decimal("111.6") * 1450, False, "that is one month"),
        (Decimal(510) * 12 * 1450, False, "of 100M tokens, at 50/50"),
        (Decimal(51) * 12 * 1450, False, "of 10M tokens, at 50/50"),
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
        (40, True, "and then just are"),
        (Decimal("40.00"), True, "and then just are"),
        ("40", True, "and then just are"),
        (41, False, "pays back after 12.2 months"),
        (50, False, "that much has to be left over"),
        (90, False, "it never pays back"),
        (500, False, "it never pays back"),
        (-1, False, "0 or more"),
        (None, False, "still empty"),
        ([], False, "an amount in US dollars"),
    ],
)
def test_12a_wants_the_running_cost_at_the_edge(answer: Any, right: bool, says: str) -> None:
    judge("12a", answer, right=right, says=says)


@pytest.mark.parametrize(
    ("answer", "right", "says"),
    [(15, True, "15 months"), (22, False, "without growth"), (14, False, "14 is not it")],
)
def test_a_saving_that_grows_pays_back_sooner(answer: int, right: bool, says: str) -> None:
    judge("12b", answer, right=right, says=says)
