"""HTTP without the SDK: what stands on the wire, byte for byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from holysheep_helpers import catalog
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.mock.timing import Pacer

CHAT = "/v1/chat/completions"


class Clock:
    """A clock of the test's own: a timer's moment has come as soon as it is set.

    ``late_s`` makes each timer late, as a busy system's would be.
    """

    def __init__(self, late_s: float = 0.0) -> None:
        self.now_s = 1000.0
        self._late_s = late_s

    def pacer(self) -> Pacer:
        wall = lambda: 1_800_000_000.0 + self.now_s  # noqa: E731
        return Pacer(lambda: self.now_s, self._call_at, _cancel, wall)

    def _call_at(self, at_s: float, call: Callable[[], None]) -> asyncio.Handle:
        def strike() -> None:
            self.now_s = max(self.now_s, at_s + self._late_s)
            call()

        return asyncio.get_running_loop().call_soon(strike)


def _cancel(timer: Any) -> None:
    timer.cancel()


def at_once() -> Pacer:
    """Real times are drawn, and none is waited for."""
    return Clock().pacer()


def body(prompt: str = "hello", **fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt}]
    return {"model": catalog.DEFAULT_MODEL, "messages": messages, **fields}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def text(self) -> str:
        return self.json["choices"][0]["message"]["content"]

    @property
    def events(self) -> list[str]:
        """The data of a stream's events; each is one ``data:`` line and an empty one."""
        assert self.content.endswith(b"\n\n")
        lines = self.content.decode("utf-8").removesuffix("\n\n").split("\n\n")
        assert all(line.startswith("data: ") and "\n" not in line for line in lines)
        return [line.removeprefix("data: ") for line in lines]

    @property
    def chunks(self) -> list[dict[str, Any]]:
        *chunks, last = self.events
        assert last == "[DONE]"
        return [json.loads(chunk) for chunk in chunks]


def connect(mock: MockHandle) -> HTTPConnection:
    """A connection to the mock, for one request or several."""
    address = urlsplit(mock.base_url)
    assert address.hostname
    return HTTPConnection(address.hostname, address.port, timeout=20)


def on(
    connection: HTTPConnection,
    mock: MockHandle,
    payload: Any = None,
    *,
    method: str = "POST",
    path: str = CHAT,
    headers: dict[str, str | None] | None = None,
) -> Answer:
    """One request on this connection; a header of ``None`` is left out."""
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode("utf-8")
    named = {**mock.headers, **(headers or {})}
    connection.request(
        method,
        path,
        body=None if payload is None else content,
        headers={name: value for name, value in named.items() if value is not None},
    )
    response = connection.getresponse()
    lowered = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, lowered, response.read())


def send(mock: MockHandle, payload: Any = None, **how: Any) -> Answer:
    """One request on a connection of its own; the rest as in ``on``."""
    connection = connect(mock)
    try:
        return on(connection, mock, payload, **how)
    finally:
        connection.close()


def ask(mock: MockHandle, prompt: str = "hello", **fields: Any) -> Answer:
    """A chat request that must be answered."""
    answer = send(mock, body(prompt, **fields))
    assert answer.status == 200, answer.content
    return answer
