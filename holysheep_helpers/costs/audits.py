"""Whether a published cost is possible at all, and what would make it true."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import combinations
from typing import TYPE_CHECKING

from holysheep_helpers import catalog
from holysheep_helpers.catalog import Price, PublishedMonth
from holysheep_helpers.costs.months import usd_per_mtok
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.pricing.calls import Prices, find_price
from holysheep_helpers.pricing.decimals import (
    Exact,
    dollars,
    exactly,
    money,
    ratio,
    share,
    tidy,
    to_28_digits,
    volume,
)

if TYPE_CHECKING:
    from pandas import DataFrame

NO_INPUT, HALF, ALL_INPUT = Decimal(0), Decimal("0.5"), Decimal(1)


SLIPS = (*(Decimal(10) ** power for power in (1, -1, 2, -2, 3, -3)), Decimal(12))
"""A volume may be off by these: a digit, two, thousands for millions, a year for a month."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A volume and a mix that cost what was claimed.

    ``tokens`` are ``times`` those that were claimed; ``input_share`` is the prompts' part;
    ``given`` names what was taken as given: ``"mix"`` (the volume was found), ``"volume"`` (the mix
    was found), or ``"table"`` (both were found, out of several rows).
    """

    tokens: Decimal
    input_share: Decimal
    times: Decimal | None
    given: str

    def __str__(self) -> str:
        times = "" if self.times is None or self.times == 1 else f" ({_times(self.times)})"
        return f"{_tokens(self.tokens)} tokens{times} at {_mix(self.input_share)}"


@dataclass(frozen=True, slots=True)
class Audit:
    """Whether ``usd`` can be what ``tokens`` of ``model`` cost.

    ``lowest_usd`` and ``highest_usd`` are what they cost at the cheapest and the dearest mix (the
    same where a mix was given), ``possible`` whether ``usd`` lies between them, to its own last
    digit. ``explains`` are volumes and mixes that would give it, the most likely one first:
    a volume that is off by a round factor and then has a round mix.
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
        at = "" if self.input_share is None else f" at {_mix(self.input_share)}"
        if self.possible:
            how = f": {self.explains[0]}" if self.input_share is None and self.explains else ""
            return f"{claim}{at} is possible{how}."
        between = _usd(self.lowest_usd)
        if self.lowest_usd != self.highest_usd:
            between += f" to {_usd(self.highest_usd)}, whatever "
            between += "the mix" if self.input_share is None else "is cached"
        would = f"; it is what {self.explains[0]} cost" if self.explains else ""
        return f"{claim}{at} can't be: that costs {between}{would}."


def audit_claim(
    usd: Exact,
    model: str,
    tokens: Exact,
    input_share: Exact | None = None,
    *,
    prices: Prices = "published",
) -> Audit:
    """Whether a stated cost is possible at all, and which volume or mix would give it.

    Without an ``input_share`` every mix is tried, from all output to all input; where a price for
    cached tokens is known, the lowest cost is that of prompts that all are cached. ``usd`` is taken
    for as exact as its last digit: "550" is 549.50 to 550.50, "142.50" half a cent more or less.

    Raises ``InputError`` for a float, a negative amount, a share outside 0 to 1, and
    ``UnknownPriceError``.
    """
    price = find_price(model, prices)
    claimed, stated = money("usd", usd), volume("tokens", tokens)
    mix = None if input_share is None else share("input_share", input_share)
    mixes = (NO_INPUT, ALL_INPUT) if mix is None else (mix,)
    ends = [
        usd_per_mtok(price, end, cached) for end in mixes for cached in (Decimal(0), Decimal(1))
    ]
    with exactly():
        lowest, highest = (dollars(stated * end.scaleb(-6)) for end in (min(ends), max(ends)))
        slack = half_a_digit(claimed)
        possible = lowest - slack <= claimed <= highest + slack
    with to_28_digits():
        explains = _explained(claimed, price, stated, mix)
    return Audit(
        claimed, model, tidy(stated), mix, lowest, highest, possible, explains, price
    )  # fmt: skip


def half_a_digit(amount: Decimal) -> Decimal:
    """Half of the amount's last digit, half a dollar at most: how exact it was stated."""
    exponent = amount.as_tuple().exponent
    assert isinstance(exponent, int)
    return Decimal(5).scaleb(min(exponent, 0) - 1)


def _explained(
    usd: Decimal, price: Price, tokens: Decimal, mix: Decimal | None
) -> tuple[Explanation, ...]:
    """Volumes and mixes that cost so much, those first that need the least to be wrong."""
    found = []
    for times in (Decimal(1), *(SLIPS if mix is None else ())):
        then = tidy(tokens * times)
        at = _mix_for(usd, price, then)
        if at is not None:
            found.append(Explanation(then, at, times, "volume"))
    for at in (HALF, NO_INPUT, ALL_INPUT) if mix is None else (mix,):
        needed = _volume_for(usd, price, at)
        if needed is not None:
            times = ratio(needed, tokens) if tokens else None
            found.append(Explanation(needed, tidy(at), times, "mix"))

    def wrong(one: Explanation) -> tuple[int, bool]:
        is_round = one.input_share == round(one.input_share, 2)
        degree = 1 if one.times in SLIPS and is_round else 4
        if one.times == 1:
            degree = 0 if mix in (None, one.input_share) else 2 if is_round else 3
        return degree, one.input_share != HALF

    different: dict[tuple[Decimal, Decimal], Explanation] = {}
    for one in found:
        different.setdefault((one.tokens, one.input_share), one)
    return tuple(sorted(different.values(), key=wrong))


