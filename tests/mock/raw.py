"""HTTP without the SDK: what stands on the wire, byte for byte."""

import asyncio
import json
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from holysheep_helpers import catalog
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.mock.timing import Pacer

CHAT = "/v1/chat/completions"


async def _no_wait(seconds: float) -> None:
    await asyncio.sleep(0)


AT_ONCE = Pacer(clock=lambda: 0.0, sleep=_no_wait)  # real times are drawn, none is waited for


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


def send(
    mock: MockHandle,
    payload: Any = None,
    *,
    method: str = "POST",
    path: str = CHAT,
    headers: dict[str, str | None] | None = None,
) -> Answer:
    """One request on a connection of its own; a header of ``None`` is left out."""
    address = urlsplit(mock.base_url)
    assert address.hostname
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode("utf-8")
    named = {"Authorization": f"Bearer {mock.api_key}", **(headers or {})}
    connection = HTTPConnection(address.hostname, address.port, timeout=20)
    try:
        connection.request(
            method,
            path,
            body=None if payload is None else content,
            headers={name: value for name, value in named.items() if value is not None},
        )
        response = connection.getresponse()
        lowered = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, lowered, response.read())
    finally:
        connection.close()


def ask(mock: MockHandle, prompt: str = "hello", **fields: Any) -> Answer:
    """A chat request that must be answered."""
    answer = send(mock, body(prompt, **fields))
    assert answer.status == 200, answer.content
    return answer
