"""Stamps at the socket: when a request's last byte left, and when each piece of its reply came.

An event loop is where the bytes of every HTTP client pass, whichever library it uses, before any of
it is parsed. So the loop stamps them, and the client above it is the SDK's own, unchanged.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from holysheep_helpers.latency.data import Text


@dataclass(slots=True)
class Probe:
    """What passed for one request. Moments are seconds on the loop's ``wire_clock``.

    ``sent_s`` is when its last bytes were handed to the operating system; ``reads`` has (moment,
    bytes) as they came, after decryption; ``connect_s`` is the time spent on new connections.
    """

    sent_s: float | None = None
    new_connection: bool = False
    connect_began_s: float | None = None
    connect_ended_s: float | None = None
    reads: list[tuple[float, bytes]] = field(default_factory=list, repr=False)

    @property
    def connect_s(self) -> float:
        if self.connect_began_s is None or self.connect_ended_s is None:
            return 0.0
        return self.connect_ended_s - self.connect_began_s


probe: ContextVar[Probe | None] = ContextVar("probe", default=None)
"""The request that the current task works for; tasks that it starts inherit it."""


class WireLoop(asyncio.SelectorEventLoop):
    """An event loop that fills in the ``probe`` of whoever opens a connection, writes or is read.

    ``data_received`` runs before any task that waits for those bytes, so a stamp there does not
    wait for other replies to be parsed. Selectors work on Windows, too, for up to 512 connections.
    """

    wire_clock: Callable[[], float] = staticmethod(perf_counter)

    async def getaddrinfo(self, *args: Any, **options: Any) -> Any:
        self._connecting()
        return await super().getaddrinfo(*args, **options)

    async def sock_connect(self, sock: Any, address: Any) -> None:
        self._connecting()
        await super().sock_connect(sock, address)

    async def create_connection(self, *args: Any, **options: Any) -> Any:
        self._connecting()
        transport, protocol = await super().create_connection(*args, **options)
        self._connected(transport, protocol)
        return transport, protocol

    async def start_tls(self, transport: Any, protocol: Any, *args: Any, **options: Any) -> Any:
        self._connecting()
        above = await super().start_tls(transport, protocol, *args, **options)
        self._connected(above, protocol)
        return above

    def _connecting(self) -> None:
        current = probe.get()
        if current is not None and current.connect_began_s is None:
            current.connect_began_s = self.wire_clock()

    def _connected(self, transport: Any, protocol: Any) -> None:
        current = probe.get()
        if current is not None:
            current.connect_ended_s = self.wire_clock()
            current.reads.clear()  # what a proxy said is no part of the reply
        _Watch(transport, protocol, self.wire_clock)


class _Watch:
    """Stands before one connection's ``write`` and ``data_received``. HTTP/1.1 alone: whoever wrote
    last is answered next.

    What the operating system does not take at once, a long prompt say, waits in the transport,
    which calls ``resume_writing`` when all of it has gone.
    """

    def __init__(self, transport: Any, protocol: Any, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._asker: Probe | None = None
        self._used = False
        self._write, self._writelines = transport.write, transport.writelines
        self._received, self._resumed = protocol.data_received, protocol.resume_writing
        # asyncio looks these up at each call, so that one object's own can stand in for its class's
        transport.write, transport.writelines = self.write, self.writelines
        protocol.data_received, protocol.resume_writing = self.data_received, self.resume_writing
        transport.set_write_buffer_limits(high=1, low=0)  # 0 and 0 never end a pause over TLS

    def write(self, data: Any) -> None:
        self._sends()
        self._write(data)

    def writelines(self, data: Any) -> None:
        self._sends()
        self._writelines(data)

    def _sends(self) -> None:
        """Before it is handed over: a server on this computer may read it, and note the time,
        while the operating system has not come back from taking it."""
        now_s, current = self._clock(), probe.get()
        if current is None:
            return
        if current is not self._asker:
            self._asker = current
            current.new_connection = not self._used
            self._used = True
        current.sent_s = now_s

    def resume_writing(self) -> None:
        if self._asker is not None:
            self._asker.sent_s = self._clock()
        self._resumed()

    def data_received(self, data: Any) -> None:
        if self._asker is not None:
            self._asker.reads.append((self._clock(), bytes(data)))
        self._received(data)


_LINE_END = re.compile(rb"\r\n|\r|\n")


def read_events(reads: Sequence[tuple[float, bytes]]) -> Iterator[tuple[float, dict[str, Any]]]:
    """The events of a reply that came in these pieces: (when its last byte was in, its JSON).

    What is no event with a JSON object (comments, an error's body) is passed over; ``[DONE]`` ends
    it, as it does for the SDK.
    """
    import httptools

    body = _Body()
    parser = httptools.HttpResponseParser(body)
    data: list[bytes] = []
    rest, half_end = b"", False
    for at_s, piece in reads:
        with suppress(httptools.HttpParserError):  # a reply broken off, or followed by rubbish
            parser.feed_data(piece)
        came = body.take()
        *lines, rest = _LINE_END.split(rest + (came.removeprefix(b"\n") if half_end else came))
        if came:
            half_end = came.endswith(b"\r")  # a line feed may follow, and is no line of its own
        for line in lines:
            if line.startswith(b"data:"):
                data.append(line[5:])
            elif not line and data:
                text = b"\n".join(data)
                data.clear()
                if text.strip() == b"[DONE]":
                    return
                event = _json(text)
                if isinstance(event, dict):
                    yield at_s, event


class _Body:
    """What httptools calls with a reply's content, its framing taken off."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def facts_of(reads: Sequence[tuple[float, bytes]], began_s: float) -> dict[str, Any]:
    """What the reply's bytes say, as keywords for ``TimedStream``; moments since ``began_s``."""
    texts: list[Text] = []
    facts: dict[str, Any] = {"chunks": 0}
    for at_s, event in read_events(reads):
        facts["chunks"] += 1
        facts["id"] = event.get("id") or facts.get("id")
        facts |= _usage(event.get("usage"))
        for choice in listed(event.get("choices")):
            if not isinstance(choice, Mapping):
                continue
            facts["finish_reason"] = choice.get("finish_reason") or facts.get("finish_reason")
            text, kind = text_of(choice.get("delta"))
            if text:
                texts.append(Text(at_s - began_s, len(text), kind))
    return facts | {"texts": tuple(texts)}


def listed(value: Any) -> list[Any]:
    """A list as it is, and nothing of what is none: servers send both as ``choices``."""
    return value if isinstance(value, list) else []


def text_of(delta: Any) -> tuple[str, str]:
    """The text of a delta, and its kind, ``answer`` or ``reasoning``.

    Gateways call reasoning by two names; Mistral's own models send it as a part of the content.
    """
    if not isinstance(delta, Mapping):
        return "", ""
    content = delta.get("content")
    parts = [part for part in listed(content) if isinstance(part, Mapping)]
    said = content if isinstance(content, str) else _joined([part.get("text") for part in parts])
    if said:
        return said, "answer"
    thoughts = [delta.get("reasoning_content"), delta.get("reasoning")]
    thought = next((text for text in thoughts if isinstance(text, str) and text), "")
    return thought or _joined([part.get("thinking") for part in parts]), "reasoning"


def _joined(value: Any) -> str:
    if isinstance(value, Mapping):
        value = value.get("text")
    return value if isinstance(value, str) else "".join(map(_joined, listed(value)))


def _usage(usage: Any) -> dict[str, int]:
    """The counts of tokens that are counts."""
    if not isinstance(usage, Mapping):
        return {}
    details = usage.get("completion_tokens_details")
    reasoning = details.get("reasoning_tokens") if isinstance(details, Mapping) else None
    found = {
        "prompt_tokens": usage.get("prompt_tokens"),
        "output_tokens": usage.get("completion_tokens"),
        "reasoning_tokens": reasoning,
    }
    return {name: value for name, value in found.items() if type(value) is int and value >= 0}
