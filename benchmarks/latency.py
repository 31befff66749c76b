"""How far off measured latencies are: hs.measure_latency beside other tools, by the mock's journal.

    python benchmarks/latency.py --peers FOLDER     everything, about 50 minutes
    python benchmarks/latency.py --at-once 10 --repeats 0 --only ours,sdk     a quick look

All of them stream the same reply from one mock: a first token after 142 ms, then one every 11.2 ms,
100 tokens, 50 times. What the mock did for those very requests is in its journal; printed is how
far a tool's means are from that. Then streams that mislead: four tokens in each chunk, and 40
tokens of reasoning before the answer. At last ours again and again, calibrated again each time: how
often the error bar that it states held the truth. A peer that is not in FOLDER is named, with what
installs it. Leave the machine alone meanwhile: these are times. Nothing fails here if a goal is
missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from itertools import count
from pathlib import Path
from statistics import fmean, median
from typing import Any

from latency_clients import CLIENTS
from latency_peers import PEERS, Load, MissingError, Said

from holysheep_helpers.mock.handle import MockHandle

ROOT = Path(__file__).resolve().parents[1]
TTFT_MS, ITL_MS = 142.0, 11.2
WARMUP = 10
NAMES = {
    **{name: title for name, (title, _) in CLIENTS.items()},
    "raw": "  without its calibration",
    **{peer.name: peer.name for peer in PEERS},
}
GOALS_MS = {1: 1.0, 10: 2.0}
ITL_GOAL_MS = 0.05


@dataclass(frozen=True)
class Scene:
    """What the streams are like: ``fault`` for every request, how many tokens a chunk has, and
    how many chunks of reasoning come before the answer."""

    fault: dict[str, Any] | None = None
    bundle: int = 1
    thoughts: int = 0


PLAIN = Scene()
BUNDLES = Scene({"kind": "bundle", "tokens": 4}, bundle=4)
REASONING = Scene({"kind": "reasoning", "tokens": 40}, thoughts=40)


@dataclass(frozen=True)
class Truth:
    """What the mock did: means over the measured requests, in seconds; ``sent`` counts all."""

    sent: int
    ttft_s: float
    answer_ttft_s: float
    itl_s: float

    @classmethod
    def of(cls, entries: Sequence[dict[str, Any]], said: Said, load: Load, scene: Scene) -> Truth:
        """By the replies' ids, where the tool tells them; else all after the warm-up."""
        told = [entry for entry in entries if entry["id"] in said.ids]
        measured = told if said.ids else entries[load.warmup :]
        sent = [entry["sent_s"] for entry in measured]
        rest = [entry["completion_tokens"] - scene.bundle for entry in measured]
        if not sent or any(entry["outcome"] != "delivered" for entry in measured):
            raise MissingError("not all of its requests were answered in full")
        return cls(
            len(entries),
            fmean(at[0] for at in sent),
            fmean(at[scene.thoughts] for at in sent),
            fmean((at[-1] - at[0]) / tokens for at, tokens in zip(sent, rest, strict=True)),
        )


def serve() -> None:
    """In a process of its own: the mock, which for once passes over a parameter of vLLM's.

    inference-perf always sends ``ignore_eos``, which the mock, like the API, refuses with a 400.
    """
    from holysheep_helpers.mock import __main__ as mock
    from holysheep_helpers.mock import requests

    requests.ALLOWED.add("ignore_eos")
    times = ["--ttft-ms", str(TTFT_MS), "--itl-ms", str(ITL_MS)]
    sys.exit(mock.main([*times, "--parent", str(os.getppid())]))


@contextmanager
def mock() -> Iterator[str]:
    """Its address, ending with /v1."""
    command = [sys.executable, __file__, "--serve"]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=env, text=True) as child:
        assert child.stdout is not None
        yield child.stdout.readline().strip()  # and it ends as its input is closed


@dataclass
class Bench:
    url: str
    folder: Path
    scratch: Path
    numbers: Iterator[int] = field(default_factory=count)

    def measure(
        self, name: str, scene: Scene, runs: int, at_once: int, repeats: int = 1
    ) -> list[tuple[Said, Truth]]:
        """Run a tool under a key of its own. Raises ``MissingError`` if it can't be."""
        handle = MockHandle(self.url, f"hs-mock-{name}-{next(self.numbers)}")
        scratch = self.scratch / handle.api_key
        scratch.mkdir()
        load = Load(self.url, handle.api_key, runs, WARMUP, at_once, scratch, repeats)
        if scene.fault:
            handle.script(scene.fault, every=1)
        found = self._client(name, load) if name in CLIENTS else [self._peer(name, load)]
        entries = handle.entries()
        return [(said, Truth.of(entries, said, load, scene)) for said in found]

    def _client(self, name: str, load: Load) -> list[Said]:
        given = json.dumps({**asdict(load), "scratch": str(load.scratch)})
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("latency_clients.py")), name, given],
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "NO_PROXY": "127.0.0.1"},
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
        if done.returncode:
            raise MissingError((done.stderr.strip().splitlines() or ["no word"])[-1])
        found = json.loads(done.stdout.splitlines()[-1])
        return [Said(**{**said, "ids": tuple(said["ids"])}) for said in found]

    def _peer(self, name: str, load: Load) -> Said:
        (peer,) = (peer for peer in PEERS if peer.name == name)
        try:
            return peer.run(peer, self.folder, load)
        except (KeyError, IndexError, TypeError) as error:
            raise MissingError(f"its results look different in this version: {error!r}") from None


def ms(said_s: float | None, true_s: float, digits: int) -> str:
    return "-" if said_s is None else f"{(said_s - true_s) * 1000:+.{digits}f}"


