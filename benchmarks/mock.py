"""Our mock beside aimock (npm) and llmock (PyPI): requests per second, start, memory, lateness.

    python benchmarks/mock.py                   all of it, about four minutes
    python benchmarks/mock.py --quick           the speed alone, about one minute
    python benchmarks/mock.py --peers FOLDER    keep the peers there for the next time

The peers are installed into a temporary folder; one that can't be is left out, and said so. Rounds
are taken in turn, so that a slow moment hits all; the median is shown. Each reply is checked. The
servers' processor time per request depends less on who else uses the machine than the rates do.
The limits are goals on two idle cores; nothing fails here if one is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import os
import platform
import statistics
import tempfile
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any

import peers

from holysheep_helpers.mock.handle import MockHandle

CONNECTIONS = 32
SCENES = {  # name: streamed, distinct prompts
    "JSON, the same prompt": (False, False),
    "JSON, distinct prompts": (False, True),
    "streamed, the same prompt": (True, False),
    "streamed, distinct prompts": (True, True),
}
LAST_CHUNK = b"\r\n0\r\n\r\n"
DONE = b"data: [DONE]\n\n" + LAST_CHUNK
_numbers = count(1_000_000)  # as many digits each time: prompts and replies keep their length


@dataclass
class Load:
    """Requests from several connections at once, until a moment or a count."""

    server: peers.Server
    stream: bool
    distinct: bool
    seconds: float = 1e9
    limit: int = 10**9
    sent: int = 0
    done: int = 0
    open: int = 0
    size: int = 0
    chunks: int = 0
    wrong: list[bytes] = field(default_factory=list)
    end_s: float = 0.0

    def __post_init__(self) -> None:
        program = self.server.program
        messages = [{"role": "user", "content": f"{peers.PROMPT} Number 1000000."}]
        body: dict[str, Any] = {"model": program.model, "messages": messages, "temperature": 0}
        content = json.dumps(body | {"stream": True} if self.stream else body).encode()
        head = (
            f"POST {peers.CHAT} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {program.key}"
            f"\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        self._request = head.encode() + content
        self._before, _, self._after = self._request.partition(b"1000000")

    def next(self) -> bytes | None:
        """The next request, ``None`` if there is to be none."""
        if self.sent >= self.limit or perf_counter() >= self.until_s:
            return None
        self.sent += 1
        if self.distinct:
            return b"%b%d%b" % (self._before, next(_numbers), self._after)
        return self._request

    def received(self, reply: bytearray, body: int) -> None:
        """Check a reply whose body begins there: like the first, which ``main`` has looked at."""
        self.done += 1
        self.end_s = perf_counter()
        size = reply.count(b"data: ") if self.stream else len(reply) - body
        self.size = self.size or size
        good = reply.startswith(b"HTTP/1.1 200 ") and size == self.size
        if not good or (self.stream and not reply.endswith(DONE)):
            self.wrong.append(bytes(reply))

    def run(self, connections: int = CONNECTIONS) -> None:
        factory = None
        if importlib.util.find_spec("uvloop"):
            import uvloop

            factory = uvloop.new_event_loop
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(self._run(connections))

    async def _run(self, connections: int) -> None:
        loop = asyncio.get_running_loop()
        self.all_closed = asyncio.Event()
        cpu_s, start_s = self.server.cpu_s(), perf_counter()
        self.until_s = start_s + self.seconds
        for _ in range(connections):
            self.open += 1
            await loop.create_connection(lambda: Client(self), "127.0.0.1", self.server.port)
        await asyncio.wait_for(self.all_closed.wait(), 300)
        self.rate = self.done / (self.end_s - start_s)
        self.cpu_us = (self.server.cpu_s() - cpu_s) / self.done * 1e6


class Client(asyncio.Protocol):
    """One connection: a request, its reply, the next request."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._waiting = False

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._got, self._body, self._whole = bytearray(), 0, 0
        request = self._load.next()
        self._waiting = request is not None
        if request is None:
            self._transport.close()
        else:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._got += data
        if not self._body and (end := self._got.find(b"\r\n\r\n")) >= 0:
            self._body = end + 4
            _, stated, rest = self._got[:end].lower().partition(b"content-length:")
            self._whole = self._body + int(rest.split(b"\r")[0]) if stated else 0
        if not self._body:
            return
        if len(self._got) >= self._whole if self._whole else self._got.endswith(LAST_CHUNK):
            self._waiting = False
            self._load.received(self._got, self._body)
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting:
            self._load.wrong.append(b"connection lost: " + bytes(self._got))
        self._load.open -= 1
        if not self._load.open:
            self._load.all_closed.set()


Figures = dict[str, dict[str, list[float]]]


