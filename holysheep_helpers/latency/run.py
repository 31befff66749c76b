"""What a measurement gives: its runs, and what can be said of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from queue import Empty, SimpleQueue
from random import Random
from typing import Any

import openai

from holysheep_helpers.client.progress import Progress
from holysheep_helpers.diagnosis.diagnose import add_advice
from holysheep_helpers.exceptions import InputError, UnexpectedReplyError
from holysheep_helpers.latency.data import LatencyData, clock_step_s, known_calibration
from holysheep_helpers.latency.load import Load, Taken, stagger_s, take
from holysheep_helpers.latency.report import MAY_DIFFER, Comparison, Goodput, LatencySummary
from holysheep_helpers.latency.wire import WireLoop


@dataclass(frozen=True, kw_only=True, repr=False)
class LatencyRun(LatencyData):
    """A measurement: ``runs``, one ``TimedStream`` each, and the ``warmups`` that are left out.

    ``rate_per_s`` is that of an open loop, ``None`` for a closed one of ``concurrency`` askers.
    ``most_at_once`` is how many were under way together. ``elapsed_s`` is from the first start to
    the last end. ``busy`` is the share of it in which the client itself was at work.
    ``clock_step_s`` is the clock's step, where that is coarse. ``stopped_by`` says what ended it
    early, if anything, and ``under_way_s`` how long those had been under way that were left out
    then. ``settings`` are what else was asked for, and where. ``calibration`` has its error, once
    ``hs.calibrate()`` was called.
    """

    @classmethod
    def of(
        cls,
        taken: Sequence[Taken],
        warm: Sequence[Taken],
        *,
        began_s: float,
        **known: Any,
    ) -> LatencyRun:
        """Read what was taken; ``began_s`` is when the measurement, after its warm-up, began."""
        runs, warmups = (
            tuple(sorted((one.read(began_s) for one in some), key=lambda run: run.index))
            for some in (taken, warm)
        )
        moments = [text.at_s for run in runs for text in run.texts]
        moments += [at for run in runs for at in (run.sent_s, run.called_s) if at is not None]
        first = cls(
            runs=runs,
            warmups=warmups,
            elapsed_s=max((run.done_s for run in runs), default=0.0),
            clock_step_s=clock_step_s(moments),
            **known,
        )
        at_once = first.concurrency if first.rate_per_s is None else first.most_at_once
        stagger = bool(first.settings.get("stagger", True))
        return replace(first, calibration=known_calibration(at_once, stagger))

    def summary(self) -> LatencySummary:
        """Mean, median and percentiles with their intervals, and the measurement's own error."""
        return LatencySummary(self)

    def compare(self, other: LatencyRun) -> Comparison:
        """How much longer ``other`` takes, with an interval; "can't tell them apart" is an answer.

        Raises ``InputError`` if there is nothing to compare.
        """
        return Comparison(self, other)

    def goodput(
        self, *, ttft_s: float | None = None, itl_s: float | None = None, e2e_s: float | None = None
    ) -> Goodput:
        """Requests a second that meet every target, in seconds: what the load is good for.

        The time to first token counts from the intended start, as its user sees it. What came all
        at once meets any inter-token latency; what is unknown is not met (no usage came, say), and
        a failed run meets none.
        """
        targets = {"user_ttft_s": ttft_s, "itl_s": itl_s, "e2e_s": e2e_s}
        return Goodput.of(self.runs, targets, self.ended_per_s)

    def __add__(self, other: LatencyRun) -> LatencyRun:
        """Both together, as when two models were measured in turns. Raises ``InputError`` if they
        are not of one model and load."""
        if not isinstance(other, LatencyRun):
            return NotImplemented
        if self.label != other.label:
            raise InputError(f"{self.label!r} and {other.label!r} are no one measurement.")
        for name, value in self.settings.items():
            if name not in MAY_DIFFER and value != other.settings.get(name):
                raise InputError(
                    f"Not the same {name}: {value}, and {other.settings.get(name)}. Two such "
                    "measurements can be compared, but are none together."
                )
        later = (run.later(self.elapsed_s, len(self)) for run in other.runs)
        runs = (*self.runs, *later)
        steps = [run.clock_step_s for run in (self, other) if run.clock_step_s is not None]
        whole_s = self.elapsed_s + other.elapsed_s
        return replace(
            self,
            runs=runs,
            warmups=self.warmups + other.warmups,
            asked=self.asked + other.asked,
            elapsed_s=whole_s,
            busy=(self.busy * self.elapsed_s + other.busy * other.elapsed_s) / (whole_s or 1),
            clock_step_s=max(steps, default=None),
            stopped_by=self.stopped_by or other.stopped_by,
            under_way_s=(*self.under_way_s, *other.under_way_s),
            calibration=self.calibration if self.calibration == other.calibration else None,
        )


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
