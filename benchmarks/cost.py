"""A million usages summed: how long it takes, and how far off the sum is from the exact one.

    python benchmarks/cost.py                    all ways, minutes; uv fetches the peers
    python benchmarks/cost.py --calls 100000     fewer
    python benchmarks/cost.py --only ours,float  some

Each way runs in a fresh process, the median of three rounds taken in turn (one for what is slow).
All get the same calls, drawn from a seed: up to 8,000 tokens of prompt, some of them cached, up to
2,000 of answer. All but one take OpenAI's own price of GPT-4.1, which all of them know; the exact
sum is one of fractions. Timed is pricing and adding, in seconds of the processor, which depend less
on who else uses the machine; each library's own object of a usage is made before. The goal for
hs.cost_of is a million in 2 s, off by nothing; nothing fails here if it is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from random import Random
from statistics import median
from time import process_time
from typing import Any

ROOT = Path(__file__).parents[1]
CHUNK = 20_000
Call = tuple[int, int, int]
"""Tokens of the prompt, those of them that were cached, tokens of the answer."""


@dataclass(frozen=True)
class Way:
    """``load`` imports what is needed, and hands back what makes a usage and what prices one."""

    title: str
    load: Callable[[], tuple[Callable[[Call], Any], Callable[[Any], Any], Any]]
    model: str = "gpt-4.1"
    usd_per_mtok: tuple[str, str, str] = ("2.00", "0.50", "8.00")
    needs: str = ""
    once: bool = False


def ours(model: str, prices: Any) -> Any:
    def load() -> Any:
        from openai.types import CompletionUsage
        from openai.types.completion_usage import PromptTokensDetails

        import holysheep_helpers as hs

        def make(call: Call) -> Any:
            prompt, cached, completion = call
            return CompletionUsage(
                prompt_tokens=prompt,
                completion_tokens=completion,
                total_tokens=prompt + completion,
                prompt_tokens_details=PromptTokensDetails(cached_tokens=cached),
            )

        return make, lambda usage: hs.cost_of(usage, model, prices=prices), Decimal(0)

    return load


def genai_prices() -> Any:
    from genai_prices import Usage, calc_price

    def make(call: Call) -> Any:
        prompt, cached, completion = call
        return Usage(input_tokens=prompt, cache_read_tokens=cached, output_tokens=completion)

    def price(usage: Any) -> Decimal:
        return calc_price(usage, "gpt-4.1", provider_id="openai").total_price

    return make, price, Decimal(0)


def tokencost() -> Any:
    """It has one function for the input's cost and one for the output's, none for cached tokens."""
    from tokencost import calculate_cost_by_tokens  # pyright: ignore[reportMissingImports]

    def price(call: Call) -> Decimal:
        prompt, _, completion = call
        into = calculate_cost_by_tokens(prompt, "gpt-4.1", "input")
        return into + calculate_cost_by_tokens(completion, "gpt-4.1", "output")

    return tuple, price, Decimal(0)


def floats(places: int | None) -> Any:
    def load() -> Any:
        def price(call: Call) -> float:
            prompt, cached, completion = call
            usd = (prompt - cached) / 1e6 * 2.00 + cached / 1e6 * 0.50 + completion / 1e6 * 8.00
            return usd if places is None else round(usd, places)

        return tuple, price, 0.0

    return load


WAYS = {
    "ours": Way("hs.cost_of, direct price", ours("gpt-4.1", "direct")),
    "published": Way(
        "hs.cost_of, published price",
        ours("mistral-small-2603", "published"),
        "mistral-small-2603",
        ("0.20", "0.20", "0.60"),
    ),
    "genai-prices": Way("genai-prices", genai_prices, needs="genai-prices", once=True),
    "tokencost": Way("tokencost (no cached price)", tokencost, needs="tokencost"),
    "float": Way("floats by hand", floats(None)),
    "rounded": Way("floats, each rounded to 6 places", floats(6)),
}


def drawn(count: int) -> Iterator[list[Call]]:
    """The calls, in pieces, so that memory stays flat."""
    draw = Random(0)
    for begin in range(0, count, CHUNK):
        calls = []
        for _ in range(min(CHUNK, count - begin)):
            prompt = draw.randint(1, 8_000)
            calls.append((prompt, draw.randint(0, prompt) // 4, draw.randint(0, 2_000)))
        yield calls


def run_one(way: Way, count: int) -> None:
    """In the fresh process: price and add, and print the result."""
    make, price, total = way.load()
    into, cached, out = (Fraction(usd) / 1_000_000 for usd in way.usd_per_mtok)
    price(make((10, 5, 5)))  # tables are read
    exact, took_s = Fraction(0), 0.0
    for calls in drawn(count):
        usages = [make(call) for call in calls]
        start_s = process_time()
        for usage in usages:
            total += price(usage)
        took_s += process_time() - start_s
        exact += sum((p - c) * into + c * cached + o * out for p, c, o in calls)
    off = Fraction(total) - exact
    shown = {"sum": f"{float(total):,.6f}", "off": f"{float(off):+.2g}" if off else "0"}
    print(json.dumps({"seconds": took_s * 1e6 / count, "exact": not off, **shown}))


def command(way: Way) -> list[str]:
    if not way.needs:
        return [sys.executable]
    options = ["--no-project", "--isolated", "--quiet", "--python", sys.executable]
    return [sys.executable, "-m", "uv", "run", *options, "--with", way.needs, "python"]


def measure(names: list[str], rounds: int, count: int) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    for turn in range(rounds):
        for name in names:  # in turn, so that a slow moment hits all of them
            if turn and (WAYS[name].once or not found[name]):
                continue
            line = [*command(WAYS[name]), __file__, "--run", name, "--calls", str(count)]
            done = subprocess.run(
                line, cwd=tempfile.gettempdir(), env=env, capture_output=True, text=True
            )
            if done.returncode == 0:
                found[name].append(json.loads(done.stdout.splitlines()[-1]))
            else:
                reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
                print(f"left out: {WAYS[name].title}: {reason[:120]}", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", help=f"some of {','.join(WAYS)}")
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--run", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        run_one(WAYS[options.run], options.calls)
        return
    names = [name for name in WAYS if name in (options.only or ",".join(WAYS)).split(",")]
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}")
    found = measure(names, options.rounds, options.calls)
    floor = median(run["seconds"] for run in found["float"]) if found.get("float") else None
    print(f"{options.calls:,} calls, median of {options.rounds}")
    print(f"{'way':<36}{'s a million':>12}{'floats = 1':>12}{'sum, USD':>18}{'off, USD':>12}")
    for name, runs in found.items():
        if runs:
            seconds = median(run["seconds"] for run in runs)
            times = f"{seconds / floor:.1f}" if floor else ""
            row = f"{WAYS[name].title:<36}{seconds:>12.2f}{times:>12}{runs[0]['sum']:>18}"
            print(f"{row}{runs[0]['off']:>12}")
    print("goal for hs.cost_of: under 2 s, off by 0")


if __name__ == "__main__":
    main()
