"""What our mock, aimock and llmock can do: each cell of the table is a probe that is run now.

    python benchmarks/mock_features.py                  about a minute
    python benchmarks/mock_features.py --peers FOLDER   keep the peers there for the next time

A feature that a mock has under another name, or asked for in another way, counts: ``levers.py``
says how each is asked. A peer that can't be installed is left out, and nothing is claimed of it.
Here are the probes that start servers of their own; the others are in ``mock_probes.py``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from time import perf_counter, sleep

import levers
import peers
from levers import LacksError, Levers
from mock_probes import ROWS, bearer, cell
from peers import PROMPT, Answer, Program


def in_crowd(program: Program, kind: type[Levers]) -> str:
    """The same fifty requests one by one and all at once, three of ten failing by chance."""
    seen = []
    for workers in (1, 50):
        with program.running(*kind.at_once, *kind.by_chance) as server:
            kind(server).chance()
            with ThreadPoolExecutor(workers) as pool:
                answers = list(pool.map(lambda i: server.ask(f"{PROMPT} {i}"), range(50)))
        seen.append([(answer.status, answer.text) for answer in answers])
    failed = sum(status != 200 for status, _ in seen[0])
    return cell(seen[0] == seen[1] and failed > 0, "drawn again each time", f"{failed} of 50 fail")


def times(program: Program, kind: type[Levers]) -> str:
    with program.running(*kind.timed) as server:
        asked = kind(server).slow()
        firsts_ms = [server.ask(stream=True, **asked).first_s * 1000 for _ in range(24)]
    low, middle, high = statistics.quantiles(firsts_ms, n=4)
    said = f"half within {low:.0f} and {high:.0f} ms"
    if high - low < 0.03 * middle:
        return f"no ({kind.timing}: {said})"
    return f"{'yes' if kind is levers.Ours else 'partly'} ({kind.timing}: {said})"


def limits(program: Program, kind: type[Levers]) -> dict[str, str]:
    cells = dict.fromkeys(LIMITS, "no")
    with program.running(*kind.limited) as server:
        good_s: list[float] = []
        left: list[int] = []
        full = Answer(0)
        for _ in range(70):
            full = server.ask(max_tokens=1)
            if full.status == 429:
                break
            good_s.append(perf_counter())
            left.append(int(full.headers.get("x-ratelimit-remaining-requests", 0)))
        cells[LIMITS[0]] = cell(left[:3] == [59, 58, 57], "static or none")
        if full.status != 429:
            return cells
        told_s = float(full.headers.get("retry-after-ms", 0)) / 1000
        sleep(told_s * 0.7)
        early = server.ask(max_tokens=1).status
        other = server.ask(headers=bearer(kind.other_key)).status
        sleep(told_s * 0.3 + 0.02)
        start_s = perf_counter()
        late = server.ask(max_tokens=1).status
        passed = sum(start_s - at_s < kind.minute_s * 0.99 for at_s in good_s) + (late == 200)
        cells[LIMITS[1]] = cell((early, other, late) == (429, 200, 200), f"{early, other, late}")
        cells[LIMITS[2]] = cell(passed <= 60, f"{passed} in less than a minute: a bucket refills")
        third = bearer(kind.other_key + "z")
        got = [server.ask(headers=third, **kind.heavy) for _ in range(2)]
        got.append(server.ask(headers=third, **kind.too_heavy))
        cells[LIMITS[3]] = cell([answer.status for answer in got[:2]] == [200, 429])
        cells[LIMITS[4]] = cell("retry-after" not in got[2].headers, "429 with Retry-After")
    return cells


LIMITS = [
    "rate-limit headers are true",
    "requests per minute and key, Retry-After is true",
    "never more than the limit in any minute",
    "tokens per minute",
    "what can never fit is a final error",
]


def offline(program: Program) -> str:
    """Whether a socket to another machine shows while it starts and answers (Linux alone)."""
    if not Path("/proc/net/tcp").exists():
        return "left out (Linux alone)"
    seen: set[str] = set()
    with program.running() as server:
        for _ in range(20):
            server.ask()
            seen |= remote(server.process.pid)
    return cell(not seen, ", ".join(seen))


def remote(pid: int) -> set[str]:
    """The remote ends of this process's sockets, in the kernel's spelling, loopback left out."""
    own: set[str] = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since
            own.add(os.readlink(file).removeprefix("socket:[").removesuffix("]"))
    lines = Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]
    found = {parts[2] for parts in map(str.split, lines) if parts[9] in own}
    return {end for end in found if not end.startswith(("00000000:", "0100007F:"))}


def replays(program: Program, kind: type[Levers], upstream: Program) -> str:
    with tempfile.TemporaryDirectory() as folder, program.running() as server:
        return cell(kind(server).replays(program, upstream, Path(folder)))


def tried(probe: Callable[[], str]) -> str:
    """A probe's cell; what a reply lacks is a no, too."""
    try:
        return probe()
    except LacksError as lacks:
        return cell(False, str(lacks))
    except (KeyError, IndexError, TypeError) as missing:
        return f"no (the reply lacks {missing})"


def column(program: Program, upstream: Program) -> dict[str, str]:
    kind = levers.ALL[program.name]
    cells: dict[str, str] = {}
    with program.running(*kind.at_once, env=kind.env) as server:
        it = kind(server)
        for name, probe in ROWS.items():
            it.clear()
            cells[name] = tried(lambda: probe(it))  # noqa: B023
    cells |= limits(program, kind)
    cells["the same alone and in a crowd, faults by chance too"] = in_crowd(program, kind)
    cells["times drawn from a distribution"] = tried(lambda: times(program, kind))
    cells["works offline"] = offline(program)
    cells["record and replay"] = tried(lambda: replays(program, kind, upstream))
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description="What mocks can do, by probes.")
    parser.add_argument("--peers", type=Path, help="where the peers are, or are to be, installed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        programs, missing = peers.installed(options.peers or Path(temporary))
        columns = {name: column(program, programs["ours"]) for name, program in programs.items()}
    print("| feature |", *(f"{name} {programs[name].version} |" for name in columns))
    print("|---|" + "---|" * len(columns))
    for name in columns["ours"]:
        print(f"| {name} |", *(f"{cells[name]} |" for cells in columns.values()))
    for name, why in missing.items():
        print(f"\n{name}: left out ({why})")
    print("\nllm-d-inference-sim, Azure's API simulator: left out (on neither npm nor PyPI)")


if __name__ == "__main__":
    main()
