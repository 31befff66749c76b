"""Amounts are taken exactly as they are given, or refused with a cure."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, getcontext, localcontext
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import holysheep_helpers as hs
from holysheep_helpers.pricing import money

AMOUNTS = st.decimals(-(10**12), 10**12, allow_nan=False, allow_infinity=False, places=8)


@pytest.mark.parametrize(
    ("given_as", "exact"),
    [("0.1", "0.1"), (3, "3"), (Decimal("2.50"), "2.5"), ("1_000", "1000"), ("1e3", "1000")],
)
def test_text_whole_numbers_and_decimals_are_taken_exactly(given_as: Any, exact: str) -> None:
    assert money.money("usd", given_as) == Decimal(exact)


def test_a_float_is_refused_and_told_how_to_be_given() -> None:
    with pytest.raises(hs.InputError) as e:
        money.money("one_off_usd", 0.1)
    assert "one_off_usd is 0.1, a float" in str(e.value)
    assert "Decimal('0.1')" in str(e.value)


@pytest.mark.parametrize("bad", [True, None, [], b"1", 1j, Fraction(1, 2)])
def test_what_is_no_amount_is_refused_by_its_type(bad: Any) -> None:
    with pytest.raises(hs.InputError, match=f"usd is a {type(bad).__name__}: an amount of money"):
        money.money("usd", bad)


@pytest.mark.parametrize("bad", ["", "ten", "1,000", "nan", "Infinity", Decimal("-Infinity")])
def test_what_is_no_number_is_refused(bad: Any) -> None:
    with pytest.raises(hs.InputError, match="usd is "):
        money.money("usd", bad)


@pytest.mark.parametrize("bad", ["1e30", "1e-31", "1e999999", "0." + "1" * 61])
def test_an_amount_of_absurd_length_is_refused(bad: str) -> None:
    with pytest.raises(hs.InputError, match="digits"):
        money.money("usd", bad)


@pytest.mark.parametrize(
    ("check", "bad", "says"),
    [
        (lambda x: money.money("usd", x), "-0.01", "can't be below 0"),
        (lambda x: money.volume("tokens", x), -1, "tokens is -1: a count of tokens can't be"),
        (lambda x: money.share("input_share", x), "1.01", "a share from 0 to 1"),
        (lambda x: money.share("input_share", x), 50, "a share from 0 to 1"),
        (lambda x: money.share("input_share", x), "-0.1", "can't be below 0"),
        (lambda x: money.growth_rate("growth", x), "-1.01", "can't be below -1"),
        (lambda x: money.growth_rate("growth", x), 101, "100 at most"),
        (money.whole_months, 0, "a whole number, from 1 to 1,200,"),
        (money.whole_months, 1201, "a whole number, from 1 to 1,200,"),
        (money.whole_months, "12", "months is '12'"),
        (money.whole_months, True, "months is True"),
    ],
)
def test_what_lies_outside_is_told_what_is_allowed(
    check: Callable[[Any], Any], bad: Any, says: str
) -> None:
    with pytest.raises(hs.InputError) as e:
        check(bad)
    assert says in str(e.value)


def test_a_loss_is_money_where_one_is_allowed() -> None:
    assert money.money("monthly_saving_usd", "-5", least=None) == -5


@given(AMOUNTS, AMOUNTS)
def test_arithmetic_is_exact_whatever_precision_the_caller_has_set(a: Decimal, b: Decimal) -> None:
    with localcontext() as context:
        context.prec = 3
        with money.exactly():
            added, multiplied = a + b, a * b
        assert getcontext().prec == 3
    assert Fraction(added) == Fraction(a) + Fraction(b)
    assert Fraction(multiplied) == Fraction(a) * Fraction(b)


def test_an_exact_sum_refuses_to_round() -> None:
    with money.exactly(), pytest.raises(ArithmeticError):
        money.tidy(Decimal(1) / Decimal(3))


def test_a_ratio_has_28_digits_whatever_precision_the_caller_has_set() -> None:
    with localcontext() as context:
        context.prec = 2
        assert str(money.ratio(1, 3)) == "0." + "3" * 28
    assert str(money.ratio(10, 4)) == "2.5"


@given(AMOUNTS)
def test_tidying_changes_no_value_and_leaves_no_zeros(amount: Decimal) -> None:
    assert money.tidy(amount) == money.dollars(amount) == amount
    assert "E+" not in str(money.tidy(amount))
    assert not f"{money.tidy(amount):f}".partition(".")[2].endswith("0")
    places = f"{money.dollars(amount):f}".partition(".")[2]
    assert len(places) == 2 or (len(places) > 2 and places[-1] != "0")


@pytest.mark.parametrize(
    ("amount", "shown"),
    [("55.000000", "55.00"), ("1E+3", "1000.00"), ("0.00000200", "0.000002"), ("-0.0", "0.00")],
)
def test_dollars_have_their_cents(amount: str, shown: str) -> None:
    assert str(money.dollars(Decimal(amount))) == shown


def test_growth_compounds_exactly() -> None:
    by_hand = [Decimal(text) for text in ("1", "1.1", "1.21", "1.331")]
    assert list(money.grown(Decimal("0.1"), 4)) == by_hand
    assert list(money.grown(Decimal("-1"), 3)) == [1, 0, 0]
    *_, long = money.grown(Decimal("0.0123"), 1_200)
    assert Fraction(long) == Fraction("1.0123") ** 1_199


def test_whole_numbers_of_numpy_are_whole_numbers() -> None:
    assert money.volume("tokens", np.int64(12)) == 12
    assert money.whole_months(np.int64(12)) == 12


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: money.share("input_share", "50%"), "such as '0.5'"),
        (lambda: money.volume("tokens", "10,000,000"), "such as '10_000_000'"),
        (lambda: money.growth_rate("growth", "0." + "3" * 60), "growth has more than 28 digits"),
    ],
)
def test_what_is_given_wrongly_is_told_by_an_example(call: Any, says: str) -> None:
    with pytest.raises(hs.InputError, match=says):
        call()


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "0.00"),
        ("-0", "0.00"),
        ("-0.0000232", "-0.000023"),
        ("0.005", "0.0050"),
        ("0.0000232", "0.000023"),
        ("0.000000075", "0.000000075"),
        ("0.0099999", "0.0100"),
        ("0.125", "0.13"),
        ("0.135", "0.14"),
        ("-0.125", "-0.13"),
        ("1234567.891", "1,234,567.89"),
        ("1E+3", "1,000.00"),
        ("9" * 40 + ".995", f"{10**40:,}.00"),
    ],
)
def test_dollars_for_people_are_rounded_as_on_a_bill(amount: str, shown: str) -> None:
    assert money.usd_text(Decimal(amount)) == shown


@pytest.mark.parametrize(
    ("amount", "shown"),
    [("73950", "73,950"), ("0.5", "1"), ("2.5", "3"), ("0.0336", "0"), ("-0.3", "0")],
)
def test_won_for_people_are_whole(amount: str, shown: str) -> None:
    assert money.krw_text(Decimal(amount)) == shown
