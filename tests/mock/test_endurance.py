"""A long day: thousands of requests with memory flat, and clients that leave in every way."""

import asyncio
import gc
import json
import socket
import struct
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from holysheep_helpers.mock.exchange import Exchange
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.mock.http import Connection
from holysheep_helpers.mock.journal import JOURNAL_LENGTH
from holysheep_helpers.mock.process import MockProcess
from holysheep_helpers.mock.server import Server
from holysheep_helpers.mock.timing import Pacer
from holysheep_helpers.mock.turn import Turn
from tests.support import raw
from tests.support.inside import running
from tests.support.sockets import STALL, chat, dial

BATCH = 50
RESET = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


def requests(numbers: range, keys: int) -> bytes:
    """Distinct prompts, every second one streamed; the connection closes after the last."""
    sent = []
    for number in numbers:
        content = json.dumps(raw.body(f"Tell me about item {number}.", stream=number % 2 == 0))
        close = "Connection: close\r\n" if number == numbers[-1] else ""
        sent.append(
            f"POST {raw.CHAT} HTTP/1.1\r\n"
            f"Authorization: Bearer hs-mock-{number // BATCH % keys}\r\n"
            f"Content-Length: {len(content)}\r\n{close}\r\n{content}"
        )
    return "".join(sent).encode()


def ask(mock: MockHandle, numbers: range, keys: int) -> None:
    """One request for each number, fifty on each connection, and all of them answered."""
    for start in numbers[::BATCH]:
        with dial(mock) as sock:
            sock.sendall(requests(range(start, start + BATCH), keys))
            received = bytearray()
            while more := sock.recv(1 << 18):
                received += more
        assert received.count(b"HTTP/1.1 200 OK\r\n") == BATCH
        assert received.count(b"data: [DONE]") == BATCH // 2


def resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@pytest.mark.process
@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="reads the memory of a process from /proc"
)
@pytest.mark.parametrize(("keys", "most_mb", "growth_mb"), [(1, 45, 3), (5, 50, 9)])
def test_twenty_thousand_requests_fit_into_45_mb(
    capsys: pytest.CaptureFixture[str], keys: int, most_mb: float, growth_mb: float
) -> None:
    """Of one key only the last 10,000 are kept; of five all 20,000, which take what they take."""
    mock = MockProcess.start(time_scale=0)
    try:
        at = {0: resident_mb(mock.pid)}
        for done in range(0, 20_000, 5000):
            ask(mock, range(done, done + 5000), keys)
            at[done + 5000] = resident_mb(mock.pid)
        kept = raw.send(mock, method="GET", path="/mock/journal?key=*").json
    finally:
        mock.stop()
    figures = ", ".join(f"{megabytes:.1f} MB after {done:,}" for done, megabytes in at.items())
    with capsys.disabled():
        print(f"\nresident memory of the mock, {keys} keys: {figures}")
    assert len(kept) == min(20_000, JOURNAL_LENGTH * keys)
    assert at[20_000] < most_mb
    assert at[20_000] - at[10_000] < growth_mb


class Timers:
    """Timers that never strike: what they belong to stays under way until its client leaves."""

    def __init__(self) -> None:
        self.set: set[int] = set()
        self._last = 0

    def pacer(self) -> Pacer:
        return Pacer(clock=lambda: 0.0, call_at=self._call_at, cancel=self._cancel)

    def _call_at(self, at_s: float, call: Callable[[], None]) -> int:
        self._last += 1
        self.set.add(self._last)
        return self._last

    def _cancel(self, timer: Any) -> None:
        self.set.remove(timer)


WAITS, HANGS = chat(stream=True), chat(b"x-mock-headers: early\r\n", stream=True)
WHOLE = chat(STALL)


def leave(sock: socket.socket) -> None:
    sock.close()


def leave_with_reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    sock.close()


def leave_half(sock: socket.socket) -> None:
    """Say that nothing more will be sent, and wait for the server to close."""
    sock.shutdown(socket.SHUT_WR)
    with suppress(ConnectionResetError):
        while sock.recv(65536):
            pass
    sock.close()


WAYS = [
    (sent, reads, how)
    for sent, reads in (
        (b"", False),
        (WAITS[:40], False),  # in the head
        (WAITS[:-20], False),  # in the body
        (WAITS, False),  # while the first token is awaited
        (WHOLE, False),
        (HANGS, True),  # in the reply
        (HANGS + WAITS + WAITS[:-5], True),  # with others sent ahead
    )
    for how in (leave, leave_with_reset, leave_half)
]


def drop(mock: MockHandle, count: int) -> None:
    """So many connections, all open at once, that end in one way after the other."""
    socks = []
    for number in range(count):
        sent, reads, how = WAYS[number % len(WAYS)]
        sock = dial(mock)
        sock.sendall(sent)
        if reads:
            assert sock.recv(9) == b"HTTP/1.1 "
        socks.append((how, sock))
    for how, sock in socks:
        how(sock)


def settled(server: Server) -> int:
    """The connections that are still open once the server has had time to see who left."""
    loop = server._loop
    assert loop is not None
    for _ in range(10_000):
        if not server.open_connections:
            break
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result()
    return server.open_connections


def alive() -> Counter[str]:
    gc.collect()
    kinds = (Connection, Exchange, Turn)
    return Counter(type(one).__name__ for one in gc.get_objects() if isinstance(one, kinds))


def test_a_thousand_clients_that_leave_midway_leave_nothing_behind(
    capsys: pytest.CaptureFixture[str],
) -> None:
    timers = Timers()
    before = alive()
    with running(timers.pacer(), time_scale=1) as (mock, server):
        mock.api_key = "hs-mock-http"
        kept = []
        for hundred in range(10):
            if hundred == 6:  # caches are filled, and tracing takes its time
                tracemalloc.start()
            drop(mock, 100)
            assert settled(server) == 0
            assert [tenant.hash for tenant in server.app.state.tenants() if tenant.busy] == []
            assert timers.set == set()
            assert {entry["outcome"] for entry in mock.entries(0)} == {"left"}
            mock.reset()
            settled(server)
            gc.collect()
            kept.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        left = alive() - before
        assert raw.send(mock, method="GET", path="/v1/models").status == 200
    with capsys.disabled():
        print(f"\nkept after each hundred that left: {[size // 1024 for size in kept[6:]]} KB")
    assert left == Counter()
    assert kept[-1] - kept[6] < 50_000
