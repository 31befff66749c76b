"""Counting what is spent, where the bytes pass: plain SDK calls count like the helpers' own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from threading import Lock
from typing import Any, cast

import httpx2
from openai.types import CompletionUsage

from holysheep_helpers.cost import cost_or_none

CHAT_PATH = "/chat/completions"


class Spend:
    """What went through one gateway: ``calls`` answered, ``usd`` (exact), tokens, ``by_model``.

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
        self._lock = Lock()

    @property
    def unpriced(self) -> int:
        return self.calls - self.priced

    def answered(self) -> None:
        """One more call was answered; its usage may follow."""
        with self._lock:
            self.calls += 1

    def used(self, usage: CompletionUsage, model: str) -> None:
        """The usage of a call that was counted by ``answered``."""
        cost = cost_or_none(usage, model)
        with self._lock:
            self.prompt_tokens += usage.prompt_tokens
            self.completion_tokens += usage.completion_tokens
            if cost is not None:
                self.priced += 1
                self.usd += cost
                self.by_model[model] = self.by_model.get(model, Decimal(0)) + cost

    def __str__(self) -> str:
        calls = f"{self.calls} call{'' if self.calls == 1 else 's'}"
        unpriced = f", {self.unpriced} of them unpriced" if self.unpriced else ""
        return f"{self.usd.normalize():f} USD in {calls}{unpriced}"

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
        self._spend.answered()
        return response.request.url.path.endswith(CHAT_PATH)


class _UsageReader:
    """Reads the usage out of a reply's bytes as they pass by, whole or streamed."""

    def __init__(self, spend: Spend, response: httpx2.Response) -> None:
        self._spend = spend
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
            body: Any = json.loads(self._last if self._streamed else self._rest)
            usage = CompletionUsage.model_validate(body["usage"])
            model = str(body["model"])
        except (ValueError, TypeError, KeyError):
            return  # no usage came: the call stays counted as unpriced
        self._spend.used(usage, model)


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
