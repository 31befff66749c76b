"""Whether one model is cheaper than another by as much as is claimed."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from holysheep_helpers.monthly import usd_per_mtok
from holysheep_helpers.pricing.calls import Prices, find_price
from holysheep_helpers.pricing.decimals import Exact, exactly, ratio, share

HALF = Decimal("0.5")


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
