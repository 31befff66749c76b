"""What a result hangs on: each assumption turned by itself, and where two models change places."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING

from holysheep_helpers.catalog import ExchangeRate
from holysheep_helpers.costs.months import monthly_cost, usd_per_mtok
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.pricing.calls import Prices, check_rate, find_price, to_krw, to_usd
from holysheep_helpers.pricing.decimals import (
    MOST_MONTHS,
    Exact,
    dollars,
    exactly,
    grown,
    growth_rate,
    money,
    ratio,
    share,
    tidy,
    to_28_digits,
    usd_text,
    volume,
    whole_months,
)

if TYPE_CHECKING:
    from pandas import DataFrame

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


YEAR = 12


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """What a move from ``baseline`` to ``model`` is reckoned with; all of it can be changed.

    ``tokens`` are those of the first month, prompt and answer together; ``input_share`` the
    prompts' part, ``cached_share`` the part of those that comes out of a cache, ``growth`` that of
    the volume each month; ``one_off_usd`` is what the move costs once, ``monthly_running_usd`` what
    it costs each month beside the tokens. ``rate`` is for amounts in won alone. Amounts and shares
    are given as ``Decimal``, int or text, and kept as ``Decimal``.

    Raises ``InputError`` for a float, an amount below 0, a share outside 0 to 1.
    """

    tokens: Exact
    model: str
    baseline: str
    input_share: Exact = "0.5"
    cached_share: Exact = "0"
    growth: Exact = "0"
    one_off_usd: Exact = "0"
    monthly_running_usd: Exact = "0"
    rate: ExchangeRate | None = None
    prices: Prices = "published"

    def __post_init__(self) -> None:
        checked = {
            "tokens": volume("tokens", self.tokens),
            "input_share": share("input_share", self.input_share),
            "cached_share": share("cached_share", self.cached_share),
            "growth": growth_rate(self.growth),
            "one_off_usd": money("one_off_usd", self.one_off_usd),
            "monthly_running_usd": money("monthly_running_usd", self.monthly_running_usd),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if self.rate is not None:
            check_rate(self.rate)
        for model in (self.model, self.baseline):
            find_price(model, self.prices)

    @property
    def monthly_saving_usd(self) -> Decimal:
        """What is saved in the first month, running costs not yet taken off; below 0: lost."""
        there, here = (self._month(model) for model in (self.baseline, self.model))
        with exactly():
            return dollars(there - here)

    @property
    def net_gain_usd(self) -> Decimal:
        """The first year's saving, with growth, less what the move costs, once and each month."""
        return self.roi().gain_usd

    @property
    def net_gain_krw(self) -> Decimal:
        """The same in won. Raises ``InputError`` if there is no ``rate``."""
        if self.rate is None:
            raise InputError("No rate was given: Assumptions(rate=...) names one, with its day.")
        return tidy(to_krw(self.net_gain_usd, self.rate))

    def break_even(self) -> BreakEven:
        """``hs.break_even`` of this move, with growth."""
        return break_even(
            one_off_usd=self.one_off_usd,
            monthly_saving_usd=self.monthly_saving_usd,
            monthly_running_usd=self.monthly_running_usd,
            growth=self.growth,
        )

    def roi(self, months: int = YEAR) -> Roi:
        """``hs.roi`` of this move, with growth."""
        return roi(
            one_off_usd=self.one_off_usd,
            monthly_saving_usd=self.monthly_saving_usd,
            monthly_running_usd=self.monthly_running_usd,
            growth=self.growth,
            months=months,
        )

    def _month(self, model: str) -> Decimal:
        return monthly_cost(
            model,
            self.tokens,
            input_share=self.input_share,
            cached_share=self.cached_share,
            prices=self.prices,
        ).usd


def _net_gain_usd(assumptions: Assumptions) -> Decimal:
    return assumptions.net_gain_usd


TURNED = (
    *("tokens", "input_share", "cached_share", "growth"),
    *("one_off_usd", "monthly_running_usd", "rate"),
)


