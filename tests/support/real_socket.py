"""A batch over a real socket, with a bare client of the SDK: what several tests need for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.batches import batch, worker
from tests.support.virtual import VirtualLoop, asker_in_virtual_time
from tests.support.watched import NoWait, WatchedMock

QUIET: dict[str, Any] = {"progress": False}


def client(base_url: str, **options: Any) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        base_url=base_url,
        api_key="hs-mock-batch",
        http_client=openai.DefaultAioHttpClient(trust_env=False),
        **options,
    )


def run(
    base_url: str,
    prompts: Any,
    run_main: Callable[[Coroutine[Any, Any, Any]], Any] = asyncio.run,
    **options: Any,
) -> hs.BatchResult:
    async def main() -> hs.BatchResult:
        async with client(base_url, timeout=60) as own:
            return await hs.batch(own, prompts, **(QUIET | options))

    return run_main(main())


class Patience:
    """Runs a batch on a clock that stands still for as long as the mock has an answer to give.

    So a time-out ends none but a request that the mock has stalled, however slow the computer is,
    and nobody waits for it, nor for a back-off.
    """

    def __init__(self, mock: WatchedMock) -> None:
        self._mock = mock
        self._under_way = self._left = 0

    def _all_are_stalled(self) -> bool:
        return self._under_way == self._mock.stalled - self._left

    async def _send(self, *request: Any) -> Any:
        clock = asyncio.get_running_loop().time
        start_s = clock()
        self._under_way += 1
        try:
            return await self._really_send(*request)
        finally:
            self._under_way -= 1
            self._left += clock() > start_s  # time has passed, so it was a stalled one

    def run(self, main: Coroutine[Any, Any, Any]) -> Any:
        loop_factory = partial(VirtualLoop, self._all_are_stalled)
        self._really_send = worker.send
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(worker, "send", self._send)
            patch.setattr(batch, "Asker", asker_in_virtual_time(NoWait()))
            with asyncio.Runner(loop_factory=loop_factory) as runner:
                return runner.run(main)


def journal_lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()[1:]]
