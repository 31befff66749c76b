"""The load of a measurement: who asks when, in a closed or an open loop, and one stream asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field, fields
from decimal import Decimal
from functools import partial
from itertools import cycle
from queue import Empty, SimpleQueue
from random import Random
from statistics import median
from typing import Any

import openai

from holysheep_helpers import exceptions
from holysheep_helpers._checks import check_number, check_whole, is_loopback
from holysheep_helpers.client.gateway import Gateway
from holysheep_helpers.client.replies import readable_head
from holysheep_helpers.client.spend import BudgetError
from holysheep_helpers.client.streams import Reading
from holysheep_helpers.diagnosis.diagnose import add_advice
from holysheep_helpers.diagnosis.evidence import exception_chain
from holysheep_helpers.latency.data import TimedStream
from holysheep_helpers.latency.run import LatencyRun
from holysheep_helpers.latency.wire import Probe, WireLoop, facts_of, probe
from holysheep_helpers.pricing.money import cost_or_none

MOST_AT_ONCE = 400
"""Windows' ``select`` ends at 512 sockets."""

LONGEST_S = 3600.0
"""An open loop whose starts would take longer than this is taken for a mistake."""

SEED = 0
"""Of the Poisson process: two measurements at one rate have the same starts."""

FIRST_STAGGER_S = 0.1
"""Between two starts where no warm-up has told how long a stream takes."""

LONGEST_STAGGER_S = 1.0

LOOK_EVERY_S = 0.2

FATAL = (400, 401, 402, 403, 404, 422)
"""Statuses that every further run would meet, too."""

HOPELESS = (openai.APIConnectionError, exceptions.UnexpectedReplyError)
"""If the whole warm-up ended like this (a time-out is among them), no more is asked."""

MADE_BY_THE_SDK = ("SyncHttpxClientWrapper", "AsyncHttpxClientWrapper")
"""The types of the HTTP clients that the SDK makes where none is given."""

Clock = Callable[[], float]


