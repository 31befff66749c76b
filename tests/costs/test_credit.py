"""How long a credit lasts."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import holysheep_helpers as hs

MODEL = "mistral-small-2603"


RATE = hs.catalog.published_rate()


at_any_pace = settings(deadline=None)


def test_the_free_credit_is_86_million_tokens_of_the_running_example() -> None:
    found = hs.runway(
        hs.catalog.FREE_CREDIT_KRW, model=MODEL, tokens_per_month=10_000_000, rate=RATE
    )
    assert round(found.credit_usd, 2) == Decimal("34.48")
    assert round(found.tokens) == 86_206_897
    assert found.months is not None
    assert found.days is not None
    assert round(found.months, 3) == Decimal("8.621")
    assert round(found.days) == 262  # 8.6207 months of 30.4375 days
    assert str(found) == "34.48 USD pay for 86,206,897 tokens: 8.6 months, 262 days"


def test_a_growing_use_by_hand() -> None:
    # 58,000 won are 40 USD, 100M tokens: 20M + 40M + half of 80M
    found = hs.runway(58_000, model=MODEL, tokens_per_month=20_000_000, rate=RATE, growth=1)
    assert found.months == Decimal("2.5")


def test_a_shrinking_use_may_never_end_it() -> None:
    # 20M + 10M + 5M ... never reach 40M, and reach 35M after three months
    def last(credit: int) -> Any:
        return hs.runway(credit, model=MODEL, tokens_per_month=20_000_000, rate=RATE, growth="-0.5")

    assert last(20_300).months == 3  # 14 USD, 35M tokens
    forever = last(23_200)  # 16 USD, 40M tokens
    assert (forever.months, forever.days, forever.never) == (None, None, True)
    assert (
        str(forever)
        == "16.00 USD pay for 40,000,000 tokens, which last for more than a hundred years"
    )


@pytest.mark.parametrize(("credit", "used", "months"), [(0, 10, 0), (0, 0, 0), (1450, 0, None)])
def test_the_ends(credit: int, used: int, months: int | None) -> None:
    found = hs.runway(credit, model=MODEL, tokens_per_month=used, rate=RATE)
    assert found.months == months


@given(
    credit=st.integers(1, 10**9),
    used=st.integers(1, 10**12),
    growth=st.decimals("0.001", 1, places=3),
)
@at_any_pace
def test_growth_shortens_it_and_the_callers_precision_does_not_matter(
    credit: int, used: int, growth: Decimal
) -> None:
    def months(growth: Decimal) -> Decimal:
        found = hs.runway(credit, model=MODEL, tokens_per_month=used, rate=RATE, growth=growth)
        return Decimal(1201) if found.months is None else found.months

    steady, growing = months(Decimal(0)), months(growth)
    assert 0 < growing <= steady
    with localcontext() as context:
        context.prec = 3
        assert (months(Decimal(0)), months(growth)) == (steady, growing)


def test_a_dearer_dollar_buys_less() -> None:
    dear = hs.catalog.ExchangeRate(Decimal(1600), RATE.source)
    found = [hs.runway(50_000, model=MODEL, tokens_per_month=1, rate=r) for r in (RATE, dear)]
    assert round(found[1].tokens / found[0].tokens, 20) == Decimal(1450) / Decimal(1600)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"credit_krw": -1}, "credit_krw is -1"),
        ({"credit_krw": 5e4}, "a float"),
        ({"tokens_per_month": -1}, "tokens_per_month is -1"),
        ({"input_share": "2"}, "a share from 0 to 1"),
        ({"growth": "-1.5"}, "growth is '-1.5'"),
        ({"rate": Decimal(1450)}, "an ExchangeRate is needed"),
        ({"rate": 1450}, "an ExchangeRate is needed"),
    ],
)
def test_what_can_not_be_right_is_refused(arguments: dict[str, Any], says: str) -> None:
    given_: dict[str, Any] = {
        "credit_krw": 1, "model": MODEL, "tokens_per_month": 1, "rate": RATE, **arguments
    }  # fmt: skip
    with pytest.raises(hs.InputError) as e:
        hs.runway(given_.pop("credit_krw"), **given_)
    assert says in str(e.value)


def test_an_unknown_price_is_an_error() -> None:
    with pytest.raises(hs.UnknownPriceError, match="'gpt-4o'"):
        hs.runway(1, model="gpt-4o", tokens_per_month=1, rate=RATE)
