"""What is spent, what work may cost, and the budget that refuses a call before it is sent."""

from __future__ import annotations

import gc
from asyncio import Event
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from decimal import ROUND_CEILING, Decimal
from threading import Lock
from typing import TYPE_CHECKING, Any

import httpx2
import openai
from openai.types import CompletionUsage

from holysheep_helpers import catalog
from holysheep_helpers._checks import check_whole, shown
from holysheep_helpers.client.requests import ASSUMED_OUTPUT_TOKENS, Item, Reader
from holysheep_helpers.diagnosis.config import may_be_a_key, quoted
from holysheep_helpers.diagnosis.evidence import model_of
from holysheep_helpers.exceptions import ConfigurationError, HolySheepError, InputError, warn
from holysheep_helpers.pricing import money
from holysheep_helpers.pricing.money import EXACT, tidy

if TYPE_CHECKING:
    from pandas import DataFrame

CHAT_PATH = "/chat/completions"

LEAST_USD, MOST_USD = Decimal("0.000000001"), Decimal(1_000_000)
"""The smallest and the largest budget but for 0: round figures of our own."""

MOST_ASSUMED_TOKENS = 4_096
"""The longest answer, in tokens, where neither the request nor the catalogue says how long."""

_labels: ContextVar[tuple[tuple[Spend, str], ...]] = ContextVar("_labels", default=())


@dataclass(frozen=True, slots=True)
class Ended:
    """A call that has ended: its cost, or else the most that it may have cost, as far as known."""

    label: str
    model: str
    usage: CompletionUsage | None = None
    cost: Decimal | None = None
    most_usd: Decimal | None = None


@dataclass(eq=False)
class Tally:
    """What was counted for one label and model; the gateway stated the cost of ``stated`` calls."""

    calls: int = 0
    unpriced: int = 0
    stated: int = 0
    possible: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    usd: Decimal = Decimal(0)
    possible_usd: Decimal = Decimal(0)

    def _count(self, call: Ended) -> None:
        self.calls += 1
        if (usage := call.usage) is not None:
            details = usage.prompt_tokens_details
            self.prompt_tokens += usage.prompt_tokens or 0
            self.cached_tokens += (details.cached_tokens if details else None) or 0
            self.completion_tokens += usage.completion_tokens or 0
        if call.cost is not None:
            self.stated += money.possible_cost(usage) is not None
            self.usd = EXACT.add(self.usd, call.cost)
            return
        self.unpriced += 1
        if call.most_usd is not None:
            self.possible += 1
            self.possible_usd = EXACT.add(self.possible_usd, call.most_usd)


