"""The ASGI application: who may ask, what is answered, and when each byte leaves."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from typing import Any
from urllib.parse import parse_qs, unquote

from holysheep_helpers import catalog
from holysheep_helpers.mock import wire
from holysheep_helpers.mock.asgi import (
    Receive,
    Scope,
    Send,
    header,
    parse_json,
    read_body,
    send_json,
)
from holysheep_helpers.mock.faults import parse_script
from holysheep_helpers.mock.replies import answers
from holysheep_helpers.mock.requests import parse, unknown_model
from holysheep_helpers.mock.state import Entry, State
from holysheep_helpers.mock.timing import NEW_CONNECTION_S, Pacer, profile
from holysheep_helpers.mock.turn import Turn
from holysheep_helpers.mock.wire import WireError

CONNECTIONS_KNOWN = 4096
MOCK_PREFIX = "hs-mock-"


class App:
    """The mock as an ASGI application; the ``pacer`` brings the time."""

    def __init__(self, state: State, pacer: Pacer | None = None) -> None:
        self.state = state
        self.pacer = pacer or Pacer()
        self._connections: OrderedDict[Any, None] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"The mock speaks HTTP alone, not {scope['type']}.")
        arrived_s = self.pacer.clock()
        try:
            await self._route(scope, receive, send, arrived_s)
        except WireError as error:
            await send_json(send, error.status, error.body(), error.headers)

    async def _route(self, scope: Scope, receive: Receive, send: Send, arrived_s: float) -> None:
        path, method = unquote(scope["path"]), scope["method"]
        if path == "/v1/chat/completions":
            _allow(method, "POST")
            await self._chat(scope, receive, send, arrived_s)
        elif path == "/v1/models":
            _allow(method, "GET")
            self._key(scope)
            await send_json(send, 200, wire.models_body())
        elif path.startswith("/v1/models/"):
            _allow(method, "GET")
            self._key(scope)
            name = path.removeprefix("/v1/models/")
            known = catalog.find(name)
            if known is None:
                raise unknown_model(name)
            await send_json(send, 200, wire.model_body(known, name))
        elif path == "/mock/script":
            _allow(method, "POST")
            tenant = self.state.tenant(self._key(scope))
            script = parse_script(parse_json(await read_body(receive)))
            tenant.script.clear()
            tenant.script.extend(script)
            await send_json(send, 200, {"queued": len(script)})
        elif path == "/mock/journal":
            _allow(method, "GET", "DELETE")
            key = self._key(scope)
            if method == "DELETE":
                self.state.forget(key)
            else:
                await self._settled(key, scope)
            await send_json(send, 200, [e.as_dict() for e in self.state.tenant(key).journal])
        else:
            near = " Is /v1 missing from the base URL?" if not path.startswith("/v1/") else ""
            raise WireError(404, f"Unknown request URL: {method} {path}.{near}", code="unknown_url")

    def _key(self, scope: Scope) -> str:
        given = header(scope, b"authorization")
        if given is None:
            raise WireError(
                401,
                "You didn't provide an API key. You need to provide your API key in an "
                "Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
                code="invalid_api_key",
            )
        scheme, _, key = given.partition(" ")
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
        raw = await read_body(receive)
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
        turn = Turn(self.pacer, request, entry, replies, arrived_s, send, limits, own)
        with tenant.answering():
            await turn.run(fault, header(scope, b"x-mock-headers") == "early", receive)

    async def _settled(self, key: str, scope: Scope) -> None:
        """Wait until none of this key's requests is being answered, for so long as was asked."""
        asked = parse_qs(scope["query_string"].decode("latin-1")).get("settle_s", ["0"])[-1]
        try:
            wait_s = float(asked)
        except ValueError:
            wait_s = -1.0
        if not 0 <= wait_s <= 60:
            raise WireError(400, f"settle_s is {asked!r}: seconds, 0 to 60.", param="settle_s")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.state.tenant(key).idle.wait(), wait_s)

    def _is_new(self, scope: Scope) -> bool:
        client = tuple(scope.get("client") or ())
        if client in self._connections:
            return False
        self._connections[client] = None
        if len(self._connections) > CONNECTIONS_KNOWN:
            self._connections.popitem(last=False)
        return True


def _allow(method: str, *allowed: str) -> None:
    if method not in allowed:
        raise WireError(
            405, f"Not allowed: {method}. Use {' or '.join(allowed)}.", code="method_not_allowed"
        )


def _attempt(scope: Scope) -> int:
    text = header(scope, b"x-stainless-retry-count") or "0"
    return int(text) if text.isdecimal() and len(text) < 4 else 0