def _mix_for(usd: Decimal, price: Price, tokens: Decimal) -> Decimal | None:
    """The input share at which so many tokens cost so much, rounded where that costs it, too."""
    into, out = price.input_usd_per_mtok, price.output_usd_per_mtok
    if not tokens or into == out:
        return None
    with exactly():
        exact = ratio(out * tokens - usd * 1_000_000, (out - into) * tokens)
    if not -1 < exact < 2:  # far from any mix, and maybe too long to be rounded
        return None
    for digits in (1, 2):
        rounded = round(exact, digits)
        if 0 <= rounded <= 1 and costs(usd, price, tokens, rounded):
            return tidy(rounded)
    return exact if 0 <= exact <= 1 else None


def _volume_for(usd: Decimal, price: Price, mix: Decimal) -> Decimal | None:
    """How many tokens of this mix cost so much, in round numbers where those cost it, too."""
    each = usd_per_mtok(price, mix)
    if not each or not usd:
        return None
    exact = ratio(usd.scaleb(6), each)
    for digits in (1, 2, 3, 4):
        rounded = to_digits(exact, digits)
        if costs(usd, price, rounded, mix):
            return tidy(rounded)
    return exact


def costs(usd: Decimal, price: Price, tokens: Decimal, mix: Decimal) -> bool:
    """Whether that is what it costs, to the last digit that was stated."""
    with exactly():
        cost = usd_per_mtok(price, mix) * tokens.scaleb(-6)
        return abs(cost - usd) <= half_a_digit(usd)


def to_digits(value: Decimal, digits: int) -> Decimal:
    """Rounded to so many significant digits."""
    return round(value, digits - 1 - value.adjusted())


def _usd(amount: Decimal) -> str:
    return f"{dollars(amount):,f} USD"


def _tokens(tokens: Decimal) -> str:
    millions, rest = divmod(int(tokens), 1_000_000)
    return f"{millions:,}M" if millions and not rest else f"{tokens:,.0f}"


def _mix(input_share: Decimal) -> str:
    if input_share == HALF:
        return "50/50"
    return f"{input_share:.1%} input"


def _times(times: Decimal) -> str:
    return f"{times:,.4g} times the stated volume"


def common_volume(rows: Iterable[PublishedMonth] | None = None) -> Explanation | None:
    """The one volume and mix that explain all rows of a table of costs, ``None`` if none does.

    Nothing is assumed of either. Each row says ``input * x + output * y = usd`` of the tokens in
    and out, to half of its last digit up and down: a strip. Where all strips overlap, and ``x`` and
    ``y`` are not below 0, is an area whose corners are among the crossings of their borders; its
    middle is taken, in round numbers where those fit. ``times`` is in terms of the volume that the
    first row states. ``rows`` are the published ones unless given.

    Raises ``InputError`` for rows of one price alone, which leave volume and mix open.
    """
    table = _rows(rows)
    prices = [find_price(row.model) for row in table]
    corners = _corners([(row.usd, price) for row, price in zip(table, prices, strict=True)])
    into, out = (sum((corner[i] for corner in corners), Fraction(0)) for i in (0, 1))
    if not into + out:
        return None
    tokens, mix = (into + out) / len(corners), into / (into + out)
    as_decimal = [ratio(value.numerator, value.denominator) for value in (tokens, mix)]
    stated = table[0].tokens
    for volume_, at in _rounder(*as_decimal):
        if all(costs(r.usd, p, volume_, at) for r, p in zip(table, prices, strict=True)):
            times = ratio(volume_, stated) if stated else None
            return Explanation(tidy(volume_), at, times, "table")
    return None


