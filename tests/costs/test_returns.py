"""Break-even and return on investment: cases worked by hand, and no division by zero."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import holysheep_helpers as hs

at_any_pace = settings(deadline=None)


COSTS = st.decimals(0, 10**7, places=2)


SAVINGS = st.decimals(-(10**6), 10**7, places=2)


@pytest.mark.parametrize(
    ("one_off", "saving", "running", "months", "whole"),
    [
        ("2000", "51.00", "1.00", "40", 40),  # 2000 / 50
        ("2000", "510", "0", "3.92156862745098", 4),  # the published saving: 2000 / 510
        ("100", "30", "0", "3.33333333333333", 4),
        ("0.01", "1000000", "0", "0.00000001", 1),
        ("90", "30", "0", "3", 3),  # back at the end of the third month, not in the fourth
        ("0", "30", "10", "0", 0),
        ("0", "10", "10", "0", 0),  # nothing spent, nothing gained, nothing owed
    ],
)
def test_break_even_by_hand(
    one_off: str, saving: str, running: str, months: str, whole: int
) -> None:
    found = hs.break_even(
        one_off_usd=one_off, monthly_saving_usd=saving, monthly_running_usd=running
    )
    assert found.months is not None
    assert abs(found.months - Decimal(months)) < Decimal("1e-13")
    assert (found.whole_months, found.never) == (whole, False)


@pytest.mark.parametrize(
    ("one_off", "saving", "running", "says"),
    [
        ("2000", "0", "0", "never pays back: nothing is gained each month"),
        ("2000", "20", "20", "never pays back: nothing is gained each month"),
        ("2000", "5", "20", "never pays back: 15.00 USD are lost each month"),
        ("2000", "-5", "0", "never pays back: 5.00 USD are lost each month"),
        ("0", "5", "20", "never pays back: 15.00 USD are lost each month"),
    ],
)
def test_what_never_pays_back_says_so_and_has_no_number(
    one_off: str, saving: str, running: str, says: str
) -> None:
    found = hs.break_even(
        one_off_usd=one_off, monthly_saving_usd=saving, monthly_running_usd=running
    )
    assert (found.months, found.whole_months, found.never) == (None, None, True)
    assert str(found).startswith(says)


def test_what_it_says() -> None:
    found = hs.break_even(one_off_usd=2000, monthly_saving_usd="51", monthly_running_usd="1")
    assert str(found) == (
        "pays back after 40.0 months: 2,000.00 USD spent once, 50.00 USD each month"
    )
    assert "at once" in str(hs.break_even(one_off_usd=0, monthly_saving_usd=1))
    late = hs.break_even(one_off_usd=1000, monthly_saving_usd="0.1")
    assert late.never, "a hundred years are the limit, with growth and without"
    lost = hs.break_even(one_off_usd=0, monthly_saving_usd=-1)
    assert str(lost) == "never pays back: 1.00 USD are lost each month"


def test_who_is_paid_back_and_loses_again_is_told() -> None:
    found = hs.roi(one_off_usd=600, monthly_saving_usd=600, monthly_running_usd=100, growth="-0.5")
    assert found.gain_usd < 0
    assert str(found).endswith(
        "later the saving shrinks below the running cost, and it loses again"
    )


@given(one_off=COSTS, saving=SAVINGS, running=COSTS)
@at_any_pace
def test_the_whole_months_are_the_first_that_pay_it_back(
    one_off: Decimal, saving: Decimal, running: Decimal
) -> None:
    with localcontext() as context:
        context.prec = 2
        found = hs.break_even(
            one_off_usd=one_off, monthly_saving_usd=saving, monthly_running_usd=running
        )
    net = Fraction(saving) - Fraction(running)
    if found.whole_months is None:
        assert net < 0 or (net == 0 and one_off > 0) or 1200 * net < one_off
        return
    assert found.whole_months * net >= one_off
    assert found.whole_months == 0 or (found.whole_months - 1) * net < one_off


@given(one_off=COSTS, saving=SAVINGS, more=st.decimals("0.01", 1000, places=2))
@at_any_pace
def test_who_saves_more_is_never_paid_back_later(
    one_off: Decimal, saving: Decimal, more: Decimal
) -> None:
    slow = hs.break_even(one_off_usd=one_off, monthly_saving_usd=saving)
    fast = hs.break_even(one_off_usd=one_off, monthly_saving_usd=saving + more)
    assert slow.months is None or (fast.months is not None and fast.months <= slow.months)


@pytest.mark.parametrize(
    ("one_off", "saving", "running", "months", "ratio", "gain", "cost"),
    [
        ("2000", "510", "20", 12, "1.7321428571", "3880", "2240"),  # (6120 - 2240) / 2240
        ("2000", "51", "1", 12, "-0.6958250497", "-1400", "2012"),  # (612 - 2012) / 2012
        ("1000", "100", "0", 10, "0", "0", "1000"),
        ("1000", "0", "0", 12, "-1", "-1000", "1000"),
        ("1000", "-10", "0", 12, "-1.12", "-1120", "1000"),
        ("0", "100", "50", 12, "1", "600", "600"),
    ],
)
def test_return_on_investment_by_hand(
    one_off: str, saving: str, running: str, months: int, ratio: str, gain: str, cost: str
) -> None:
    found = hs.roi(
        one_off_usd=one_off,
        monthly_saving_usd=saving,
        monthly_running_usd=running,
        months=months,
    )
    assert (found.gain_usd, found.cost_usd) == (Decimal(gain), Decimal(cost))
    assert found.ratio is not None
    assert round(found.ratio, 10) == Decimal(ratio)


def test_a_return_on_nothing_is_no_number() -> None:
    found = hs.roi(one_off_usd=0, monthly_saving_usd=100)
    assert (found.ratio, found.gain_usd) == (None, 1200)
    assert str(found) == "no ratio, for nothing was spent: 1,200.00 USD net in 12 months"


def test_what_a_return_says() -> None:
    found = hs.roi(one_off_usd="2000", monthly_saving_usd="510", monthly_running_usd="20")
    assert str(found) == (
        "173.2% (3,880.00 USD net in 12 months, 2,240.00 USD spent); pays back after 4.1 months: "
        "2,000.00 USD spent once, 490.00 USD each month"
    )


@given(one_off=COSTS, saving=SAVINGS, running=COSTS, months=st.integers(1, 1200))
@at_any_pace
def test_the_gain_is_positive_once_it_is_paid_back_and_not_before(
    one_off: Decimal, saving: Decimal, running: Decimal, months: int
) -> None:
    assume(one_off > 0)
    found = hs.roi(
        one_off_usd=one_off,
        monthly_saving_usd=saving,
        monthly_running_usd=running,
        months=months,
    )
    whole = found.break_even.whole_months
    assert (found.gain_usd >= 0) is (whole is not None and whole <= months)
    assert found.ratio is not None
    assert (found.ratio > 0) is (found.gain_usd > 0)
    saved = months * Fraction(saving)
    assert Fraction(found.gain_usd) + Fraction(found.cost_usd) == saved


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"one_off_usd": 2000.0}, "one_off_usd is 2000.0, a float"),
        ({"one_off_usd": -1}, "one_off_usd is -1"),
        ({"monthly_running_usd": "-1"}, "monthly_running_usd is '-1'"),
        ({"monthly_saving_usd": 0.5}, "monthly_saving_usd is 0.5, a float"),
        ({"monthly_saving_usd": None}, "monthly_saving_usd is a NoneType"),
    ],
)
def test_what_can_not_be_right_is_refused(arguments: dict[str, Any], says: str) -> None:
    for function in (hs.break_even, hs.roi):
        with pytest.raises(hs.InputError) as e:
            function(**{"one_off_usd": 1, "monthly_saving_usd": 1, **arguments})
        assert says in str(e.value)
    with pytest.raises(hs.InputError, match="months is 0"):
        hs.roi(one_off_usd=1, monthly_saving_usd=1, months=0)
