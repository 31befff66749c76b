"""A batch's own budget: estimated beforehand, and kept before each request is sent."""

from __future__ import annotations

from asyncio import Event
from dataclasses import dataclass
from decimal import Decimal

from holysheep_helpers.batch_prompts import Item
from holysheep_helpers.budget import BudgetError
from holysheep_helpers.estimates import most_usd


@dataclass
class Purse:
    """``limit_usd`` may be spent; what is under way is reserved at the most it may cost."""

    limit_usd: Decimal
    spent_usd: Decimal = Decimal(0)
    reserved_usd: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        self._settled = Event()

    async def reserve(self, item: Item) -> Decimal:
        """Wait until this request fits beside those under way; how much is set aside for it.

        Raises ``BudgetError``, before anything is sent, if it can't fit, or has no known price.
        """
        most = most_usd(item)
        if most is None:
            raise unpriced(item.model, self.limit_usd)
        while self.spent_usd + self.reserved_usd + most > self.limit_usd:
            if not self.reserved_usd:
                raise BudgetError(
                    f"Not sent: {self.spent_usd:f} USD is spent, the next call may cost {most:f} "
                    f"USD, and budget_usd is {self.limit_usd:f} USD. Raise it, or lower max_tokens."
                )
            self._settled.clear()
            await self._settled.wait()
        self.reserved_usd += most
        return most

    def settle(self, reserved: Decimal, cost: Decimal) -> None:
        """The request is over and cost so much (what may have been paid counts as paid)."""
        self.reserved_usd -= reserved
        self.spent_usd += cost
        self._settled.set()


def unpriced(model: str, limit_usd: Decimal) -> BudgetError:
    return BudgetError(
        f"Not sent: no price was published for {model!r}, so budget_usd={limit_usd:f} can't be "
        "kept. Use a model with a price (hs.catalog.models()), or leave budget_usd out."
    )