@dataclass(frozen=True)
class LoadPlan:
    """How many requests are asked, and when; ``rate_per_s`` makes it an open loop.

    Raises ``InputError`` for what can't be right.
    """

    runs: int
    warmup: int = 2
    concurrency: int = 1
    rate_per_s: float | None = None
    stagger: bool = True

    def __post_init__(self) -> None:
        check_whole("runs", self.runs)
        check_whole("warmup", self.warmup, 0)
        most = min(self.runs, MOST_AT_ONCE)
        check_whole(f"concurrency, with runs={self.runs},", self.concurrency, most=most)
        what = f"requests a second, so that {self.runs} starts take an hour at most"
        check_number("rate", self.rate_per_s, what, least=self.runs / LONGEST_S, optional=True)
        if self.rate_per_s is not None and self.concurrency != 1:
            raise exceptions.InputError(
                f"rate={self.rate_per_s} and concurrency={self.concurrency} were given: with a "
                "rate, requests start when they are due, however many are in flight. Leave one of "
                "them out."
            )

    @property
    def count(self) -> int:
        """All requests at most, those of the warm-up included."""
        return self.runs + self.warm + self.ramp

    @property
    def warm(self) -> int:
        """The warm-up: as many for each asker, so that each has its connection."""
        return -(-self.warmup // self.concurrency) * self.concurrency

    @property
    def ramp(self) -> int:
        """How many begin before the load is whole, and are left out with the warm-up."""
        staggered = self.warmup and self.stagger and self.rate_per_s is None
        return self.concurrency - 1 if staggered else 0


@dataclass
class Measurement:
    """``requests`` are asked in turn. ``loop_factory`` brings the clock of all stamps, too.

    ``stop()`` may be called from any thread: what was measured until then is the result.
    """

    client: Callable[[], openai.AsyncOpenAI]
    requests: list[dict[str, Any]] = field(repr=False)
    plan: LoadPlan
    settings: dict[str, Any] = field(default_factory=dict)
    loop_factory: Callable[[], WireLoop] = WireLoop
    _turns: Iterator[dict[str, Any]] = field(init=False, repr=False)
    _under_way_s: list[float] = field(default_factory=list)
    _task: asyncio.Task[Any] | None = None
    _stopped: str | None = None

    def run_in_thread(self, on_end: Callable[[RawRun], None] = lambda raw: None) -> LatencyRun:
        """Measure in a thread of its own, so that a notebook's event loop is left alone.

        ``on_end`` is called here, in the caller's thread, after each run. An interruption ends the
        measurement, not the caller: as with other measuring tools, what was measured counts. One
        before anything was measured is raised.
        """
        ended: SimpleQueue[RawRun | None] = SimpleQueue()
        pool = ThreadPoolExecutor(1, "holysheep latency")
        result = pool.submit(copy_context().run, self.run, ended.put)
        result.add_done_callback(lambda _: ended.put(None))
        try:
            while not (result.done() and ended.empty()):
                try:
                    raw = ended.get(timeout=LOOK_EVERY_S)  # else Windows can't be interrupted
                    if raw is not None:  # as the last word is
                        on_end(raw)
                except Empty:
                    continue
                except KeyboardInterrupt:
                    if self._stopped:
                        raise
                    self.stop("interrupted")
        finally:
            if not result.done():  # interrupted twice, or on_end broke: it must ask no more
                self.stop()
            pool.shutdown(wait=False)
        found = result.result()
        if self._stopped == "interrupted" and not found.runs:
            raise KeyboardInterrupt("Interrupted before anything was measured.")
        return found

    def stop(self, why: str = "stopped") -> None:
        """End it: what is in flight is left out. Too late, it changes nothing."""
        self._stopped = self._stopped or why
        if (task := self._task) is not None:
            with suppress(RuntimeError):  # it has just ended, and its loop with it
                task.get_loop().call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def run(self, on_end: Callable[[RawRun], None] = lambda raw: None) -> LatencyRun:
        """Measure in this thread, where no event loop may run."""
        with asyncio.Runner(loop_factory=self.loop_factory) as runner:
            return runner.run(self._measure(on_end))

    async def _measure(self, on_end: Callable[[RawRun], None]) -> LatencyRun:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, WireLoop)
        plan, self._turns = self.plan, cycle(self.requests)
        self._task = asyncio.current_task()  # before it is asked whether it was stopped
        async with self.client() as client:
            load = Load(partial(self._ask, client, loop.wire_clock), loop.wire_clock, on_end)
            try:
                if self._stopped is None:
                    await load.run(plan)
            except asyncio.CancelledError:
                if self._stopped is None:
                    raise
            finally:
                self._task = None
            error = load.stopped_by
            why = self._stopped if len(load.runs) < plan.runs else None
            if error is not None and not any(raw.error is None for raw in load.runs):
                if isinstance(error, openai.OpenAIError):
                    add_advice(error)
                    error = error.with_traceback(None)
                raise error
        runs, warmups = (
            tuple(sorted((one.read(load.began_s) for one in some), key=lambda run: run.index))
            for some in (load.runs, load.warm)
        )
        return LatencyRun.of(
            runs,
            warmups=warmups,
            model=self.requests[0]["model"],
            asked=plan.runs,
            concurrency=plan.concurrency,
            rate_per_s=plan.rate_per_s,
            busy=load.busy,
            stopped_by=why or (type(error).__name__ if error is not None else None),
            under_way_s=tuple(sorted(self._under_way_s)),
            settings=self.settings,
        )

    async def _ask(
        self, client: openai.AsyncOpenAI, clock: Clock, index: int, due_s: float | None
    ) -> RawRun:
        arguments, now_s = next(self._turns), clock()
        raw = RawRun(index, arguments["model"], now_s if due_s is None else due_s, now_s)
        probe.set(raw)  # of this task and those that it starts
        try:
            with readable_head():
                stream = await client.chat.completions.create(**arguments)
            async with stream:
                reading = Reading(stream.response, clock)
                try:
                    async for _ in reading.texts_of_async():
                        pass
                finally:
                    raw.handed_on_s = reading.first_s
                    raw.cost_usd = cost_or_none(reading.usage, reading.model, raw.model)
        except (BudgetError, exceptions.DeadlineError):  # no further run would be sent
            raise
        except (openai.OpenAIError, exceptions.HolySheepError) as error:
            raw.error = error
        except asyncio.CancelledError:
            self._under_way_s.append(clock() - raw.due_s)
            raise
        finally:
            raw.done_s = clock()
        return raw


