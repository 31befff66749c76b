"""A measurement that is under way: its thread, its event loop, and how it is stopped."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from random import Random
from typing import Any

import openai

from holysheep_helpers.client.progress import Progress
from holysheep_helpers.diagnosis.diagnose import add_advice
from holysheep_helpers.exceptions import UnexpectedReplyError
from holysheep_helpers.latency_load import Load, Taken, stagger_s, take
from holysheep_helpers.latency_run import LatencyRun
from holysheep_helpers.latency_wire import WireLoop

SEED = 0
"""Of the Poisson process: two measurements at one rate have the same starts."""
LOOK_EVERY_S = 0.2
HOPELESS = (openai.APIConnectionError, UnexpectedReplyError)
"""If the whole warm-up ended like this (a time-out is among them), no more is asked."""


@dataclass
class Measurement:
    """``requests`` are asked in turn. ``loop_factory`` brings the clock of all stamps, too.

    ``stop()`` may be called from any thread: what was measured until then is the result.
    """

    client: Callable[[], openai.AsyncOpenAI]
    requests: list[dict[str, Any]] = field(repr=False)
    runs: int
    warmup: int = 2
    concurrency: int = 1
    rate_per_s: float | None = None
    stagger: bool = True
    loop_factory: Callable[[], WireLoop] = WireLoop
    settings: dict[str, Any] = field(default_factory=dict)
    _asked: int = 0
    _left_s: list[float] = field(default_factory=list)
    _task: asyncio.Task[Any] | None = None
    _stopped: str | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def count(self) -> int:
        """All requests at most, those of the warm-up included."""
        return self.runs + -(-self.warmup // self.concurrency) * self.concurrency + self.ramp

    @property
    def ramp(self) -> int:
        """How many begin before the load is whole, and are left out with the warm-up."""
        staggered = self.warmup and self.stagger and self.rate_per_s is None
        return self.concurrency - 1 if staggered else 0

    def supervised(self, *, progress: bool) -> LatencyRun:
        """Measure in a thread of its own, so that a notebook's event loop is left alone.

        The bar is drawn from here, between runs. An interruption ends the measurement, not the
        caller: as with other measuring tools, what was measured counts. One before anything was
        measured is raised.
        """
        ended: SimpleQueue[Taken | None] = SimpleQueue()
        result: list[Any] = []

        def work() -> None:
            try:
                result.append(self.run(on_end=ended.put))
            except BaseException as error:  # noqa: BLE001  # raised again below
                result.append(error)
            finally:
                ended.put(None)

        thread = threading.Thread(target=work, name="holysheep latency", daemon=True)
        try:
            with closing(Progress(self.runs, progress, unit=" runs")) as bar:
                thread.start()
                self._await(thread, ended, bar)
        finally:
            if thread.is_alive():  # interrupted twice, or the bar broke: it shall ask no more
                self.stop()
        (found,) = result
        if isinstance(found, BaseException):
            raise found
        if self._stopped == "interrupted" and not found.runs:
            raise KeyboardInterrupt("Interrupted before anything was measured.")
        return found

    def _await(
        self, thread: threading.Thread, ended: SimpleQueue[Taken | None], bar: Progress
    ) -> None:
        """Draw the bar until the thread has ended; an interruption ends that, a second all."""
        while True:
            try:
                taken = ended.get(timeout=LOOK_EVERY_S)  # Windows can't be interrupted in get()
                if taken is None:
                    thread.join()
                    return
                bar.one_more(taken.cost_usd, taken.error is not None)
            except Empty:
                if not thread.is_alive():  # an interruption took the last word
                    return
            except KeyboardInterrupt:
                if self._stopped:
                    raise
                self.stop("interrupted")

    def stop(self, why: str = "stopped") -> None:
        """End it: what is under way is left out. Too late, it changes nothing."""
        with self._lock:
            self._stopped = self._stopped or why
            if self._task is not None:
                self._task.get_loop().call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def run(self, on_end: Callable[[Taken], None] = lambda taken: None) -> LatencyRun:
        """Measure in this thread, where no event loop may run."""
        with asyncio.Runner(loop_factory=self.loop_factory) as runner:
            return runner.run(self._measure(on_end))

    async def _measure(self, on_end: Callable[[Taken], None]) -> LatencyRun:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, WireLoop)
        with self._lock:
            self._task, stopped = asyncio.current_task(), self._stopped
        async with self.client() as client:
            load = Load(partial(self._ask, client, loop), loop.wire_clock, on_end)
            try:
                if stopped is None:
                    await self._load(load)
            except asyncio.CancelledError:
                if self._stopped is None:
                    raise
                if len(load.runs) < self.runs:
                    stopped = self._stopped
            finally:
                with self._lock:
                    self._task = None
            error = load.stopped_by
            if error is not None and not any(taken.error is None for taken in load.runs):
                if isinstance(error, openai.OpenAIError):
                    add_advice(error)
                    error = error.with_traceback(None)
                raise error
        why = stopped or (type(error).__name__ if error is not None else None)
        return LatencyRun.of(
            load.runs,
            load.warm,
            began_s=load.began_s,
            model=self.requests[0]["model"],
            asked=self.runs,
            concurrency=self.concurrency,
            rate_per_s=self.rate_per_s,
            busy=load.busy,
            stopped_by=why,
            under_way_s=tuple(sorted(self._left_s)),
            settings=self.settings,
        )

    async def _load(self, load: Load) -> None:
        await load.warm_up(self.warmup, self.concurrency)
        if load.warm and all(isinstance(taken.error, HOPELESS) for taken in load.warm):
            load.stopped_by = load.warm[-1].error
        if load.stopped_by is not None:
            return
        if self.rate_per_s is not None:
            await load.opened(self.runs, self.rate_per_s, Random(SEED))
            return
        spread_s = stagger_s(load.warm, self.concurrency) if self.stagger else 0.0
        await load.closed(self.runs, self.concurrency, spread_s, ramp=self.ramp > 0)

    async def _ask(
        self, client: openai.AsyncOpenAI, loop: WireLoop, index: int, due_s: float | None
    ) -> Taken:
        arguments = self.requests[self._asked % len(self.requests)]
        self._asked += 1
        taken = Taken(index, arguments["model"], due_s)
        began_s = loop.wire_clock() if due_s is None else due_s
        try:
            await take(client, taken, loop.wire_clock, **arguments)
        except asyncio.CancelledError:
            self._left_s.append(loop.wire_clock() - began_s)
            raise
        return taken
