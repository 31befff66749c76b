"""Stamps at the socket: when a request's last byte left, and when each piece of its reply came.

An event loop is where the bytes of every HTTP client pass, whichever library it uses, before any of
it is parsed. So the loop stamps them, and the client above it is the SDK's own, unchanged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from types import SimpleNamespace
from typing import Any

from holysheep_helpers.client.replies import EventStream, ParsedReply, parse_json
from holysheep_helpers.latency.data import Text


@dataclass(slots=True, kw_only=True)
class Probe:
    """What passed for one request. Moments are seconds on the loop's ``wire_clock``.

    ``sent_s`` is when its last bytes were handed to the operating system; ``reads`` has (moment,
    bytes) as they came, after decryption; ``connect_s`` is the time spent on new connections.
    """

    sent_s: float | None = None
    new_connection: bool = False
    connect_began_s: float | None = None
    connect_s: float = 0.0
    reads: list[tuple[float, bytes]] = field(default_factory=list, repr=False)


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
        if current is not None and current.connect_began_s is not None:
            current.connect_s = self.wire_clock() - current.connect_began_s
            current.reads.clear()  # what a proxy said is no part of the reply
        _Watch(transport, protocol, self.wire_clock)


class _Watch:
    """Stands before one connection's ``write`` and ``data_received``. HTTP/1.1 alone: whoever wrote
    last is answered next.

    What the operating system does not take at once, such as a long prompt, waits in the transport,
    which calls ``resume_writing`` when all of it has gone.
    """

    def __init__(self, transport: Any, protocol: Any, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._asker: Probe | None = None
        self._received, self._resumed = protocol.data_received, protocol.resume_writing
        # asyncio looks these up at each call, so that one object's own can stand in for its class's
        transport.write = self._stamped(transport.write)
        transport.writelines = self._stamped(transport.writelines)
        protocol.data_received, protocol.resume_writing = self.data_received, self.resume_writing
        transport.set_write_buffer_limits(high=1, low=0)  # 0 and 0 never end a pause over TLS

    def _stamped(self, send: Callable[[Any], None]) -> Callable[[Any], None]:
        """The stamp is made before: a server on this computer may read it, and note the time,
        while the operating system has not come back from taking it."""

        def stamped(data: Any) -> None:
            now_s, current = self._clock(), probe.get()
            if current is not None:
                current.sent_s = now_s
                if current is not self._asker:
                    current.new_connection = self._asker is None
                    self._asker = current
            send(data)

        return stamped

    def resume_writing(self) -> None:
        if self._asker is not None:
            self._asker.sent_s = self._clock()
        self._resumed()

    def data_received(self, data: Any) -> None:
        if self._asker is not None:
            self._asker.reads.append((self._clock(), bytes(data)))
        self._received(data)


def read_events(reads: Sequence[tuple[float, bytes]]) -> Iterator[tuple[float, dict[str, Any]]]:
    """The events of a reply that came in these pieces: (when its last byte was in, its JSON).

    What is no event with a JSON object (comments, an error's body) is passed over; ``[DONE]`` ends
    it, as it does for the SDK. A whole answer in the place of a stream is one event.
    """
    import httptools

    bodies: list[bytes] = []  # what httptools calls on_body with: the content, its framing off
    parser = httptools.HttpResponseParser(SimpleNamespace(on_body=bodies.append))
    events, last_s = EventStream(), 0.0
    for at_s, piece in reads:
        with suppress(httptools.HttpParserError):  # a reply broken off, or followed by rubbish
            parser.feed_data(piece)
        body = b"".join(bodies)
        bodies.clear()
        last_s = at_s if body else last_s
        for data in events.feed(body):
            event = parse_json(data)
            if isinstance(event, dict):
                yield at_s, event
    rest = parse_json(events.take_rest())
    if isinstance(rest, dict) and (ParsedReply(rest).is_answer or not events.is_json):
        yield last_s, rest


def facts_of(reads: Sequence[tuple[float, bytes]]) -> dict[str, Any]:
    """What the reply's bytes say, as keywords for ``TimedStream``; moments as in ``reads``."""
    texts: list[Text] = []
    facts: dict[str, Any] = {"chunks": 0}
    for at_s, event in read_events(reads):
        said = ParsedReply(event)
        facts["chunks"] += 1
        facts["id"] = said.id or facts.get("id")
        facts |= said.token_counts
        if said.has_choice:
            facts["finish_reason"] = said.finish_reason or facts.get("finish_reason")
        if text := said.text or said.reasoning:
            kind = "answer" if said.text else "reasoning"
            texts.append(Text(at_s, len(text), kind))
    return facts | {"texts": tuple(texts)}
