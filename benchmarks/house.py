"""This checkout beside another one: import, the mock's start, the speed of ``hs.batch`` and mock.

    python benchmarks/house.py --against FOLDER                four minutes
    python benchmarks/house.py --against FOLDER --rounds 31    narrower intervals

Each figure is processor time in a new interpreter. A round runs this checkout first and then the
other one first; a ratio is the median of the rounds, with its exact 95% interval by order
statistics. The batch and the mock that answers it, without delays, run in one process: the batch is
what its own thread took, the mock is the rest. Both packages are copied into one temporary folder,
where they are compiled first, and where neither disk nor what is beside them differs. Nothing fails
here if this checkout is slower.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "holysheep_helpers"

IMPORT = """
from time import process_time
start_s = process_time()
import holysheep_helpers as hs
print(process_time() - start_s)
"""

NAMES = """
from time import process_time
start_s = process_time()
import holysheep_helpers as hs
for name in dir(hs):
    getattr(hs, name)
print(process_time() - start_s)
"""

START = """
import os, runpy, sys
from time import process_time

class Output:
    def write(self, text):
        if text.startswith("http"):
            took_s = process_time()
            print(took_s, sys.modules["holysheep_helpers"].__file__, sep="\\n", file=sys.__stdout__)
            sys.__stdout__.flush()
            os._exit(0)
    def flush(self):
        pass

sys.argv, sys.stdout = ["mock"], Output()
runpy.run_module("holysheep_helpers.mock", run_name="__main__", alter_sys=True)
"""

BATCH = """
import asyncio
from time import process_time, thread_time
import holysheep_helpers as hs
from holysheep_helpers.mock.server import serve

async def run(gateway):
    prompts = [f"What is the answer to question {number}?" for number in range(1000)]
    await hs.batch(gateway, prompts[:20], max_concurrency=20, progress=False)  # a warm-up
    whole_s, own_s = process_time(), thread_time()
    result = await hs.batch(gateway, prompts, max_concurrency=20, progress=False)
    own_s, whole_s = thread_time() - own_s, process_time() - whole_s
    assert len(result.ok) == len(prompts), result
    print(own_s, whole_s - own_s)

with serve() as mock:
    options = {"base_url": mock.base_url, "api_key": mock.api_key, "budget_usd": 1000}
    asyncio.run(run(hs.connect("live", **options)))
"""

FIGURES = {
    ("import holysheep_helpers",): IMPORT,
    ("  and every public name",): NAMES,
    ("the mock, from the interpreter's start to its address",): START,
    ("hs.batch, 1,000 prompts", "  the mock that answers them"): BATCH,
}


def measured(code: str, root: Path) -> list[float]:
    """What the code prints in a new interpreter that finds the package in this folder."""
    if code is not START:
        code += "print(hs.__file__)"
    env = {**os.environ, "PYTHONPATH": str(root), "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": ""}
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(
        command, cwd=root, env=env, check=True, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    *values, file = done.stdout.split("\n")[:2]
    if not Path(file).resolve().is_relative_to(root):
        raise SystemExit(f"{file} was measured, not the package in {root}.")
    return [float(value) for value in values[0].split()]


def interval(values: list[float]) -> tuple[float, float]:
    """The narrowest interval of order statistics that holds the median with 95% or more."""
    count, cut, beyond = len(values), 0, 0.5 ** len(values)
    while beyond + math.comb(count, cut + 1) * 0.5**count <= 0.025:
        cut += 1
        beyond += math.comb(count, cut) * 0.5**count
    ordered = sorted(values)
    return ordered[cut], ordered[-1 - cut]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--against", type=Path, required=True, help="the other checkout")
    parser.add_argument("--root", type=Path, default=ROOT, help="this checkout")
    parser.add_argument("--rounds", type=int, default=15, help="6 or more, of two pairs each")
    options = parser.parse_args()
    if options.rounds < 6:
        parser.error(f"--rounds {options.rounds}: a 95% interval takes 6 rounds or more.")
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}")
    with tempfile.TemporaryDirectory() as folder:
        roots = [Path(folder, name).resolve() for name in ("this", "other")]
        for root, checkout in zip(roots, (options.root, options.against), strict=True):
            shutil.copytree(
                checkout / PACKAGE, root / PACKAGE, ignore=shutil.ignore_patterns("__pycache__")
            )
        compare(roots, options.rounds)


def compare(roots: list[Path], rounds: int) -> None:
    print(f"{'median CPU time':<54}{'this':>12}{'other':>12}{'ratio':>8}  95% interval")
    for names, code in FIGURES.items():
        for root in roots:
            measured(code, root)  # compiled before anything is measured
        this, other = roots
        rounds_s: list[dict[Path, list[list[float]]]] = []
        for _ in range(rounds):  # in both orders: what runs second may find things in a cache
            took: dict[Path, list[list[float]]] = {this: [], other: []}
            for root in (this, other, other, this):
                took[root].append(measured(code, root))
            rounds_s.append(took)
        for place, name in enumerate(names):
            ours, theirs = (
                [sum(one[place] for one in took[root]) / 2 for took in rounds_s] for root in roots
            )
            ratios = [one / two for one, two in zip(ours, theirs, strict=True)]
            low, high = interval(ratios)
            print(
                f"{name:<54}{median(ours) * 1000:>9,.1f} ms{median(theirs) * 1000:>9,.1f} ms"
                f"{median(ratios):>8.3f}  {low:.3f} to {high:.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
