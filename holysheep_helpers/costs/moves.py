"""What a move to another model brings: break-even, return, and which assumption matters most.

Also where two models cost the same, and how long a credit lasts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import accumulate
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from holysheep_helpers._checks import shown
from holysheep_helpers.catalog import ExchangeRate
from holysheep_helpers.costs.months import ENDS, monthly_cost, usd_per_mtok
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.pricing import money
from holysheep_helpers.pricing.money import EXACT, Exact, Prices

if TYPE_CHECKING:
    from pandas import DataFrame

YEAR = 12

DAYS_A_MONTH = Decimal("30.4375")
"""365.25 days in twelve months."""


@dataclass(frozen=True, slots=True)
class BreakEven:
    """When a move has paid back what it cost once, permanently or for the first time.

    Attributes:
        one_off_usd: what the move cost once, in USD.
        saving_usd: what it saves in the first month, in USD.
        running_usd: what it costs each month beside the tokens, in USD. It does not grow.
        growth: how much the saving grows each month; 0.05 is 5%.
        months: after how many months it is paid back (28 digits); ``None`` if not within a
            hundred years.
        whole_months: the first full month at whose end it is paid back; ``None`` as above.

    Example:
        >>> back = hs.break_even(one_off_usd=100, monthly_saving_usd=30)
        >>> back.whole_months, back.cumulated_usd(4)[-1]
        (4, Decimal('20.00'))
    """

    one_off_usd: Decimal
    saving_usd: Decimal
    running_usd: Decimal
    growth: Decimal
    months: Decimal | None
    whole_months: int | None

    @property
    def never(self) -> bool:
        """Whether it is not paid back within a hundred years."""
        return self.months is None

    @property
    def net_usd(self) -> Decimal:
        """What is gained in the first month, running costs taken off; below 0: lost."""
        return money.dollars(EXACT.subtract(self.saving_usd, self.running_usd))

    def cumulated_usd(self, months: int = YEAR) -> list[Decimal]:
        """What the move has brought, net of all it cost, after 0, 1, 2 ... ``months`` months."""
        with money.exactly():
            factors = money.grown(self.growth, money.whole_months(months))
            gains = (self.saving_usd * factor - self.running_usd for factor in factors)
            return list(map(money.dollars, accumulate(gains, initial=-self.one_off_usd)))

    def __str__(self) -> str:
        spent = f"{money.usd_text(self.one_off_usd)} USD spent once"
        first, net = "the first month" if self.growth else "each month", self.net_usd
        if self.months is None:
            each = f"{money.usd_text(net.copy_abs())} USD are {'gained' if net > 0 else 'lost'}"
            stays = f", and {spent} {'are not all recovered' if net > 0 else 'stay spent'}"
            each, stays = each if net else "nothing is gained", stays if self.one_off_usd else ""
            return f"never pays back: {each} {first}{stays}"
        said = "pays back at once: nothing is spent once"
        if self.months:
            each = f"{money.usd_text(net)} USD {first}"
            said = f"pays back after {self.months:.1f} months: {spent}, {each}"
        if self.growth < 0 < self.running_usd:
            said += "; later the saving shrinks below the running cost, and it loses again"
        return said


def break_even(
    *,
    one_off_usd: Exact,
    monthly_saving_usd: Exact,
    monthly_running_usd: Exact = "0",
    growth: Exact = "0",
) -> BreakEven:
    """Work out after how many months a move has paid for itself.

    It is ``one_off_usd / (monthly_saving_usd - monthly_running_usd)``, without interest. A saving
    that grows is added up month by month, evenly within the last one. Where the cost is not
    recovered, the answer is ``never``, not a number.

    Source: the payback period for an even cash flow, initial investment over net inflow of a period
    (Brealey, Myers and Allen, Principles of Corporate Finance, chapter 5).

    Args:
        one_off_usd: what the move costs once, in USD.
        monthly_saving_usd: what it saves in the first month, in USD; below 0 if it costs more.
        monthly_running_usd: what it costs each month beside the tokens, in USD. Default: 0.
        growth: how much the saving grows each month, "0.05" for 5%. Default: 0.

    Returns:
        A ``BreakEven``.

    Raises:
        InputError: an amount is a float, or a cost is below 0.

    Example:
        >>> print(hs.break_even(one_off_usd=2000, monthly_saving_usd=510, monthly_running_usd=20))
        pays back after 4.1 months: 2,000.00 USD spent once, 490.00 USD each month
    """
    one_off = money.money("one_off_usd", one_off_usd)
    saving = money.money("monthly_saving_usd", monthly_saving_usd, least=None)
    running = money.money("monthly_running_usd", monthly_running_usd)
    rise = money.growth_rate("growth", growth)
    amounts = one_off, saving, running, rise
    return BreakEven(*amounts, *_months_until(*amounts))


def _months_until(
    total: Decimal, first: Decimal, running: Decimal, growth: Decimal
) -> tuple[Decimal | None, int | None]:
    """After how many months ``first``, which grows, less ``running`` adds up to ``total``."""
    if not total and first >= running:
        return Decimal(0), 0
    left = total
    with money.exactly():
        for month, factor in enumerate(money.grown(growth, money.MOST_MONTHS)):
            net = first * factor - running
            if net > 0 and left <= net:
                return money.ratio(month * net + left, net), month + 1
            left -= net
    return None, None


@dataclass(frozen=True, slots=True)
class Roi:
    """The return on the investment of a move after a number of months.

    Attributes:
        months: the number of months.
        gain_usd: what the move has brought in USD, net of all that it cost.
        cost_usd: all that it cost in USD, once and each month.
        ratio: ``gain_usd / cost_usd`` (0.5: for each dollar, one dollar fifty came back);
            ``None`` if nothing was spent, for which there is no such number.
        break_even: the ``BreakEven`` of the same move.

    Example:
        >>> year = hs.roi(one_off_usd=1000, monthly_saving_usd=100, months=15)
        >>> year.gain_usd, year.ratio
        (Decimal('500.00'), Decimal('0.5'))
    """

    months: int
    gain_usd: Decimal
    cost_usd: Decimal
    ratio: Decimal | None
    break_even: BreakEven

    def __str__(self) -> str:
        gain = f"{money.usd_text(self.gain_usd)} USD net in {self.months} months"
        if self.ratio is None:
            return f"no ratio, for nothing was spent: {gain}"
        spent = f"{money.usd_text(self.cost_usd)} USD spent"
        return f"{self.ratio:.1%} ({gain}, {spent}); {self.break_even}"


def roi(
    *,
    one_off_usd: Exact,
    monthly_saving_usd: Exact,
    monthly_running_usd: Exact = "0",
    growth: Exact = "0",
    months: int = YEAR,
) -> Roi:
    """Work out the return on the investment of a move after a number of months.

    It is ``(saving - cost) / cost``, with ``saving`` the sum of all months and ``cost = one_off_usd
    + months * monthly_running_usd``.

    Source: net profit over total investment (QFINANCE dictionary, Bloomsbury 2009, "return on
    investment").

    Args:
        one_off_usd: what the move costs once, in USD.
        monthly_saving_usd: what it saves in the first month, in USD; below 0 if it costs more.
        monthly_running_usd: what it costs each month beside the tokens, in USD. Default: 0.
        growth: how much the saving grows each month, "0.05" for 5%. Default: 0.
        months: the number of months, 1 to 1,200. Default: a year.

    Returns:
        A ``Roi``.

    Raises:
        InputError: an amount is a float, a cost is below 0, or ``months`` is out of range.

    Example:
        >>> print(hs.roi(one_off_usd=1000, monthly_saving_usd=100))
        20.0% (200.00 USD net in 12 months, 1,000.00 USD spent); pays back after 10.0 months:
        1,000.00 USD spent once, 100.00 USD each month
    """
    back = break_even(
        one_off_usd=one_off_usd,
        monthly_saving_usd=monthly_saving_usd,
        monthly_running_usd=monthly_running_usd,
        growth=growth,
    )
    count = money.whole_months(months)
    cost = money.dollars(EXACT.fma(count, back.running_usd, back.one_off_usd))
    gain = back.cumulated_usd(count)[-1]
    return Roi(count, gain, cost, money.ratio(gain, cost) if cost else None, back)


_CHECKS: dict[str, Callable[[str, object], Decimal]] = {
    "tokens": money.volume,
    "input_share": money.share,
    "cached_share": money.share,
    "growth": money.growth_rate,
    "one_off_usd": money.money,
    "monthly_running_usd": money.money,
}
"""The amounts of ``Assumptions``, in the order in which ``sensitivity`` changes them."""


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """What is assumed about a move from one model to another.

    Amounts and shares are given as ``Decimal``, whole number or text, and kept as ``Decimal``. A
    float, an amount below 0 or a share outside 0 to 1 raises ``InputError``; a model without a
    price raises ``UnknownPriceError``.

    Attributes:
        tokens: tokens in the first month, prompts and answers together.
        model: the id of the model that the move is to.
        baseline: the id of the model that the move is from.
        input_share: the prompts' part of the tokens, 0 to 1. Default: half.
        cached_share: the part of the prompts that comes out of a cache, 0 to 1. Default: 0.
        growth: how much the volume grows each month, "0.05" for 5%. Default: 0.
        one_off_usd: what the move costs once, in USD. Default: 0.
        monthly_running_usd: what it costs each month beside the tokens, in USD. Default: 0.
        rate: the rate for amounts in won. Default: none, and no amounts in won.
        prices: ``"published"`` or ``"direct"``, as in ``hs.monthly_cost``.

    Example:
        >>> move = hs.Assumptions(
        ...     tokens=10_000_000, model="mistral-small-2603", baseline="gpt-4.1", one_off_usd=500
        ... )
        >>> move.monthly_saving_usd, move.break_even().whole_months, move.net_gain_usd
        (Decimal('51.00'), 10, Decimal('112.00'))
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
        for name, check in _CHECKS.items():
            object.__setattr__(self, name, check(name, getattr(self, name)))
        if self.rate is not None:
            money.check_rate(self.rate)
        for model in (self.model, self.baseline):
            money.find_price(model, self.prices)

    @property
    def monthly_saving_usd(self) -> Decimal:
        """What is saved in the first month, running costs not yet taken off; below 0: lost."""
        mix = self._take("input_share", "cached_share", "prices")
        models = self.baseline, self.model
        there, here = (monthly_cost(model, self.tokens, **mix).usd for model in models)
        return money.dollars(EXACT.subtract(there, here))

    @property
    def net_gain_usd(self) -> Decimal:
        """The first year's saving, with growth, less what the move costs, once and each month."""
        return self.roi().gain_usd

    @property
    def net_gain_krw(self) -> Decimal:
        """The same in won. Raises ``InputError`` if there is no ``rate``."""
        if self.rate is None:
            raise InputError("No rate was given: Assumptions(rate=...) names one, with its day.")
        return money.tidy(money.to_krw(self.net_gain_usd, self.rate))

    def break_even(self) -> BreakEven:
        """``hs.break_even`` of this move, with growth."""
        return self.roi().break_even

    def roi(self, months: int = YEAR) -> Roi:
        """``hs.roi`` of this move after ``months`` months (default: a year), with growth."""
        costs = self._take("one_off_usd", "monthly_running_usd", "growth")
        return roi(**costs, monthly_saving_usd=self.monthly_saving_usd, months=months)

    def _take(self, *names: str) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names}


