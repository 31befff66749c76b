"""When a move pays for itself: break-even and return on investment."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from math import ceil

from holysheep_helpers.pricing.decimals import (
    MOST_MONTHS,
    Exact,
    dollars,
    exactly,
    grown,
    growth_rate,
    money,
    ratio,
    usd_text,
    whole_months,
)

_LONG = Context(prec=400)
"""Exact for 200 months of a growth with two digits; beyond them far finer than any money."""


@dataclass(frozen=True, slots=True)
class BreakEven:
    """When what was spent once is back, for good or for the first time.

    ``months`` is a ``Decimal`` (28 digits), ``whole_months`` the first full month at whose end it
    is back; both are ``None`` if ``never``, that is not within a hundred years. ``saving_usd`` is
    that of the first month, ``growth`` what it grows by each month; ``running_usd`` stays.
    """

    one_off_usd: Decimal
    saving_usd: Decimal
    running_usd: Decimal
    growth: Decimal
    months: Decimal | None
    whole_months: int | None

    @property
    def never(self) -> bool:
        return self.months is None

    @property
    def net_usd(self) -> Decimal:
        """What is gained in the first month, running costs taken off; below 0: lost."""
        with exactly():
            return dollars(self.saving_usd - self.running_usd)

    def cumulated_usd(self, months: int = 12) -> list[Decimal]:
        """What the move has brought, net of all it cost, after 0, 1, 2 ... ``months`` months."""
        so_far = [self.one_off_usd.copy_negate() if self.one_off_usd else Decimal(0)]
        with exactly():
            for factor in grown(self.growth, whole_months(months)):
                so_far.append(dollars(so_far[-1] + self.saving_usd * factor - self.running_usd))
        return so_far

    def __str__(self) -> str:
        spent = f"{usd_text(self.one_off_usd)} USD spent once"
        first = "the first month" if self.growth else "each month"
        if self.months is None:
            net = self.net_usd
            each = f"{usd_text(net.copy_abs())} USD are {'gained' if net > 0 else 'lost'}"
            each = each if net else "nothing is gained"
            stays = "are not all recovered" if net > 0 else "stay spent"
            return f"never pays back: {each} {first}" + (
                f", and {spent} {stays}" if self.one_off_usd else ""
            )
        fades = self.growth < 0 and self.running_usd > 0
        later = "; later the saving shrinks below the running cost, and it loses again"
        if not self.months:
            return f"pays back at once: nothing is spent once{later if fades else ''}"
        each = f"{usd_text(self.net_usd)} USD {first}"
        return f"pays back after {self.months:.1f} months: {spent}, {each}{later if fades else ''}"


def break_even(
    *,
    one_off_usd: Exact,
    monthly_saving_usd: Exact,
    monthly_running_usd: Exact = "0",
    growth: Exact = "0",
) -> BreakEven:
    """After how many months a move has paid for itself.

    ``one_off_usd / (monthly_saving_usd - monthly_running_usd)``: the payback period for an even
    cash flow, initial investment over net inflow of a period (Brealey, Myers and Allen, Principles
    of Corporate Finance, chapter 5). It counts no interest. Where nothing is gained each month,
    the answer is ``never``, not a number. A saving that grows by ``growth`` each month (0.05 is 5%)
    is added up month by month, evenly within the last one.

    ``monthly_saving_usd`` may be below 0: a move that makes each month dearer.

    Raises ``InputError`` for a float, or costs below 0.
    """
    one_off = money("one_off_usd", one_off_usd)
    saving = money("monthly_saving_usd", monthly_saving_usd, least=None)
    running = money("monthly_running_usd", monthly_running_usd)
    rate = growth_rate(growth)
    with exactly():
        net = dollars(saving - running)
    months, whole = _paid_back(one_off, saving, running, rate) if rate else _evenly(one_off, net)
    return BreakEven(one_off, saving, running, rate, months, whole)


def _evenly(one_off: Decimal, net: Decimal) -> tuple[Decimal | None, int | None]:
    if net < 0 or (net == 0 and one_off):
        return None, None
    if not one_off:
        return Decimal(0), 0
    months = ratio(one_off, net)
    if months > MOST_MONTHS:
        return None, None
    return months, ceil(Fraction(one_off) / Fraction(net))


def _paid_back(
    one_off: Decimal, saving: Decimal, running: Decimal, growth: Decimal
) -> tuple[Decimal | None, int | None]:
    """The same for a saving that grows: the months one after the other."""
    if not one_off and saving >= running:
        return Decimal(0), 0
    with localcontext(_LONG):
        owed = one_off
        for month in range(MOST_MONTHS):
            net = saving - running
            if net > 0 and owed <= net:
                return ratio(month * net + owed, net), month + 1
            owed, saving = owed - net, saving * (1 + growth)
    return None, None


@dataclass(frozen=True, slots=True)
class Roi:
    """What came of a move after ``months``: ``gain_usd`` is net of all it cost, ``cost_usd``.

    ``ratio`` is ``gain_usd / cost_usd`` (0.5: for each dollar, one dollar fifty came back), or
    ``None`` where nothing was spent, for which there is no such number.
    """

    months: int
    gain_usd: Decimal
    cost_usd: Decimal
    ratio: Decimal | None
    break_even: BreakEven

    def __str__(self) -> str:
        gain = f"{usd_text(self.gain_usd)} USD net in {self.months} months"
        if self.ratio is None:
            return f"no ratio, for nothing was spent: {gain}"
        return f"{self.ratio:.1%} ({gain}, {usd_text(self.cost_usd)} USD spent); {self.break_even}"


def roi(
    *,
    one_off_usd: Exact,
    monthly_saving_usd: Exact,
    monthly_running_usd: Exact = "0",
    growth: Exact = "0",
    months: int = 12,
) -> Roi:
    """The return on investment of a move after ``months``, a year unless given.

    ``(saving - cost) / cost`` with ``saving = months * monthly_saving_usd`` (or the sum of what it
    grows to) and ``cost = one_off_usd + months * monthly_running_usd``: net profit over total
    investment (QFINANCE dictionary, Bloomsbury 2009, "return on investment"). Nothing spent:
    ``ratio`` is ``None``.

    Raises ``InputError`` for a float, or costs below 0.
    """
    back = break_even(
        one_off_usd=one_off_usd,
        monthly_saving_usd=monthly_saving_usd,
        monthly_running_usd=monthly_running_usd,
        growth=growth,
    )
    count = whole_months(months)
    with exactly():
        cost = dollars(back.one_off_usd + count * back.running_usd)
    gain = back.cumulated_usd(count)[-1]
    return Roi(count, gain, cost, ratio(gain, cost) if cost else None, back)
