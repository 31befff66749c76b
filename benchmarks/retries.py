"""Many calls with 20% mixed faults through ``hs.retrying``: what became of each, against the mock.

    python benchmarks/retries.py [CALLS]         10,000 unless given

A third of the calls is streamed, a third whole and asynchronous, a third ``hs.ask`` in threads.
Every call ends in an answer or in an error that ``hs.diagnose`` knows. Then the mock's journal is
laid beside it, call by call: so many requests, one that was billed if it was answered, and each
that may have been billed without an answer counted as lost, neither more nor fewer.
"""

from __future__ import annotations

import asyncio
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import openai
from openai.types.chat import ChatCompletion

import holysheep_helpers as hs
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.mock.server import serve

FAULTS: list[Any] = [
    *(400, 408, 409, 429, 500, 503, 504, "rate_limit", "quota", "html", "reset", "disconnect"),
    *("cut_body", "stall", {"kind": "reset", "after": 2}, {"kind": "html", "status": 200}),
    *({"kind": "end_early", "after": 3}, {"kind": "error_in_stream", "after": 3}),
    *({"kind": "bad_json", "after": 2}, "no_choices", "slow_first"),
]
AT_ONCE, ROUND = 50, 2000
TIMEOUT_S = 2.0


@dataclass
class Call:
    """What the caller knows of one call: how it ended, and what it was told it may have cost."""

    kind: str = ""
    tries: int = 0
    lost: int = 0
    answer_id: str | None = None


class Caller:
    """Asks in three ways, each retried as a whole."""

    def __init__(self, mock: MockHandle) -> None:
        known: dict[str, Any] = {"base_url": mock.base_url, "api_key": mock.api_key}
        known |= {"max_retries": 0, "timeout": TIMEOUT_S}
        http = openai.DefaultAioHttpClient(trust_env=False)
        self.asynchronous = openai.AsyncOpenAI(**known, http_client=http)
        self.sync = openai.OpenAI(**known, http_client=openai.DefaultHttpxClient(trust_env=False))
        self.slots = asyncio.Semaphore(AT_ONCE)

    async def streamed(self, prompt: str) -> str | None:
        stream = await hs.astream(self.asynchronous, prompt, max_tokens=8)
        await stream.read()
        return stream.request_id

    async def whole(self, prompt: str) -> str | None:
        reply = await self.asynchronous.chat.completions.create(
            model=hs.catalog.DEFAULT_MODEL,
            messages=[{"role": "user", "content": prompt}],
            max_tokens=8,
        )
        if not isinstance(reply, ChatCompletion) or not reply.choices:
            raise hs.UnexpectedReplyError("no completion", page=isinstance(reply, str))
        return reply._request_id

    def threaded(self, prompt: str) -> str | None:
        return hs.ask(self.sync, prompt, max_tokens=8).request_id

    async def one(self, number: int) -> Call:
        call = Call()

        def note(retry: hs.Retry) -> None:
            call.lost = retry.lost

        def counted(ask: Callable[[str], Any]) -> Callable[[str], Any]:
            def counting(prompt: str) -> Any:
                call.tries += 1
                return ask(prompt)

            return counting

        again = hs.retrying(restart_streams=True, on_retry=note)
        ways = (again(counted(self.streamed)), again(counted(self.whole)), self._in_a_thread)
        way: Callable[..., Awaitable[str | None]] = ways[number % 3]
        async with self.slots:
            try:
                more = [again(counted(self.threaded))] if way == self._in_a_thread else []
                call.answer_id = await way(f"Say {number}.", *more)
                call.kind = "answered"
            except (openai.OpenAIError, hs.HolySheepError, ValueError) as error:
                found = hs.diagnose(error)
                call.kind = found.kind
                call.lost += found.may_have_cost
        return call

    @staticmethod
    async def _in_a_thread(prompt: str, ask: Callable[[str], Any]) -> Any:
        return await asyncio.to_thread(ask, prompt)


async def ask_all(mock: MockHandle, count: int) -> tuple[list[Call], list[dict[str, Any]]]:
    """All calls, in rounds: the mock's journal keeps the last 10,000 requests."""
    caller = Caller(mock)
    calls: list[Call] = []
    entries: dict[str, dict[str, Any]] = {}
    async with caller.asynchronous:
        for first in range(0, count, ROUND):
            numbers = range(first, min(first + ROUND, count))
            calls += await asyncio.gather(*(caller.one(number) for number in numbers))
            seen = await asyncio.to_thread(mock.entries)
            entries |= {entry["id"]: entry for entry in seen}
    caller.sync.close()
    return calls, list(entries.values())


def may_have_cost(entry: dict[str, Any]) -> bool:
    """Lost on the way; or a proxy spoke, and no caller can know what lay behind it."""
    return entry["paid"] == "maybe" or entry["fault"] == "html" or entry["status"] == 504


def compared(calls: list[Call], entries: list[dict[str, Any]]) -> list[str]:
    """What is not as the calls were told, a line each."""
    by_request: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for entry in entries:
        by_request[entry["request"]].append(entry)
    request_of = {entry["id"].removeprefix("chatcmpl-"): entry["request"] for entry in entries}
    wrong: list[str] = []
    for call in calls:
        if call.kind != "answered":
            continue
        request = request_of.get((call.answer_id or "").removeprefix("req_"), "")
        saw = by_request.pop(request, [])
        told = (call.tries, 1, call.lost)
        found = (len(saw), sum(e["paid"] == "yes" for e in saw), sum(map(may_have_cost, saw)))
        if told != found:
            wrong.append(f"answered: told {told}, the mock saw {found}")
    # The others have no id of their own: they are compared as a whole.
    failed = Counter((call.tries, call.lost) for call in calls if call.kind != "answered")
    left = Counter((len(saw), sum(map(may_have_cost, saw))) for saw in by_request.values())
    if failed != left:
        wrong.append(f"failed: told {failed - left}, the mock saw {left - failed}")
    wrong += ["unknown" for call in calls if call.kind == "unknown"]
    return wrong


def main(count: int) -> int:
    warnings.simplefilter("ignore", hs.CutShortWarning)  # eight tokens are meant
    with serve() as mock:
        mock.script(FAULTS, probability=0.2)
        start_s = perf_counter()
        calls, entries = asyncio.run(ask_all(mock, count))
        took_s = perf_counter() - start_s
    for kind, number in Counter(call.kind for call in calls).most_common():
        print(f"{number:>7,} {kind}")
    requests, lost = sum(call.tries for call in calls), sum(call.lost for call in calls)
    struck = Counter(str(entry["fault"]) for entry in entries if entry["fault"])
    print(
        f"{requests:>7,} requests were sent, and the mock saw {len(entries):,}, in {took_s:.0f} s"
    )
    print(f"{struck.total():>7,} met a fault: " + ", ".join(f"{n} {k}" for k, n in struck.items()))
    paid = Counter(entry["paid"] for entry in entries)
    print(f"{paid['yes']:>7,} were answered and billed; {paid['maybe']:,} lost, and billed perhaps")
    pages = sum(map(may_have_cost, entries)) - paid["maybe"]
    print(
        f"{lost:>7,} were said to be lost: those {paid['maybe']:,}, and {pages:,} by a proxy's word"
    )
    wrong = compared(calls, entries)
    print(*wrong[:20], sep="\n", end="\n" if wrong else "")
    fine = len(calls) == count and requests == len(entries) and not wrong
    print("each answered or explained, each double counted" if fine else "SOMETHING WAS LOST")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
