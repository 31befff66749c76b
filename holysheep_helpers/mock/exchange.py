"""One request and the reply to it, byte by byte: what the connection and the application share."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import parse_qsl

Headers = Iterable[tuple[str, str]]
_REASONS = {status.value: status.phrase for status in HTTPStatus}
# On, zero seconds: a close sends RST. Windows has two shorts there, others two ints.
_NO_LINGER = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def dump(body: Any) -> bytes:
    return _ENCODER.encode(body).encode("utf-8")


@dataclass(slots=True)
class Request:
    """``nth_on_connection`` counts the requests on its connection."""

    method: str
    path: str
    query_string: str
    headers: dict[bytes, bytes]
    nth_on_connection: int
    body: bytes

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.query_string, keep_blank_values=True))

    def header(self, name: bytes) -> str | None:
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")


class Wire(Protocol):
    """What an exchange needs of its connection."""

    transport: Any

    def write(self, data: bytes) -> None: ...

    def finished(self, keep: bool, abort: bool) -> None: ...


@dataclass(slots=True, eq=False)
class Exchange:
    """The reply to one request, byte by byte. Once the client has left, writing does nothing.

    ``on_left`` is called when the client leaves before the reply has ended.
    """

    connection: Wire
    keep_alive: bool
    chunked: bool
    with_body: bool
    extra: list[tuple[str, str]] = field(default_factory=list)
    on_left: Callable[[], None] | None = None
    ended: bool = False
    _in_chunks: bool = False

    def head(self, status: int, headers: Headers, length: int | None) -> bytes:
        """The status line and headers; without a ``length`` the body is sent in chunks."""
        lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}"]
        lines += [f"{name}: {value}" for name, value in (*headers, *self.extra)]
        if length is None and self.chunked:
            lines.append("transfer-encoding: chunked")
            self._in_chunks = True
        elif length is None:
            self.keep_alive = False  # HTTP/1.0: the end of the connection ends the body
        elif status != 204:  # which has no body, and states no length (RFC 9110, 8.6)
            lines.append(f"content-length: {length}")
        if not self.keep_alive:
            lines.append("connection: close")
        elif not self.chunked:
            lines.append("connection: keep-alive")  # HTTP/1.0 closes unless it is told so
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def framed(self, data: bytes) -> bytes:
        """``data`` as one chunk of the body, if the body is sent in chunks."""
        return b"%x\r\n%b\r\n" % (len(data), data) if self._in_chunks else data

    def send(self, status: int, headers: Headers, body: bytes) -> None:
        """A whole reply at once."""
        head = self.head(status, headers, len(body))
        self.write(head + body if self.with_body else head)
        self.end()

    def send_json(self, status: int, body: Any, headers: Headers = ()) -> None:
        self.send(status, (("content-type", "application/json"), *headers), dump(body))

    def write(self, data: bytes) -> None:
        self.connection.write(data)

    def end(self) -> None:
        """The reply is complete; the last chunk of a chunked body is written here."""
        if self._in_chunks:
            self.write(b"0\r\n\r\n")
        self._finish(keep=self.keep_alive)

    def cut(self) -> None:
        """Close the connection as if the reply had ended; what was written still arrives."""
        self._finish(keep=False)

    def reset(self) -> None:
        """Reset the connection (RST): what was not read yet may be lost, as in real life."""
        transport = self.connection.transport
        sock = transport.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError):  # the other side may be gone already
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._finish(keep=False, abort=True)

    def _finish(self, *, keep: bool, abort: bool = False) -> None:
        if not self.ended:
            self.ended = True
            self.on_left = None  # it refers to what refers to this object
            self.connection.finished(keep, abort)
