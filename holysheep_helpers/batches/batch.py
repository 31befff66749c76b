"""``batch()``: many prompts at once, in order, each paid for once as far as anyone can know."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Sequence
from contextlib import AbstractContextManager, aclosing, closing, nullcontext
from dataclasses import dataclass, replace
from itertools import count
from time import perf_counter
from typing import Any, ClassVar

import openai

from holysheep_helpers import catalog
from holysheep_helpers.batches.journal import Journal
from holysheep_helpers.batches.results import BatchItem, BatchResult, restored, run_outside_a_loop
from holysheep_helpers.batches.worker import Asker, Money, Path, Record, Setup
from holysheep_helpers.client.gateway import Gateway, is_live
from holysheep_helpers.client.requests import Item, Reader, check_are_many
from holysheep_helpers.client.spend import Budget, estimate_items
from holysheep_helpers.diagnosis.display import Progress
from holysheep_helpers.exceptions import InputError, warn

MANY_CALLS = 20
"""More calls than that print an estimate, where they cost money."""

AHEAD = 4
"""At most this many times ``max_concurrency`` prompts are read ahead and held by ``batch_iter``."""


class BatchStoppedWarning(UserWarning):
    """A batch ended early: see ``stopped_by``, fix the cause, and ``retry_failed()``."""


class JournalWarning(UserWarning):
    """A journal has answers to the same prompts from elsewhere: they are not used."""


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
    """Ask many prompts, several at once, and get one result for each, in their order.

    An error of one prompt is an object in its result. Time-outs, lost connections, 408, 409 and
    5xx are asked again, up to 6 times, with exponential back-off and full jitter; the SDK's own
    retries are off. A 429 holds back all prompts, for as long as the server says. What every other
    prompt would meet (401, 402, 403, 404, an empty quota, a spent budget, a Retry-After of more
    than 10 minutes) stops the batch, with a ``BatchStoppedWarning``. After an interruption (the
    Stop button), ``hs.last_batch()`` has what was answered.

    Args:
        gateway_or_client: the gateway from ``hs.connect()``, or an ``openai.AsyncOpenAI`` client.
        prompts: texts, lists of messages, dicts (``prompt`` or ``messages``, and a ``model``,
            ``system`` or SDK parameters of their own), or one column of a data frame.
        model: the model's id. Default: the catalogue's default model.
        models: ids to ask in turn instead, the best one first, as in ``hs.failover``: what one
            fails, the next one is asked at once. A model that keeps failing is left alone for a
            while. Default: ``model`` alone.
        system: the system prompt, as text. Default: none.
        max_concurrency: how many prompts are asked at once; one that waits is one of them.
            Default: 5.
        requests_per_minute: the pace, kept 1% below this in any 60 seconds. Default: the plan's
            limit, else that of the reply's headers, else none.
        tokens_per_minute: the same for tokens.
        journal: a file that survives a crash of this process. The same call goes on from there:
            what is recorded is not asked again, and what was in flight counts as
            ``possibly_paid_twice``. Answers of a mock, of another address or to other headers
            are left in it, unused, with a ``JournalWarning``. Default: none.
        budget_usd: US dollars, no float, for this call: nothing is sent that could exceed it, by
            ``max_tokens`` (1,000 where that is not given). Default: no limit.
        deadline_s: seconds for one prompt, from its first request, its waits included.
            Default: none.
        progress: shows a bar and, for more than 20 calls that cost money, an estimate.
            Default: ``True``.
        **sdk_parameters: any other parameter of ``client.chat.completions.create``.

    Returns:
        A ``BatchResult``, a sequence with one ``BatchItem`` for each prompt.

    Raises:
        InputError: a prompt or a setting can't be right. Nothing was sent.
        ConfigurationError: ``budget_usd`` is no amount. Nothing was sent.
        BudgetError: a budget was given, and a model has no published price. Nothing was sent.
        JournalError: the journal is another kind of file, of another version, or in use. Nothing
            was sent.

    Example:
        >>> result = await hs.batch(gw, ["Say hello.", "Count to three."], progress=False)
        >>> len(result.ok), result.failed
        (2, [])
    """
    setup = Setup(
        gateway_or_client, model, models, system, max_concurrency, requests_per_minute,
        tokens_per_minute, journal, budget_usd, deadline_s, progress, sdk_parameters,
    )  # fmt: skip
    items, labels = setup.reader.items(prompts)
    asked = dict.fromkeys([*(item.model for item in items), *setup.in_turn])
    Budget(setup.limit_usd).check_models(asked)
    return await Job(setup, items, labels, [None] * len(items)).run()


def batch_sync(
    gateway_or_client: Gateway | openai.AsyncOpenAI, prompts: Iterable[Any], **options: Any
) -> BatchResult:
    """Do what ``batch()`` does, for a script, where no event loop runs.

    Args:
        gateway_or_client: as in ``hs.batch``.
        prompts: as in ``hs.batch``.
        **options: all other arguments of ``hs.batch``.

    Returns:
        A ``BatchResult``.

    Raises:
        InputError: an event loop runs, as in a notebook: use ``await hs.batch(...)`` there.

    Example:
        >>> import threading  # a notebook has an event loop; another thread has none
        >>> work = lambda: print(len(hs.batch_sync(gw, ["Say hello."], progress=False).ok))
        >>> thread = threading.Thread(target=work); thread.start(); thread.join()
        1
    """
    return run_outside_a_loop(
        lambda: batch(gateway_or_client, prompts, **options), "await hs.batch(...)"
    )


def last_batch() -> BatchResult | None:
    """Give the result of this process's last batch; it is kept until the next one ends.

    Returns:
        A ``BatchResult``: after an interruption, what was answered until then. ``None`` before the
        first batch.

    Example:
        >>> result = await hs.batch(gw, ["Say hello."], progress=False)
        >>> hs.last_batch() is result
        True
    """
    return Job.last_result


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
    """Ask the prompts of any iterator, also an endless one, and give each result in order.

    Later prompts are on their way meanwhile: at most ``4 * max_concurrency`` are read ahead, so
    that memory stays flat. A prompt that can't be asked is an ``InputError`` in its result. Leave
    early inside ``async with contextlib.aclosing(...)``, so that what is in flight is ended at
    once. There is no estimate.

    Args:
        gateway_or_client: the gateway from ``hs.connect()``, or an ``openai.AsyncOpenAI`` client.
        prompts: an iterator of prompts as ``hs.batch`` takes them, plain or asynchronous.
        model: as in ``hs.batch``.
        models: as in ``hs.batch``.
        system: as in ``hs.batch``.
        max_concurrency: as in ``hs.batch``. Default: 5.
        requests_per_minute: as in ``hs.batch``.
        tokens_per_minute: as in ``hs.batch``.
        journal: as in ``hs.batch``.
        budget_usd: as in ``hs.batch``.
        deadline_s: seconds for one prompt, as in ``hs.batch``.
        progress: shows a bar. Default: ``True``.
        **sdk_parameters: any other parameter of ``client.chat.completions.create``.

    Returns:
        An asynchronous iterator of ``BatchItem``, for ``async for``.

    Raises:
        InputError: a setting can't be right. Nothing was sent.
        Exception: the fatal error that ended the batch, once all results until then are out.

    Example:
        >>> answers = hs.batch_iter(gw, iter(["Say hello.", "Count to ten."]), progress=False)
        >>> [item.ok async for item in answers]
        [True, True]
    """
    setup = Setup(
        gateway_or_client, model, models, system, max_concurrency, requests_per_minute,
        tokens_per_minute, journal, budget_usd, deadline_s, progress, sdk_parameters,
    )  # fmt: skip
    with closing(Asker(setup)) as asker, _bar(setup, None) as bar:
        async with aclosing(_in_order(asker, setup.reader, prompts)) as results:
            async for item in results:
                if bar is not None:
                    bar.one_more(item.cost, not item.ok)
                yield item
    if asker.stopped_by is not None:
        raise asker.stopped_by


def _bar(
    setup: Setup, total: int | None, restored: int = 0
) -> AbstractContextManager[Progress | None]:
    return closing(Progress(total, restored)) if setup.progress else nullcontext()


@dataclass
class Job:
    """One run of a batch; ``before`` has what an earlier run of it found.

    ``last_result`` is that of this process's last batch, as far as it got.
    """

    setup: Setup
    items: list[Item]
    labels: list[Any]
    before: Sequence[BatchItem | None]

    last_result: ClassVar[BatchResult | None] = None

    def __post_init__(self) -> None:
        self.results = [item if item and item.ok else None for item in self.before]
        lost = [item.lost if item else 0 for item in self.before]
        self.records = list(map(Record, count(), self.items, lost))

    async def again(self, result: BatchResult) -> BatchResult:
        return await replace(self, before=result).run()

    async def run(self) -> BatchResult:
        results, setup = self.results, self.setup
        with closing(Asker(setup)) as asker:
            if asker.journal is not None:
                self._recall(asker.journal)
            todo = deque(self._unanswered())
            costly = is_live(setup.target) or setup.limit_usd is not None
            if setup.progress and len(todo) > MANY_CALLS and costly:
                print(estimate_items([record.item for record in todo], setup.in_turn))
            with _bar(setup, len(results), len(results) - len(todo)) as bar:
                start_s, busy_s = perf_counter(), time.thread_time()
                try:
                    await self._ask_all(asker, todo, bar)
                except asyncio.CancelledError:
                    done = sum(item is not None and item.ok for item in results)
                    raise asyncio.CancelledError(
                        f"Interrupted: {done} of {len(results)} prompts are answered. "
                        "result = hs.last_batch() has them; await result.retry_failed() goes on."
                    ) from None  # rather than pages of where each request was waiting
                finally:
                    elapsed_s = perf_counter() - start_s
                    share = (time.thread_time() - busy_s) / max(elapsed_s, 1e-9)
                    for record in self._unanswered():
                        results[record.index] = record.not_asked(asker.stopped_by)
                    result = Job.last_result = BatchResult(
                        list(filter(None, results)), self.labels, self.again, elapsed_s,
                        min(share, 1.0), asker.stopped_by, asker.budget.spend.usd,
                    )  # fmt: skip
        if asker.stopped_by is not None:
            said = f"The batch was stopped by {type(asker.stopped_by).__name__}: "
            said += f"{asker.stopped_by} {len(result.ok)} of {len(result)} are answered."
            warn(said, BatchStoppedWarning, stacklevel=3)
        return result

    def _unanswered(self) -> list[Record]:
        """The prompts without a result: not asked yet, or interrupted."""
        return [record for record in self.records if self.results[record.index] is None]

    def _recall(self, journal: Journal) -> None:
        """Fill in what the journal has, and what it knows to have been lost."""
        keys_of = self.setup.keys_of
        for known in filter(None, self.results):  # from the run before: its lines are spoken for
            keys = keys_of(self.items[known.index])
            journal.recall(keys)
            journal.unanswered(keys, known.lost)
        found = [(one, journal.recall(keys_of(one.item))) for one in self._unanswered()]
        # What was lost counts for a prompt without an answer first, if several are equal.
        for record, answer in sorted(found, key=lambda pair: pair[1] is not None):
            record.lost = journal.unanswered(keys_of(record.item))
            if answer is not None:
                index, prompt = record.index, record.item.prompt
                self.results[index] = restored(index, prompt, answer, record.lost)
        keys = [record.item.key for record in self._unanswered()]
        _warn_if_unused(journal, keys, f"of these {len(self.items)} prompts")

    async def _ask_all(self, asker: Asker, todo: deque[Record], bar: Progress | None) -> None:
        async def work() -> None:
            while todo and asker.stopped_by is None:
                record = todo.popleft()
                result = self.results[record.index] = await asker.ask(record)
                if bar is not None:
                    bar.one_more(result.cost, not result.ok)

        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(min(self.setup.max_concurrency, len(todo))):
                    workers.create_task(work())
        except ExceptionGroup as group:  # a mistake in the code: it is one error, no group of them
            raise group.exceptions[0] from None


async def _in_order(asker: Asker, reader: Reader, prompts: Any) -> AsyncGenerator[BatchItem, None]:
    """Read prompts, a little ahead; give out their results in order, whoever is ready first."""
    journal, warned = asker.journal, False
    ahead = asyncio.Semaphore(AHEAD * asker.setup.max_concurrency)
    slots = asyncio.Semaphore(asker.setup.max_concurrency)
    tasks: asyncio.Queue[asyncio.Task[BatchItem] | None] = asyncio.Queue()

    async def one(index: int, prompt: Any) -> BatchItem:
        nonlocal warned
        try:
            record = Record(index, reader.item(prompt))
        except InputError as error:
            return BatchItem(index, prompt, error=error.with_traceback(None))
        if journal is not None:
            keys = asker.setup.keys_of(record.item)
            answer, record.lost = journal.recall(keys), journal.unanswered(keys)
            if answer is not None:
                return restored(index, prompt, answer, record.lost)
            warned = warned or _warn_if_unused(
                journal, [record.item.key], "prompt of this batch, if not more,"
            )
        async with slots:
            return await asker.ask(record)

    async def feed() -> None:
        numbers = count()
        try:
            async for prompt in _each(prompts):
                await ahead.acquire()
                if asker.stopped_by is not None:
                    return
                tasks.put_nowait(asyncio.create_task(one(next(numbers), prompt)))
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
        left = [feeder, *filter(None, [tasks.get_nowait() for _ in range(tasks.qsize())])]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


def _warn_if_unused(journal: Journal, keys: Sequence[str], prompts: str) -> bool:
    """Say, before they are paid for, that the same prompts were answered, but not from here."""
    count, whence = journal.elsewhere(keys)
    if count:
        said = f"The journal {journal.path.name} has answers to {count} {prompts} from {whence}: "
        said += "they are not used, and the prompts are asked here."
        warn(said, JournalWarning, stacklevel=3)
    return count > 0


async def _each(prompts: Any) -> AsyncGenerator[Any]:
    if isinstance(prompts, AsyncIterable):
        async for prompt in prompts:
            yield prompt
        return
    check_are_many(prompts)
    if not isinstance(prompts, Iterable):
        raise InputError(f"A {type(prompts).__name__} was given: an iterator of prompts is needed.")
    for prompt in prompts:
        yield prompt
