"""What is spent, what work may cost, and the budget that refuses a call before it is sent.

Spend is counted where the bytes pass: plain SDK calls count like the helpers' own.
"""

from __future__ import annotations

import json
import re
from asyncio import Event
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from decimal import ROUND_CEILING, Decimal
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import httpx2
import openai
from openai.types import CompletionUsage

from holysheep_helpers import catalog
from holysheep_helpers._checks import check_whole
from holysheep_helpers.client.replies import (
    READ_ALREADY,
    EventStream,
    ParsedReply,
    is_event_stream,
    parse_json,
)
from holysheep_helpers.client.requests import ASSUMED_OUTPUT_TOKENS, Item, Reader
from holysheep_helpers.diagnosis.evidence import model_of
from holysheep_helpers.exceptions import ConfigurationError, HolySheepError, InputError, warn
from holysheep_helpers.pricing.money import (
    EXACT,
    cost_or_none,
    exactly,
    money,
    most_of,
    possible_cost,
    tidy,
    warn_if_stale,
)

if TYPE_CHECKING:
    from pandas import DataFrame

CHAT_PATH = "/chat/completions"

_USAGE = re.compile(rb'"usage"\s*:\s*\{\s*"')
"""A usage with something in it."""


_labels: ContextVar[tuple[tuple[Spend, str], ...]] = ContextVar("_labels", default=())


@dataclass(slots=True)
class Tally:
    """What was counted for one label and model; the gateway stated the cost of ``stated`` calls."""

    calls: int = 0
    unpriced: int = 0
    stated: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    usd: Decimal = Decimal(0)


class Spend:
    """What went through one gateway. Safe to use from many threads.

    Attributes:
        calls: how many calls were answered; every answered POST is one.
        priced: how many of them have a known cost.
        unpriced: how many have none: no usage came (a stream without ``include_usage``, or left
            early), no price was published, or it was no chat.
        usd: exact US dollars as a ``Decimal``, of the priced calls.
        prompt_tokens: tokens of all prompts.
        completion_tokens: tokens of all answers.
        by_model: US dollars for each model.
        by_label: US dollars under each label of ``with gw.spend.of("lesson 9"):``, and under no
            label, ``""``.
    """

    def __init__(self) -> None:
        self.calls = 0
        self.priced = 0
        self.usd = Decimal(0)
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.by_model: dict[str, Decimal] = {}
        self.by_label: dict[str, Decimal] = {}
        self._calls: dict[str, int] = {}
        self._tallies: dict[tuple[str, str], Tally] = {}
        self._lock = Lock()

    @property
    def unpriced(self) -> int:
        return self.calls - self.priced

    @contextmanager
    def of(self, label: str) -> Iterator[Spend]:
        """Count the calls that begin inside under this label; of several, under the innermost.

        It holds for this gateway alone, and for the code inside alone: tasks of ``asyncio`` begun
        there have it, too, and ``asyncio.to_thread``; a thread of your own has it if it runs in
        ``contextvars.copy_context()``. A stream belongs to where it was opened.

        Args:
            label: any text, "lesson 9" say.
        """
        if not isinstance(label, str) or not label.strip():
            raise InputError(f"The label is {label!r}: a text is needed, 'lesson 9' say.")
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

        ``unpriced`` calls are among ``calls``; those that sent no usage have no model, ``""``.
        ``stated`` counts the calls whose cost the gateway stated itself; cached tokens are among
        the prompt's.
        """
        from pandas import DataFrame, MultiIndex

        with self._lock:
            rows = {key: replace(t, usd=tidy(t.usd)) for key, t in self._tallies.items()}
            calls = dict(self._calls)
        for label, count in calls.items():
            silent = count - sum(t.calls for (name, _), t in rows.items() if name == label)
            if silent:
                rows[label, ""] = Tally(calls=silent, unpriced=silent)
        index = MultiIndex.from_tuples(rows, names=["label", "model"])
        return DataFrame([asdict(tally) for tally in rows.values()], index=index).sort_index()

    def answered(self, label: str = "") -> None:
        """One more call was answered; its usage may follow."""
        with self._lock:
            self.calls += 1
            self._calls[label] = self._calls.get(label, 0) + 1

    def used(
        self, usage: CompletionUsage, model: str, label: str = "", asked: str | None = None
    ) -> None:
        """The usage of a call that was counted by ``answered``."""
        cost = cost_or_none(usage, model, asked)
        details = usage.prompt_tokens_details
        prompt, completion = usage.prompt_tokens or 0, usage.completion_tokens or 0
        add = EXACT.add
        with self._lock:
            tally = self._tallies.setdefault((label, model), Tally())
            tally.calls += 1
            tally.prompt_tokens += prompt
            tally.cached_tokens += (details.cached_tokens if details else None) or 0
            tally.completion_tokens += completion
            self.prompt_tokens += prompt
            self.completion_tokens += completion
            if cost is None:
                tally.unpriced += 1
                return
            tally.stated += possible_cost(usage) is not None
            tally.usd = add(tally.usd, cost)
            self.priced += 1
            self.usd = add(self.usd, cost)
            self.by_model[model] = add(self.by_model.get(model, 0), cost)
            self.by_label[label] = add(self.by_label.get(label, 0), cost)

    def add(self, usd: Decimal) -> None:
        """An amount that was spent elsewhere, or may have been."""
        with self._lock:
            self.usd = EXACT.add(self.usd, usd)

    def __str__(self) -> str:
        calls = f"{self.calls} call{'' if self.calls == 1 else 's'}"
        unpriced = f", {self.unpriced} of them unpriced" if self.unpriced else ""
        return f"{tidy(self.usd):f} USD in {calls}{unpriced}"

    __repr__ = __str__


class Meter:
    """The hooks of an HTTP client: ask before a call is sent, read a chat's usage after it."""

    def __init__(self, spend: Spend, before_call: Callable[[httpx2.Request], None]) -> None:
        self._spend = spend
        self._before_call = before_call

    def on_request(self, request: httpx2.Request) -> None:
        self._before_call(request)

    def on_response(self, response: httpx2.Response) -> None:
        if response.request.method == "POST" and response.is_success:
            label = self._spend.label()
            self._spend.answered(label)
            if response.request.url.path.endswith(CHAT_PATH):
                response.stream = _MeteredStream(response, self._spend, label)

    async def on_request_async(self, request: httpx2.Request) -> None:
        self._before_call(request)

    async def on_response_async(self, response: httpx2.Response) -> None:
        self.on_response(response)


