"""What calls may cost at most, in one sentence that names its assumption."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from holysheep_helpers.batch_prompts import ASSUMED_OUTPUT_TOKENS, Item
from holysheep_helpers.pricing.calls import most_of
from holysheep_helpers.pricing.decimals import exactly


@dataclass(frozen=True, slots=True)
class Estimate:
    """What ``calls`` may cost at most: ``print(estimate)`` says it with its assumption.

    ``input_tokens`` were counted as ``counted_by`` says; ``output_tokens`` are all of
    ``max_tokens``, and 1,000 for each of the ``uncapped`` calls that have none. ``most_usd`` leaves
    out the ``unpriced`` calls, and is ``None`` if all of them are.
    """

    calls: int
    input_tokens: int
    output_tokens: int
    most_usd: Decimal | None
    uncapped: int = 0
    unpriced: int = 0
    counted_by: str = "estimated by rule"

    def __str__(self) -> str:
        calls = f"Estimate: {self.calls:,} call{'' if self.calls == 1 else 's'}"
        if self.most_usd is None:
            return f"{calls} of unknown price."
        bound = self.most_usd.quantize(Decimal("0.0001"), ROUND_CEILING)  # never below what it is
        parts = [f"{calls}, at most {bound:f} USD if each used all of max_tokens"]
        if self.uncapped:
            parts.append(
                f"{self.uncapped:,} without max_tokens are taken for {ASSUMED_OUTPUT_TOKENS:,}"
            )
        if self.unpriced:
            parts.append(f"{self.unpriced:,} are of unknown price and not in it")
        parts.append(f"{self.input_tokens:,} tokens in, {self.counted_by}")
        return "; ".join(parts) + "."


def most_usd(item: Item) -> Decimal | None:
    """What this prompt may cost in US dollars, or ``None`` where no price was published.

    Its tokens by the estimate of ``hs.tokens``, and all of ``max_tokens`` (1,000 are assumed where
    it is not given), at the published price.
    """
    return most_of(item.input_tokens, item.output_tokens, item.model)


def of_items(items: Iterable[Item], models: Sequence[str] = ()) -> Estimate:
    """What these may cost together; where several ``models`` may be asked, at the dearest."""
    usd = Decimal(0)
    calls = into = out = uncapped = unpriced = 0
    for item in items:
        costs = [most_usd(one) for one in item.in_turn(models)]
        calls += 1
        into, out = into + item.input_tokens, out + item.output_tokens
        uncapped += not item.is_capped
        unpriced += None in costs
        with exactly():
            usd += max(cost or Decimal(0) for cost in costs)
    known = usd if calls > unpriced or not calls else None
    return Estimate(calls, into, out, known, uncapped, unpriced)