def _corners(rows: Sequence[tuple[Decimal, Price]]) -> set[tuple[Fraction, Fraction]]:
    """The corners of what all rows allow, in tokens in and out."""
    strips = [
        (
            Fraction(price.input_usd_per_mtok),
            Fraction(price.output_usd_per_mtok),
            *(Fraction(usd + sign * half_a_digit(usd)) * 10**6 for sign in (-1, 1)),
        )
        for usd, price in rows
    ]
    if all(a * d == b * c for (a, b, *_), (c, d, *_) in combinations(strips, 2)):
        raise InputError(
            "Rows of one price leave volume and mix open: give two models at least, or use "
            "hs.audit_claim()."
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


def _rounder(tokens: Decimal, mix: Decimal) -> Iterable[tuple[Decimal, Decimal]]:
    """The same in round numbers first: a table's own figures are rounded."""
    for digits in (1, 2):
        yield to_digits(tokens, digits + 1), tidy(round(mix, digits))
    yield tokens, mix


def audit_table(rows: Iterable[PublishedMonth] | None = None) -> DataFrame:
    """The published table of monthly costs, audited row by row (``rows`` of your own if given).

    Columns: ``tokens`` and ``usd`` as published; ``at_half_usd``, what that volume costs at 50/50;
    ``lowest_usd`` and ``highest_usd``, what it costs at any mix; ``possible``; ``explains``, in
    words the volume and mix that would give the figure; ``times`` and ``input_share`` of that.
    """
    from pandas import DataFrame, Index

    table = _rows(rows)
    audits = [audit_claim(row.usd, row.model, row.tokens) for row in table]
    first = [audit.explains[0] if audit.explains else None for audit in audits]
    with exactly():
        halves = [
            dollars(usd_per_mtok(audit.price, HALF) * audit.tokens.scaleb(-6)) for audit in audits
        ]
    columns = {
        "tokens": [row.tokens for row in table],
        "usd": [row.usd for row in table],
        "at_half_usd": halves,
        "lowest_usd": [audit.lowest_usd for audit in audits],
        "highest_usd": [audit.highest_usd for audit in audits],
        "possible": [audit.possible for audit in audits],
        "explains": [str(one) if one else "" for one in first],
        "times": [one.times if one else None for one in first],
        "input_share": [one.input_share if one else None for one in first],
    }
    return DataFrame(columns, index=Index([row.model for row in table], name="model"), dtype=object)


def _rows(rows: Iterable[PublishedMonth] | None) -> list[PublishedMonth]:
    table = list(catalog.published_months() if rows is None else rows)
    if not table:
        raise InputError(
            "No rows were given: a table has one at least. Leave it out for the published."
        )
    return table


@dataclass(frozen=True, slots=True)
class Comparison:
    """What ``model`` saves against ``other``, beside the ``claimed`` share of its cost.

    ``saving_share`` is what it saves at ``input_share``, below 0 where it costs more;
    ``lowest_share`` and ``highest_share`` are the least and the most at any mix; ``usd`` and
    ``other_usd`` what a million tokens of the mix cost. ``possible``: some mix saves what was
    claimed; ``holds``: this one does, to a percentage point's half.
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
        return self._lies_between(self.saving_share, self.saving_share)

    @property
    def possible(self) -> bool:
        return self._lies_between(self.lowest_share, self.highest_share)

    def _lies_between(self, low: Decimal, high: Decimal) -> bool:
        with exactly():
            return low - _HALF_A_POINT <= self.claimed <= high + _HALF_A_POINT

    def __str__(self) -> str:
        mix = "50/50" if self.input_share == HALF else f"{self.input_share:.0%} input"
        found = (
            f"{self.model} costs {said(self.saving_share)} than {self.other} at {mix}: "
            f"{self.usd} against {self.other_usd} USD for a million tokens"
        )
        claim = f"{said(self.claimed)} was claimed"
        if self.holds:
            return f"True: {found}; {claim}."
        ends = f"from {said(self.lowest_share)} to {said(self.highest_share)}"
        if self.possible:
            return f"Not at this mix: {found}; {claim}; over all mixes it is {ends}."
        wrong = "Too modest" if self.claimed < self.lowest_share else "Wrong"
        return f"{wrong} at every mix: {found}; {claim}; over all mixes it is {ends}."


_HALF_A_POINT = Decimal("0.005")


def said(saving: Decimal) -> str:
    """A saving in words: 0.4 is 40% less, -0.63 is 63% more."""
    return f"{saving.copy_abs():.0%} {'less' if saving >= 0 else 'more'}"


def audit_comparison(
    model: str,
    other: str,
    *,
    cheaper_by: Exact,
    input_share: Exact = "0.5",
    prices: Prices = "published",
) -> Comparison:
    """Whether ``model`` is cheaper than ``other`` by a share, "40% cheaper": 0.4, say.

    ``1 - cost / other's cost`` at ``input_share``, and its least and its most over all mixes. Those
    are at the two ends, all output and all input: the quotient of two mixes moves one way only.

    Raises ``InputError`` for a float or a share outside 0 to 1, and ``UnknownPriceError``.
    """
    mine, theirs = find_price(model, prices), find_price(other, prices)
    claimed, mix = share("cheaper_by", cheaper_by), share("input_share", input_share)

    def saved(at: Decimal) -> Decimal:
        one, two = usd_per_mtok(mine, at), usd_per_mtok(theirs, at)
        with exactly():
            return ratio(two - one, two)

    ends = sorted((saved(Decimal(0)), saved(Decimal(1))))
    return Comparison(
        model, other, claimed, mix, usd_per_mtok(mine, mix), usd_per_mtok(theirs, mix),
        saved(mix), *ends,
    )  # fmt: skip
