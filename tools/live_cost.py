"""What the course costs live, estimated: each lesson run with a key, against a mock of its own.

    python tools/live_cost.py            run the lessons, and write the table into README.md
    python tools/live_cost.py --check    write nothing; exit 1 if the table would change

The mock stands in for the gateway, at an address of its own, and its journal tells what a live run
would send: each request, its model and its tokens. They are priced as published.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from openai.types import CompletionUsage  # noqa: E402

import holysheep_helpers as hs  # noqa: E402
from holysheep_helpers.client.requests import ASSUMED_OUTPUT_TOKENS  # noqa: E402
from holysheep_helpers.mock.server import serve  # noqa: E402
from tools import course  # noqa: E402
from tools import notebooks as r  # noqa: E402

KEY = "a-live-key-for-tests"
README = ROOT / "README.md"
TIME_SCALE = 0.05


@dataclass(frozen=True, slots=True)
class Bill:
    """What one lesson asks live: ``usd`` as the mock answers; ``long_usd`` if each answer took
    1,000 tokens. Both leave out the ``unpriced`` calls, for whose models no price was published.
    """

    calls: int
    unpriced: int
    usd: Decimal
    long_usd: Decimal

    def __add__(self, other: Bill) -> Bill:
        return Bill(
            self.calls + other.calls,
            self.unpriced + other.unpriced,
            self.usd + other.usd,
            self.long_usd + other.long_usd,
        )


@dataclass(frozen=True, slots=True)
class Live:
    """How a lesson comes out with a key, what was asked of the gateway, and its address."""

    notebook: r.Notebook
    entries: list[dict[str, Any]]
    address: str


def run_live(files: Sequence[Path], folder: Path) -> dict[Path, Live]:
    """These lessons with a key, one after the other in one kernel, without names of the last one.

    Each has a gateway of its own. A lesson that fails does not keep the next one from its run.
    """
    with ExitStack() as stack:
        keys = frozenset({KEY})
        gateways = [stack.enter_context(serve(time_scale=TIME_SCALE, keys=keys)) for _ in files]
        cells, ends = [], [0]
        for file, gateway in zip(files, gateways, strict=True):
            begin = (
                f"%reset -f\n__import__('os').environ['HOLYSHEEP_BASE_URL'] = {gateway.base_url!r}"
            )
            cells.append({"cell_type": "code", "metadata": {}, "source": begin})
            cells += r.load(file)["cells"]
            ends.append(len(cells))
        env = {"HOLYSHEEP_MODE": "live", "HOLYSHEEP_API_KEY": KEY}
        env |= r.clean_environment(folder) | r.FAST
        done = r.execute({"cells": cells}, r.NOTEBOOKS, env, to_the_end=True)
        found = {}
        for file, gateway, (begin, end) in zip(files, gateways, pairwise(ends), strict=True):
            gateway.api_key = KEY
            notebook = done | {"cells": done["cells"][begin + 1 : end]}
            found[file] = Live(notebook, gateway.entries(), gateway.base_url)
        return found


def bill(entries: Iterable[dict[str, Any]]) -> Bill:
    """What these requests of a mock's journal would cost at the published prices."""
    return sum((_one(entry) for entry in entries), Bill(0, 0, Decimal(0), Decimal(0)))


def _one(entry: dict[str, Any]) -> Bill:
    def cost(completion_tokens: int) -> Decimal:
        usage = CompletionUsage(
            prompt_tokens=entry["prompt_tokens"],
            completion_tokens=completion_tokens,
            total_tokens=entry["prompt_tokens"] + completion_tokens,
        )
        return hs.cost_of(usage, entry["model"])

    try:
        return Bill(1, 0, cost(entry["completion_tokens"]), cost(ASSUMED_OUTPUT_TOKENS))
    except hs.UnknownPriceError:
        return Bill(1, 1, Decimal(0), Decimal(0))


def row(file: Path, one: Bill) -> str:
    """A lesson's line in the table; amounts are rounded up."""
    return f"| {file.stem[:2]} | {one.calls} | {_up(one.usd, 5)} | {_up(one.long_usd, 3)} |"


def _up(usd: Decimal, places: int) -> str:
    return f"{usd.quantize(Decimal(1).scaleb(-places), ROUND_CEILING):f}"


def table(bills: Sequence[tuple[Path, Bill]]) -> str:
    """The passage of the README: the sum in a sentence, then a row for each lesson that asks."""
    total = bill(())
    for _, one in bills:
        total += one
    unpriced = f" Calls to models without a published price, which are not in it: {total.unpriced}."
    return "\n".join(
        [
            f"**All lessons together: {total.calls} calls, {_up(total.usd, 4)} USD** with answers "
            f"as short as the mock's, {_up(total.long_usd, 2)} USD if each took "
            f"{ASSUMED_OUTPUT_TOKENS:,} tokens, at the prices published in January 2026."
            + (unpriced if total.unpriced else ""),
            "",
            "| lesson | calls | USD, answers as the mock's | USD, answers of "
            f"{ASSUMED_OUTPUT_TOKENS:,} tokens |",
            "|---|---|---|---|",
            *(row(file, one) for file, one in bills if one.calls),
        ]
    )


def written(bills: Sequence[tuple[Path, Bill]], readme: str) -> str:
    """The README with a new table; raises ``CourseError`` where its two marks are missing."""
    return course.between(readme, "live", table(bills), README.name)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 on a change")
    check = parser.parse_args(arguments).check
    with tempfile.TemporaryDirectory() as folder:
        runs = run_live(sorted(r.NOTEBOOKS.glob("*.ipynb")), Path(folder))
    if failed := [
        f"{file.name}: {one}" for file, run in runs.items() for one in r.errors(run.notebook)
    ]:
        print("\n".join(failed))
        return 1
    bills = [(file, bill(run.entries)) for file, run in runs.items()]
    old = README.read_text("utf-8")
    print(table(bills))
    try:
        new = written(bills, old)
    except course.CourseError as error:
        print(error)
        return 1
    if not check and new != old:
        README.write_text(new, "utf-8", newline="\n")
    return int(check and new != old)


if __name__ == "__main__":
    sys.exit(main())
