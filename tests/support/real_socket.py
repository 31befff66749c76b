"""A batch over a real socket, with a bare client of the SDK: what several tests need for it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import openai

import holysheep_helpers as hs

QUIET: dict[str, Any] = {"progress": False}


def client(base_url: str, **options: Any) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        base_url=base_url,
        api_key="hs-mock-batch",
        http_client=openai.DefaultAioHttpClient(trust_env=False),
        **options,
    )


def run(base_url: str, prompts: Any, timeout_s: float = 60, **options: Any) -> hs.BatchResult:
    async def main() -> hs.BatchResult:
        async with client(base_url, timeout=timeout_s) as own:
            return await hs.batch(own, prompts, **(QUIET | options))

    return asyncio.run(main())


def journal_lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()[1:]]
