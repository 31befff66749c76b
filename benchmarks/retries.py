"""Many calls with 20% mixed faults through ``hs.retrying``: what became of each, against the mock.

    python benchmarks/retries.py [CALLS]         10,000 unless given

Every call ends in an answer or in an error that ``hs.diagnose`` knows; every request that the mock
saw is counted; no more may have been billed without an answer than was said to be lost.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from time import perf_counter
from typing import Any

import openai

import holysheep_helpers as hs
from holysheep_helpers.mock.server import serve

FAULTS: list[Any] = [
    *(400, 408, 409, 429, 500, 503, "rate_limit", "html", "reset", "disconnect", "cut_body"),
    *({"kind": "end_early", "after": 3}, {"kind": "error_in_stream", "after": 3}),
    {"kind": "bad_json", "after": 2},
]
AT_ONCE = 50


async def ask_all(base_url: str, key: str, calls: int) -> tuple[Counter[str], int, int]:
    ended: Counter[str] = Counter()
    requests = lost = 0
    slots = asyncio.Semaphore(AT_ONCE)
    client = openai.AsyncOpenAI(
        base_url=base_url, api_key=key, http_client=openai.DefaultAioHttpClient(trust_env=False)
    )

    async def one(number: int) -> None:
        nonlocal requests, lost
        tries = 0

        def note(retry: hs.Retry) -> None:
            nonlocal lost
            lost += retry.diagnosis.may_have_cost

        async def ask() -> str:
            nonlocal tries
            tries += 1
            stream = await hs.astream(client, f"Say {number}.", max_tokens=8)
            return await stream.read()

        async with slots:
            try:
                await hs.retrying(ask, restart_streams=True, on_retry=note)()
                ended["answered"] += 1
            except (openai.OpenAIError, hs.HolySheepError) as error:
                found = hs.diagnose(error)
                ended[found.kind] += 1
                lost += found.may_have_cost
        requests += tries

    async with client:
        await asyncio.gather(*(one(number) for number in range(calls)))
    return ended, requests, lost


def main(calls: int) -> int:
    with serve() as mock:
        mock.script(FAULTS, probability=0.2)
        start_s = perf_counter()
        ended, requests, lost = asyncio.run(ask_all(mock.base_url, mock.api_key, calls))
        took_s = perf_counter() - start_s
        entries = mock.entries()  # the last 10,000 are kept
    for kind, count in ended.most_common():
        print(f"{count:>7,} {kind}")
    print(f"{requests:>7,} requests, {requests / calls:.3f} for each call, in {took_s:.0f} s")
    maybe = sum(entry["paid"] == "maybe" for entry in entries)
    print(f"{lost:>7,} said to be lost and perhaps billed; of the last {len(entries):,}: {maybe:,}")
    explained = sum(ended.values()) == calls and "unknown" not in ended and lost >= maybe
    print("all answered or explained" if explained else "SOMETHING WAS LOST")
    return 0 if explained else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
