"""How long a credit lasts."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from holysheep_helpers.catalog import ExchangeRate
from holysheep_helpers.monthly import usd_per_mtok
from holysheep_helpers.pricing.calls import Prices, find_price, to_usd
from holysheep_helpers.pricing.decimals import (
    MOST_MONTHS,
    Exact,
    exactly,
    growth_rate,
    money,
    ratio,
    share,
    tidy,
    to_28_digits,
    usd_text,
    volume,
)

DAYS_A_MONTH = Decimal("30.4375")
"""365.25 days in twelve months."""


@dataclass(frozen=True, slots=True)
class Runway:
    """``tokens`` that ``credit_usd`` pays for, and for how many ``months`` and ``days``.

    Both are ``None`` if it is ``never`` used up, which is to say not within a hundred years.
    """

    credit_usd: Decimal
    tokens: Decimal
    months: Decimal | None
    days: Decimal | None

    @property
    def never(self) -> bool:
        return self.months is None

    def __str__(self) -> str:
        buys = f"{usd_text(self.credit_usd)} USD pay for {self.tokens:,.0f} tokens"
        if self.months is None or self.days is None:
            return f"{buys}, which last for more than a hundred years"
        return f"{buys}: {self.months:.1f} months, {self.days:,.0f} days"


def runway(
    credit_krw: Exact,
    *,
    model: str,
    tokens_per_month: Exact,
    rate: ExchangeRate,
    input_share: Exact = "0.5",
    growth: Exact = "0",
    prices: Prices = "published",
) -> Runway:
    """How long a credit in won lasts, ``hs.catalog.FREE_CREDIT_KRW`` say.

    ``credit / rate / price``, over ``tokens_per_month``, which grows by ``growth`` each month; in
    the last month use is even. ``credit_usd``, ``tokens`` and ``months`` are to 28 digits, for
    they are quotients.

    Raises ``InputError`` for a float, an amount below 0, a share outside 0 to 1, and
    ``UnknownPriceError``.
    """
    credit_usd = to_usd(money("credit_krw", credit_krw), rate)
    price = usd_per_mtok(find_price(model, prices), share("input_share", input_share))
    with exactly():
        tokens = ratio(credit_usd * 1_000_000, price)
    months = _months(tokens, volume("tokens_per_month", tokens_per_month), growth_rate(growth))
    days = None if months is None else _days(months)
    return Runway(credit_usd, tokens, months, days)


def _days(months: Decimal) -> Decimal:
    with exactly():
        return tidy(months * DAYS_A_MONTH)


def _months(tokens: Decimal, first: Decimal, growth: Decimal) -> Decimal | None:
    """How many months until so many tokens are used."""
    if not tokens:
        return Decimal(0)
    if not first:
        return None
    if not growth:
        months = ratio(tokens, first)
        return months if months <= MOST_MONTHS else None
    left, month = tokens, first
    with to_28_digits():
        for number in range(MOST_MONTHS):
            if left <= month:
                return number + ratio(left, month)
            left, month = left - month, month * (1 + growth)
    return None
