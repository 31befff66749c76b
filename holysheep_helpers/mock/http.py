"""HTTP/1.1 for the mock: requests parsed by httptools, every byte of a reply in our own hands.

An ASGI server would hide what a mock of failures needs most: closing a connection in the middle of
a reply, resetting it, counting the chunks that left. So the transport is used directly.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Protocol
from urllib.parse import unquote

import httptools

from holysheep_helpers.mock.exchange import Exchange, Request

BODY_LIMIT = 8 * 1024 * 1024
HEAD_LIMIT = 64 * 1024
IDLE_S = 75.0
"""A connection without a request is closed after this time; a request that does not come to its
end, too."""
LINGER_S = 2.0
"""How long what a refused client still sends is read, so that it comes to read its answer."""


class Application(Protocol):
    """What answers: ``handle`` is called for each whole request, and must not raise."""

    def handle(self, request: Request, exchange: Exchange) -> None: ...

    def refuse(self, status: int, message: str, exchange: Exchange) -> None: ...


class Connection(asyncio.Protocol):
    """One client's connection: its requests are answered one after the other."""

    def __init__(self, app: Application, every: set[Connection]) -> None:
        self._app, self._every = app, every
        self._parser: Any = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[Request, Exchange]] = deque()
        self._current: Exchange | None = None
        self._count = 0
        self._refused = False
        self._expects = False
        self._head = 0
        self._target, self._headers, self._body = b"", {}, bytearray()

    # The transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.host: str = (transport.get_extra_info("peername") or ("",))[0]
        self.quiet_since_s = asyncio.get_running_loop().time()
        self._every.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._every.discard(self)
        self._waiting.clear()
        self._parser = None  # it refers back to this object
        exchange, self._current = self._current, None
        if exchange is not None and not exchange.ended:
            exchange.ended = True
            on_left, exchange.on_left = exchange.on_left, None
            if on_left is not None:
                on_left()

    def data_received(self, data: bytes) -> None:
        if self._refused or self._parser is None:
            return
        self.quiet_since_s = asyncio.get_running_loop().time()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(400, "This server speaks HTTP alone, and does not upgrade.")
        except httptools.HttpParserCallbackError:
            raise  # a fault of ours, not of the request
        except httptools.HttpParserError:
            self._refuse(400, "This is no HTTP request.")

    def write(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)

    # The parser's side

    def on_message_begin(self) -> None:
        self._target, self._headers, self._body = b"", {}, bytearray()
        self._head = 0
        self._expects = False

    def on_url(self, url: bytes) -> None:
        self._target += url
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value
        self._count_head(len(name) + len(value))

    def _count_head(self, size: int) -> None:
        self._head += size + 4
        if self._head > HEAD_LIMIT:
            self._refuse(431, f"The head of this request is larger than {HEAD_LIMIT} bytes.")

    def on_headers_complete(self) -> None:
        length = self._headers.get(b"content-length", b"0")
        if length.isdigit() and int(length[:20]) > BODY_LIMIT:
            self._too_large()
        elif self._headers.get(b"expect", b"").lower() == b"100-continue":
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        if self._refused:
            return
        self._body += body
        if len(self._body) > BODY_LIMIT:
            self._too_large()

    def _too_large(self) -> None:
        self._refuse(413, f"The body is larger than {BODY_LIMIT} bytes.")

    def on_message_complete(self) -> None:
        if self._refused:
            return
        method = self._parser.get_method().decode("ascii")
        path, _, query = self._target.decode("latin-1").partition("?")
        if "%" in path:
            path = unquote(path)
        request = Request(
            method, path, query, self._headers, self.host, self._count, bytes(self._body)
        )
        self._count += 1
        exchange = Exchange(
            self,
            keep_alive=self._parser.should_keep_alive(),
            chunked=self._parser.get_http_version() == "1.1",
            with_body=method != "HEAD",
        )
        if self._current is None:
            self._begin(request, exchange)
        else:  # sent before the reply to the last one: answered after it
            self._waiting.append((request, exchange))
            self.transport.pause_reading()

    def _begin(self, request: Request, exchange: Exchange) -> None:
        self._current = exchange
        self._app.handle(request, exchange)

    def _refuse(self, status: int, message: str) -> None:
        """Answer with an error, then close: what else comes on this connection is not read."""
        if not self._refused:
            self._refused = True
            exchange = Exchange(self, keep_alive=False, chunked=False, with_body=True)
            if self._current is not None:  # an earlier reply is under way: it ends here
                self._current.cut()
                return
            self._current = exchange
            self._app.refuse(status, message, exchange)

    def finished(self, keep: bool, abort: bool) -> None:
        """An exchange of this connection has ended."""
        self._current = None
        self.quiet_since_s = asyncio.get_running_loop().time()
        if abort:
            self.transport.abort()
        elif self._refused:  # it may still be sending: a close now could cost it our answer
            asyncio.get_running_loop().call_later(LINGER_S, self.transport.close)
        elif not keep:
            self.transport.close()
        elif self._waiting:
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        if self._waiting and self._current is None:
            request, exchange = self._waiting.popleft()
            if not self._waiting:
                self.transport.resume_reading()
            self._begin(request, exchange)

    def stop(self, *, hard: bool) -> None:
        """Close once nothing is being answered, or at once if ``hard``."""
        if hard:
            self.transport.abort()
        elif self._current is None:
            self.transport.close()
        else:
            self._current.keep_alive = False

    def close_if_quiet(self, now_s: float) -> None:
        """Close a connection on which nothing is answered and nothing has come for long."""
        if self._current is None and now_s - self.quiet_since_s > IDLE_S:
            self.transport.close()
