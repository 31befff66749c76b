"""A hard day: slow connections, a fifth of all calls failing, and a batch that is killed often.

    python benchmarks/endurance.py [--slow 9000] [--calls 10000] [--kills 50]

Run by hand, some five minutes with these numbers. Each part says what was lost and what was paid
twice, by the journal of the mock, and stops with an error if an answer is missing or wrong, or if a
payment was not counted.
"""

from __future__ import annotations

import argparse
import random
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter, sleep
from typing import Any
from urllib.parse import urlsplit

import holysheep_helpers as hs
from holysheep_helpers.mock.process import MockProcess

QUIET: dict[str, Any] = {"progress": False, "max_concurrency": 50}
FAULTS: list[Any] = [500, 503, "reset", "disconnect", "cut_body", "html"] * 3
FAULTS.append(429)  # rare: each one holds back the whole batch for a second
ROUND = 2000  # the mock keeps the last 10,000 requests of a key
KILLED = 4000
CHILD = """
import sys
from benchmarks.endurance import QUIET, killed_prompts
import holysheep_helpers as hs
url, key, journal = sys.argv[1:]
gateway = hs.connect(base_url=url, api_key=key)
hs.batch_sync(gateway, killed_prompts(), journal=journal, **QUIET)
"""


def open_files(wanted: int) -> int:
    """Allow this process, and those that it starts, so many open files; how many it may have."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most


def slow(count: int) -> str:
    """Hold so many connections that never finish their request, and ask beside them."""
    possible = min(count, open_files(count + 200) - 200)
    mock = MockProcess.start(time_scale=0)
    address = urlsplit(mock.base_url)
    gateway = hs.connect(base_url=mock.base_url, api_key=mock.api_key)
    with ExitStack() as stack:
        stack.callback(mock.stop)
        for _ in range(possible):
            one = socket.create_connection((address.hostname or "", address.port or 0))
            stack.enter_context(one).sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n")
        took = []
        for number in range(100):
            start_s = perf_counter()
            prompt = f"Tell me about item {number}"
            check(prompt in hs.ask(gateway, prompt).text, f"another answer to {prompt}")
            took.append(perf_counter() - start_s)
        check(mock.alive, "the mock ended")
    slowest = f"the slowest in {max(took) * 1000:.0f} ms"
    return f"{possible:,} connections held open: 100 of 100 calls answered beside them, {slowest}"


def faulty(count: int) -> str:
    """A batch of so many calls, of which a fifth meets a fault."""
    gateway = hs.connect("mock", time_scale=0)
    mock = gateway.mock
    assert mock is not None
    total: Counter[str] = Counter()
    for start in range(0, count, ROUND):
        mock.reset()
        mock.script(FAULTS, probability=0.2)
        prompts = [f"Tell me about item {n}" for n in range(start, min(start + ROUND, count))]
        result = hs.batch_sync(gateway, prompts, **QUIET)
        entries = mock.entries()
        paid = Counter(one["request"] for one in entries if one["paid"] != "no")
        for item in result.ok:
            check(item.prompt in item.text, f"another answer to {item.prompt}")
        total["requests"] += len(entries)
        total["answered"] += len(result.ok)
        total["paid twice"] += sum(times - 1 for times in paid.values())
        total["counted"] += result.possibly_paid_twice
        total["lost"] += len(result.failed)
    check(total["paid twice"] <= total["counted"], f"paid twice and not counted: {total}")
    check(total["lost"] + total["answered"] == count, f"no result for some: {total}")
    return (
        f"{count:,} calls at 20% faults: {total['answered']:,} answered, {total['lost']} failed by "
        f"name, {total['requests']:,} requests, {total['paid twice']} may have been paid twice, "
        f"{total['counted']} counted"
    )


def killed_prompts() -> list[str]:
    return [f"Tell me about item {n}" for n in range(KILLED)]


def killed(times: int) -> str:
    """A batch that is killed at so many random moments, and at last runs to its end."""
    draw = random.Random(18)
    mock = MockProcess.start(time_scale=0.05)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        stack.callback(mock.stop)
        journal = str(Path(folder, "run.jsonl"))
        command = [sys.executable, "-c", CHILD, mock.base_url, mock.api_key, journal]
        for _ in range(times):
            seen = len(mock.entries(0))
            wait_for = seen + draw.randint(5, KILLED // times)
            child = subprocess.Popen(command, cwd=Path(__file__).parents[1])
            while len(mock.entries(0)) < wait_for and child.poll() is None:
                sleep(0.005)
            child.kill()
            child.wait()
        gateway = hs.connect(base_url=mock.base_url, api_key=mock.api_key)
        result = hs.batch_sync(gateway, killed_prompts(), journal=journal, **QUIET)
        entries = mock.entries()
    paid = Counter(one["request"] for one in entries if one["paid"] != "no")
    doubled = sum(count - 1 for count in paid.values())
    check(len(result.ok) == KILLED, f"{KILLED - len(result.ok)} prompts have no answer")
    check(all(item.prompt in item.text for item in result), "an answer to another prompt")
    check(doubled <= result.possibly_paid_twice, f"{doubled} paid twice, fewer counted")
    return (
        f"{times} kills: {len(result.ok):,} of {KILLED:,} answered, {doubled} paid twice, "
        f"{result.possibly_paid_twice} counted as possible"
    )


def check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise SystemExit(f"Not as promised: {otherwise}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    for name, usual in (("slow", 9000), ("calls", 10_000), ("kills", 50)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    options = parser.parse_args()
    parts = ((slow, options.slow), (faulty, options.calls), (killed, options.kills))
    for part, count in parts:
        start_s = perf_counter()
        print(f"{part(count)} ({perf_counter() - start_s:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
