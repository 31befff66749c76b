"""A whole batch: what is recalled, what is asked by whom, and the result, however it ends."""

from __future__ import annotations

import asyncio
import time
import warnings
from collections import deque
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from decimal import Decimal
from os import PathLike
from time import perf_counter
from typing import Any

import openai

from holysheep_helpers.asking import Asker, Limits
from holysheep_helpers.batch_result import BatchItem, BatchResult, not_asked, restored
from holysheep_helpers.client.budget import Purse, of_items
from holysheep_helpers.client.gateway import Gateway, async_client, is_live
from holysheep_helpers.client.progress import Progress
from holysheep_helpers.client.requests import Item
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.journal import Journal

MANY_CALLS = 20
last: list[BatchResult] = []
"""The result of this process's last batch, as far as it got; empty before the first."""


class BatchStoppedWarning(UserWarning):
    """A batch ended early, because of an error that every further request would have met."""


def limits_of(
    target: object,
    requests_per_minute: object,
    tokens_per_minute: object,
    max_concurrency: Any,
    deadline_s: object,
    models: tuple[str, ...] = (),
) -> Limits:
    """Raises ``InputError`` for what can't be one; requests a minute may come from the plan."""
    whole = isinstance(max_concurrency, int) and not isinstance(max_concurrency, bool)
    if not whole or max_concurrency < 1:
        raise InputError(f"max_concurrency is {max_concurrency!r}: a whole number, 1 or more.")
    requests = _positive("requests_per_minute", requests_per_minute)
    tokens = _positive("tokens_per_minute", tokens_per_minute)
    if isinstance(target, Gateway) and target.plan is not None and target.time_scale:
        # A mock that is played faster has shorter minutes; tokens are limited by the mock alone.
        if requests is None:
            requests = _scaled(target.plan.requests_per_minute, target.time_scale)
        if tokens is None and target.mock is not None:
            tokens = _scaled(target.plan.tokens_per_minute, target.time_scale)
    return Limits(
        requests,
        tokens,
        max_concurrency,
        _positive("deadline_s", deadline_s),
        models,
    )


def _scaled(limit: int | None, time_scale: float) -> float | None:
    return None if limit is None else limit / time_scale


def _positive(name: str, value: Any) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is not None and not (number and 0 < value < float("inf")):
        raise InputError(f"{name} is {value!r}: a number above 0 is needed, or None.")
    return value


@dataclass
class Job:
    """A batch that can be run, and run again for what failed."""

    target: Gateway | openai.AsyncOpenAI
    items: list[Item]
    labels: list[Any]
    limits: Limits
    journal: str | PathLike[str] | None
    budget_usd: Decimal | None
    progress: bool

    async def again(self, result: BatchResult) -> BatchResult:
        return await self.run(list(result))

    async def run(self, before: list[BatchItem | None]) -> BatchResult:
        results = [item if item and item.ok else None for item in before]
        lost = [item.lost if item else 0 for item in before]
        client = async_client(self.target)
        with closing(Journal(self.journal)) if self.journal else nullcontext() as book:
            if book is not None:
                self._recall(book, results, lost)
            todo = deque(i for i, result in enumerate(results) if result is None)
            self._say_estimate([self.items[i] for i in todo])
            purse = None if self.budget_usd is None else Purse(self.budget_usd)
            asker = Asker(client, self.limits, purse, book)
            done = len(results) - len(todo)
            with closing(Progress(len(results), self.progress, done)) as bar:
                start_s, busy_s = perf_counter(), time.thread_time()
                try:
                    await self._ask_all(asker, todo, results, lost, bar)
                except asyncio.CancelledError:
                    done = sum(item is not None and item.ok for item in results)
                    raise asyncio.CancelledError(
                        f"Interrupted: {done} of {len(results)} prompts are answered. "
                        "result = hs.last_batch() has them; await result.retry_failed() goes on."
                    ) from None  # rather than pages of where each request was waiting
                finally:
                    elapsed_s = perf_counter() - start_s
                    share = (time.thread_time() - busy_s) / max(elapsed_s, 1e-9)
                    result = self._result(asker, results, lost, elapsed_s, min(share, 1.0))
        if asker.stopped_by is not None:
            warnings.warn(
                f"The batch was stopped by {type(asker.stopped_by).__name__}: "
                f"{asker.stopped_by} {len(result.ok)} of {len(result)} are answered.",
                BatchStoppedWarning,
                stacklevel=3,
            )
        return result

    def _recall(self, book: Journal, results: list[BatchItem | None], lost: list[int]) -> None:
        """Fill in what the journal has, and what it knows to have been lost."""
        for known, item in zip(results, self.items, strict=True):
            if known is not None:  # from the run before: its lines are spoken for
                book.recall(item.key)
                book.unanswered(item.key, known.lost)
        found = []
        for i, item in enumerate(self.items):
            if results[i] is None and (record := book.recall(item.key)) is not None:
                results[i] = restored(i, item.prompt, record)
                found.append(i)
        for i, item in enumerate(self.items):
            if results[i] is None:
                lost[i] = book.unanswered(item.key)
        for i in found:  # what is left over belongs to prompts that have their answer
            record = results[i]
            if record is not None and (extra := book.unanswered(self.items[i].key)):
                results[i] = replace(record, lost=extra)

    def _say_estimate(self, todo: list[Item]) -> None:
        costly = is_live(self.target) or self.budget_usd is not None
        if self.progress and len(todo) > MANY_CALLS and costly:
            print(of_items(todo, self.limits.models))

    async def _ask_all(
        self,
        asker: Asker,
        todo: deque[int],
        results: list[BatchItem | None],
        lost: list[int],
        bar: Progress,
    ) -> None:
        async def work() -> None:
            while todo and asker.stopped_by is None:
                i = todo.popleft()
                result = results[i] = await asker.ask(i, self.items[i], lost[i])
                bar.one_more(result.cost, not result.ok)

        workers = [
            asyncio.create_task(work()) for _ in range(min(self.limits.max_concurrency, len(todo)))
        ]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    def _result(
        self,
        asker: Asker,
        results: list[BatchItem | None],
        lost: list[int],
        elapsed_s: float,
        share: float,
    ) -> BatchResult:
        items = [
            known or asker.left.get(i) or not_asked(i, item.prompt, asker.stopped_by, lost[i])
            for i, (item, known) in enumerate(zip(self.items, results, strict=True))
        ]
        result = BatchResult(
            items,
            self.labels,
            self.again,
            elapsed_s=elapsed_s,
            client_share=share,
            stopped_by=asker.stopped_by,
            budgeted_usd=asker.purse.spent_usd if asker.purse is not None else Decimal(0),
        )
        last[:] = [result]
        return result