@dataclass
class Load:
    """Asks again and again with ``ask(index, due_s)``, which gives a ``RawRun``.

    ``runs`` has the runs in the order of their ends, ``warm`` the warm-up. After a fatal error
    (``stopped_by``), or an unexpected one, nothing more is asked; what is in flight is read
    to its end.
    """

    ask: Callable[[int, float | None], Awaitable[RawRun]]
    clock: Clock
    on_end: Callable[[RawRun], None] = lambda raw: None
    runs: list[RawRun] = field(default_factory=list)
    warm: list[RawRun] = field(default_factory=list)
    stopped_by: Exception | None = None
    began_s: float = 0.0
    _worked_s: float = 0.0

    async def run(self, plan: LoadPlan) -> None:
        """Warm up, then ask as planned, unless no answer came."""
        await self.closed(plan.warm, plan.concurrency, into=self.warm)
        if self.warm and all(isinstance(raw.error, HOPELESS) for raw in self.warm):
            self.stopped_by = self.warm[-1].error
        if self.stopped_by is not None:
            return
        self._begin()
        if plan.rate_per_s is not None:
            await self.opened(plan.runs, plan.rate_per_s, Random(SEED))
        else:
            spread_s = stagger_s(self.warm, plan.concurrency) if plan.stagger else 0.0
            await self.closed(plan.runs, plan.concurrency, self.runs, spread_s, plan.ramp > 0)

    async def closed(
        self, count: int, askers: int, into: list[RawRun], apart_s: float = 0.0, ramp: bool = False
    ) -> None:
        """So many ``askers``, each asking again as soon as it has its answer.

        Their first starts are ``apart_s`` seconds apart. With ``ramp``, all but the last ask once
        for the warm-up before: the load is not whole yet. Only once, for the cost's sake: who has
        an answer at once, such as a 429, waits for the last to start.
        """
        askers, warm = min(askers, count), len(self.warm)
        todo, all_started = iter(range(count)), asyncio.Event()

        async def asker(number: int) -> None:
            await asyncio.sleep(number * apart_s)
            if ramp and number == askers - 1:
                self._begin()
                all_started.set()
            elif ramp and self.stopped_by is None:
                await self._ask_one(warm + number, None, self.warm)
                await all_started.wait()
            for index in todo:
                if self.stopped_by is not None:
                    return
                await self._ask_one(index, None, into)

        async with asyncio.TaskGroup() as group:
            for number in range(askers):
                group.create_task(asker(number))

    async def opened(self, count: int, rate_per_s: float, draw: Random) -> None:
        """Starts at the moments of a Poisson process, whether or not answers have come."""
        async with asyncio.TaskGroup() as group:
            due_s = self.began_s
            for index in range(count):
                due_s += draw.expovariate(rate_per_s)
                await asyncio.sleep(max(0.0, due_s - self.clock()))
                if self.stopped_by is not None:
                    return
                group.create_task(self._ask_one(index, due_s, self.runs))

    def _begin(self) -> None:
        self.began_s, self._worked_s = self.clock(), time.thread_time()

    @property
    def busy(self) -> float:
        """The share of the time since it began in which this thread worked."""
        elapsed_s = max(self.clock() - self.began_s, 1e-9)
        return min((time.thread_time() - self._worked_s) / elapsed_s, 1.0)

    async def _ask_one(self, index: int, due_s: float | None, into: list[RawRun]) -> None:
        try:
            raw = await self.ask(index, due_s)
        except Exception as error:  # noqa: BLE001  # a spent budget, say: what was measured is kept
            self.stopped_by = self.stopped_by or error
            return
        if isinstance(raw.error, openai.APIStatusError) and raw.error.status_code in FATAL:
            self.stopped_by = self.stopped_by or raw.error
        into.append(raw)
        if into is self.runs:
            self.on_end(raw)


