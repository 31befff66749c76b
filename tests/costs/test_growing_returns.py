"""Break-even and return of a saving that grows: by hand, month by month, and at its edges."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

import holysheep_helpers as hs

AMOUNT = st.integers(0, 5000)


def test_a_saving_that_doubles_each_month_by_hand() -> None:
    # 10, 20, 40 are saved; of the 50 that were spent, 20 are left for the third month
    back = hs.break_even(one_off_usd=50, monthly_saving_usd=10, growth="1")
    assert (back.months, back.whole_months) == (Decimal("2.5"), 3)
    assert back.cumulated_usd(3) == [-50, -40, -20, 20]
    assert (
        str(back) == "pays back after 2.5 months: 50.00 USD spent once, 10.00 USD the first month"
    )


def test_a_saving_that_shrinks_may_never_be_enough() -> None:
    # halved each month, 10 + 5 + 2.5 + ... never reaches 20
    never = hs.break_even(one_off_usd=20, monthly_saving_usd=10, growth="-0.5")
    assert never.never
    assert str(never) == (
        "never pays back: 10.00 USD are gained the first month, and 20.00 USD spent once are not "
        "all recovered"
    )
    enough = hs.break_even(one_off_usd=15, monthly_saving_usd=10, growth="-0.5")
    assert (enough.months, enough.whole_months) == (2, 2)


def test_a_loss_at_first_can_be_made_up_by_growth() -> None:
    # 10, 20, 40 saved, 15 spent each month: -5, +5, +25
    back = hs.break_even(one_off_usd=0, monthly_saving_usd=10, monthly_running_usd=15, growth="1")
    assert back.cumulated_usd(3) == [0, -5, 0, 25]
    assert (back.months, back.whole_months) == (2, 2)
    assert str(back).endswith("0.00 USD spent once, -5.00 USD the first month")
    with_cost = hs.roi(
        one_off_usd=5, monthly_saving_usd=10, monthly_running_usd=15, growth="1", months=3
    )
    assert (with_cost.gain_usd, with_cost.cost_usd, with_cost.ratio) == (20, 50, Decimal("0.4"))


@given(one_off=AMOUNT, saving=AMOUNT, running=AMOUNT, percent=st.integers(1, 50))
def test_it_is_back_in_the_month_in_which_the_sum_reaches_zero(
    one_off: int, saving: int, running: int, percent: int
) -> None:
    growth = Decimal(percent) / 100
    back = hs.break_even(
        one_off_usd=one_off, monthly_saving_usd=saving, monthly_running_usd=running, growth=growth
    )
    if back.whole_months is None or not 0 < back.whole_months <= 200:
        return
    sums = back.cumulated_usd(back.whole_months)
    assert sums[-1] >= 0
    assert back.whole_months == 1 or sums[-2] < 0 or saving < running
    assert back.months is not None
    assert back.whole_months - 1 < back.months <= back.whole_months


def test_assumptions_say_the_same_in_every_way() -> None:
    move = hs.Assumptions(
        tokens=10_000_000, model="mistral-small-2603", baseline="gpt-4.1",
        growth="0.05", one_off_usd=1000, monthly_running_usd=5,
    )  # fmt: skip
    year = move.break_even().cumulated_usd(12)
    assert move.net_gain_usd == move.roi().gain_usd == year[-1]
    assert year[1] == -1000 + 51 - 5
    assert move.roi(3).gain_usd == year[3]


def test_without_growth_nothing_has_changed() -> None:
    flat = hs.break_even(one_off_usd=1000, monthly_saving_usd=51, monthly_running_usd=5)
    assert flat.months == pytest.approx(Decimal(1000) / 46)
    assert flat.whole_months == 22
    assert flat.cumulated_usd(22)[-2:] == [-34, 12]