class Spend(Tally):
    """What went through one gateway. Safe to use from many threads.

    A call counts when it has ended. Then its cost is certain, for its usage came; or it is
    possible, for it was sent and its usage never came: a stream without ``include_usage``, or left
    early, a time-out, an interrupted call, a lost connection. A call that certainly cost nothing,
    such as one that was refused, is not counted.

    Attributes:
        calls: how many calls have cost something, or may have.
        priced: how many of them have a known cost.
        unpriced: how many have none: their usage never came, no price was published, or it was no
            chat.
        stated: how many of the priced calls have a cost that the gateway itself stated.
        usd: exact US dollars as a ``Decimal``, of the priced calls.
        possible: how many of the unpriced calls are counted in ``possible_usd``.
        possible_usd: the most that these may have cost, beside ``usd``: the tokens of the prompt,
            counted by rule, and ``n`` answers of ``max_tokens``, or else of the longest that the
            catalogue knows for the model, or else of 4,096 tokens.
        prompt_tokens: tokens of all prompts.
        cached_tokens: how many of these came out of a cache.
        completion_tokens: tokens of all answers.
        by_model: US dollars for each model.
        by_label: US dollars under each label of ``with gw.spend.of("lesson 12"):``, and under no
            label, ``""``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.by_model: dict[str, Decimal] = {}
        self.by_label: dict[str, Decimal] = {}
        self._tallies: dict[tuple[str, str], Tally] = {}
        self.open_streams: set[int] = set()
        """The streams that are held by somebody, or forgotten and not collected yet."""
        self._ended: deque[Ended] = deque()
        self._lock = Lock()

    @property
    def priced(self) -> int:
        return self.calls - self.unpriced

    @contextmanager
    def of(self, label: str) -> Iterator[Spend]:
        """Count the calls that begin inside under this label; of several, under the innermost.

        It holds for this gateway alone, and for the code inside alone: tasks of ``asyncio`` begun
        there have it, too, and ``asyncio.to_thread``; a thread of your own has it if it runs in
        ``contextvars.copy_context()``. A stream belongs to where it was opened.

        Args:
            label: any text, for example "lesson 12".
        """
        if not isinstance(label, str) or not label.strip():
            raise InputError(f"The label is {shown(label)}: a text is needed, such as 'lesson 12'.")
        token = _labels.set((*_labels.get(), (self, label)))
        try:
            yield self
        finally:
            _labels.reset(token)

    def label(self) -> str:
        """The label that a call begun now is counted under, ``""`` for none."""
        return next((name for spend, name in reversed(_labels.get()) if spend is self), "")

    def to_frame(self) -> DataFrame:
        """A row for each label and model: calls, tokens, and ``usd`` as exact ``Decimal``.

        ``unpriced`` calls are among ``calls``, and ``possible`` ones among the unpriced. ``stated``
        counts the calls whose cost the gateway stated itself; cached tokens are among the prompt's.
        """
        from pandas import DataFrame, MultiIndex

        with self._lock:
            rows = {
                key: replace(t, usd=tidy(t.usd), possible_usd=tidy(t.possible_usd))
                for key, t in self._tallies.items()
            }
        index = MultiIndex.from_tuples(rows, names=["label", "model"])
        return DataFrame([asdict(tally) for tally in rows.values()], index=index).sort_index()

    def ended(self, call: Ended, *, may_wait: bool = True) -> None:
        """Count a call. One that the garbage collector ends must not wait for its own thread."""
        self._ended.append(call)
        while self._ended and self._lock.acquire(blocking=may_wait):
            try:
                while self._ended:
                    self._count(self._ended.popleft())
            finally:
                self._lock.release()

    def _count(self, call: Ended) -> None:
        super()._count(call)
        self._tallies.setdefault((call.label, call.model), Tally())._count(call)
        if call.cost is not None:
            for costs, name in ((self.by_model, call.model), (self.by_label, call.label)):
                costs[name] = EXACT.add(costs.get(name, 0), call.cost)

    def add(self, usd: Decimal) -> None:
        """An amount that was spent elsewhere, or may have been."""
        with self._lock:
            self.usd = EXACT.add(self.usd, usd)

    def __str__(self) -> str:
        if self.open_streams:
            gc.collect()  # the SDK's streams hold themselves, so a forgotten one has not ended yet
        unpriced = self.unpriced - self.possible
        known = f"{tidy(self.usd):f} USD in {_calls(self.calls - self.possible)}"
        known += f", {unpriced} of them unpriced" if unpriced else ""
        return f"{known}, and {self.possible_text()}" if self.possible else known

    __repr__ = __str__

    def possible_text(self) -> str:
        """What may have been spent beside what is certain, in words."""
        most = f"up to {tidy(self.possible_usd):f} USD more"
        return f"{most} for {_calls(self.possible)} whose usage never came"


def _calls(count: int) -> str:
    return f"{count} call{'' if count == 1 else 's'}"


class BudgetError(HolySheepError, openai.OpenAIError):
    """The budget does not allow this call, so nothing was sent. Raise it, or ask for less."""

    kind = "budget"


class UnpricedWarning(UserWarning):
    """The cost of a call is unknown, and does not count against the default budget.

    No price was published for it, or its usage never came: then ``gw.spend.possible_usd`` says how
    much it may be. With a ``budget_usd`` of your own, the first is refused, and the second counts.
    It is given once for each gateway and model, and once for each gateway.
    """


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
        counts = ("calls", "input_tokens", "output_tokens", "uncapped", "unpriced")
        with money.exactly():
            usd = None if self.most_usd is None else self.most_usd * runs
        return replace(self, most_usd=usd, **{name: getattr(self, name) * runs for name in counts})


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
    if hasattr(work, "estimate"):  # a plan of hs.plan_long(), say, knows its own
        if model is not None or max_tokens is not None or system is not None or sdk_parameters:
            raise InputError("A plan has its model and settings: give them to hs.plan_long().")
        return work.estimate().times(runs)
    if max_tokens is not None:
        sdk_parameters["max_tokens"] = max_tokens
    reader = Reader(model or catalog.DEFAULT_MODEL, system, sdk_parameters)
    items, _ = reader.items([work] if isinstance(work, str) else work)
    return estimate_items(items).times(runs)


def estimate_items(items: Iterable[Item], models: Sequence[str] = ()) -> Estimate:
    """What these may cost together; of several ``models`` that may be asked, the most expensive."""
    usd = Decimal(0)
    calls = input_tokens = output_tokens = uncapped = unpriced = 0
    for item in items:
        costs = [most_usd(one) for one in item.in_turn(models)]
        calls += 1
        input_tokens += item.input_tokens
        output_tokens += item.output_tokens
        uncapped += item.limit is None
        unpriced += None in costs
        with money.exactly():
            usd += max(cost or Decimal(0) for cost in costs)
    known = usd if calls > unpriced or not calls else None
    return Estimate(calls, input_tokens, output_tokens, known, uncapped, unpriced)


def most_usd(item: Item) -> Decimal | None:
    """What this prompt may cost in US dollars, or ``None`` where no price was published."""
    return money.most_of(item.input_tokens, item.output_tokens, item.model)


def most_usd_of(body: dict[str, Any]) -> tuple[Decimal | None, str]:
    """What a request may cost at most, as it was sent, and what its answer was taken for.

    ``None`` where no price was published for its model.
    """
    model, item = str(body.get("model")), Item(None, body, {})
    limit, taken_for = item.limit, "all of its max_tokens"
    if limit is None:
        known = catalog.find(model)
        limit, taken_for = known and known.max_output, f"the longest answer of {model}"
    if limit is None:
        limit = MOST_ASSUMED_TOKENS
        taken_for = f"{limit:,} tokens, because no max_tokens was sent"
    answers = money.count(body.get("n")) or 1
    return money.most_of(item.input_tokens, answers * limit, model), taken_for


@dataclass
class Budget:
    """An amount in US dollars, and what counts against it.

    Calls of a gateway that are in flight are not known yet: its budget ends the calls that begin
    after it is spent. Calls whose usage never came count at the most that they may have cost; under
    the default budget they are only told of. A batch reserves the most that each call may cost
    before it is sent, and so never exceeds its budget.

    Attributes:
        limit_usd: the amount; ``None`` for no limit.
        is_default: lets a call without a published price through, with one warning for each model.
        today: the clock of live calls, by which a price may be too old; ``None`` for a mock's.
        spend: what was spent so far.
        reserved_usd: the most that calls in flight may cost.
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
        if self.limit_usd is None or request.method != "POST":
            return
        spend = self.spend
        possible_usd = Decimal(0) if self.is_default else spend.possible_usd
        if EXACT.add(spend.usd, possible_usd) >= self.limit_usd:
            possible = bounds = ""
            if possible_usd:
                possible = f", {spend.possible_text()},"
                bounds = (
                    " A call of unknown usage counts at all of its max_tokens, or "
                    f"{MOST_ASSUMED_TOKENS:,} tokens where it had none: set max_tokens, and "
                    "stream_options={'include_usage': True} for a stream."
                )
            raise BudgetError(
                f"Not sent: {tidy(spend.usd):f} USD is spent{possible} and the budget is "
                f"{self.limit_usd:f} USD. To go on, connect again with a larger "
                f"one: hs.connect(budget_usd=...).{bounds}"
            )
        path = request.url.path
        if not path.endswith(CHAT_PATH):
            self._refuse_or_warn(f"a POST to {path}")
            return
        model = str(model_of(request))
        price = catalog.published_price(model)
        if price is None:
            self._refuse_or_warn(shown(model))
        elif self.today is not None:
            money.warn_if_stale(model, price, self.today())

    def _refuse_or_warn(self, what: str) -> None:
        if not self.is_default:
            raise BudgetError(
                f"Not sent: no price was published for {what}, so budget_usd={self.limit_usd:f} "
                "can't be kept. Use a model with a price (hs.catalog.models()), or leave "
                "budget_usd out."
            )
        said = f"No price was published for {what}: its calls count as unpriced, outside the "
        self._warn_once(what, f"{said}default budget of {self.limit_usd:f} USD.")

    def _warn_once(self, about: str, said: str) -> None:
        if about not in self._warned_of:
            self._warned_of.add(about)
            warn(said, UnpricedWarning, stacklevel=4)

    def warn_of_possible(self, most_usd: Decimal, taken_for: str) -> None:
        """Say, once, that what is possible does not count against the default budget."""
        if not self.is_default:
            return
        with suppress(UnpricedWarning):  # made an error, it would hide why the call has ended
            said = (
                f"The usage of a call never came. The call may have cost up to {most_usd:f} USD: "
            )
            said += f"its answer is counted as {taken_for}. The default budget of "
            said += f"{self.limit_usd:f} USD counts only what is certain; gw.spend shows both."
            self._warn_once("", said)

    def check_models(self, models: Iterable[str]) -> None:
        """Raise ``BudgetError`` if one of these has no published price to keep the budget by."""
        for model in models if self.limit_usd is not None else ():
            if catalog.published_price(model) is None:
                self._refuse_or_warn(shown(model))

    def check_covers(self, most_usd: Decimal | None, model: str, work: str, advice: str) -> None:
        """Raise ``BudgetError`` unless all of this work fits, at the most that it may cost.

        ``work`` names it and ``advice`` how to make it cheaper, for the message.
        """
        if self.limit_usd is None:
            return
        if most_usd is None:
            self._refuse_or_warn(shown(model))
        elif most_usd > self.limit_usd:
            raise BudgetError(
                f"Not sent: {work} may cost {most_usd:f} USD, and budget_usd is "
                f"{self.limit_usd:f} USD. {advice}, or raise it."
            )

    async def reserve(self, item: Item) -> Decimal:
        """Wait until this request fits beside those in flight; the amount that is set aside.

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
                    f"USD, and budget_usd is {self.limit_usd:f} USD. Raise budget_usd, or lower "
                    "max_tokens."
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
    if value is None:
        return None
    try:
        usd = money.money("budget_usd", value)
    except InputError as error:
        problem = f"budget_usd is {quoted(value)}: an amount of money is needed, such as '12.50'."
        raise ConfigurationError(problem if may_be_a_key(value) else str(error)) from None
    if usd and not LEAST_USD <= usd <= MOST_USD:
        raise ConfigurationError(
            f"budget_usd is {shown(value)}: 0, or an amount from {LEAST_USD:f} to {MOST_USD:,f} "
            "USD, is needed."
        )
    return usd
