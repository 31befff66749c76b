"""A small server on a real socket that loses replies, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from tests.unit.virtual import completion

PAID = ("ok", "lost", "stall", "cut", "html")
HTML = b"<html><body>Please log in to the guest network.</body></html>"


class LossyServer:
    """``behave(prompt, nth)`` decides what the ``nth`` request (from 0) for a prompt meets.

    ``"ok"``; a status as a string, ``"503"``; ``"lost"``: answered and billed, but the connection
    breaks before the reply; ``"cut"``: breaks within the reply; ``"stall"``: never ends;
    ``"html"``: a proxy's page with status 200. ``log`` has (prompt, what it met) of each request.
    """

    def __init__(self, behave: Callable[[str, int], str], takes_s: float) -> None:
        self.behave, self.takes_s = behave, takes_s
        self.log: list[tuple[str, str]] = []
        self.nth: Counter[str] = Counter()
        self.base_url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has left
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        length = [
            int(line[15:])
            for line in head.lower().split(b"\r\n")
            if line[:15] == b"content-length:"
        ]
        prompt = json.loads(await reader.readexactly(length[0]))["messages"][-1]["content"]
        meets = self.behave(prompt, self.nth[prompt])
        self.nth[prompt] += 1
        self.log.append((prompt, meets))
        await asyncio.sleep(self.takes_s)
        if meets == "stall":
            await reader.read()
        if meets in ("lost", "stall"):
            return False
        body, kind = json.dumps(completion(prompt.upper())).encode(), "application/json"
        if meets == "html":
            body, kind = HTML, "text/html"
        status, extra = 200, ""
        if meets.isdecimal():
            status = int(meets)
            extra = "retry-after-ms: 1\r\n" if status == 429 else ""
            body = json.dumps({"error": {"message": "as asked", "code": None}}).encode()
        writer.write(
            f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\n{extra}"
            f"content-length: {len(body)}\r\n\r\n".encode()
        )
        writer.write(body[: len(body) // 2] if meets == "cut" else body)
        await writer.drain()
        return meets != "cut"

    def paid(self) -> Counter[str]:
        """How many times each prompt was answered and billed, whether or not the reply arrived."""
        return Counter(prompt for prompt, met in self.log if met in PAID)

    def doubled(self) -> int:
        return sum(count - 1 for count in self.paid().values())


@contextmanager
def lossy(behave: Callable[[str, int], str], takes_s: float = 0.0) -> Iterator[LossyServer]:
    """Such a server in a thread of its own, for the length of a ``with`` block."""
    server = LossyServer(behave, takes_s)
    ready: Future[Any] = Future()

    async def serve() -> None:
        stop = asyncio.Event()
        listening = await asyncio.start_server(server.handle, "127.0.0.1", 0, backlog=256)
        port = listening.sockets[0].getsockname()[1]
        server.base_url = f"http://127.0.0.1:{port}/v1"
        ready.set_result((asyncio.get_running_loop(), stop))
        await stop.wait()
        listening.close()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    loop, stop = ready.result()
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