Pairs = list[tuple[Said, Truth]]


def measured(
    bench: Bench, names: Sequence[str], scenes: Sequence[tuple[Scene, int, int]]
) -> Iterator[tuple[str, Pairs]]:
    """Each tool in each scene, as (scene, runs, how many at once); a tool that fails is named."""
    for name in names:
        try:
            pairs = [bench.measure(name, *scene)[0] for scene in scenes]
        except MissingError as why:
            print(f"left out: {NAMES[name]}: {why}", flush=True)
            continue
        yield name, pairs
        if name == "ours":
            yield (
                "raw",
                [
                    (replace(s, ttft_s=s.raw_ttft_s or 0.0, itl_s=s.raw_itl_s or 0.0), truth)
                    for s, truth in pairs
                ],
            )


def show(
    title: str,
    columns: Sequence[str],
    found: Iterator[tuple[str, Pairs]],
    cells: Callable[[Pairs], list[str]],
) -> None:
    """A line for each tool, as soon as it is measured."""
    print(f"\n{title}\n{'':<30}" + "".join(f"{column:>12}" for column in columns), flush=True)
    for name, pairs in found:
        print(f"{NAMES[name]:<30}" + "".join(f"{cell:>12}" for cell in cells(pairs)), flush=True)


def compare(bench: Bench, names: Sequence[str], runs: int, loads: Sequence[int]) -> None:
    found = measured(bench, names, [(PLAIN, runs, at_once) for at_once in loads])
    columns = [f"{what}, {at_once}" for at_once in loads for what in ("TTFT", "ITL", "sent")]
    show(
        f"Errors of the means, ms: time to first token and inter-token latency of {runs} streams, "
        f"{' or '.join(map(str, loads))} at once; requests sent ({runs + WARMUP} asked for)",
        columns,
        found,
        lambda pairs: [
            cell
            for said, true in pairs
            for cell in (
                ms(said.ttft_s, true.ttft_s, 2), ms(said.itl_s, true.itl_s, 3), str(true.sent)
            )
        ],
    )  # fmt: skip
    goals = ", ".join(f"{GOALS_MS[at]:g} ms at {at} at once" for at in loads if at in GOALS_MS)
    print(f"goals for ours: {goals}; inter-token latency {ITL_GOAL_MS} ms")


def mislead(bench: Bench, names: Sequence[str], at_once: int = 5, runs: int = 20) -> None:
    found = measured(bench, names, [(scene, runs, at_once) for scene in (BUNDLES, REASONING)])

    def cells(pairs: Pairs) -> list[str]:
        (four, true_four), (said, true) = pairs
        return [
            ms(four.itl_s, true_four.itl_s, 2),
            ms(four.tpot_s, true_four.itl_s, 2),
            ms(said.ttft_s, true.ttft_s, 1),
            ms(said.answer_ttft_s, true.answer_ttft_s, 1),
            ms(said.itl_s, true.itl_s, 2),
            ms(said.tpot_s, true.itl_s, 2),
        ]

    show(
        f"Errors of the means, ms, of {runs} streams, {at_once} at once. 4: four tokens a chunk; "
        "R: reasoning first; TPOT: what a tool calls time per output token",
        ("4: ITL", "4: TPOT", "R: TTFT", "R: answer", "R: ITL", "R: TPOT"),
        found,
        cells,
    )


def repeat(bench: Bench, repeats: int, runs: int, loads: Sequence[int]) -> None:
    """How often the error bar that ours states holds the truth."""
    print(f"\n{'Ours, again and again':<30}{'held':>12}{'stated ±':>12}{'worst':>12}")
    for at_once in loads:
        try:
            pairs = bench.measure("ours", PLAIN, runs, at_once, repeats)
        except MissingError as why:
            print(f"left out: {why}")
            return
        off_s = [said.ttft_s - true.ttft_s for said, true in pairs]
        bars_s = [said.error_s or 0.0 for said, _ in pairs]
        held = sum(abs(off) <= bar for off, bar in zip(off_s, bars_s, strict=True))
        print(
            f"{f'{at_once} at once, {runs} streams each':<30}{f'{held} of {len(pairs)}':>12}"
            f"{median(bars_s) * 1000:>12.2f}{max(off_s, key=abs) * 1000:>+12.2f}",
            flush=True,
        )
    print("goal: 17 of 20")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    home = Path(tempfile.gettempdir(), "holysheep-peers")
    parser.add_argument(
        "--peers", type=Path, default=home, help="where the peers are (%(default)s)"
    )
    parser.add_argument("--only", help=f"some of {','.join((*CLIENTS, *(p.name for p in PEERS)))}")
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--at-once", default="1,10", help="how many streams at once, each in turn")
    parser.add_argument("--repeats", type=int, default=20, help="of ours, to test its error bar")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
    every = [*CLIENTS, *(peer.name for peer in PEERS)]
    names = [name for name in every if name in (options.only or ",".join(every)).split(",")]
    loads = [int(at_once) for at_once in options.at_once.split(",")]
    busy = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} cores{busy}")
    print(f"openai {version('openai')}")
    folder = options.peers.resolve()
    for peer in PEERS:
        if peer.name in names:
            try:
                print(f"{peer.name} {peer.version(folder)}")
            except MissingError as why:
                print(f"left out: {peer.name}: {why}")
                names.remove(peer.name)
    with tempfile.TemporaryDirectory() as scratch, mock() as url:
        bench = Bench(url, folder, Path(scratch))
        compare(bench, names, options.runs, loads)
        mislead(bench, names)
        if options.repeats:
            repeat(bench, options.repeats, options.runs, loads)


if __name__ == "__main__":
    main()
