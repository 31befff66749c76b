"""A server on this computer that answers with whatever bytes a test gives it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self

import holysheep_helpers as hs

Answer = tuple[int, Mapping[str, str], "bytes | Sequence[bytes]"]
JSON = {"content-type": "application/json"}
SSE = {"content-type": "text/event-stream"}


class Answers:
    """A context manager; ``answer`` gets a request's body and gives status, headers and bytes.

    Several pieces of bytes go out as chunks of their own. ``seen`` has the bodies, in order.
    ``close`` closes the connection after each reply; a content-length that is given is kept.
    """

    def __init__(self, answer: Callable[[dict[str, Any]], Answer], *, close: bool = False) -> None:
        self.seen: list[dict[str, Any]] = []
        self.answer = answer
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.seen.append(body)
                status, headers, content = outer.answer(body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if isinstance(content, bytes):
                    if "content-length" not in headers:
                        self.send_header("content-length", str(len(content)))
                    pieces = [content]
                else:
                    self.send_header("transfer-encoding", "chunked")
                    pieces = [b"%x\r\n%b\r\n" % (len(p), p) for p in (*content, b"")]
                self.end_headers()
                for piece in pieces:
                    self.wfile.write(piece)
                self.close_connection = close

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def gateway(self, **options: Any) -> hs.Gateway:
        """A live gateway whose server this is."""
        options = {"budget_usd": 10, **options}
        return hs.connect("live", base_url=self.url, api_key="hs-mock-answers", **options)

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def body_of(value: Any) -> bytes:
    """A value as a JSON body; a string as it is."""
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


def stream_of(*events: Any, done: bool = True, end: str = "\n") -> bytes:
    """A stream of these events, a line of ``[DONE]`` after them; strings are lines as they are."""
    lines = [e if isinstance(e, str) else f"data: {json.dumps(e)}" for e in events]
    lines += ["data: [DONE]"] if done else []
    return "".join(line + end + end for line in lines).encode()