def sensitivity(
    assumptions: Assumptions,
    *,
    swing: Exact = "0.2",
    result: Callable[[Assumptions], Decimal] = attrgetter("net_gain_usd"),
) -> DataFrame:
    """Find which assumption changes the result most: each is changed down and up, by itself.

    Args:
        assumptions: the ``Assumptions`` to start from.
        swing: how much each is changed, 0 to below 1: 0.2 changes 50 to 40 and to 60. A share ends
            at 0 and 1. Default: 0.2.
        result: a function that makes one ``Decimal`` of the assumptions, ``lambda a:
            a.net_gain_krw`` for example. Default: the first year's net gain in USD.

    Returns:
        A ``DataFrame`` with a row for each input (the rate, if there is one), the one that changes
        the result most first. Columns: ``low``, ``base`` and ``high`` of the input;
        ``result_low``, ``result_base`` and ``result_high``; ``moves``, the distance between the
        outermost results; and ``note`` where an input can't be changed in full. All amounts are
        ``Decimal``.

    Raises:
        InputError: ``swing`` is not from 0 to below 1, or ``result`` gave no ``Decimal``.

    Example:
        >>> move = hs.Assumptions(
        ...     tokens=10_000_000, model="mistral-small-2603", baseline="gpt-4.1", one_off_usd=500
        ... )
        >>> hs.sensitivity(move)["moves"].head(2).to_dict()
        {'tokens': Decimal('244.80'), 'one_off_usd': Decimal('200.00')}
    """
    from pandas import DataFrame

    turn = money.share("swing", swing)
    if turn == 1:
        raise InputError(f"swing is {shown(swing)}: below 1 is needed, or all would be 0.")
    rows = []
    for name in (*_CHECKS, "rate"):
        given = getattr(assumptions, name)
        if given is None:
            continue
        base = given.krw_per_usd if name == "rate" else given
        with money.exactly():
            low, high = base - base * turn, base + base * turn
        note = "" if base else "is 0, and stays 0"
        if name.endswith("_share") and high > 1:
            high, note = Decimal(1), "a share ends at 1"
        if name == "growth" and high < -1:
            high, note = Decimal(-1), "nothing is left to shrink"
        inputs = {"low": money.tidy(low), "base": money.tidy(base), "high": money.tidy(high)}
        results = {}
        for end, new in inputs.items():
            changed = replace(given, krw_per_usd=new) if name == "rate" else new
            found: object = result(replace(assumptions, **{name: changed}))
            if not isinstance(found, Decimal) or not found.is_finite():
                raise InputError(
                    f"result gave {shown(found)} for {name} = {new}: a Decimal is needed. Where a "
                    "move never pays back there is no number of months; net_gain_usd always is one."
                )
            results[f"result_{end}"] = found
        moves = EXACT.subtract(max(results.values()), min(results.values()))
        row = {"input": name, **inputs, **results}
        rows.append(row | {"moves": money.dollars(moves), "note": note})
    in_order = DataFrame(rows, dtype=object).sort_values("moves", ascending=False, kind="stable")
    return in_order.set_index("input")


