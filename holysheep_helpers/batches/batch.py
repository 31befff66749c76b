"""``batch()``: many prompts at once, in order, each paid for once as far as anyone can know."""

from __future__ import annotations

import asyncio
import time
import warnings
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Sequence
from contextlib import aclosing, closing, nullcontext
from dataclasses import dataclass, replace
from decimal import Decimal
from os import PathLike
from time import perf_counter
from typing import Any

import openai

from holysheep_helpers import catalog
from holysheep_helpers.batches.journal import Journal
from holysheep_helpers.batches.results import BatchItem, BatchResult, not_asked, restored
from holysheep_helpers.batches.worker import Asker, Limits
from holysheep_helpers.client.budget import Purse, checked_usd, of_items, unpriced
from holysheep_helpers.client.gateway import Gateway, async_client, is_live
from holysheep_helpers.client.progress import Progress
from holysheep_helpers.client.requests import Item, Reader, check_are_many, checked_models
from holysheep_helpers.exceptions import InputError

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


Path = str | PathLike[str]


Money = Decimal | str | int


async def batch(
    gateway_or_client: Gateway | openai.AsyncOpenAI,
    prompts: Iterable[Any],
    *,
    model: str = catalog.DEFAULT_MODEL,
    models: Sequence[str] | None = None,
    system: str | None = None,
    max_concurrency: int = 5,
    requests_per_minute: float | None = None,
    tokens_per_minute: float | None = None,
    journal: Path | None = None,
    budget_usd: Money | None = None,
    deadline_s: float | None = None,
    progress: bool = True,
    **sdk_parameters: Any,
) -> BatchResult:
    """Ask all prompts, ``max_concurrency`` at once; one result for each, in their order.

    ``prompts`` are texts, lists of messages, dicts (``prompt`` or ``messages``, and ``model``,
    ``system`` or SDK parameters of their own), or a data frame's column. Further keywords go to the
    SDK's ``chat.completions.create``.

    What goes wrong with one prompt is an error object in its result. Time-outs, lost connections,
    408, 409 and 5xx are asked again, up to 6 times, with exponential back-off and full jitter; the
    SDK's own retries are off. A prompt that waits keeps its place among ``max_concurrency``, so
    that a server in trouble is asked less. A 429 holds back all, for as long as the server says.
    A 401, 402, 403, 404, an empty quota, a spent budget or a Retry-After of more than 10 minutes
    stops the rest (``stopped_by``), with a warning. ``deadline_s`` is for one prompt, in seconds
    from its first request, its waits included.

    ``models`` in the place of ``model`` are asked in turn, as in ``hs.failover``: what one of them
    fails, the next one is asked at once, and only when all have failed is it waited. A model that
    keeps failing is left alone for a while, by a circuit breaker of this batch's own. In a journal
    a prompt stands under the first of them, whoever answered.

    ``requests_per_minute`` and ``tokens_per_minute`` are paced evenly, 1% below the limit, so that
    no 60 seconds see more. ``None`` takes the plan's limit, or that of the reply's headers, and no
    limit where neither says.

    ``journal`` is a file that survives a crash of this process: the same call goes on from there,
    asks nothing again that is recorded, and counts as ``possibly_paid_twice`` what was under way
    (``batches/journal.py`` says what a power cut can lose). Prompts are found by their
    content and parameters, so they may be added, dropped, reordered. Failed ones are asked again.

    ``budget_usd`` is for this call: nothing is sent that could exceed it, by ``max_tokens`` (1,000
    where that is not given). More than 20 calls print an estimate, live or with a budget.

    Interrupted (Ctrl-C, the Stop button), what was answered is in ``hs.last_batch()``.

    Raises ``InputError``, ``ConfigurationError``, ``BudgetError`` or ``JournalError`` before
    anything is sent.
    """
    first, listed = _in_turn(model, models)
    reader = Reader(first, system, sdk_parameters, hashed=journal is not None)
    items, labels = reader.items(prompts)
    limits = limits_of(
        gateway_or_client,
        requests_per_minute,
        tokens_per_minute,
        max_concurrency,
        deadline_s,
        listed,
    )
    budget = checked_usd(budget_usd)
    names = dict.fromkeys([*(item.model for item in items), *listed])
    for name in names if budget is not None else ():
        if catalog.published_price(name) is None:
            raise unpriced(name, budget or Decimal(0))
    job = Job(gateway_or_client, items, labels, limits, journal, budget, bool(progress))
    async_client(gateway_or_client)  # raises if it is neither
    return await job.run([None] * len(items))


def _in_turn(model: str, models: Sequence[str] | None) -> tuple[str, tuple[str, ...]]:
    """The model to ask first, and all of them if there are several to ask in turn."""
    if models is None:
        return model, ()
    listed = checked_models(models)
    if model not in (catalog.DEFAULT_MODEL, listed[0]):
        raise InputError(f"Both model={model!r} and models were given: leave one of them out.")
    return listed[0], listed


def batch_sync(
    gateway_or_client: Gateway | openai.AsyncOpenAI, prompts: Iterable[Any], **options: Any
) -> BatchResult:
    """``batch()`` for a script, where no event loop runs: takes the same, and blocks.

    Raises ``InputError`` in a notebook, whose event loop runs: use ``await hs.batch(...)`` there.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(batch(gateway_or_client, prompts, **options))
    raise InputError("An event loop runs here already: use `await hs.batch(...)`.")


def last_batch() -> BatchResult | None:
    """The result of this process's last ``batch``: after an interruption, what it had until then.

    It is kept until the next batch ends.
    """
    return last[-1] if last else None


async def batch_iter(
    gateway_or_client: Gateway | openai.AsyncOpenAI,
    prompts: Iterable[Any] | AsyncIterable[Any],
    *,
    model: str = catalog.DEFAULT_MODEL,
    models: Sequence[str] | None = None,
    system: str | None = None,
    max_concurrency: int = 5,
    requests_per_minute: float | None = None,
    tokens_per_minute: float | None = None,
    journal: Path | None = None,
    budget_usd: Money | None = None,
    deadline_s: float | None = None,
    progress: bool = True,
    **sdk_parameters: Any,
) -> AsyncGenerator[BatchItem, None]:
    """``batch()`` for any iterator of prompts, also an asynchronous or endless one.

    ``async for item in hs.batch_iter(gw, prompts): ...`` gives the results in order, while later
    ones are on their way: at most ``4 * max_concurrency`` prompts are read ahead, so memory stays
    flat. A prompt that can't be asked is an ``InputError`` in its result. A fatal error ends the
    iteration: it is raised once all results until then are out. Leave early inside ``async with
    contextlib.aclosing(...)``, so that what is under way is ended at once. There is no estimate.
    """
    client = async_client(gateway_or_client)
    first, listed = _in_turn(model, models)
    reader = Reader(first, system, sdk_parameters, hashed=journal is not None)
    limits = limits_of(
        gateway_or_client,
        requests_per_minute,
        tokens_per_minute,
        max_concurrency,
        deadline_s,
        listed,
    )
    budget = checked_usd(budget_usd)
    with closing(Journal(journal)) if journal else nullcontext() as book:
        asker = Asker(client, limits, None if budget is None else Purse(budget), book)
        stream = in_order(asker, reader, book, prompts)
        with closing(Progress(None, bool(progress))) as bar:
            async with aclosing(stream):
                async for item in stream:
                    bar.one_more(item.cost, not item.ok)
                    yield item
        if asker.stopped_by is not None:
            raise asker.stopped_by
