"""Results of prompts that come from any iterator: in order, with few held at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable
from typing import Any

from holysheep_helpers.asking import Asker
from holysheep_helpers.batch_result import BatchItem, not_asked, restored
from holysheep_helpers.client.requests import Reader, check_are_many
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.journal import Journal

AHEAD = 4
"""At most this many times ``max_concurrency`` prompts are read ahead and held."""


async def in_order(
    asker: Asker, reader: Reader, book: Journal | None, prompts: Any
) -> AsyncGenerator[BatchItem, None]:
    """Read prompts, a little ahead; give out their results in order, whoever is ready first."""
    ahead = asyncio.Semaphore(AHEAD * asker.limits.max_concurrency)
    slots = asyncio.Semaphore(asker.limits.max_concurrency)
    tasks: asyncio.Queue[asyncio.Task[BatchItem] | None] = asyncio.Queue()
    open_tasks: set[asyncio.Task[Any]] = set()

    async def one(index: int, prompt: Any) -> BatchItem:
        try:
            item = reader.item(prompt)
        except InputError as error:
            return BatchItem(index, prompt, error=error.with_traceback(None))
        if book is not None and (record := book.recall(item.key)) is not None:
            return restored(index, prompt, record, book.unanswered(item.key))
        async with slots:
            if asker.stopped_by is not None:
                return not_asked(index, prompt, asker.stopped_by)
            return await asker.ask(index, item, book.unanswered(item.key) if book else 0)

    async def feed() -> None:
        index = 0
        try:
            async for prompt in _each(prompts):
                await ahead.acquire()
                if asker.stopped_by is not None:
                    return
                task = asyncio.create_task(one(index, prompt))
                open_tasks.add(task)
                task.add_done_callback(open_tasks.discard)
                tasks.put_nowait(task)
                index += 1
        finally:
            tasks.put_nowait(None)

    feeder = asyncio.create_task(feed())
    try:
        while (task := await tasks.get()) is not None:
            yield await task
            ahead.release()
            if asker.stopped_by is not None and tasks.empty():
                return  # without waiting for another prompt
        await feeder
    finally:
        for task in (feeder, *open_tasks):
            task.cancel()
        await asyncio.gather(feeder, *open_tasks, return_exceptions=True)


async def _each(prompts: Any) -> AsyncIterator[Any]:
    if isinstance(prompts, AsyncIterable):
        async for prompt in prompts:
            yield prompt
        return
    check_are_many(prompts)
    if not isinstance(prompts, Iterable):
        raise InputError(f"A {type(prompts).__name__} was given: an iterator of prompts is needed.")
    for prompt in prompts:
        yield prompt