@dataclass(frozen=True, slots=True)
class Crossover:
    """At which mix of input and output two models cost the same.

    Attributes:
        model: the id of one model.
        other: the id of the other model.
        input_share: the part of the tokens that is input where both cost the same (28 digits);
            ``None`` if there is none.
        cheaper: the id of the model that costs less at every mix; ``None`` if there is none.
        cheaper_below: the id of the model that costs less where there is less input; ``None`` if
            there is less of it nowhere.
        cheaper_above: the id of the model that costs less where there is more input; ``None``
            if there is more of it nowhere.

    Example:
        >>> print(hs.crossover("gpt-4.1", "deepseek-v3.2"))
        deepseek-v3.2 costs less than gpt-4.1 at every mix
    """

    model: str
    other: str
    input_share: Decimal | None
    cheaper: str | None
    cheaper_below: str | None
    cheaper_above: str | None

    def __str__(self) -> str:
        same = f"{self.model} and {self.other} cost the same at"
        if self.input_share is not None:
            sides = ((self.cheaper_below, "below"), (self.cheaper_above, "above"))
            less = (f"; {name} costs less {where}" for name, where in sides if name)
            return f"{same} {self.input_share:.1%} input{''.join(less)}"
        if self.cheaper is None:
            return f"{same} every mix"
        dearer = self.other if self.cheaper == self.model else self.model
        return f"{self.cheaper} costs less than {dearer} at every mix"


