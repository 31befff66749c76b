"""A budget that is kept before a call is sent, not looked at after it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation

import httpx2
import openai

from holysheep_helpers import catalog
from holysheep_helpers.catalog import Price
from holysheep_helpers.exceptions import ConfigurationError, HolySheepError
from holysheep_helpers.pricing.calls import warn_if_stale
from holysheep_helpers.spend import CHAT_PATH, Spend


class BudgetError(HolySheepError, openai.OpenAIError):
    """A call was refused before it was sent, because of the budget."""

    kind = "budget"


class UnpricedWarning(UserWarning):
    """A call went out whose price is unknown: it does not count against the default budget."""


@dataclass
class Budget:
    """``limit_usd`` is in US dollars, ``None`` for no limit; ``spend`` is what counts against it.

    Calls that are under way are not known yet: the budget ends the calls that begin after it is
    spent. ``is_default`` lets what has no published price through, with one warning for each
    model or path. ``today`` is the clock of live calls, by which a price may be too old.
    """

    limit_usd: Decimal | None
    is_default: bool = False
    today: Callable[[], date] | None = None
    spend: Spend = field(default_factory=Spend)
    _warned_of: set[str] = field(default_factory=set, repr=False)

    def check(self, request: httpx2.Request) -> None:
        """Raise ``BudgetError`` if this request may not be sent."""
        if self.limit_usd is None:
            return
        if self.spend.usd >= self.limit_usd:
            raise BudgetError(
                f"Not sent: {self.spend.usd:f} USD is spent and the budget is "
                f"{self.limit_usd:f} USD. To go on, connect again with a larger "
                "one: hs.connect(budget_usd=...)."
            )
        what, price = _priced(request)
        if price is not None:
            if self.today is not None:
                warn_if_stale(what, price, self.today())
            return
        if not self.is_default:
            raise BudgetError(
                f"Not sent: no price was published for {what}, so a budget of "
                f"{self.limit_usd:f} USD can't be kept. Use a model with a price "
                "(hs.catalog.models()), or connect without a budget_usd of your own."
            )
        if what not in self._warned_of:
            self._warned_of.add(what)
            warnings.warn(
                f"No price was published for {what}: its calls count as unpriced, outside the "
                f"default budget of {self.limit_usd:f} USD.",
                UnpricedWarning,
                stacklevel=2,
            )

    def __str__(self) -> str:
        if self.limit_usd is None:
            return "none"
        return f"{self.limit_usd:f} USD" + (" (default)" if self.is_default else "")


def _priced(request: httpx2.Request) -> tuple[str, Price | None]:
    """The model that is asked, or the path of what is no chat, and its published price."""
    path = request.url.path
    if not path.endswith(CHAT_PATH):
        return f"a POST to {path}", None
    model = str(json.loads(request.content).get("model"))
    price = catalog.published_price(model)
    return (repr(model), None) if price is None else (model, price)


def checked_usd(value: object) -> Decimal | None:
    """An amount as it was given, exact, or a ``ConfigurationError`` for what can't be one."""
    if value is None:
        return None
    try:
        budget = Decimal(value) if isinstance(value, Decimal | str | int) else None
    except InvalidOperation:
        budget = None
    if budget is None or isinstance(value, bool) or not budget.is_finite() or budget < 0:
        raise ConfigurationError(
            f"budget_usd is {value!r}: US dollars, 0 or more, as Decimal('0.50'), '0.50' or 1. "
            "(No float: money is exact here.)"
        )
    return budget
