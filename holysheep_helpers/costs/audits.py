"""Whether a published cost or saving is possible at all, and what would make it true."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

from holysheep_helpers import catalog
from holysheep_helpers.catalog import Price, PublishedMonth
from holysheep_helpers.costs.months import ENDS, HALF, less_or_more, monthly_cost, usd_per_mtok
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.pricing import money
from holysheep_helpers.pricing.money import EXACT, Exact, Prices

if TYPE_CHECKING:
    from pandas import DataFrame

Claims = Sequence[tuple[Decimal, Price]]
"""What was said to be the cost of one volume and mix, at several prices."""

SLIPS = (*(Decimal(10) ** power for power in (1, -1, 2, -2, 3, -3)), Decimal(12))
"""A volume may be off by these: a digit, two, thousands for millions, a year for a month."""

HALF_A_POINT = Decimal("0.005")
"""Half a percentage point: how exact a share was stated."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A volume of tokens and a mix of input and output that cost what was claimed.

    Attributes:
        tokens: the number of tokens.
        input_share: the prompts' part of the tokens, 0 to 1.
        times: how many times the claimed volume that is; ``None`` if none was claimed.
        given: what was taken as given: ``"mix"`` (the volume was found), ``"volume"`` (the mix was
            found) or ``"table"`` (both were found, out of several rows).

    Example:
        >>> print(hs.audit_claim("550", "gpt-4.1", 10_000_000).explains[0])
        100M tokens (10 times the stated volume) at 50/50
    """

    tokens: Decimal
    input_share: Decimal
    times: Decimal | None
    given: str

    def __str__(self) -> str:
        stated = self.times in (None, 1)
        times = "" if stated else f" ({self.times:,.4g} times the stated volume)"
        return f"{_tokens(self.tokens)} tokens{times} at {_mix(self.input_share)}"


@dataclass(frozen=True, slots=True)
class Audit:
    """Whether a number of tokens can cost what was claimed.

    Attributes:
        usd: the cost that was claimed, in USD.
        model: the id of the model.
        tokens: the tokens that were claimed.
        input_share: the prompts' part of the tokens, 0 to 1; ``None`` if every mix was tried.
        lowest_usd: what the tokens cost at the cheapest mix, in USD.
        highest_usd: what they cost at the most expensive mix, in USD.
        possible: whether ``usd`` lies between them, to its own last digit.
        explains: volumes and mixes that cost ``usd``, the most likely one first: a volume that is
            off by a round factor and then has a round mix.
        price: the price that was taken, with its source and day.

    Example:
        >>> audit = hs.audit_claim("550", "gpt-4.1", 10_000_000)
        >>> audit.possible, audit.highest_usd
        (False, Decimal('80.00'))
    """

    usd: Decimal
    model: str
    tokens: Decimal
    input_share: Decimal | None
    lowest_usd: Decimal
    highest_usd: Decimal
    possible: bool
    explains: tuple[Explanation, ...]
    price: Price

    def __str__(self) -> str:
        claim = f"{_usd(self.usd)} for {_tokens(self.tokens)} tokens of {self.model}"
        how, whatever = f": {self.explains[0]}" if self.explains else "", "the mix"
        if self.input_share is not None:
            claim, how, whatever = f"{claim} at {_mix(self.input_share)}", "", "is cached"
        if self.possible:
            return f"{claim} is possible{how}."
        between = _usd(self.lowest_usd)
        if self.lowest_usd != self.highest_usd:
            between += f" to {_usd(self.highest_usd)}, whatever {whatever}"
        would = f"; it is what {self.explains[0]} cost" if self.explains else ""
        return f"{claim} can't be: that costs {between}{would}."


def audit_claim(
    usd: Exact,
    model: str,
    tokens: Exact,
    input_share: Exact | None = None,
    *,
    prices: Prices = "published",
) -> Audit:
    """Check whether a stated cost is possible, and which volume or mix would give it.

    Where a price for cached tokens is known, the lowest cost is that of prompts that all come out
    of a cache.

    Args:
        usd: the cost that was stated, in USD. It is taken for as exact as its last digit: "550" is
            549.50 to 550.50, "142.50" half a cent more or less.
        model: the id of the model.
        tokens: the tokens that were stated, prompts and answers together.
        input_share: the prompts' part of the tokens, 0 to 1. Default: every mix is tried, from all
            output to all input.
        prices: ``"published"`` or ``"direct"``, as in ``hs.monthly_cost``.

    Returns:
        An ``Audit``.

    Raises:
        InputError: an amount is a float or below 0, or the share is not from 0 to 1.
        UnknownPriceError: no price is known for this model.

    Example:
        >>> print(hs.audit_claim("550", "gpt-4.1", 10_000_000))
        550.00 USD for 10M tokens of gpt-4.1 can't be: that costs 30.00 USD to 80.00 USD, whatever
        the mix; it is what 100M tokens (10 times the stated volume) at 50/50 cost.
    """
    price = money.find_price(model, prices)
    claimed, stated = money.money("usd", usd), money.tidy(money.volume("tokens", tokens))
    mix = None if input_share is None else money.share("input_share", input_share)
    mixes = ENDS if mix is None else (mix,)
    ends = [usd_per_mtok(price, end, Decimal(cached)) for end in mixes for cached in (0, 1)]
    with money.exactly():
        lowest, highest = (money.dollars(stated * f(ends).scaleb(-6)) for f in (min, max))
        slack = _half_a_digit(claimed)
        possible = lowest - slack <= claimed <= highest + slack
    explains = _explained(claimed, price, stated, mix)
    return Audit(claimed, model, stated, mix, lowest, highest, possible, explains, price)


def audit_table(rows: Iterable[PublishedMonth] | None = None) -> DataFrame:
    """Check a table of monthly costs, row by row.

    Args:
        rows: the rows of the table. Default: the published ones,
            ``hs.catalog.published_months()``.

    Returns:
        A ``DataFrame`` with a row for each model and the columns ``tokens`` and ``usd`` as
        published; ``at_half_usd``, what that volume costs at 50/50; ``lowest_usd`` and
        ``highest_usd``, what it costs at any mix; ``possible``; ``explains``, in words the volume
        and mix that would give the figure; ``times`` and ``input_share`` of that.

    Raises:
        InputError: there are no rows.
        UnknownPriceError: no price is known for one of the models.

    Example:
        >>> hs.audit_table()["possible"].tolist()
        [False, False, False, False, False]
    """
    from pandas import DataFrame

    found = []
    for row in _rows(rows):
        audit = audit_claim(row.usd, row.model, row.tokens)
        first = audit.explains[0] if audit.explains else None
        found.append({
            "model": row.model,
            "tokens": row.tokens,
            "usd": row.usd,
            "at_half_usd": monthly_cost(row.model, row.tokens, input_share=HALF).usd,
            "lowest_usd": audit.lowest_usd,
            "highest_usd": audit.highest_usd,
            "possible": audit.possible,
            "explains": str(first or ""),
            "times": first and first.times,
            "input_share": first and first.input_share,
        })  # fmt: skip
    return DataFrame(found, dtype=object).set_index("model")


def common_volume(rows: Iterable[PublishedMonth] | None = None) -> Explanation | None:
    """Find the one volume and mix that explain all rows of a table of costs.

    Nothing is assumed of either. Each row says ``input * x + output * y = usd`` of the tokens in
    and out, to half of its last digit up and down: a strip. Where all strips overlap, and ``x`` and
    ``y`` are not below 0, is an area whose corners are among the crossings of their borders. Its
    middle is taken, in round numbers where those fit.

    Args:
        rows: the rows of the table. Default: the published ones,
            ``hs.catalog.published_months()``.

    Returns:
        An ``Explanation``, whose ``times`` is in terms of the volume that the first row states;
        ``None`` if no volume and mix explain all rows.

    Raises:
        InputError: there are no rows, or all have the same price, which leaves volume and mix open.
        UnknownPriceError: no price is known for one of the models.

    Example:
        >>> print(hs.common_volume())
        100M tokens (10 times the stated volume) at 50/50
    """
    table = _rows(rows)
    claims = [(row.usd, money.find_price(row.model)) for row in table]
    corners = _corners(claims)
    into, out = (sum((corner[i] for corner in corners), Fraction(0)) for i in (0, 1))
    if not into + out:
        return None
    middle = (into + out) / len(corners), into / (into + out)
    tokens, mix = (money.ratio(value.numerator, value.denominator) for value in middle)
    return _explanation(claims, _volumes(tokens), _mixes(mix), table[0].tokens, "table")


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one model saves against another, beside the share that was claimed.

    Attributes:
        model: the id of the model that is said to be cheaper.
        other: the id of the model that it is compared with.
        claimed: the share of the cost that it is said to save, 0 to 1.
        input_share: the prompts' part of the tokens, 0 to 1.
        usd: what a million tokens of that mix cost with ``model``, in USD.
        other_usd: the same with ``other``.
        saving_share: the share that it saves at that mix; below 0 where it costs more.
        lowest_share: the least that it saves at any mix.
        highest_share: the most that it saves at any mix.

    Example:
        >>> claim = hs.audit_comparison("mistral-small-2603", "gpt-4.1", cheaper_by="0.93")
        >>> claim.holds, claim.possible
        (True, True)
    """

    model: str
    other: str
    claimed: Decimal
    input_share: Decimal
    usd: Decimal
    other_usd: Decimal
    saving_share: Decimal
    lowest_share: Decimal
    highest_share: Decimal

    @property
    def holds(self) -> bool:
        """Whether this mix saves what was claimed, to half a percentage point."""
        return EXACT.subtract(self.saving_share, self.claimed).copy_abs() <= HALF_A_POINT

    @property
    def possible(self) -> bool:
        """Whether any mix saves what was claimed, to half a percentage point."""
        with money.exactly():
            low, high = self.lowest_share - HALF_A_POINT, self.highest_share + HALF_A_POINT
        return low <= self.claimed <= high

    def __str__(self) -> str:
        shares = (self.saving_share, self.claimed, self.lowest_share, self.highest_share)
        saves, claimed, lowest, highest = (less_or_more(share, 0) for share in shares)
        found = (
            f"{self.model} costs {saves} than {self.other} at {_mix(self.input_share, 0)}: "
            f"{self.usd} against {self.other_usd} USD for a million tokens; {claimed} was claimed"
        )
        if self.holds:
            return f"True: {found}."
        wrong = "Too modest" if self.claimed < self.lowest_share else "Wrong"
        where = "Not at this mix" if self.possible else f"{wrong} at every mix"
        return f"{where}: {found}; over all mixes it is from {lowest} to {highest}."


