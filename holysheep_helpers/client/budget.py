"""What work may cost at most, and the budget that refuses it before it is sent."""

from __future__ import annotations

import json
from asyncio import Event
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import ROUND_CEILING, Decimal
from typing import Any, Protocol, runtime_checkable

import httpx2
import openai

from holysheep_helpers import catalog
from holysheep_helpers._checks import check_whole
from holysheep_helpers.client.requests import ASSUMED_OUTPUT_TOKENS, Item, Reader
from holysheep_helpers.client.spend import CHAT_PATH, Spend
from holysheep_helpers.exceptions import ConfigurationError, HolySheepError, InputError, warn
from holysheep_helpers.pricing.calls import most_of, warn_if_stale
from holysheep_helpers.pricing.decimals import exactly, money


class BudgetError(HolySheepError, openai.OpenAIError):
    """The budget does not allow this call: raise it, or ask for less. Nothing was sent."""

    kind = "budget"


class UnpricedWarning(UserWarning):
    """A call went out whose price is unknown: it does not count against the default budget."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What calls may cost at most; ``print(estimate)`` says it with its assumption.

    Attributes:
        calls: how many calls.
        input_tokens: the tokens of all prompts, counted as ``counted_by`` says.
        output_tokens: all of ``max_tokens``, and 1,000 for each call that has none.
        most_usd: US dollars, as ``Decimal``, without the unpriced calls; ``None`` if all are.
        uncapped: how many calls have no ``max_tokens``.
        unpriced: how many calls ask a model without a published price.
        counted_by: how the tokens were counted.

    Example:
        >>> hs.estimate(["Say hello.", "Count to ten."], max_tokens=200).calls
        2
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

    def times(self, runs: int) -> Estimate:
        """The same work, done so many times."""
        with exactly():
            return replace(
                self,
                calls=self.calls * runs,
                input_tokens=self.input_tokens * runs,
                output_tokens=self.output_tokens * runs,
                most_usd=None if self.most_usd is None else self.most_usd * runs,
                uncapped=self.uncapped * runs,
                unpriced=self.unpriced * runs,
            )


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
    """Say what a batch, a measurement or a long text may cost, before anything is sent.

    Each answer is taken to use all of ``max_tokens``. Prompts are counted by a rule that is within
    15% on Korean and English prose; those of a plan as the plan counted them. A model without a
    published price is no error: its calls are counted as ``unpriced``.

    Args:
        work: one prompt, a list or column of prompts as ``hs.batch`` takes them, or a plan of
            ``hs.plan_long``.
        model: the model's id. Default: the catalogue's default model.
        runs: how many times all of it is asked; for a measurement, warm-up included. Default: 1.
        max_tokens: the longest answer, in tokens. Default: none is set, and 1,000 are assumed.
        system: the system prompt, as text. Default: none.
        **sdk_parameters: any other parameter of ``client.chat.completions.create``.

    Returns:
        An ``Estimate`` with the calls, their tokens and the most that they may cost.

    Raises:
        InputError: a prompt or a setting can't be asked, or a plan was given settings again.

    Example:
        >>> print(hs.estimate("Say hello.", max_tokens=200))
        Estimate: 1 call, at most 0.000... USD if each used all of max_tokens; ...
    """
    check_whole("runs", runs)
    if isinstance(work, Planned):
        if model is not None or max_tokens is not None or system is not None or sdk_parameters:
            raise InputError("A plan has its model and settings: give them to hs.plan_long().")
        return work.estimate().times(runs)
    if max_tokens is not None:
        sdk_parameters["max_tokens"] = max_tokens
    reader = Reader(model or catalog.DEFAULT_MODEL, system, sdk_parameters, hashed=False)
    items, _ = reader.items([work] if isinstance(work, str) else work)
    return estimate_items(items).times(runs)


def estimate_items(items: Iterable[Item], models: Sequence[str] = ()) -> Estimate:
    """What these may cost together; where several ``models`` may be asked, at the dearest."""
    usd = Decimal(0)
    calls = input_tokens = output_tokens = uncapped = unpriced = 0
    for item in items:
        costs = [most_usd(one) for one in item.in_turn(models)]
        calls += 1
        input_tokens += item.input_tokens
        output_tokens += item.output_tokens
        uncapped += not item.is_capped
        unpriced += None in costs
        with exactly():
            usd += max(cost or Decimal(0) for cost in costs)
    known = usd if calls > unpriced or not calls else None
    return Estimate(calls, input_tokens, output_tokens, known, uncapped, unpriced)


def most_usd(item: Item) -> Decimal | None:
    """What this prompt may cost in US dollars, or ``None`` where no price was published."""
    return most_of(item.input_tokens, item.output_tokens, item.model)


@dataclass
class Budget:
    """An amount in US dollars, and what counts against it.

    Calls of a gateway that are under way are not known yet: its budget ends the calls that begin
    after it is spent. A batch reserves the most that each call may cost before it is sent, and so
    never exceeds its budget.

    Attributes:
        limit_usd: the amount; ``None`` for no limit.
        is_default: lets a call without a published price through, with one warning for each model.
        today: the clock of live calls, by which a price may be too old; ``None`` for a mock's.
        spend: what was spent so far.
        reserved_usd: the most that calls under way may cost.
    """

    limit_usd: Decimal | None
    is_default: bool = False
    today: Callable[[], date] | None = None
    spend: Spend = field(default_factory=Spend)
    reserved_usd: Decimal = Decimal(0)
    _settled: Event = field(default_factory=Event, repr=False)
    _warned_of: set[str] = field(default_factory=set, repr=False)

    def check_request(self, request: httpx2.Request) -> None:
        """Raise ``BudgetError`` if a gateway may not send this request."""
        if self.limit_usd is None:
            return
        if self.spend.usd >= self.limit_usd:
            raise BudgetError(
                f"Not sent: {self.spend.usd:f} USD is spent and the budget is "
                f"{self.limit_usd:f} USD. To go on, connect again with a larger "
                "one: hs.connect(budget_usd=...)."
            )
        path = request.url.path
        if not path.endswith(CHAT_PATH):
            self._refuse_or_warn(f"a POST to {path}")
            return
        model = str(json.loads(request.content).get("model"))
        price = catalog.published_price(model)
        if price is None:
            self._refuse_or_warn(repr(model))
        elif self.today is not None:
            warn_if_stale(model, price, self.today())

    def _refuse_or_warn(self, what: str) -> None:
        if not self.is_default:
            raise BudgetError(
                f"Not sent: no price was published for {what}, so budget_usd={self.limit_usd:f} "
                "can't be kept. Use a model with a price (hs.catalog.models()), or leave "
                "budget_usd out."
            )
        if what not in self._warned_of:
            self._warned_of.add(what)
            warn(
                f"No price was published for {what}: its calls count as unpriced, outside the "
                f"default budget of {self.limit_usd:f} USD.",
                UnpricedWarning,
                stacklevel=3,
            )

    def check_models(self, models: Iterable[str]) -> None:
        """Raise ``BudgetError`` if one of these has no published price to keep the budget by."""
        for model in models if self.limit_usd is not None else ():
            if catalog.published_price(model) is None:
                self._refuse_or_warn(repr(model))

    def check_covers(self, most_usd: Decimal | None, model: str, work: str, advice: str) -> None:
        """Raise ``BudgetError`` unless all of this work fits, at the most that it may cost.

        ``work`` names it and ``advice`` how to make it cheaper, for the message.
        """
        if self.limit_usd is None:
            return
        if most_usd is None:
            self._refuse_or_warn(repr(model))
        elif most_usd > self.limit_usd:
            raise BudgetError(
                f"Not sent: {work} may cost {most_usd:f} USD, and budget_usd is "
                f"{self.limit_usd:f} USD. {advice}, or raise it."
            )

    async def reserve(self, item: Item) -> Decimal:
        """Wait until this request fits beside those under way; the amount that is set aside.

        Raises ``BudgetError``, before anything is sent, if it can't fit, or has no known price.
        """
        if self.limit_usd is None:
            return Decimal(0)
        self.check_models([item.model])
        most = most_usd(item) or Decimal(0)
        while self.spend.usd + self.reserved_usd + most > self.limit_usd:
            if not self.reserved_usd:
                raise BudgetError(
                    f"Not sent: {self.spend.usd:f} USD is spent, the next call may cost {most:f} "
                    f"USD, and budget_usd is {self.limit_usd:f} USD. Raise it, or lower max_tokens."
                )
            self._settled.clear()
            await self._settled.wait()
        self.reserved_usd += most
        return most

    def settle(self, reserved: Decimal, cost: Decimal) -> None:
        """The request is over and cost so much (what may have been paid counts as paid)."""
        if self.limit_usd is None:
            return
        self.reserved_usd -= reserved
        self.spend.add(cost)
        self._settled.set()

    def __str__(self) -> str:
        if self.limit_usd is None:
            return "none"
        return f"{self.limit_usd:f} USD" + (" (default)" if self.is_default else "")


def checked_usd(value: object) -> Decimal | None:
    """An amount as it was given, exact, or a ``ConfigurationError`` for what can't be one."""
    try:
        return None if value is None else money("budget_usd", value)
    except InputError as error:
        raise ConfigurationError(str(error)) from None
