"""The Stop button of a notebook, pressed in a real kernel in the midst of a batch."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_async_kernel

from tests.support.watched import watched

INTERRUPTED = """
import openai, holysheep_helpers as hs
client = openai.AsyncOpenAI(
    base_url={url!r}, api_key="hs-mock-batch",
    http_client=openai.DefaultAioHttpClient(trust_env=False))
result = await hs.batch(client, [f"p{{n}}" for n in range(30)], progress=False, journal={file!r})
"""


AFTERWARDS = """
print(len(hs.last_batch().ok), len(hs.last_batch()))
result = await hs.last_batch().retry_failed()
print(len(result.ok), result.possibly_paid_twice)
"""


async def stop_button(folder: Path) -> tuple[dict[str, Any], str, int]:
    """Run the cell, press Stop once all its workers wait; its reply, and what comes after it."""
    printed: list[str] = []
    loop = asyncio.get_running_loop()

    async def press_stop() -> None:
        await manager.interrupt_kernel()

    with watched() as mock:
        mock.script([None] * 10 + ["stall"] * 5)
        mock.when_asked(15, lambda: asyncio.run_coroutine_threadsafe(press_stop(), loop))
        manager, kernel = await start_new_async_kernel(kernel_name="python3", cwd=str(Path.cwd()))
        try:
            cell = INTERRUPTED.format(url=mock.base_url, file=str(folder / "run.jsonl"))
            reply = await kernel.execute_interactive(cell, timeout=60, output_hook=id)
            await kernel.execute_interactive(
                AFTERWARDS,
                timeout=60,
                output_hook=lambda message: printed.append(message["content"].get("text", "")),
            )
        finally:
            kernel.stop_channels()
            await manager.shutdown_kernel(now=True)
        return reply["content"], "".join(printed), mock.doubled()


@pytest.mark.process
def test_the_stop_button_of_a_notebook_keeps_what_was_answered(tmp_path: Path) -> None:
    reply, printed, doubled = asyncio.run(stop_button(tmp_path))
    assert reply["ename"] in ("KeyboardInterrupt", "CancelledError")
    assert "10 of 30 prompts are answered" in reply["evalue"]
    assert printed == "10 30\n30 5\n"
    assert doubled == 5
