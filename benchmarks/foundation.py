"""What the foundation costs: import, connect, one call, the first lessons. Ratios of one run.

    python benchmarks/foundation.py             all of it, about two minutes
    python benchmarks/foundation.py --quick     without the lessons

The limits are goals on two idle cores; nothing fails here if one is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LESSONS = [f"notebooks/{name}.ipynb" for name in ("00_start_here", "01_connect", "02_ask")]
LESSONS.append("notebooks/03_stream.ipynb")
QUESTION = "Explain what an API gateway is in two sentences."


def python_s(code: str) -> float:
    """Seconds that a fresh Python takes for this code, its own start included."""
    start_s = perf_counter()
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    return perf_counter() - start_s


def measure_import(rounds: int = 15) -> list[str]:
    codes = {
        "nothing": "pass",
        "openai": "import openai",
        "hs": "import holysheep_helpers",
        "hs, openai": "import holysheep_helpers, openai",
    }
    times: dict[str, list[float]] = {name: [] for name in codes}
    for _ in range(rounds):  # taken in turn, so that a slow moment hits all of them
        for name, code in codes.items():
            times[name].append(python_s(code))
    bare = median(times["nothing"])
    own = {name: median(values) - bare for name, values in times.items()}
    return [
        row("import openai", own["openai"]),
        row("import holysheep_helpers", own["hs"], own["hs"] / own["openai"], "1.15"),
        row("both", own["hs, openai"], own["hs, openai"] / own["openai"], "1.15"),
    ]


CONNECT = """
from time import perf_counter
import {first}
start_s = perf_counter()
import holysheep_helpers as hs
gw = hs.connect()
ready_s = perf_counter() - start_s
gw.client().models.list()
print(ready_s, perf_counter() - start_s)
"""


def measure_connect(rounds: int = 9) -> list[str]:
    rows = []
    for name, first in (("openai imported before", "openai"), ("nothing imported before", "sys")):
        ready, answered = [], []
        for _ in range(rounds):
            command = [sys.executable, "-c", CONNECT.format(first=first)]
            done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
            one, two = map(float, done.stdout.split())
            ready.append(one)
            answered.append(two)
        goal = "0.7 s" if first == "openai" else ""
        rows.append(row(f"connect() to a ready mock, {name}", median(ready), goal=goal))
        rows.append(row("  and its first answer", median(answered)))
    return rows


def measure_ask(rounds: int = 500) -> list[str]:
    """``hs.ask`` beside the SDK's own call, in turn, against a mock that answers at once."""
    import holysheep_helpers as hs
    from holysheep_helpers.mock.process import MockProcess

    mock = MockProcess.start(time_scale=0)
    gateway = hs.connect("live", base_url=mock.base_url, api_key=mock.api_key, budget_usd=1000)
    client = gateway.client()
    settings: dict[str, Any] = dict(hs.catalog.presets()["general"])
    plain: list[float] = []
    asked: list[float] = []

    def sdk() -> None:
        client.chat.completions.create(
            model=hs.catalog.DEFAULT_MODEL,
            messages=[{"role": "user", "content": QUESTION}],
            **settings,
        )

    def helper() -> None:
        hs.ask(gateway, QUESTION)

    for number in range(rounds + 20):
        pair = [(sdk, plain), (helper, asked)]
        for call, times in pair if number % 2 else pair[::-1]:
            start_s = perf_counter()
            call()
            if number >= 20:
                times.append(perf_counter() - start_s)
    mock.stop()
    added = median(b - a for a, b in zip(plain, asked, strict=True))
    return [
        row("the SDK's call, a mock without delays", median(plain)),
        row("  what hs.ask adds to it", added, 1 + added / median(plain), "1.02"),
        row("  the same beside a reply of 1.247 s, as published", added, 1 + added / 1.247, "1.02"),
    ]


def measure_lessons() -> list[str]:
    workers = ["-n", "2", "-p", "no:cacheprovider", "-q"]
    start_s = perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *workers, *LESSONS],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    took_s = perf_counter() - start_s
    return [row(f"strict nbval, 00 to 03: {done.stdout.splitlines()[-1]}", took_s, goal="60 s")]


def row(what: str, seconds: float, ratio: float | None = None, goal: str = "") -> str:
    shown = f"{ratio:.3f}" if ratio is not None else ""
    return f"{what:<58} {seconds * 1000:>10,.2f} ms {shown:>8} {goal:>8}"


def main() -> None:
    parser = argparse.ArgumentParser(description="What the foundation costs.")
    parser.add_argument("--quick", action="store_true", help="leave the lessons out")
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}")
    print(f"{'what':<58} {'time':>13} {'ratio':>8} {'goal':>8}")
    measures = [measure_import, measure_connect, measure_ask]
    for measure in measures if options.quick else [*measures, measure_lessons]:
        print(*measure(), sep="\n", flush=True)


if __name__ == "__main__":
    main()
