"""Whether a published cost is possible at all, and what would make it true."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from holysheep_helpers.catalog import Price
from holysheep_helpers.monthly import usd_per_mtok
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