def audit_comparison(
    model: str,
    other: str,
    *,
    cheaper_by: Exact,
    input_share: Exact = "0.5",
    prices: Prices = "published",
) -> Comparison:
    """Check whether one model is as much cheaper than another as was claimed.

    The saving is ``1 - cost / other's cost``. Its least and its most over all mixes are at the two
    ends, all output and all input, for the quotient of two mixes moves one way only.

    Args:
        model: the id of the model that is said to be cheaper.
        other: the id of the model that it is compared with.
        cheaper_by: the share of the cost that it is said to save: "0.4" for "40% cheaper".
        input_share: the prompts' part of the tokens, 0 to 1. Default: half.
        prices: ``"published"`` or ``"direct"``, as in ``hs.monthly_cost``.

    Returns:
        A ``Comparison``.

    Raises:
        InputError: a share is a float, or not from 0 to 1.
        UnknownPriceError: no price is known for one of the models.

    Example:
        >>> claim = hs.audit_comparison("mistral-small-2603", "deepseek-v3.2", cheaper_by="0.4")
        >>> print(claim)
        Wrong at every mix: mistral-small-2603 costs 63% more than deepseek-v3.2 at 50/50: 0.40
        against 0.245 USD for a million tokens; 40% less was claimed; over all mixes it is from
        186% more to 43% more.
    """
    mine, theirs = money.find_price(model, prices), money.find_price(other, prices)
    claimed, mix = money.share("cheaper_by", cheaper_by), money.share("input_share", input_share)
    usd = [(usd_per_mtok(mine, at), usd_per_mtok(theirs, at)) for at in (mix, *ENDS)]
    saved, *ends = (money.ratio(EXACT.subtract(two, one), two) for one, two in usd)
    return Comparison(model, other, claimed, mix, *usd[0], saved, *sorted(ends))


