"""HTTP/1.1 for the mock: requests parsed by httptools, every byte of a reply in our own hands.

An ASGI server would hide what a mock of failures needs most: closing a connection in the middle of
a reply, resetting it, counting the chunks that left. So the transport is used directly.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol
from urllib.parse import unquote

import httptools

from holysheep_helpers.mock.exchange import Exchange, Request

BODY_LIMIT = 4 * 1024 * 1024
HEAD_LIMIT = 64 * 1024
AHEAD = 100
"""So many requests may be sent before the first of them is answered, with ``BODY_LIMIT`` bytes of
bodies in all. Reading goes on meanwhile: a client that leaves would not be noticed otherwise."""
IDLE_S = 75.0
"""A connection without a request is closed after this time; a request that does not come to its
end in this time, too."""
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
        self._waiting: deque[tuple[Exchange, Callable[[Exchange], None], int]] = deque()
        self._ahead = 0  # bytes of the bodies that wait
        self._current: Exchange | None = None
        self._count = 0
        self._refused = False
        self._head = 0
        self._past_head = False
        self._owed = 0  # bytes of a body that the parser leaves to us
        self._unread = 0  # bytes that came since the parser last made something of them
        self._target, self._headers, self._body = b"", {}, bytearray()

    # The transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
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
        self._unread += len(data)
        while data and self._parser is not None and not self._refused:
            if self._owed:
                data = self._read_owed(data)
                continue
            try:
                self._parser.feed_data(data)
                data = b""
            except httptools.HttpParserUpgrade as upgrade:  # not taken up: HTTP/1.1 goes on
                data = data[upgrade.args[0] :]
            except httptools.HttpParserCallbackError:
                raise  # a fault of ours, not of the request
            except httptools.HttpParserError:
                self._refuse(400, "This is no HTTP request.")
        if self._unread > HEAD_LIMIT:  # one endless line, of which the parser tells nothing
            self._head_too_large()

    def _read_owed(self, data: bytes) -> bytes:
        """The body of a request that asks for an upgrade, which the parser does not read."""
        body, rest = data[: self._owed], data[self._owed :]
        self._owed -= len(body)
        self.on_body(body)
        if not self._owed:
            self._complete()
        return rest

    def pause_writing(self) -> None:
        """The client does not read its replies: it is not read from either."""
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.transport.resume_reading()

    def write(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)

    # The parser's side

    def on_message_begin(self) -> None:
        self._target, self._headers, self._body = b"", {}, bytearray()
        self._head = self._unread = 0
        self._past_head = False
        self.quiet_since_s = asyncio.get_running_loop().time()

    def on_url(self, url: bytes) -> None:
        self._target += url
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if not self._past_head:  # what comes behind a body decides nothing
            before = self._headers.get(name)  # one that comes twice is a list: RFC 9110, 5.3
            self._headers[name] = value if before is None else before + b", " + value
        self._count_head(len(name) + len(value))

    def _count_head(self, size: int) -> None:
        self._head += size + 4
        self._unread = 0
        if self._head > HEAD_LIMIT:
            self._head_too_large()

    def _head_too_large(self) -> None:
        self._refuse(431, f"The head of this request is larger than {HEAD_LIMIT} bytes.")

    def on_headers_complete(self) -> None:
        self._unread = 0
        self._past_head = True
        length = self._headers.get(b"content-length", b"0")
        if self._refused:
            return
        if self._parser.get_method() == b"CONNECT":
            self._refuse(400, "This server is no proxy: it opens no connection for anyone.")
        elif length.isdigit() and int(length[:20]) > BODY_LIMIT:
            self._too_large()
        elif self._headers.get(b"expect", b"").lower() == b"100-continue" and not self._current:
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._unread = 0
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
        if self._parser.should_upgrade():
            if b"transfer-encoding" in self._headers:
                self._refuse(400, "This server does not upgrade, and takes no chunks with that.")
                return
            self._owed = int(self._headers.get(b"content-length", b"0"))
        if not self._owed:
            self._complete()

    def _complete(self) -> None:
        method = self._parser.get_method().decode("ascii")
        target = self._target
        if not target.startswith(b"/"):  # the absolute form, as clients send it to a proxy
            target = _without_host(target)
        path, _, query = target.decode("latin-1").partition("?")
        if "%" in path:
            path = unquote(path)
        request = Request(method, path, query, self._headers, self._count, bytes(self._body))
        self._count += 1
        exchange = Exchange(
            self,
            keep_alive=self._parser.should_keep_alive(),
            chunked=self._parser.get_http_version() == "1.1",
            with_body=method != "HEAD",
        )
        self._answer(exchange, partial(self._app.handle, request), len(request.body))

    def _refuse(self, status: int, message: str) -> None:
        """Answer with an error, then close: what else comes on this connection is not read."""
        if not self._refused:
            self._refused = True
            exchange = Exchange(self, keep_alive=False, chunked=False, with_body=True)
            self._answer(exchange, partial(self._app.refuse, status, message), 0)

    def _answer(self, exchange: Exchange, answer: Callable[[Exchange], None], size: int) -> None:
        """Answer now, or once the reply in flight on this connection has ended."""
        if self._current is None:
            self._begin(exchange, answer)
            return
        self._waiting.append((exchange, answer, size))
        self._ahead += size
        if len(self._waiting) > AHEAD or self._ahead > BODY_LIMIT:
            self.transport.abort()

    def _begin(self, exchange: Exchange, answer: Callable[[Exchange], None]) -> None:
        self._current = exchange
        try:
            answer(exchange)
        except BaseException:  # a fault of ours: the client must not wait for ever
            self.transport.abort()
            raise

    def finished(self, keep: bool, abort: bool) -> None:
        """An exchange of this connection has ended."""
        self._current = None
        self.quiet_since_s = asyncio.get_running_loop().time()
        if abort:
            self.transport.abort()
        elif keep and self._waiting:
            asyncio.get_running_loop().call_soon(self._next)
        elif (
            self._refused and not self._waiting
        ):  # it may still be sending: a close now could cost it our answer
            asyncio.get_running_loop().call_later(LINGER_S, self.transport.close)
        elif not keep:
            self.transport.close()

    def _next(self) -> None:
        if self._waiting and self._current is None:
            exchange, answer, size = self._waiting.popleft()
            self._ahead -= size
            self._begin(exchange, answer)

    def stop(self, *, hard: bool) -> None:
        """Close once nothing is being answered, or at once if ``hard``."""
        if hard:
            self.transport.abort()
        elif self._current is None:
            self.transport.close()
        else:
            self._current.keep_alive = False

    def close_if_quiet(self, now_s: float) -> None:
        """Close a connection on which nothing is answered and no whole request came for long.

        At once: one whose client does not read would never come to its end.
        """
        if self._current is None and now_s - self.quiet_since_s > IDLE_S:
            self.transport.abort()


def _without_host(target: bytes) -> bytes:
    """The path and query of ``http://host/path?query``; anything else as it is."""
    scheme, _, rest = target.partition(b"://")
    if scheme.lower() not in (b"http", b"https"):
        return target
    return b"/" + rest.partition(b"/")[2]
