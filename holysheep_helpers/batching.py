"""``batch()``: many prompts at once, in order, each paid for once as far as anyone can know."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Sequence
from contextlib import aclosing, closing, nullcontext
from decimal import Decimal
from os import PathLike
from typing import Any

import openai

from holysheep_helpers import batch_job, catalog
from holysheep_helpers.asking import Asker
from holysheep_helpers.batch_job import Job, limits_of
from holysheep_helpers.batch_result import BatchItem, BatchResult
from holysheep_helpers.batch_stream import in_order
from holysheep_helpers.client.budget import Purse, checked_usd, unpriced
from holysheep_helpers.client.gateway import Gateway, async_client
from holysheep_helpers.client.progress import Progress
from holysheep_helpers.client.requests import Reader, checked_models
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.journal import Journal

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
    (``holysheep_helpers.journal`` says what a power cut can lose). Prompts are found by their
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
    return batch_job.last[-1] if batch_job.last else None


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
