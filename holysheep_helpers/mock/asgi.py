"""The few words of ASGI that the mock speaks: reading a request, writing an answer."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from holysheep_helpers.mock import wire
from holysheep_helpers.mock.wire import WireError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = tuple[tuple[str, str], ...]
BODY_LIMIT = 4 * 1024 * 1024


class DisconnectError(Exception):
    """Raised to make the server drop the connection in the middle of a reply."""


def header(scope: Scope, name: bytes) -> str | None:
    for key, value in scope["headers"]:
        if key == name:
            return value.decode("latin-1")
    return None


def parse_json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise WireError(400, "We could not parse the JSON body of your request.") from None


async def read_body(receive: Receive) -> bytes:
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


async def client_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def send_start(send: Send, status: int, headers: Headers) -> None:
    encoded = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": encoded})


async def send_json(send: Send, status: int, body: Any, headers: Headers = ()) -> None:
    data = wire.dump(body)
    length = ("content-length", str(len(data)))
    await send_start(send, status, (("content-type", "application/json"), length, *headers))
    await send({"type": "http.response.body", "body": data, "more_body": False})