def start(program: peers.Program) -> peers.Server:
    """The server as it is measured: without delays, with about the same text for each."""
    server = program.start(*(["--time-scale", "0"] if program.name == "ours" else []))
    if program.name == "llmock":
        reply = {"type": "reply", "text": peers.CANNED, "times": None}
        server.call("POST", "/_llmock/scenario", {"behaviors": [reply]})
    answer = server.ask(temperature=0)
    if not answer.whole or len(answer.text) < 200:
        raise peers.MissingError(f"{program.name} gives no right answer: {answer}")
    return server


def measure_speed(programs: dict[str, peers.Program], rounds: int) -> Figures:
    rates: Figures = {}
    with contextlib.ExitStack() as stack:
        servers = {name: start(program) for name, program in programs.items()}
        for server in servers.values():
            stack.callback(server.stop)
        for number in range(rounds + 1):
            for scene, (stream, distinct) in SCENES.items():
                for name, server in servers.items():
                    load = Load(server, stream, distinct, seconds=1.5 if number else 0.5)
                    load.run()
                    for wrong in load.wrong[:3]:
                        print(f"failed: {name}, {scene}: {wrong[:300]!r}")
                    if not number:  # a warm-up
                        continue
                    put(rates, f"{scene}, a second", name, load.rate)
                    put(rates, "  server's CPU each, µs; " + scene, name, load.cpu_us)
                    if stream:
                        put(rates, "chunks a stream", name, load.size)
                    put(rates, "wrong replies", name, len(load.wrong))
    return rates


def measure_start(programs: dict[str, peers.Program], rounds: int = 7) -> Figures:
    figures: Figures = {}
    for _ in range(rounds):
        for name, program in programs.items():
            start_s = perf_counter()
            with program.running() as server:
                server.call("GET", "/v1/models")
                put(figures, "start to first answer, ms", name, (perf_counter() - start_s) * 1000)
    return figures


def measure_memory(programs: dict[str, peers.Program]) -> Figures:
    figures: Figures = {}
    for name, program in programs.items():
        server = start(program)
        try:
            put(figures, "resident at the start, MB", name, server.resident_mb())
            for stream, limit in ((False, 15_000), (True, 5_000)):
                Load(server, stream, distinct=True, limit=limit).run()
            put(figures, "resident after 20,000 requests, MB", name, server.resident_mb())
        finally:
            server.stop()
    return figures


def measure_lateness(program: peers.Program) -> str:
    """How late chunks leave at 50 streams at once, by the mock's own journal."""
    with program.running("--time-scale", "1") as server:
        Load(server, stream=True, distinct=True, limit=400).run(50)
        entries = MockHandle(f"http://127.0.0.1:{server.port}/v1", program.key).entries()
    late_ms = [
        (sent - due) * 1000
        for entry in entries
        for due, sent in zip(entry["due_s"], entry["sent_s"], strict=True)
    ]
    cuts = statistics.quantiles(late_ms, n=100, method="inclusive")
    return (
        f"{len(late_ms):,} chunks of {len(entries)} streams, 50 at once, left late by "
        f"{cuts[49]:.2f} ms at p50, {cuts[98]:.2f} at p99 (goal: 2), {max(late_ms):.2f} at most"
    )


def put(figures: Figures, what: str, name: str, value: float) -> None:
    figures.setdefault(what, {}).setdefault(name, []).append(value)


GOALS = {"start to first answer, ms": "300", "resident after 20,000 requests, MB": "45"}


def show(figures: Figures, names: list[str]) -> None:
    for what, values in figures.items():
        middle = {name: statistics.median(found) for name, found in values.items()}
        line = "".join(f"{middle[n]:>10,.0f}" if n in middle else f"{'-':>10}" for n in names)
        for name in names[1:]:
            ratio = middle["ours"] / middle[name] if middle.get(name) else None
            line += f"{'-' if ratio is None else f'{ratio:.2f}':>13}"
        print(f"{what:<50}{line}{GOALS.get(what, ''):>8}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Our mock beside others, in one run.")
    parser.add_argument("--quick", action="store_true", help="leave out start, memory, lateness")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", type=Path, help="where the peers are, or are to be, installed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        programs, missing = peers.installed(options.peers or Path(temporary))
        load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
        print(f"{platform.system()}, {os.cpu_count()} cores{load}, {CONNECTIONS} connections")
        for name, program in programs.items():
            print(f"{name}: {program.version} on {program.runtime}")
        for name, why in missing.items():
            print(f"{name}: left out ({why})")
        names = list(peers.ALL)
        ratios = "".join(f"{'ours/' + name:>13}" for name in names[1:])
        print(f"{'median':<50}{''.join(f'{name:>10}' for name in names)}{ratios}{'goal':>8}")
        show(measure_speed(programs, options.rounds), names)
        if not options.quick:
            show(measure_start(programs), names)
            show(measure_memory(programs), names)
            print(measure_lateness(programs["ours"]))


if __name__ == "__main__":
    main()