def _rows(rows: Iterable[PublishedMonth] | None) -> list[PublishedMonth]:
    table = list(catalog.published_months() if rows is None else rows)
    if not table:
        raise InputError("No rows: a table has one at least. Leave it out for the published one.")
    return table


def _corners(claims: Claims) -> set[tuple[Fraction, Fraction]]:
    """The corners of what all rows allow, in tokens in and out."""
    strips = []
    for usd, price in claims:
        per_million = Fraction(price.input_usd_per_mtok), Fraction(price.output_usd_per_mtok)
        middle, half = Fraction(usd) * 10**6, Fraction(_half_a_digit(usd)) * 10**6
        strips.append((*per_million, middle - half, middle + half))
    if all(a * d == b * c for (a, b, *_), (c, d, *_) in combinations(strips, 2)):
        raise InputError(
            "Rows of one price leave volume and mix open: give two models, or use hs.audit_claim()."
        )
    borders = [(a, b, end) for a, b, *ends in strips for end in ends]
    borders += [(Fraction(1), Fraction(0), Fraction(0)), (Fraction(0), Fraction(1), Fraction(0))]
    corners = set()
    for (a, b, e), (c, d, f) in combinations(borders, 2):
        if det := a * d - b * c:
            x, y = (d * e - b * f) / det, (a * f - c * e) / det
            if min(x, y) >= 0 and all(low <= p * x + q * y <= top for p, q, low, top in strips):
                corners.add((x, y))
    return corners


