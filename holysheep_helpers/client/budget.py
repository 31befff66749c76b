"""A budget that is kept before a call is sent, not looked at after it."""

from __future__ import annotations

import json
import warnings
from asyncio import Event
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import Any, Protocol, runtime_checkable

import httpx2
import openai

from holysheep_helpers import catalog
from holysheep_helpers.catalog import Price
from holysheep_helpers.client.requests import ASSUMED_OUTPUT_TOKENS, Item, Reader
from holysheep_helpers.client.spend import CHAT_PATH, Spend
from holysheep_helpers.exceptions import ConfigurationError, HolySheepError, InputError
from holysheep_helpers.pricing.calls import most_of, warn_if_stale
from holysheep_helpers.pricing.decimals import exactly


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


@runtime_checkable
class Planned(Protocol):
    """Work that was planned and knows its own estimate, as a plan of ``hs.plan_long`` does."""

    def estimate(self) -> Estimate: ...


def estimate(
    work: Any,
    *,
    model: str | None = None,
    runs: int = 1,
    max_tokens: int | None = None,
    system: str | None = None,
    **sdk_parameters: Any,
) -> Estimate:
    """What a batch, a measurement or a long text may cost, before anything is sent.

    ``work`` is one prompt, a list or column of prompts as ``hs.batch`` takes them, or a plan of
    ``hs.plan_long``; ``runs`` is how often all of it is asked (a measurement's runs and warm-up
    together). ``model``, ``max_tokens``, ``system``, ``sdk_parameters`` as in ``hs.batch``.

    The assumption, which ``print(estimate)`` states: each answer takes all of ``max_tokens``, or
    1,000 tokens where that is not given. Prompts are counted by rule (within 15% on Korean and
    English prose), those of a plan as the plan counted them.

    Raises ``InputError`` for what can't be asked. An unknown price is no error: ``unpriced``.
    """
    if isinstance(runs, bool) or not isinstance(runs, int) or runs < 1:
        raise InputError(f"runs is {runs!r}: a whole number, 1 or more, is needed.")
    if isinstance(work, Planned):
        if model is not None or max_tokens is not None or system is not None or sdk_parameters:
            raise InputError("A plan has its model and settings: give them to hs.plan_long().")
        return _times(work.estimate(), runs)
    if max_tokens is not None:
        sdk_parameters["max_tokens"] = max_tokens
    reader = Reader(model or catalog.DEFAULT_MODEL, system, sdk_parameters, hashed=False)
    items, _ = reader.items([work] if isinstance(work, str) else work)
    return _times(of_items(items), runs)


def _times(one: Estimate, runs: int) -> Estimate:
    with exactly():
        return replace(
            one,
            calls=one.calls * runs,
            input_tokens=one.input_tokens * runs,
            output_tokens=one.output_tokens * runs,
            most_usd=None if one.most_usd is None else one.most_usd * runs,
            uncapped=one.uncapped * runs,
            unpriced=one.unpriced * runs,
        )


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
