"""Counting what is spent, where the bytes pass: plain SDK calls count like the helpers' own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from threading import Lock
from typing import TYPE_CHECKING, Any

import httpx2
from openai.types import CompletionUsage

from holysheep_helpers.client.replies import (
    EventStream,
    ParsedReply,
    is_event_stream,
    parse_json,
)
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.pricing.calls import cost_or_none, has_stated_cost
from holysheep_helpers.pricing.decimals import exactly, tidy

if TYPE_CHECKING:
    from pandas import DataFrame

CHAT_PATH = "/chat/completions"


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
            rows = {key: replace(tally) for key, tally in self._tallies.items()}
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

    def used(self, usage: CompletionUsage, model: str, label: str = "") -> None:
        """The usage of a call that was counted by ``answered``."""
        cost = cost_or_none(usage, model)
        details = usage.prompt_tokens_details
        with self._lock, exactly():
            tally = self._tallies.setdefault((label, model), Tally())
            tally.calls += 1
            tally.prompt_tokens += usage.prompt_tokens
            tally.cached_tokens += (details.cached_tokens if details else None) or 0
            tally.completion_tokens += usage.completion_tokens
            self.prompt_tokens += usage.prompt_tokens
            self.completion_tokens += usage.completion_tokens
            if cost is None:
                tally.unpriced += 1
                return
            tally.stated += has_stated_cost(usage)
            tally.usd = tidy(tally.usd + cost)
            self.priced += 1
            self.usd += cost
            self.by_model[model] = self.by_model.get(model, Decimal(0)) + cost
            self.by_label[label] = self.by_label.get(label, Decimal(0)) + cost

    def add(self, usd: Decimal) -> None:
        """An amount that was spent elsewhere, or may have been."""
        with self._lock, exactly():
            self.usd += usd

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
        if request.method == "POST":
            self._before_call(request)

    def on_response(self, response: httpx2.Response) -> None:
        if response.request.method == "POST" and response.is_success:
            self._spend.answered(self._spend.label())
            if response.request.url.path.endswith(CHAT_PATH):
                response.stream = _MeteredStream(response, self._spend)

    async def on_request_async(self, request: httpx2.Request) -> None:
        self.on_request(request)

    async def on_response_async(self, response: httpx2.Response) -> None:
        self.on_response(response)


class _MeteredStream(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """The bytes of a chat's reply as they pass by; at their end its usage is counted."""

    def __init__(self, response: httpx2.Response, spend: Spend) -> None:
        self._inner: Any = response.stream
        self._spend, self._label = spend, spend.label()
        self._events = EventStream() if is_event_stream(response) else None
        self._with_usage = b""  # the last event that has it, or the whole body
        self._finished = False

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
        if self._events is None:
            self._with_usage += data
        else:
            self._keep_usage(self._events.feed(data))

    def _keep_usage(self, events: list[bytes]) -> None:
        for event in events:
            if b'"usage"' in event:
                self._with_usage = event

    def _finish(self) -> None:
        if self._finished:
            return
        self._finished = True
        if self._events is not None:
            self._keep_usage([self._events.take_rest()])
        # A cost that the gateway states is read digit by digit, not as a float.
        said = ParsedReply(parse_json(self._with_usage, parse_float=Decimal))
        usage = said.usage
        if usage is not None and said.model is not None:  # else the call stays unpriced
            self._spend.used(usage, str(said.model), self._label)