def sensitivity(
    assumptions: Assumptions,
    *,
    swing: Exact = "0.2",
    result: Callable[[Assumptions], Decimal] = _net_gain_usd,
) -> DataFrame:
    """Which assumption moves the result most: each turned down and up by ``swing``, by itself.

    A swing of 0.2 turns 50 to 40 and to 60; a share ends at 0 and 1. ``result`` makes one number of
    the assumptions: the first year's net gain in US dollars unless given (``lambda a:
    a.net_gain_krw``, say).

    The frame has a row for each input (the rate, if there is one), the one that moves the result
    most first: ``low``, ``base`` and ``high`` of the input, ``result_low`` and ``result_high`` for
    those, ``result_base``, ``moves`` (the distance between the outermost of the three) and
    ``note`` where an input can't be turned in full: 0 stays 0, a share ends at 1. All amounts are
    ``Decimal``.

    Raises ``InputError`` for a swing that is not from 0 to below 1.
    """
    from pandas import DataFrame, Index

    turn = share("swing", swing)
    if turn == 1:
        raise InputError(f"swing is {swing!r}: below 1 is needed, or all would be turned to 0.")
    with exactly():
        less, more = 1 - turn, 1 + turn
    base = _result(result, assumptions, "them as they are")
    rows = []
    for name in TURNED:
        if name == "rate" and assumptions.rate is None:
            continue
        low, note_low = _turned(assumptions, name, less)
        high, note_high = _turned(assumptions, name, more)
        results = _result(result, low, name), _result(result, high, name)
        with exactly():
            moves = dollars(max(*results, base) - min(*results, base))
        rows.append({
            "input": name,
            "low": _value(low, name),
            "base": _value(assumptions, name),
            "high": _value(high, name),
            "result_low": results[0],
            "result_base": base,
            "result_high": results[1],
            "moves": moves,
            "note": note_low or note_high,
        })  # fmt: skip
    rows.sort(key=lambda row: row["moves"], reverse=True)
    names = [row.pop("input") for row in rows]
    return DataFrame(rows, index=Index(names, name="input"), dtype=object)


def _result(
    result: Callable[[Assumptions], Decimal], assumptions: Assumptions, name: str
) -> Decimal:
    found: object = result(assumptions)
    if not isinstance(found, Decimal) or not found.is_finite():
        raise InputError(
            f"result gave {found!r} for {name}: a Decimal is needed. Where a move never pays back "
            "there is no number of months; net_gain_usd always is one."
        )
    return found


def _value(assumptions: Assumptions, name: str) -> Decimal:
    value = getattr(assumptions, name)
    return tidy(value.krw_per_usd if isinstance(value, ExchangeRate) else value)


def _turned(assumptions: Assumptions, name: str, factor: Decimal) -> tuple[Assumptions, str]:
    value = _value(assumptions, name)
    with exactly():
        new = tidy(value * factor)
    note = "is 0, and stays 0" if not value else ""
    if name in ("input_share", "cached_share") and new > 1:
        new, note = Decimal(1), "a share ends at 1"
    if name == "growth" and new < -1:
        new, note = Decimal(-1), "nothing is left to shrink"
    if name == "rate":
        rate = assumptions.rate
        assert rate is not None
        return replace(assumptions, rate=replace(rate, krw_per_usd=new)), note
    return replace(assumptions, **{name: new}), note


@dataclass(frozen=True, slots=True)
class Crossover:
    """Where two models change places: ``input_share`` is the mix at which both cost the same.

    It is ``None`` if there is none; ``cheaper`` is then the one that costs less at every mix
    (``None`` if both have the same price). Else ``cheaper_below`` is the one that costs less where
    there is less input, ``cheaper_above`` the other; at the very end of the scale one of them is
    ``None``.
    """

    model: str
    other: str
    input_share: Decimal | None
    cheaper: str | None
    cheaper_below: str | None
    cheaper_above: str | None

    def __str__(self) -> str:
        if self.input_share is None:
            if self.cheaper is None:
                return f"{self.model} and {self.other} cost the same at every mix"
            dearer = self.other if self.cheaper == self.model else self.model
            return f"{self.cheaper} costs less than {dearer} at every mix"
        sides = [
            f"{name} costs less {where}"
            for name, where in ((self.cheaper_below, "below"), (self.cheaper_above, "above"))
            if name
        ]
        same = f"{self.model} and {self.other} cost the same at {self.input_share:.1%} input"
        return "; ".join([same, *sides])


def crossover(model: str, other: str, *, prices: Prices = "published") -> Crossover:
    """The input share at which two models cost the same.

    ``s * input + (1 - s) * output`` of both, set equal and solved for ``s``, which is to 28
    digits. Raises ``UnknownPriceError``.
    """
    all_output, all_input = Decimal(0), Decimal(1)
    one, two = find_price(model, prices), find_price(other, prices)
    with exactly():
        without, within = (
            usd_per_mtok(one, mix) - usd_per_mtok(two, mix) for mix in (all_output, all_input)
        )
        apart = without - within
    signs = [(d > 0) - (d < 0) for d in (without, within)]
    below, above = ((None, other, model)[sign] for sign in signs)  # 1: other, -1: model
    if not any(signs):
        return Crossover(model, other, None, None, None, None)
    if signs[0] == signs[1]:
        return Crossover(model, other, None, below, None, None)
    return Crossover(model, other, ratio(without, apart), None, below, above)


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
