"""2,000 prompts, replies of 50 ms, 50 at once: how far from the ideal 2.0 s, beside others.

    python benchmarks/batch.py                    everything, about three minutes
    python benchmarks/batch.py --only ours,raw    only these
    python benchmarks/batch.py --rounds 5         more rounds, taken in turn; medians are printed

Each method runs in a fresh process against one server in a process of its own. That server is a
few lines of asyncio with one fixed reply, not the mock: the mock's times are those of a model, and
what is measured here is the client. litellm and langchain-openai get an environment of their own by
uv, and are left out with the reason if they can't be installed. Seconds run from the first request
to the last result, without imports; memory is the peak of the whole process. Nothing fails here if
a goal is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from steady_server import MODEL, REPLY_S, TEXT

ROOT = Path(__file__).resolve().parents[1]
PROMPTS, AT_ONCE = 2000, 50
IDEAL_S = PROMPTS / AT_ONCE * REPLY_S
KEY = "hs-mock-benchmark"


def messages(number: int) -> list[Any]:
    return [{"role": "user", "content": f"What is the answer to question {number}?"}]


async def at_most(call: Callable[[int], Coroutine[Any, Any, str]]) -> list[str]:
    semaphore = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> str:
        async with semaphore:
            return await call(number)

    return list(await asyncio.gather(*(one(number) for number in range(PROMPTS))))


async def raw(url: str, clock: Clock) -> list[str]:
    import aiohttp

    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as session:

        async def call(number: int) -> str:
            body = {"model": MODEL, "messages": messages(number)}
            async with session.post(f"{url}/chat/completions", json=body) as answer:
                return (await answer.json())["choices"][0]["message"]["content"]

        clock.start()
        return await at_most(call)


async def ours(url: str, clock: Clock, journal: bool = True) -> list[str]:
    import holysheep_helpers as hs

    gateway = hs.connect("live", base_url=url, api_key=KEY, budget_usd=1000)
    gateway.async_client()
    prompts = [messages(number) for number in range(PROMPTS)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "run.jsonl") if journal else None
        run = hs.batch  # loaded before the clock starts, as everywhere here
        clock.start()
        result = await run(gateway, prompts, max_concurrency=AT_ONCE, journal=file, progress=False)
        clock.stop()
    return [item.text or "" for item in result]


async def ours_without_journal(url: str, clock: Clock) -> list[str]:
    return await ours(url, clock, journal=False)


async def ours_on_httpx(url: str, clock: Clock) -> list[str]:
    import openai

    import holysheep_helpers as hs

    prompts, run = [messages(number) for number in range(PROMPTS)], hs.batch
    async with openai.AsyncOpenAI(base_url=url, api_key=KEY) as client:
        clock.start()
        result = await run(client, prompts, max_concurrency=AT_ONCE, progress=False)
        clock.stop()
    return [item.text or "" for item in result]


async def sdk(url: str, clock: Clock, transport: Any = None) -> list[str]:
    import openai

    async with openai.AsyncOpenAI(base_url=url, api_key=KEY, http_client=transport) as client:

        async def call(number: int) -> str:
            done = await client.chat.completions.create(model=MODEL, messages=messages(number))
            return done.choices[0].message.content or ""

        clock.start()
        return await at_most(call)


async def sdk_on_aiohttp(url: str, clock: Clock) -> list[str]:
    import openai

    return await sdk(url, clock, openai.DefaultAioHttpClient())


async def cookbook(url: str, clock: Clock) -> list[str]:
    """The shape of the OpenAI cookbook's script for parallel requests, with its defaults.

    A loop that looks every millisecond whether its buckets of requests and tokens, full at the
    start, allow one more; a task for each request, which appends its result to a file.
    """
    import aiohttp

    per_minute = PROMPTS / IDEAL_S * 60
    available = per_minute
    texts: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "results.jsonl")
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as session:

            async def call(number: int) -> None:
                body = {"model": MODEL, "messages": messages(number)}
                async with session.post(f"{url}/chat/completions", json=body) as answer:
                    done = await answer.json()
                with file.open("a", encoding="utf-8") as results:
                    results.write(json.dumps([body, done]) + "\n")
                texts.append(done["choices"][0]["message"]["content"])

            clock.start()
            tasks: list[asyncio.Task[None]] = []
            looked_s = perf_counter()
            while len(tasks) < PROMPTS:
                now_s = perf_counter()
                available = min(available + per_minute / 60 * (now_s - looked_s), per_minute)
                looked_s = now_s
                if available >= 1:
                    available -= 1
                    tasks.append(asyncio.create_task(call(len(tasks))))
                await asyncio.sleep(0.001)
            await asyncio.gather(*tasks)
            clock.stop()
    return texts


async def litellm(url: str, clock: Clock) -> list[str]:
    import litellm as peer  # pyright: ignore[reportMissingImports]

    async def call(number: int) -> str:
        done = await peer.acompletion(
            f"openai/{MODEL}", messages(number), api_base=url, api_key=KEY
        )
        return done.choices[0].message.content

    clock.start()
    return await at_most(call)


async def langchain(url: str, clock: Clock) -> list[str]:
    from langchain_openai import ChatOpenAI  # pyright: ignore[reportMissingImports]

    model = ChatOpenAI(model=MODEL, base_url=url, api_key=KEY)
    prompts = [messages(number) for number in range(PROMPTS)]
    clock.start()
    done = await model.abatch(prompts, config={"max_concurrency": AT_ONCE})
    return [str(one.content) for one in done]


METHODS: dict[str, tuple[str, Callable[..., Any]]] = {
    "raw": ("raw aiohttp, a semaphore", raw),
    "ours": ("hs.batch: in order, typed, with a journal", ours),
    "ours-no-journal": ("  without the journal", ours_without_journal),
    "ours-httpx": ("  a bare AsyncOpenAI, httpx transport", ours_on_httpx),
    "sdk-aiohttp": ("AsyncOpenAI, aiohttp transport, a semaphore", sdk_on_aiohttp),
    "sdk": ("AsyncOpenAI, a semaphore", sdk),
    "cookbook": ("the OpenAI cookbook's way (results out of order)", cookbook),
    "litellm": ("litellm acompletion, a semaphore", litellm),
    "langchain": ("langchain-openai abatch", langchain),
}
PEERS = {"litellm": "litellm", "langchain": "langchain-openai"}


class Clock:
    def start(self) -> None:
        self.start_s, self.end_s = perf_counter(), None

    def stop(self) -> None:
        self.end_s = perf_counter()


def run_one(name: str, url: str) -> None:
    """In the fresh process: run the method and print what was measured."""
    clock = Clock()
    texts = asyncio.run(METHODS[name][1](url, clock))
    seconds = (clock.end_s or perf_counter()) - clock.start_s
    assert texts == [TEXT] * PROMPTS
    print(json.dumps({"seconds": seconds, "peak_mb": peak_mb()}))


def peak_mb() -> float | None:
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def command(name: str) -> list[str]:
    if name not in PEERS:
        return [sys.executable]
    options = ["--no-project", "--isolated", "--quiet", "--python", sys.executable]
    return [sys.executable, "-m", "uv", "run", *options, "--with", PEERS[name], "python"]


def measure(names: list[str], rounds: int, url: str) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "NO_PROXY": "127.0.0.1"}
    for _ in range(rounds):
        for name in names:  # in turn, so that a slow moment hits all of them
            line = [*command(name), str(Path(__file__)), "--run", name, "--url", url]
            done = subprocess.run(
                line, cwd=tempfile.gettempdir(), env=env, capture_output=True, text=True
            )
            if done.returncode == 0:
                found[name].append(json.loads(done.stdout.splitlines()[-1]))
            elif not found[name]:
                reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
                print(f"left out: {METHODS[name][0]}: {reason[:120]}", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", help=f"some of {','.join(METHODS)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--run", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        run_one(options.run, options.url)
        return
    names = [name for name in METHODS if name in (options.only or ",".join(METHODS)).split(",")]
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}")
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("steady_server.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    found = measure(names, options.rounds, f"http://127.0.0.1:{int(server.stdout.readline())}/v1")
    server.stdin.close()
    server.wait()
    floor = median(run["seconds"] for run in found["raw"]) if found.get("raw") else None
    title = f"median of {options.rounds}"
    print(f"{title:<52}{'seconds':>8}{'ideal':>8}{'raw':>8}{'peak MB':>9}")
    for name, runs in found.items():
        if runs:
            seconds = median(run["seconds"] for run in runs)
            raw_ratio = f"{seconds / floor:.2f}" if floor else ""
            peak = max(run["peak_mb"] or 0 for run in runs)
            print(
                f"{METHODS[name][0]:<52}{seconds:>8.2f}{seconds / IDEAL_S:>8.2f}"
                f"{raw_ratio:>8}{peak:>9.0f}"
            )
    print("goals for hs.batch: 1.30 times the ideal, 1.15 times raw, under 90 MB")


if __name__ == "__main__":
    main()