def _explained(
    usd: Decimal, price: Price, tokens: Decimal, mix: Decimal | None
) -> tuple[Explanation, ...]:
    """Volumes and mixes that cost so much, those first that need the least to be wrong."""
    into, out = price.input_usd_per_mtok, price.output_usd_per_mtok
    options: list[tuple[list[Decimal], list[Decimal], str]] = []
    with money.exactly():
        if tokens and into != out:
            for times in (1, *SLIPS) if mix is None else (1,):
                then = tokens * times
                at = money.ratio(out * then - usd * 1_000_000, (out - into) * then)
                options.append(([then], _mixes(at), "volume"))
        for at in (HALF, *ENDS) if mix is None else (mix,):
            if usd and (each := usd_per_mtok(price, at)):
                options.append((_volumes(money.ratio(usd.scaleb(6), each)), [at], "mix"))
    found: dict[tuple[Decimal, Decimal], Explanation] = {}
    for volumes, mixes, given in options:
        if one := _explanation([(usd, price)], volumes, mixes, tokens, given):
            found.setdefault((one.tokens, one.input_share), one)

    def rank(one: Explanation) -> tuple[int, bool]:
        as_stated, as_asked = one.times == 1, mix in (None, one.input_share)
        slip = one.times in SLIPS and one.input_share == money.rounded(one.input_share, 2)
        likely = (as_stated and as_asked, slip, as_stated, True)
        return likely.index(True), one.input_share != HALF

    return tuple(sorted(found.values(), key=rank))


def _volumes(tokens: Decimal) -> list[Decimal]:
    """This volume, before it the same in one to four significant digits."""
    places = (digits - 1 - tokens.adjusted() for digits in (1, 2, 3, 4))
    return [*(money.rounded(tokens, place) for place in places), tokens]


def _mixes(share: Decimal) -> list[Decimal]:
    """This share of input, before it the same in tens of percent, and in whole percent."""
    return [money.rounded(share, 1), money.rounded(share, 2), share]


def _explanation(
    claims: Claims, volumes: list[Decimal], mixes: list[Decimal], stated: Decimal | int, given: str
) -> Explanation | None:
    """The first of these mixes and volumes that costs all that was claimed, to the last digit."""
    for mix, tokens in product(mixes, volumes):
        with money.exactly():
            if 0 <= mix <= 1 and all(
                abs(usd_per_mtok(price, mix) * tokens.scaleb(-6) - usd) <= _half_a_digit(usd)
                for usd, price in claims
            ):
                times = money.ratio(tokens, stated) if stated else None
                return Explanation(money.tidy(tokens), money.tidy(mix), times, given)
    return None


def _half_a_digit(amount: Decimal) -> Decimal:
    """Half of the amount's last digit, half a dollar at most: how exact it was stated."""
    exponent: Any = amount.as_tuple().exponent
    return Decimal(5).scaleb(min(exponent, 0) - 1, EXACT)


def _usd(amount: Decimal) -> str:
    return f"{money.dollars(amount):,f} USD"


def _tokens(tokens: Decimal) -> str:
    millions, rest = divmod(int(tokens), 1_000_000)
    return f"{millions:,}M" if millions and not rest else f"{tokens:,.0f}"


def _mix(input_share: Decimal, digits: int = 1) -> str:
    return "50/50" if input_share == HALF else f"{input_share:.{digits}%} input"