class _MeteredStream(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """The bytes of a chat's reply as they pass by; at their end its usage is counted.

    A whole reply is kept until then, and so is one that comes compressed.
    """

    def __init__(self, response: httpx2.Response, spend: Spend, label: str) -> None:
        self._inner: Any = response.stream
        self._spend, self._label = spend, label
        self._response: httpx2.Response | None = response
        self._coding = response.headers.get("content-encoding")
        is_kept = self._coding or not is_event_stream(response)
        self._kept: list[bytes] | None = [] if is_kept else None
        self._events = EventStream()
        self._first = self._with_usage = b""

    def __iter__(self) -> Iterator[bytes]:
        for data in self._inner:
            self._read(data)
            yield data
        self._finish()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for data in self._inner:
            self._read(data)
            yield data
        self._finish()

    def close(self) -> None:
        self._finish()
        self._inner.close()

    async def aclose(self) -> None:
        self._finish()
        await self._inner.aclose()

    def _read(self, data: bytes) -> None:
        if self._kept is None:
            self._keep_usage(self._events.feed(data))
        else:
            self._kept.append(data)

    def _keep_usage(self, events: list[bytes]) -> None:
        """Of several the last: none is added up, and ``"usage": null`` is none."""
        for event in events:
            self._first = self._first or event
            if b'"usage"' in event and _USAGE.search(event):
                self._with_usage = event

    def _finish(self) -> None:
        response, self._response = self._response, None
        if response is None:
            return
        body = b"".join(self._kept or ())
        if self._coding:
            body = _decoded(body, self._coding)
        is_json = body.startswith(b"{")
        if is_json:  # as nearly all whole replies: no events need to be made of it
            self._with_usage = body
        else:
            self._keep_usage(self._events.feed(body))
            self._keep_usage([self._events.take_rest()])
        # A cost that the gateway states is read digit by digit, not as a float.
        exact = {"parse_float": Decimal} if b'"cost"' in self._with_usage else {}
        said = ParsedReply(parse_json(self._with_usage, **exact))
        if said.usage is None:
            return  # the call stays unpriced
        if is_json and not exact:
            response.extensions[READ_ALREADY] = said
        stated = said.model or ParsedReply(parse_json(self._first)).model
        asked = None
        if not stated or catalog.published_price(stated) is None:
            asked = model_of(response.request)
        self._spend.used(said.usage, stated or asked or "", self._label, asked)


def _decoded(body: bytes, coding: str) -> bytes:
    """A body without its compression, as far as it can be read."""
    headers, decoded = {"content-encoding": coding}, bytearray()
    with suppress(httpx2.DecodingError):
        response = httpx2.Response(200, headers=headers, stream=httpx2.ByteStream(body))
        for piece in response.iter_bytes():
            decoded += piece
    return bytes(decoded)


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
        counts = ("calls", "input_tokens", "output_tokens", "uncapped", "unpriced")
        with exactly():
            usd = None if self.most_usd is None else self.most_usd * runs
        return replace(self, most_usd=usd, **{name: getattr(self, name) * runs for name in counts})


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
    reader = Reader(model or catalog.DEFAULT_MODEL, system, sdk_parameters)
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
        if self.limit_usd is None or request.method != "POST":
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
