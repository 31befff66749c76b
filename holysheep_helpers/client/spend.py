"""Counting what is spent, where the bytes pass: plain SDK calls count like the helpers' own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from decimal import Decimal
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

import httpx2
from openai.types import CompletionUsage

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
    priced: int = 0
    stated: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    usd: Decimal = Decimal(0)


class Spend:
    """What went through one gateway: ``calls`` answered, ``usd`` (exact), tokens, ``by_model``.

    ``by_label`` is what was spent under each label of ``with gw.spend.of("lesson 9"):``, and under
    no label, ``""``. ``to_frame()`` has both together.

    ``unpriced`` counts the calls whose cost is unknown: no usage came (a stream without
    ``include_usage``, or left early), no price was published, or it was no chat (every answered
    POST is a call). Safe to use from many threads.
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
        """Calls that begin inside are counted under this label; of several, the innermost.

        It holds for this gateway alone, and for the code inside alone: tasks of ``asyncio`` begun
        there have it, too, and ``asyncio.to_thread``; a thread of your own has it if it runs in
        ``contextvars.copy_context()``. A stream belongs to where it was opened.
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
                return
            self.priced += 1
            self.usd += cost
            self.by_model[model] = self.by_model.get(model, Decimal(0)) + cost
            self.by_label[label] = self.by_label.get(label, Decimal(0)) + cost
            tally.priced += 1
            tally.stated += has_stated_cost(usage)
            tally.usd += cost

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
                rows[label, ""] = Tally(calls=silent)
        columns = {
            "calls": [tally.calls for tally in rows.values()],
            "unpriced": [tally.calls - tally.priced for tally in rows.values()],
            "stated": [tally.stated for tally in rows.values()],
            "prompt_tokens": [tally.prompt_tokens for tally in rows.values()],
            "cached_tokens": [tally.cached_tokens for tally in rows.values()],
            "completion_tokens": [tally.completion_tokens for tally in rows.values()],
            "usd": [tidy(tally.usd) for tally in rows.values()],
        }
        names = ["label", "model"]
        return DataFrame(columns, index=MultiIndex.from_tuples(rows, names=names)).sort_index()

    def __str__(self) -> str:
        calls = f"{self.calls} call{'' if self.calls == 1 else 's'}"
        unpriced = f", {self.unpriced} of them unpriced" if self.unpriced else ""
        return f"{tidy(self.usd):f} USD in {calls}{unpriced}"

    __repr__ = __str__


class Meter:
    """The hooks of one HTTP client: ask before a call is sent, read a chat's usage after it."""

    def __init__(self, spend: Spend, before_call: Callable[[httpx2.Request], None]) -> None:
        self._spend = spend
        self._before_call = before_call

    def on_request(self, request: httpx2.Request) -> None:
        if request.method == "POST":
            self._before_call(request)

    def on_response(self, response: httpx2.Response) -> None:
        if self._counts(response):
            stream = cast(httpx2.SyncByteStream, response.stream)
            response.stream = _Tee(stream, _UsageReader(self._spend, response))

    async def on_request_async(self, request: httpx2.Request) -> None:
        self.on_request(request)

    async def on_response_async(self, response: httpx2.Response) -> None:
        if self._counts(response):
            stream = cast(httpx2.AsyncByteStream, response.stream)
            response.stream = _AsyncTee(stream, _UsageReader(self._spend, response))

    def _counts(self, response: httpx2.Response) -> bool:
        if response.request.method != "POST" or not response.is_success:
            return False
        self._spend.answered(self._spend.label())
        return response.request.url.path.endswith(CHAT_PATH)


class _UsageReader:
    """Reads the usage out of a reply's bytes as they pass by, whole or streamed."""

    def __init__(self, spend: Spend, response: httpx2.Response) -> None:
        self._spend, self._label = spend, spend.label()
        self._streamed = "text/event-stream" in response.headers.get("content-type", "")
        self._rest = b""
        self._last = b""
        self._done = False

    def feed(self, data: bytes) -> None:
        if not self._streamed:
            self._rest += data
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b"data:") and b'"usage"' in line:
                self._last = line[5:]

    def finish(self) -> None:
        if self._done:
            return
        self._done = True
        try:
            text = self._last if self._streamed else self._rest
            body: Any = json.loads(text, parse_float=Decimal)  # a stated cost, digit by digit
            usage = CompletionUsage.model_validate(body["usage"])
            model = str(body["model"])
        except (ValueError, TypeError, KeyError):
            return  # no usage came: the call stays counted as unpriced
        self._spend.used(usage, model, self._label)


class _Tee(httpx2.SyncByteStream):
    def __init__(self, inner: httpx2.SyncByteStream, reader: _UsageReader) -> None:
        self._inner = inner
        self._reader = reader

    def __iter__(self) -> Iterator[bytes]:
        for data in self._inner:
            self._reader.feed(data)
            yield data
        self._reader.finish()

    def close(self) -> None:
        self._reader.finish()
        self._inner.close()


class _AsyncTee(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, reader: _UsageReader) -> None:
        self._inner = inner
        self._reader = reader

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for data in self._inner:
            self._reader.feed(data)
            yield data
        self._reader.finish()

    async def aclose(self) -> None:
        self._reader.finish()
        await self._inner.aclose()