def crossover(model: str, other: str, *, prices: Prices = "published") -> Crossover:
    """Find the mix of input and output at which two models cost the same.

    ``s * input + (1 - s) * output`` of both models, set equal, is solved for ``s``.

    Args:
        model: the id of one model.
        other: the id of the other model.
        prices: ``"published"`` or ``"direct"``, as in ``hs.monthly_cost``.

    Returns:
        A ``Crossover``.

    Raises:
        UnknownPriceError: no price is known for one of the models.

    Example:
        >>> found = hs.crossover("mistral-small-2603", "deepseek-v3.2", prices="direct")
        >>> round(found.input_share, 3), found.cheaper_below
        (Decimal('0.765'), 'deepseek-v3.2')
    """
    one, two = money.find_price(model, prices), money.find_price(other, prices)
    more = [EXACT.subtract(usd_per_mtok(one, mix), usd_per_mtok(two, mix)) for mix in ENDS]
    below, above = (model if usd < 0 else other if usd else None for usd in more)
    if below == above:
        return Crossover(model, other, None, below, None, None)
    mix = money.ratio(more[0], EXACT.subtract(*more))
    return Crossover(model, other, mix, None, below, above)


@dataclass(frozen=True, slots=True)
class Runway:
    """How many tokens a credit pays for, and how long they last.

    Attributes:
        credit_usd: the credit in USD (28 digits).
        tokens: the tokens that it pays for (28 digits).
        months: for how many months they last; ``None`` if for more than a hundred years.
        days: the same in days of which a month has 30.4375; ``None`` as above.

    Example:
        >>> rate = hs.catalog.published_rate()
        >>> hs.runway(1450, model="gpt-4.1", tokens_per_month=0, rate=rate).never
        True
    """

    credit_usd: Decimal
    tokens: Decimal
    months: Decimal | None
    days: Decimal | None

    @property
    def never(self) -> bool:
        """Whether the credit lasts for more than a hundred years."""
        return self.months is None

    def __str__(self) -> str:
        buys = f"{money.usd_text(self.credit_usd)} USD pay for {self.tokens:,.0f} tokens"
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
    """Work out how long a credit in won lasts.

    It is ``credit / rate / price`` tokens, over the tokens that are used each month; in the last
    month use is even.

    Args:
        credit_krw: the credit in won, ``hs.catalog.FREE_CREDIT_KRW`` for example.
        model: the id of the model.
        tokens_per_month: tokens in the first month, prompts and answers together.
        rate: the rate, which names its day: ``hs.catalog.published_rate()`` for example.
        input_share: the prompts' part of the tokens, 0 to 1. Default: half.
        growth: how much the use grows each month, "0.05" for 5%. Default: 0.
        prices: ``"published"`` or ``"direct"``, as in ``hs.monthly_cost``.

    Returns:
        A ``Runway``.

    Raises:
        InputError: an amount is a float or below 0, or a share is not from 0 to 1.
        UnknownPriceError: no price is known for this model.

    Example:
        >>> rate = hs.catalog.published_rate()
        >>> print(hs.runway(50_000, model="gpt-4.1", tokens_per_month=1_000_000, rate=rate))
        34.48 USD pay for 6,269,592 tokens: 6.3 months, 191 days
    """
    credit_usd = money.to_usd(money.money("credit_krw", credit_krw), rate)
    price = usd_per_mtok(money.find_price(model, prices), money.share("input_share", input_share))
    tokens = money.ratio(EXACT.scaleb(credit_usd, 6), price)
    used = money.volume("tokens_per_month", tokens_per_month)
    months, _ = _months_until(tokens, used, Decimal(0), money.growth_rate("growth", growth))
    days = None if months is None else money.tidy(EXACT.multiply(months, DAYS_A_MONTH))
    return Runway(credit_usd, tokens, months, days)