def stagger_s(warm: Sequence[RawRun], concurrency: int) -> float:
    """Seconds between the first starts: the time of a stream, shared out among the askers."""
    took = [raw.done_s - raw.called_s for raw in warm if raw.error is None]
    return min(median(took) / concurrency, LONGEST_STAGGER_S) if took else FIRST_STAGGER_S


@dataclass(slots=True)
class RawRun(Probe):
    """A run as it was recorded. Its bytes are read later: that would delay the stamps of others."""

    index: int
    model: str
    due_s: float
    called_s: float = 0.0
    handed_on_s: float | None = None
    done_s: float = 0.0
    cost_usd: Decimal | None = None
    error: Exception | None = None

    def read(self, began_s: float) -> TimedStream:
        """The run with all that its bytes say; moments in seconds since ``began_s``."""
        known = {one.name: getattr(self, one.name) for one in fields(self)}
        del known["connect_began_s"]
        known |= facts_of(known.pop("reads")) | {"error": error_label(self.error)}
        return TimedStream(**known).shifted(-began_s)


def error_label(error: Exception | None) -> str | None:
    """A status or the error's type: its message may hold what belongs into no file.

    On aiohttp a refused, unknown or closed connection comes out as a time-out, too: it is one only
    if a time-out lies beneath.
    """
    if isinstance(error, openai.APIStatusError):
        return str(error.status_code)
    if isinstance(error, openai.APITimeoutError) and not any(
        isinstance(cause, TimeoutError) for cause in exception_chain(error)
    ):
        return openai.APIConnectionError.__name__
    return None if error is None else type(error).__name__


def measuring_client(target: object) -> Callable[[], openai.AsyncOpenAI]:
    """What makes a client like ``target``, for the running event loop: no retries, for each failure
    counts; yours to close.

    Raises ``InputError`` for what is no gateway and no client, or can't be copied whole. A bare
    client that was given an HTTP client of its own has settings (a proxy, certificates) that
    nothing can read back; a measurement without them would take another way than its calls.
    """
    if isinstance(target, Gateway):
        return partial(target.async_client, max_retries=0)
    if type(target) not in (openai.OpenAI, openai.AsyncOpenAI):  # Azure's ask in another way
        raise exceptions.InputError(
            f"A {type(target).__name__} was given: hs.connect()'s gateway, an openai.AsyncOpenAI "
            "or an openai.OpenAI client is needed."
        )
    assert isinstance(target, openai.OpenAI | openai.AsyncOpenAI)
    http = type(target._client)
    if http.__name__ not in MADE_BY_THE_SDK:
        raise exceptions.InputError(
            f"This client has an http_client of its own (a {http.__name__}), whose settings can't "
            "be copied, and a measurement opens connections of its own. Give a client without one, "
            "or hs.connect()'s gateway; proxies are taken from the environment."
        )
    if not target.api_key and isinstance(target, openai.OpenAI):
        raise exceptions.InputError(
            "This client's key comes from a function, which no event loop can ask: give "
            "an openai.AsyncOpenAI with an asynchronous one, or hs.connect()'s gateway."
        )
    return partial(_copied, target)


def _copied(target: openai.OpenAI | openai.AsyncOpenAI) -> openai.AsyncOpenAI:
    proxied = target.base_url.scheme == "https" or not is_loopback(target.base_url.host)
    http = openai.DefaultAioHttpClient(trust_env=proxied)
    plain = {"Accept-Encoding": "identity"}  # the bytes are read as they come
    if isinstance(target, openai.AsyncOpenAI):
        return target.copy(http_client=http, max_retries=0, default_headers=plain)
    alike = ("api_key", "base_url", "organization", "project", "timeout", "default_query")
    return openai.AsyncOpenAI(
        **{name: getattr(target, name) for name in alike},
        default_headers={**target._custom_headers, **plain},
        max_retries=0,
        http_client=http,
    )
