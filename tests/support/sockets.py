"""Bare sockets to a mock, and chats over them."""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import urlsplit

from holysheep_helpers.mock.handle import MockHandle
from tests.support import raw

STALL = b'x-mock-fault: {"kind": "stall"}\r\n'


def chat(
    *lines: bytes, content: bytes | None = None, version: bytes = b"1.1", **more: Any
) -> bytes:
    """The bytes of a chat request, with these header lines in it."""
    content = json.dumps(raw.body(**more)).encode() if content is None else content
    head = (
        b"POST /v1/chat/completions HTTP/%b\r\nAuthorization: Bearer hs-mock-http\r\n"
        b"Content-Length: %d\r\n%b\r\n"
    )
    return head % (version, len(content), b"".join(lines)) + content


def dial(mock: MockHandle) -> socket.socket:
    address = urlsplit(mock.base_url)
    return socket.create_connection((address.hostname, address.port), timeout=20)
