"""The HTTP clients of a gateway: each call is checked before it is sent, and counted when it ends.

Spend is counted where the bytes pass: plain SDK calls count like the helpers' own.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any, cast

import httpx2
import openai

from holysheep_helpers import catalog
from holysheep_helpers.client import replies
from holysheep_helpers.client.replies import EventStream, ParsedReply
from holysheep_helpers.client.spend import CHAT_PATH, Budget, Ended, most_usd_of
from holysheep_helpers.diagnosis.diagnose import diagnose
from holysheep_helpers.diagnosis.evidence import body_of, model_of
from holysheep_helpers.pricing.money import cost_or_none

_CALL = "holysheep_call"
"""Where a request carries its call, in its ``extensions``."""

_USAGE = re.compile(rb'"usage"\s*:\s*\{\s*"')
"""A usage with something in it."""


class Meter:
    """What the clients of one gateway ask before a call, and tell after it."""

    def __init__(self, budget: Budget, prepare: Callable[[httpx2.Request], None]) -> None:
        self._budget, self._prepare = budget, prepare

    def client(self, **options: Any) -> httpx2.Client:
        """A synchronous HTTP client whose calls are counted."""
        return _Client(self, event_hooks={"response": [self.answered]}, **options)

    def async_client(self, **options: Any) -> httpx2.AsyncClient:
        """An asynchronous one, on aiohttp."""
        return _AsyncClient(self, event_hooks={"response": [self.answered_async]}, **options)

    def call(self, request: httpx2.Request) -> Call:
        """Send this request inside ``with``. Raises ``BudgetError`` if it may not be sent."""
        self._prepare(request)
        self._budget.check_request(request)
        call = request.extensions[_CALL] = Call(self._budget, request)
        return call

    def answered(self, response: httpx2.Response) -> None:
        """A reply has begun: how much the call costs is known at its end."""
        call = response.request.extensions[_CALL]
        if call.is_over or response.has_redirect_location:
            return
        if call.is_chat:
            response.stream = _MeteredStream(response, call)
        elif response.is_success:
            call.end()

    async def answered_async(self, response: httpx2.Response) -> None:
        self.answered(response)


class _Client(openai.DefaultHttpxClient):
    """The SDK's own client. A hook sees no exception, so ``send`` does."""

    def __init__(self, meter: Meter, **options: Any) -> None:
        super().__init__(**options)
        self._meter = meter

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        with self._meter.call(request):
            return super().send(request, **options)


class _AsyncClient(openai.DefaultAioHttpClient):
    def __init__(self, meter: Meter, **options: Any) -> None:
        super().__init__(**options)
        self._meter = meter

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        with self._meter.call(request):
            return await super().send(request, **options)


class Call:
    """A request in flight. It is over once: then its cost is certain, or possible, or nothing."""

    def __init__(self, budget: Budget, request: httpx2.Request) -> None:
        self._budget, self.request, self.spend = budget, request, budget.spend
        self._label = budget.spend.label()
        self.is_chat = request.url.path.endswith(CHAT_PATH)
        self.is_over = request.method != "POST"

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is not None and not self.is_over:
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """It ended with this error, which tells whether it may have cost something."""
        self.is_over = True
        if diagnose(error).may_have_cost:
            self.end()

    def end(
        self,
        said: ParsedReply | None = None,
        model: str | None = None,
        *,
        is_last: bool = True,
        may_wait: bool = True,
    ) -> None:
        """It may have cost something. A usage that is not ``is_last`` is the least of it."""
        self.is_over = True
        usage = said.usage if said else None
        asked = None
        if not model or catalog.published_price(model) is None:
            asked = model_of(self.request)
        cost = cost_or_none(usage, model, asked)
        most, taken_for = None, ""
        if (cost is None or not is_last) and self.is_chat:
            most, taken_for = most_usd_of(body_of(self.request))
            most = most if cost is None or most is None else max(most, cost)
            if not is_last:
                usage = cost = None
        ended = Ended(self._label, model or asked or "", usage, cost, most)
        self.spend.ended(ended, may_wait=may_wait)
        if most is not None:
            self._budget.warn_of_possible(most, taken_for)


class _MeteredStream(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """The bytes of a reply as they pass by; at their end, what it has cost is counted.

    A whole reply is kept until then, and so is one that comes compressed. A stream that no code
    holds any more has ended, too.
    """

    def __init__(self, response: httpx2.Response, call: Call) -> None:
        # The reply holds this. If this held the reply, a forgotten one would not end at once.
        self._call, self._inner = call, cast("Any", response.stream)
        self._status, self._headers = response.status_code, response.headers
        self._extensions = response.extensions if response.is_success else None
        self._coding = response.headers.get("content-encoding")
        is_kept = self._coding or not replies.is_event_stream(response)
        self._kept: list[bytes] | None = [] if is_kept else None
        self._events = EventStream()
        self._first = self._with_usage = b""
        self._open = call.spend.open_streams
        self._open.add(id(self))

    def __iter__(self) -> Iterator[bytes]:
        for data in self._inner:
            self._read(data)
            yield data
        self._finish(is_whole=True)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for data in self._inner:
            self._read(data)
            yield data
        self._finish(is_whole=True)

    def close(self) -> None:
        try:
            self._inner.close()
        finally:
            self._finish()

    async def aclose(self) -> None:
        try:
            await self._inner.aclose()
        finally:
            self._finish()

    def __del__(self) -> None:
        self._finish(may_wait=False)

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

    def _finish(self, *, is_whole: bool = False, may_wait: bool = True) -> None:
        self._open.discard(id(self))
        call = self._call
        if call.is_over:
            return
        body = b"".join(self._kept or ())
        if self._coding:
            body = _decoded(body, self._coding)
        if self._extensions is None:
            failed = httpx2.Response(self._status, headers=self._headers, request=call.request)
            call.fail(openai.APIStatusError("", response=failed, body=replies.parse_json(body)))
            return
        is_json = body.startswith(b"{")
        if is_json:  # as nearly all whole replies: no events need to be made of it
            self._with_usage = body
        else:
            self._keep_usage(self._events.feed(body))
            self._keep_usage([self._events.take_rest()])
        # A cost that the gateway states is read digit by digit, not as a float.
        exact = {"parse_float": Decimal} if b'"cost"' in self._with_usage else {}
        said = ParsedReply(replies.parse_json(self._with_usage, **exact))
        model = said.model
        if said.usage is None:
            model = None  # what it cost is up to the model that was asked
        elif is_json and not exact:
            self._extensions[replies.READ_ALREADY] = said
        elif not model:
            model = ParsedReply(replies.parse_json(self._first)).model
        is_last = is_whole or is_json or self._events.done or not said.has_choice
        call.end(said, model, is_last=is_last or bool(said.finish_reason), may_wait=may_wait)


def _decoded(body: bytes, coding: str) -> bytes:
    """A body without its compression, as far as it can be read."""
    headers, decoded = {"content-encoding": coding}, bytearray()
    with suppress(httpx2.DecodingError):
        response = httpx2.Response(200, headers=headers, stream=httpx2.ByteStream(body))
        for piece in response.iter_bytes():
            decoded += piece
    return bytes(decoded)
