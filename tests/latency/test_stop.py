"""A measurement that is stopped, or interrupted, at any moment: what was measured is kept."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.latency import load, measure
from holysheep_helpers.latency.load import Measurement, RawRun
from holysheep_helpers.latency.measure import with_progress
from tests.support.virtual_wire import VirtualWireLoop, Wire, client_of

PATIENCE_S = 30
"""How long one side waits for the other before the test fails; none waits for long."""


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    _join()


def _join() -> None:
    for thread in threading.enumerate():
        if thread.name.startswith("holysheep latency"):
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


# --- stop(), from wherever


def stopped_after(count: int, measurement: Measurement) -> hs.LatencyRun:
    """Measure, and stop as soon as so many runs have ended."""
    ended: list[RawRun] = []

    def on_end(taken: RawRun) -> None:
        ended.append(taken)
        if len(ended) == count:
            measurement.stop()

    return measurement.run(on_end)


@pytest.mark.parametrize("options", [{"concurrency": 1}, {"concurrency": 4}, {"rate_per_s": 40.0}])
def test_stopping_keeps_what_was_measured_and_leaves_out_what_was_under_way(
    options: dict[str, Any],
) -> None:
    wire = Wire()
    run = stopped_after(5, wire.measurement(100, warmup=2, **options))
    assert run.stopped_by == "stopped"
    assert (len(run), run.asked, run.failed) == (5, 100, [])
    assert len(run.warmups) >= 2
    under_way = [entry for entry in wire.entries if entry["client_left"]]
    assert len(wire.entries) == len(run.warmups) + 5 + len(under_way)
    assert run.under_way_s == pytest.approx(
        sorted(entry["ended_s"] - entry["arrived_s"] for entry in under_way), abs=1.1e-6
    )
    assert run.elapsed_s == max(stream.done_s for stream in run.runs)


def test_stopping_in_the_warm_up_gives_no_runs() -> None:
    wire = Wire()
    measurement = wire.measurement(10, warmup=4, concurrency=2)

    def loop() -> VirtualWireLoop:
        made = wire.new_loop()
        made.call_later(0.25, measurement.stop)  # two are over, the next two under way
        return made

    measurement.loop_factory = loop
    run = measurement.run()
    assert (len(run), len(run.warmups), run.stopped_by) == (0, 2, "stopped")


def test_stopping_before_it_begins_asks_nothing() -> None:
    wire = Wire()
    measurement = wire.measurement(10)
    measurement.stop("as told")
    run = measurement.run()
    assert (len(run), run.stopped_by, wire.entries) == (0, "as told", [])


@pytest.mark.parametrize("concurrency", [1, 3])
def test_stopping_too_late_changes_nothing(concurrency: int) -> None:
    measurement = Wire().measurement(6, concurrency=concurrency)
    run = stopped_after(6, measurement)
    assert (len(run), run.stopped_by) == (6, None)
    measurement.stop()


def test_the_first_reason_stands() -> None:
    measurement = Wire().measurement(3)
    measurement.stop("first")
    measurement.stop("second")
    assert measurement.run().stopped_by == "first"


# --- Ctrl-C, where the measurement is waited for


class Interrupted(SimpleQueue[Any]):
    """What the measuring thread tells; reading it is interrupted ``times`` times after ``count``.

    The thread waits there until the first interruption is dealt with.
    """

    def __init__(self, count: int, times: int) -> None:
        super().__init__()
        self._count, self._times = count, times
        self._told = self._read = self._interruptions = 0
        self.reached, self.released = threading.Event(), threading.Event()

    def wait(self) -> None:
        self.reached.set()
        assert self.released.wait(PATIENCE_S)

    def put(self, item: Any, *_: Any, **__: Any) -> None:
        super().put(item)
        self._told += 1
        if self._told == self._count:
            self.wait()

    def get(self, *args: Any, **options: Any) -> Any:
        if self._read < self._count:
            self._read += 1
            return super().get(timeout=PATIENCE_S)
        assert self.reached.wait(PATIENCE_S)
        if self._interruptions:
            self.released.set()
        if self._interruptions < self._times:
            self._interruptions += 1
            raise KeyboardInterrupt
        return super().get(*args, **options)


def interrupted(monkeypatch: pytest.MonkeyPatch, count: int = 3, times: int = 1) -> Interrupted:
    queue = Interrupted(count, times)
    monkeypatch.setattr(load, "SimpleQueue", lambda: queue)
    return queue


def test_ctrl_c_ends_it_and_keeps_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(monkeypatch)
    run = Wire().measurement(100_000, warmup=2).run_in_thread()
    assert (len(run), len(run.warmups), run.stopped_by) == (3, 2, "interrupted")


def test_a_second_ctrl_c_is_raised_and_the_thread_asks_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interrupted(monkeypatch, times=2)
    wire = Wire()
    with pytest.raises(KeyboardInterrupt):
        wire.measurement(100_000).run_in_thread()
    _join()
    assert len(wire.entries) <= 4


def test_ctrl_c_before_anything_was_measured_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = interrupted(monkeypatch, count=0)

    def client() -> openai.AsyncOpenAI:
        queue.wait()
        return client_of()

    wire = Wire()
    with pytest.raises(KeyboardInterrupt, match="before anything was measured"):
        wire.measurement(5, client=client).run_in_thread()
    assert wire.entries == []


class Bar:
    """A bar that remembers what it was told, and is interrupted at one of the calls."""

    interrupt_at = 0

    def __init__(self, total: int, unit: str) -> None:
        self.made_with = (total, unit)
        self.calls: list[tuple[Any, bool]] = []
        self.closed = False

    def one_more(self, cost: Any, failed: bool) -> None:
        self.calls.append((cost, failed))
        if len(self.calls) == self.interrupt_at:
            raise KeyboardInterrupt

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> list[Bar]:
    made: list[Bar] = []

    def bar(*args: Any, **options: Any) -> Bar:
        made.append(Bar(*args, **options))
        return made[-1]

    monkeypatch.setattr(measure, "Progress", bar)
    return made


def test_the_bar_counts_the_runs_alone_their_cost_and_failures(bars: list[Bar]) -> None:
    run = with_progress(Wire().script(None, None, 503).measurement(5, warmup=1), shown=True)
    (bar,) = bars
    assert bar.made_with == (5, " runs")
    assert bar.closed
    assert bar.calls == [(stream.cost_usd, stream.failed) for stream in run.runs]
    assert [stream.error for stream in run.runs] == [None, "503", None, None, None]
    assert run.runs[0].cost_usd is not None


def test_ctrl_c_while_the_bar_is_drawn_loses_nothing_either(
    bars: list[Bar], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Bar, "interrupt_at", 2)
    run = with_progress(Wire().measurement(100_000), shown=True)
    assert run.stopped_by == "interrupted"
    assert len(run) == len(bars[0].calls) >= 2
    assert bars[0].closed


def test_ctrl_c_that_takes_the_last_word_leaves_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Lost(SimpleQueue[Any]):
        def get(self, *args: Any, **options: Any) -> Any:
            if super().get(*args, **options) is None:
                raise KeyboardInterrupt
            return RawRun(0, "m", 0.0)

    monkeypatch.setattr(load, "SimpleQueue", Lost)
    run = Wire().measurement(4).run_in_thread()
    assert (len(run), run.stopped_by) == (4, None)


# --- what goes wrong in its thread is raised where it is waited for


def test_an_error_of_the_measurement_is_raised_to_its_caller() -> None:
    with pytest.raises(openai.AuthenticationError):
        Wire().script(401).measurement(4).run_in_thread()


def test_a_bar_that_breaks_ends_the_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise OSError("no room on the screen")

    monkeypatch.setattr(measure.Progress, "one_more", broken)
    with pytest.raises(OSError, match="no room"):
        with_progress(Wire().measurement(100_000), shown=True)
