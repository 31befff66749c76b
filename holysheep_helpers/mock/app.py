"""The ASGI application: who may ask, what is answered, and when each byte leaves."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote

from holysheep_helpers import catalog
from holysheep_helpers.mock import wire
from holysheep_helpers.mock.faults import Fault, parse_script
from holysheep_helpers.mock.replies import answers
from holysheep_helpers.mock.requests import ChatRequest, parse, unknown_model
from holysheep_helpers.mock.state import Entry, State
from holysheep_helpers.mock.timing import NEW_CONNECTION_S, profile
from holysheep_helpers.mock.wire import WireError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
BODY_LIMIT = 4 * 1024 * 1024
CONNECTIONS_KNOWN = 4096
MOCK_PREFIX = "hs-mock-"


class Disconnect(Exception):
    """Raised to make the server drop the connection in the middle of a reply."""


class App:
    """The mock as an ASGI application. ``sleep`` is injectable, as the state's clock is."""

    def __init__(
        self, state: State, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self.state = state
        self._sleep = sleep
        self._connections: OrderedDict[Any, None] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"The mock speaks HTTP alone, not {scope['type']}.")
        arrived_s = self.state.clock()
        try:
            await self._route(scope, receive, send, arrived_s)
        except WireError as error:
            await _send_json(send, error.status, error.body(), error.headers)

    async def _route(self, scope: Scope, receive: Receive, send: Send, arrived_s: float) -> None:
        path, method = unquote(scope["path"]), scope["method"]
        if path == "/v1/chat/completions":
            _allow(method, "POST")
            await self._chat(scope, receive, send, arrived_s)
        elif path == "/v1/models":
            _allow(method, "GET")
            self._key(scope)
            await _send_json(send, 200, wire.models_body())
        elif path.startswith("/v1/models/"):
            _allow(method, "GET")
            self._key(scope)
            name = path.removeprefix("/v1/models/")
            known = catalog.find(name)
            if known is None:
                raise unknown_model(name)
            await _send_json(send, 200, wire.model_body(known, name))
        elif path == "/mock/script":
            _allow(method, "POST")
            tenant = self.state.tenant(self._key(scope))
            script = parse_script(_json(await _read(receive)))
            tenant.script.clear()
            tenant.script.extend(script)
            await _send_json(send, 200, {"queued": len(script)})
        elif path == "/mock/journal":
            _allow(method, "GET", "DELETE")
            key = self._key(scope)
            if method == "DELETE":
                self.state.forget(key)
            await _send_json(send, 200, [e.as_dict() for e in self.state.tenant(key).journal])
        else:
            near = " Is /v1 missing from the base URL?" if not path.startswith("/v1/") else ""
            raise WireError(404, f"Unknown request URL: {method} {path}.{near}", code="unknown_url")

    def _key(self, scope: Scope) -> str:
        header = _header(scope, b"authorization")
        if header is None:
            raise WireError(
                401,
                "You didn't provide an API key. You need to provide your API key in an "
                "Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
                code="invalid_api_key",
            )
        scheme, _, key = header.partition(" ")
        allowed = self.state.keys
        known = key in allowed if allowed is not None else key.startswith(MOCK_PREFIX)
        if scheme.lower() != "bearer" or not known:
            shown = key[:3] + "*" * 8 if len(key) > 12 else "*" * 8
            message = f"Incorrect API key provided: {shown}. A mock takes the keys that it issued."
            raise WireError(401, message, code="invalid_api_key")
        return key

    async def _chat(self, scope: Scope, receive: Receive, send: Send, arrived_s: float) -> None:
        key = self._key(scope)
        tenant = self.state.tenant(key)
        raw = await _read(receive)
        limits = tenant.admit(self.state.plan, arrived_s, self.state.time_scale)
        request = parse(raw)
        nth, own, draw = self.state.draw(key, request.canonical)
        replies = answers(request, nth)
        entry = Entry(
            id=f"chatcmpl-{own}",
            model=request.model,
            attempt=_attempt(scope),
            status=200,
            stream=request.stream,
            prompt_tokens=request.prompt_tokens,
        )
        tenant.journal.append(entry)
        fault = tenant.script.popleft() if tenant.script else None
        entry.fault = fault.kind if fault else None
        pieces = max(1, *(len(texts) for texts, _ in replies)) if replies else 1
        due_s = profile(request.model).due_s(pieces, draw)
        new_s = NEW_CONNECTION_S if self._is_new(scope) else 0.0
        entry.due_s = [(at + new_s) * self.state.time_scale for at in due_s]
        turn = _Turn(self, request, entry, replies, arrived_s, send, limits, own)
        await turn.run(fault, _header(scope, b"x-mock-headers") == "early", receive)

    def _is_new(self, scope: Scope) -> bool:
        client = tuple(scope.get("client") or ())
        if client in self._connections:
            return False
        self._connections[client] = None
        if len(self._connections) > CONNECTIONS_KNOWN:
            self._connections.popitem(last=False)
        return True

    async def until(self, at_s: float) -> None:
        """Wait for an absolute moment of the clock, so that delays never add up."""
        wait_s = at_s - self.state.clock()
        if wait_s > 0:
            await self._sleep(wait_s)


