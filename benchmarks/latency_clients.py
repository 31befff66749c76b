"""Ours, and two loops that people write by hand, each run in a fresh process.

python benchmarks/latency_clients.py NAME LOAD      LOAD as JSON; prints what was measured
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from time import monotonic, perf_counter
from typing import Any

from latency_peers import MODEL, PROMPT, TOKENS, Load, Said

MESSAGES: list[Any] = [{"role": "user", "content": PROMPT}]


def ours(load: Load) -> list[Said]:
    """Calibrated first, on other streams; then what was measured, less its bias.

    Calibrated again for each repeat: a prediction interval is about both, not one calibration.
    """
    import holysheep_helpers as hs

    gateway = hs.connect("live", base_url=load.url, api_key=load.key, budget_usd=1000)
    found = []
    for _ in range(load.repeats):
        hs.calibrate(concurrency=load.at_once)
        run = hs.measure_latency(
            gateway, PROMPT, model=MODEL, runs=load.runs, warmup=load.warmup,
            concurrency=load.at_once, max_tokens=TOKENS, progress=False,
        )  # fmt: skip
        known = run.calibration
        assert known is not None
        found.append(
            Said(
                len(run.runs) - len(run.failed),
                fmean(run.values("ttft_s")) - known.bias_s,
                fmean(run.values("itl_s")) - known.itl_bias_s,
                answer_ttft_s=fmean(run.values("answer_ttft_s")) - known.bias_s,
                ids=tuple(stream.id or "" for stream in run.runs),
                error_s=known.error_s,
                raw_ttft_s=fmean(run.values("ttft_s")),
                raw_itl_s=fmean(run.values("itl_s")),
            )
        )
    return found


def sdk(load: Load) -> list[Said]:
    """The loop that one writes with care: content alone, tokens from usage, a warm client."""
    return [asyncio.run(_sdk(load))]


async def _sdk(load: Load) -> Said:
    import openai

    gate = asyncio.Semaphore(load.at_once)
    async with openai.AsyncOpenAI(base_url=load.url, api_key=load.key) as client:

        async def one() -> tuple[float, float, str]:
            async with gate:
                start_s = perf_counter()
                stream = await client.chat.completions.create(
                    model=MODEL,
                    messages=MESSAGES,
                    max_tokens=TOKENS,
                    stream=True,
                    stream_options={"include_usage": True},
                )
                stamps, count, name = [], 0, ""
                async for chunk in stream:
                    if chunk.choices and chunk.choices[0].delta.content:
                        stamps.append(perf_counter())
                    if chunk.usage:
                        count, name = chunk.usage.completion_tokens, chunk.id
                return stamps[0] - start_s, (stamps[-1] - stamps[0]) / (count - 1), name

        await asyncio.gather(*(one() for _ in range(load.warmup)))
        found = await asyncio.gather(*(one() for _ in range(load.runs)))
    firsts, gaps, ids = zip(*found, strict=True)
    return Said(load.runs, fmean(firsts), fmean(gaps), ids=ids)


def llmperf(load: Load) -> list[Said]:
    """llmperf's way to time a stream, in a process for each of those at once, without its Ray.

    It asks for no usage, opens a connection for each request, and divides the whole time by the
    tokens of the text. llmperf itself has no package: the one of that name is another project's.
    """
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(load.at_once, mp_context=spawn) as pool:
        list(pool.map(_llmperf, [load] * load.warmup))
        found = list(pool.map(_llmperf, [load] * load.runs))
    firsts, gaps = zip(*found, strict=True)
    return [Said(load.runs, fmean(firsts), fmean(gaps))]


def _llmperf(load: Load) -> tuple[float, float]:
    import requests

    from holysheep_helpers.catalog import tokens

    body = {"model": MODEL, "messages": MESSAGES, "stream": True, "max_tokens": TOKENS}
    headers = {"Authorization": f"Bearer {load.key}"}
    last_s = monotonic()
    gaps, text = [], ""
    with requests.post(
        f"{load.url}/chat/completions", json=body, headers=headers, stream=True, timeout=180
    ) as reply:
        every: Any = None  # whatever has come: its stubs want a number
        for line in reply.iter_lines(chunk_size=every):
            data = line.strip().removeprefix(b"data: ")
            if not data or data == b"[DONE]":
                continue
            delta = json.loads(data)["choices"][0]["delta"]
            if delta.get("content"):
                now_s = monotonic()
                gaps.append(now_s - last_s)
                last_s, text = now_s, text + delta["content"]
    return gaps[0], sum(gaps) / tokens.count(text)


CLIENTS: dict[str, tuple[str, Callable[[Load], list[Said]]]] = {
    "ours": ("hs.measure_latency", ours),
    "sdk": ("AsyncOpenAI, a plain loop", sdk),
    "llmperf": ("llmperf's loop, without Ray", llmperf),
}


def main() -> None:
    given = json.loads(sys.argv[2])
    load = Load(**{**given, "scratch": Path(given["scratch"])})
    print(json.dumps([asdict(said) for said in CLIENTS[sys.argv[1]][1](load)]))


if __name__ == "__main__":
    main()
