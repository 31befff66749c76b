"""What a measurement gives: its runs, and what can be said of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from holysheep_helpers.calibration import known_calibration
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.latency_compare import MAY_DIFFER, Comparison, Goodput
from holysheep_helpers.latency_data import LatencyData
from holysheep_helpers.latency_load import Taken
from holysheep_helpers.latency_summary import LatencySummary
from holysheep_helpers.timed_stream import clock_step_s


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