class _Turn:
    """One chat request, from admission to its last byte."""

    def __init__(
        self,
        app: App,
        request: ChatRequest,
        entry: Entry,
        replies: list[tuple[list[str], str]],
        arrived_s: float,
        send: Send,
        limits: tuple[tuple[str, str], ...],
        own: str,
    ) -> None:
        self.app, self.request, self.entry = app, request, entry
        self.replies, self.arrived_s, self.send = replies, arrived_s, send
        created = wire.CREATED + int(own[:5], 16)
        self.frame = wire.Frame(entry.id, created, request.model, request.include_usage)
        # Stated from the plan, not from the clock, so that the same request says the same.
        self.headers = (("x-request-id", f"req_{own}"), *limits)

    async def run(self, fault: Fault | None, early: bool, receive: Receive) -> None:
        """Reply, but stop as soon as the client leaves."""
        work = asyncio.ensure_future(self._reply(fault, early))
        watch = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                self.entry.client_left = True
                return
            await work
        finally:
            work.cancel()
            watch.cancel()
            await asyncio.gather(work, watch, return_exceptions=True)

    async def _reply(self, fault: Fault | None, early: bool) -> None:
        if fault is not None and fault.kind == "status":
            await self._due(0)
            self.entry.status = fault.status
            raise WireError(fault.status, "A fault that was asked for.", _type_of(fault.status))
        if self.request.stream:
            await self._stream(fault, early)
        else:
            await self._whole()

    async def _whole(self) -> None:
        await self._due(len(self.entry.due_s) - 1)
        texts = [("".join(pieces), finish) for pieces, finish in self.replies]
        used = sum(len(pieces) for pieces, _ in self.replies)
        self.entry.completion_tokens = used
        body = wire.completion_body(self.frame, texts, wire.usage(self.entry.prompt_tokens, used))
        await _send_json(self.send, 200, body, self._timed(-1))
        self._sent()

    async def _stream(self, fault: Fault | None, early: bool) -> None:
        if not early:
            await self._due(0)
        headers = (("content-type", "text/event-stream; charset=utf-8"), *self._timed(0))
        await _start(self.send, 200, headers)
        if early:
            await self._due(0)
        first = {"role": "assistant", "content": "", "refusal": None}
        for index in range(self.request.n):
            await self._send(self.frame.delta(index, first))
        await self._texts(fault.after if fault else None)
        if fault is not None and fault.kind == "disconnect":
            raise Disconnect
        if fault is None:
            for index, (_, finish) in enumerate(self.replies):
                await self._send(self.frame.delta(index, {}, finish))
            if self.request.include_usage:
                used = wire.usage(self.entry.prompt_tokens, self.entry.completion_tokens)
                await self._send(self.frame.chunk([], used))
        if fault is None or fault.done:
            await self._send(wire.DONE)
        await self.send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _texts(self, most: int | None) -> None:
        for at in range(len(self.entry.due_s)):
            if most is not None and at >= most:
                return
            await self._due(at)
            for index, (pieces, _) in enumerate(self.replies):
                if at < len(pieces):
                    self.entry.completion_tokens += 1
                    await self._send(self.frame.delta(index, {"content": pieces[at]}))
            self._sent()

    async def _send(self, data: bytes) -> None:
        await self.send({"type": "http.response.body", "body": data, "more_body": True})

    async def _due(self, at: int) -> None:
        await self.app.until(self.arrived_s + self.entry.due_s[at])

    def _sent(self) -> None:
        self.entry.sent_s.append(self.app.state.clock() - self.arrived_s)

    def _timed(self, at: int) -> tuple[tuple[str, str], ...]:
        return (("openai-processing-ms", str(round(self.entry.due_s[at] * 1000))), *self.headers)


def _type_of(status: int) -> str:
    return "server_error" if status >= 500 else "invalid_request_error"


def _allow(method: str, *allowed: str) -> None:
    if method not in allowed:
        raise WireError(
            405, f"Not allowed: {method}. Use {' or '.join(allowed)}.", code="method_not_allowed"
        )


def _header(scope: Scope, name: bytes) -> str | None:
    for key, value in scope["headers"]:
        if key == name:
            return value.decode("latin-1")
    return None


def _attempt(scope: Scope) -> int:
    text = _header(scope, b"x-stainless-retry-count") or "0"
    return int(text) if text.isdecimal() and len(text) < 4 else 0


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise WireError(400, "We could not parse the JSON body of your request.") from None


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return bytes(body)
        body += message.get("body", b"")
        if len(body) > BODY_LIMIT:
            raise WireError(413, f"The body is larger than {BODY_LIMIT} bytes.")
        if not message.get("more_body"):
            return bytes(body)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _start(send: Send, status: int, headers: tuple[tuple[str, str], ...]) -> None:
    encoded = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": encoded})


async def _send_json(
    send: Send, status: int, body: Any, headers: tuple[tuple[str, str], ...] = ()
) -> None:
    data = wire.dump(body)
    length = ("content-length", str(len(data)))
    await _start(send, status, (("content-type", "application/json"), length, *headers))
    await send({"type": "http.response.body", "body": data, "more_body": False})
