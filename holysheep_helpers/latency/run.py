"""What a measurement gives: its runs, and what can be said of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal, InvalidOperation
from html import escape
from itertools import accumulate, chain
from math import hypot, inf, isfinite, isnan
from os import PathLike
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from holysheep_helpers._checks import check_number, shown
from holysheep_helpers.diagnosis.display import grid
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.latency import stats
from holysheep_helpers.latency.data import Calibration, Text, TimedStream, clock_step_s
from holysheep_helpers.latency.stats import LEAST_RUNS, PERCENTILES, PointEstimate

if TYPE_CHECKING:
    from pandas import DataFrame

KIND, VERSION = "holysheep latency", 1
"""Of the files that ``LatencyRun.save`` writes."""

NAMES = {
    "ttft_s": "time to first token",
    "answer_ttft_s": "time to first answer token",
    "itl_s": "inter-token latency",
    "e2e_s": "end to end",
    "client_s": "added by the client",
    "user_ttft_s": "first token, from the intended start",
}
"""What the times of a summary, a comparison and the figures are called."""

SPEEDS = ("decode_tokens_per_s", "tokens_per_s")

LATENCIES = ("ttft_s", "answer_ttft_s", "itl_s", "e2e_s", "wire_s", "user_ttft_s")

PARTS = ("client_s", "client_before_s", "client_after_s", "connect_s", "wait_s", "longest_gap_s")

METRICS: dict[str, float | None] = {
    **dict.fromkeys(LATENCIES, inf),
    **dict.fromkeys((*PARTS, "tokens_per_chunk")),
    **dict.fromkeys(SPEEDS, 0.0),
}
"""All metrics, each with its value for a run that failed: it took for ever."""

COLUMNS: dict[str, Any] = {
    **dict.fromkeys(("output_tokens", "reasoning_tokens", "chunks"), "Int64"),
    **dict.fromkeys(("new_connection",), "bool"),
    **dict.fromkeys(("finish_reason", "error"), "str"),
}
"""What else a data frame has of each run, and its type."""

BUSY_SHARE, CLIENT_SHARE = 0.7, 0.25
"""From here on the client itself makes up the figures: its share of the processor's time, and of
what a user waits for the first token."""

COMPARED = ("ttft_s", "itl_s", "e2e_s")

TOO_FEW = f"too few runs to tell ({LEAST_RUNS} of each are the least)"

NO_MEDIAN = "half or more failed, so that there is no median to compare"

MAY_DIFFER = ("measured_at", "python", "openai")
"""Settings that are noted with a measurement, and of no account when two are compared."""


def ms(value_s: float | None, digits: int = 1) -> str:
    """Seconds as milliseconds for people."""
    if value_s is None or isnan(value_s):
        return "–"
    if not isfinite(value_s):
        return "∞" if value_s > 0 else "−∞"
    return f"{round(value_s * 1000, digits) + 0.0:,.{digits}f}"  # 0.0 makes no "-0.0" of nothing


def counted(count: int, noun: str) -> str:
    """``1 run``, ``2 runs``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


@dataclass(frozen=True, kw_only=True, repr=False)
class LatencyRun:
    """A measurement of ``hs.measure_latency``: its runs, and what can be said of them.

    Attributes:
        model: the model that was asked.
        runs: one ``TimedStream`` for each run.
        warmups: the runs before, which are left out of all statistics.
        asked: how many runs were asked for.
        concurrency: the number of askers of a closed loop.
        rate_per_s: the starts per second of an open loop, ``None`` for a closed loop.
        elapsed_s: the seconds from the first start to the last end.
        busy: the share of that time (0 to 1) in which the client itself was at work.
        clock_step_s: the step of the clock in seconds, if that is coarse, else ``None``.
        stopped_by: what ended the measurement early, ``None`` if nothing did.
        under_way_s: how long the runs had taken that were left out when it was stopped.
        settings: what else was asked for, and where.
        calibration: the error of the instrument, if ``hs.calibrate()`` was called before.

    Example:
        >>> run = hs.measure_latency(gw, "Say hello.", runs=3, max_tokens=5, progress=False)
        >>> run
        <LatencyRun mistral-small-2603, closed loop, 1 at once: 3 runs>
        >>> len(run.values("ttft_s"))
        3
    """

    model: str
    runs: tuple[TimedStream, ...]
    warmups: tuple[TimedStream, ...] = ()
    asked: int = 0
    concurrency: int = 1
    rate_per_s: float | None = None
    elapsed_s: float = 0.0
    busy: float = 0.0
    clock_step_s: float | None = None
    stopped_by: str | None = None
    under_way_s: tuple[float, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    calibration: Calibration | None = None

    @classmethod
    def of(cls, runs: tuple[TimedStream, ...], **known: Any) -> LatencyRun:
        """A measurement with what follows from its runs, and with what is known of its error."""
        moments = [text.at_s for run in runs for text in run.texts]
        moments += [at for run in runs for at in (run.sent_s, run.called_s) if at is not None]
        elapsed_s = max((run.done_s for run in runs), default=0.0)
        step_s = clock_step_s(moments)
        found = cls(runs=runs, elapsed_s=elapsed_s, clock_step_s=step_s, **known)
        at_once = found.concurrency if found.rate_per_s is None else found.most_at_once
        stagger = bool(found.settings.get("stagger", True))
        return replace(found, calibration=Calibration.known(at_once, stagger))

    def __len__(self) -> int:
        return len(self.runs)

    def __repr__(self) -> str:
        failed = f", {len(self.failed)} failed" if self.failed else ""
        return f"<{type(self).__name__} {self.label}: {len(self)} runs{failed}>"

    @property
    def failed(self) -> list[TimedStream]:
        """The runs that failed."""
        return [run for run in self.runs if run.failed]

    @property
    def label(self) -> str:
        """What was measured, in a few words."""
        return f"{self.model}, {self.how}"

    @property
    def how(self) -> str:
        """The kind of load: closed or open loop, and how much of it."""
        if self.rate_per_s is not None:
            return f"open loop, {self.rate_per_s:g} a second"
        return f"closed loop, {self.concurrency} at once"

    @property
    def most_at_once(self) -> int:
        """The most runs that were in flight together."""
        changes = [(run.called_s, 1) for run in self.runs] + [(run.done_s, -1) for run in self.runs]
        return max(accumulate(change for _, change in sorted(changes)), default=0)

    @property
    def cost_usd(self) -> Decimal:
        """What all of it cost, warm-up included, as far as it is known."""
        known = (run.cost_usd for run in (*self.runs, *self.warmups) if run.cost_usd is not None)
        return sum(known, Decimal(0))

    @property
    def ended_per_s(self) -> float:
        """Runs that came to an end a second, failed ones too: from the first end to the last.

        Not from the first start: a load that is whole from then on has others in flight, whose
        ends are not counted.
        """
        ends = sorted(run.done_s for run in self.runs)
        if len(ends) < 2 or ends[-1] <= ends[0]:
            return len(ends) / self.elapsed_s if self.elapsed_s else 0.0
        return (len(ends) - 1) / (ends[-1] - ends[0])

    @property
    def answers_per_s(self) -> float:
        """Of these, the ones that did not fail."""
        return self.ended_per_s * (1 - len(self.failed) / len(self)) if self.runs else 0.0

    @property
    def client_share(self) -> float:
        """The client's share of what users waited for their first token, all runs together."""
        both = [(r.client_s, r.user_ttft_s) for r in self.runs if r.client_s and r.user_ttft_s]
        return sum(own for own, _ in both) / sum(whole for _, whole in both) if both else 0.0

    @property
    def client_is_bottleneck(self) -> bool:
        """Whether the client's own work, not the gateway, made up the figures."""
        return self.busy >= BUSY_SHARE or self.client_share >= CLIENT_SHARE

    def values(self, metric: str) -> list[float]:
        """One number for each run.

        Args:
            metric: a metric of ``TimedStream``, ``"ttft_s"`` for example.

        Returns:
            The values in the order of the runs; latencies are in seconds. Of a failed run a latency
            is ``math.inf``, a speed 0. A run without such a metric is left out.

        Raises:
            InputError: there is no such metric.
        """
        if metric not in METRICS:
            allowed = ", ".join(METRICS)
            raise InputError(f"There is no metric {shown(metric)}: allowed are {allowed}.")
        found = (_value(run, metric) for run in self.runs)
        return [value for value in found if value is not None]

    def to_frame(self) -> DataFrame:
        """A data frame with a row for each run; ``_ms`` are milliseconds.

        ``ttft_ms``, ``answer_ttft_ms``, ``itl_ms`` and ``wire_ms`` are as the wire saw them;
        ``client_ms`` is what the client added to the time to first token, ``connect_ms`` what a new
        connection took, ``wait_ms`` how late it was called; ``user_ttft_ms`` and ``e2e_ms`` are the
        whole, from the intended start. Of a failed run they are infinite. Empty is what can't be
        known: ``notes`` has the reason.
        """
        import pandas as pd

        times = {name: name.removesuffix("s") + "ms" for name in (*LATENCIES, *PARTS)}
        index = pd.Index([run.index for run in self.runs], name="run")
        frame = pd.DataFrame({"start_s": [run.due_s for run in self.runs]}, index, dtype=float)
        for metric in METRICS:
            frame[metric] = np.array([_value(run, metric) for run in self.runs], float)
        frame[[*times]] *= 1000
        for name, kind in COLUMNS.items():
            frame[name] = pd.Series([getattr(run, name) for run in self.runs], index, kind)
        notes = pd.Series(["; ".join(run.notes) for run in self.runs], index, "str")
        return frame.rename(columns=times).assign(notes=notes)

    def summary(self) -> LatencySummary:
        """Mean, median and percentiles with their intervals, and the measurement's own error."""
        return LatencySummary(self)

    def compare(self, other: LatencyRun) -> Comparison:
        """How much longer another measurement takes; "no difference found" is an answer.

        Args:
            other: the measurement to compare with.

        Returns:
            The differences of the medians, with 95% intervals.

        Raises:
            InputError: there is nothing to compare.
        """
        return Comparison(self, other)

    def goodput(
        self, *, ttft_s: float | None = None, itl_s: float | None = None, e2e_s: float | None = None
    ) -> Goodput:
        """Requests a second that meet every target: what the load is good for.

        The time to first token counts from the intended start, as its user sees it. What came all
        at once meets any inter-token latency; what is unknown is not met, and a failed
        run meets none.

        Args:
            ttft_s: the longest time to first token, in seconds. Default: no target.
            itl_s: the longest inter-token latency, in seconds. Default: no target.
            e2e_s: the longest end-to-end latency, in seconds. Default: no target.

        Returns:
            The share of runs that meet all targets, and their number per second.

        Raises:
            InputError: a target is no number of seconds above 0, or none was given.
        """
        given = {"ttft_s": ttft_s, "itl_s": itl_s, "e2e_s": e2e_s}
        targets = {name: value for name, value in given.items() if value is not None}
        for name, value in targets.items():
            check_number(name, value, "a number of seconds", above=0)
        if not targets:
            raise InputError(
                "No target was given: give one, such as ttft_s=0.2, itl_s=0.02 or e2e_s=1.5."
            )
        met = sum(all(_meets(run, *target) for target in targets.items()) for run in self.runs)
        share = met / len(self) if self.runs else 0.0
        return Goodput(met, len(self), share, share * self.ended_per_s)

    def __add__(self, other: LatencyRun) -> LatencyRun:
        """Both together, as when two models were measured in turns. Raises ``InputError`` if they
        are not of one model and load."""
        if not isinstance(other, LatencyRun):
            return NotImplemented
        if self.label != other.label:
            raise InputError(f"{self.label!r} and {other.label!r} are no one measurement.")
        for unlike in _unlike_settings(self, other):
            raise InputError(f"They can be compared, but are none together: {unlike}.")
        later = (run.shifted(self.elapsed_s, len(self)) for run in other.runs)
        added = ("warmups", "asked", "elapsed_s", "under_way_s")
        busy_s = self.busy * self.elapsed_s + other.busy * other.elapsed_s
        return replace(
            self,
            runs=(*self.runs, *later),
            busy=busy_s / (self.elapsed_s + other.elapsed_s or 1),
            clock_step_s=max(self.clock_step_s or 0.0, other.clock_step_s or 0.0) or None,
            stopped_by=self.stopped_by or other.stopped_by,
            calibration=self.calibration if self.calibration == other.calibration else None,
            **{name: getattr(self, name) + getattr(other, name) for name in added},
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Write all of it as JSON: times and counts, no prompt, no answer, no key.

        Args:
            path: the file to write. An older one is replaced.
        """
        whole = {"kind": KIND, "version": VERSION, **asdict(self)}
        text = json.dumps(whole, default=str, ensure_ascii=False, indent=1)
        Path(path).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | PathLike[str]) -> LatencyRun:
        """Read what ``save`` wrote.

        Args:
            path: the file to read.

        Returns:
            The measurement.

        Raises:
            InputError: it is another kind of file.
        """
        try:
            whole = json.loads(Path(path).read_text(encoding="utf-8"))
            kind, version = whole.pop("kind"), whole.pop("version")
            if kind != KIND or version != VERSION:
                raise ValueError(f"{kind!r}, version {version!r}")
            whole |= {name: tuple(map(_stream, whole[name])) for name in ("runs", "warmups")}
            whole["under_way_s"] = tuple(whole["under_way_s"])
            error = whole.pop("calibration")
            return cls(**whole, calibration=Calibration(**error) if error else None)
        except (ValueError, KeyError, TypeError, AttributeError, InvalidOperation) as problem:
            raise InputError(
                f"{path} is no measurement that can be read here ({problem}): a file is needed "
                f"that LatencyRun.save() wrote, version {VERSION}."
            ) from problem


def _value(run: TimedStream, metric: str) -> float | None:
    return METRICS[metric] if run.failed else getattr(run, metric)


def _meets(run: TimedStream, target: str, most: float) -> bool:
    """What came all at once has no inter-token latency, and meets its target. What is unknown (no
    usage came, no token) does not, nor does what failed."""
    value = _value(run, "user_ttft_s" if target == "ttft_s" else target)
    return target == "itl_s" and len(run.texts) == 1 if value is None else value <= most


def _unlike_settings(first: LatencyRun, second: LatencyRun) -> Iterator[str]:
    for name, value in first.settings.items():
        other = second.settings.get(name)
        if name not in MAY_DIFFER and value != other:
            yield f"not the same {name}: {value}, and {other}"


def _stream(saved: dict[str, Any]) -> TimedStream:
    saved["texts"] = tuple(Text(*text) for text in saved["texts"])
    if saved["cost_usd"] is not None:
        saved["cost_usd"] = Decimal(saved["cost_usd"])
    return TimedStream(**saved)


class Goodput(NamedTuple):
    """``met`` of ``runs`` meet every target: ``share`` of them, ``requests_per_s`` a second."""

    met: int
    runs: int
    share: float
    requests_per_s: float

    def __str__(self) -> str:
        met = f"{self.met} of {self.runs} runs ({self.share:.0%}) meet every target"
        return f"{met}: {self.requests_per_s:.2f} requests a second"

    __repr__ = __str__


class LatencySummary:
    """A table in milliseconds, and below it what one must know to read it; ``frame`` has the
    numbers."""

    def __init__(self, run: LatencyRun) -> None:
        if not run.runs:
            raise InputError("Nothing was measured: there is nothing to sum up.")
        self.run = run
        shown = ["ttft_s", "itl_s", "e2e_s", "client_s"]
        if run.values("answer_ttft_s") != run.values("ttft_s"):
            shown.insert(1, "answer_ttft_s")
        if run.rate_per_s is not None:
            shown.insert(0, "user_ttft_s")
        values = {NAMES[name]: found for name in shown if (found := run.values(name))}
        self._counts = {name: len(found) for name, found in values.items()}
        self.rows = {
            name: {key: stats.estimate(found, how) for key, how in stats.STATISTICS.items()}
            for name, found in values.items()
        }

    @property
    def frame(self) -> DataFrame:
        """A row for each metric, all in milliseconds; empty where the sample does not carry it."""
        columns = [f"{key}{end}" for key in stats.STATISTICS for end in ("", "_low", "_high")]
        rows = {name: [*chain(*row.values())] for name, row in self.rows.items()}
        frame = _in_ms(rows, columns, "ms")
        frame.insert(0, "runs", [*self._counts.values()])
        return frame

    @property
    def headline(self) -> str:
        """What was run, in one line."""
        run = self.run
        warm = f"{counted(len(run.warmups), 'warm-up')} left out" if run.warmups else "no warm-up"
        return f"{run.label}: {counted(len(run), 'run')} in {run.elapsed_s:.1f} s, {warm}"

    @property
    def notes(self) -> list[str]:
        """What one must know to read the table."""
        return [*self._what_failed(), *self._speed(), *self._own_error(), *self._what_is_missing()]

    def _what_failed(self) -> Iterator[str]:
        run = self.run
        if run.stopped_by is not None:
            yield f"Stopped early ({run.stopped_by}): {run.asked} runs were asked for."
        if run.under_way_s:
            yield (
                f"Note: {counted(len(run.under_way_s), 'run')} in flight left out, the longest "
                f"after {ms(max(run.under_way_s))} ms: the slow ones are missing most."
            )
        if run.failed:
            kinds = Counter(stream.error for stream in run.failed)
            what = ", ".join(f"{count} x {kind}" for kind, count in sorted(kinds.items()))
            yield (
                f"Note: {len(run.failed)} of {len(run)} failed ({what}): infinite in median and "
                "percentiles, not in the mean."
            )
        if failed := sum(stream.failed for stream in run.warmups):
            yield f"Note: {failed} of {counted(len(run.warmups), 'warm-up')} failed."

    def _speed(self) -> Iterator[str]:
        run, found = self.run, []
        decode, stream = (run.values(name) for name in SPEEDS)
        if decode:
            found.append(f"decode speed {median(decode):.1f} tokens/s")
        if stream:
            found.append(f"throughput {median(stream):.1f} tokens/s a stream (medians)")
        if lengths := [one.output_tokens or 0 for one in run.runs if not one.failed]:
            per_s = run.answers_per_s
            found.append(f"in all {per_s:.2f} answers/s, {per_s * fmean(lengths):.1f} tokens/s")
        if found:
            yield "; ".join(found).capitalize() + "."

    def _own_error(self) -> Iterator[str]:
        run, known = self.run, self.run.calibration
        first = self.rows.get(NAMES["ttft_s"], {}).get("mean", PointEstimate())
        if known is None:
            at_once = "" if run.concurrency == 1 else str(run.concurrency)
            yield f"The error of this client is unknown: hs.calibrate({at_once}) states it."
        elif isfinite(first.value):
            mean_s, both = first.value - known.bias_s, ""
            if not isnan(first.low):  # the sample's error, and the instrument's
                low_s = mean_s - hypot(first.value - first.low, known.error_s)
                high_s = mean_s + hypot(first.high - first.value, known.error_s)
                both = f", with the sample's own error {ms(low_s)} to {ms(high_s)} ms"
            yield (
                f"Time to first token ± {ms(known.error_s, 2)} ms at {known.concurrency} at once "
                f"on this machine, after taking off {ms(known.bias_s, 2)} ms of the instrument's "
                f"own: mean {ms(mean_s)} ms{both}."
            )
        if run.clock_step_s is not None:
            step = ms(run.clock_step_s)
            yield f"Note: the clock moves in steps of {step} ms: no single time is more exact."
        if run.client_is_bottleneck:
            yield (
                f"Note: the client itself is the bottleneck: busy {run.busy:.0%} of the time, and "
                f"{run.client_share:.0%} of the wait for the first token. These figures are about "
                "this computer as much as about the gateway."
            )

    def _what_is_missing(self) -> Iterator[str]:
        run = self.run
        needed = {name: stats.runs_needed(q) for name, q in PERCENTILES.items()}
        if missing := [f"{name} needs {n} runs" for name, n in needed.items() if len(run) < n]:
            yield f"Not shown: {', '.join(missing)}."
        each = Counter(note for stream in run.runs if not stream.failed for note in stream.notes)
        yield from (f"{note} ({count} of {len(run)} runs)" for note, count in each.items())
        if new := sum(stream.new_connection for stream in run.runs):
            yield f"{new} of {len(run)} runs opened a new connection."

    def _table(self) -> Iterator[list[str]]:
        yield ["ms", "mean", "95% interval", "median", "95% interval", *PERCENTILES]
        for name, row in self.rows.items():
            digits, count = 2 if row["median"].value < 0.02 else 1, self._counts[name]
            cells = [name if count == len(self.run) else f"{name}, {count} runs"]
            for statistic, found in row.items():
                cells.append(ms(found.value, digits))
                if statistic not in PERCENTILES:
                    ends = f"{ms(found.low, digits)} to {ms(found.high, digits)}"
                    cells.append("–" if isnan(found.low) else ends)
            yield cells

    def __str__(self) -> str:
        table = [*self._table()]
        first, *widths = (max(map(len, column)) for column in zip(*table, strict=True))
        lines = ("  ".join([a.ljust(first), *map(str.rjust, row, widths)]) for a, *row in table)
        return "\n".join([self.headline, *lines, *self.notes])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        head = f"<strong>{escape(self.headline)}</strong>"
        return f"<div>{head}{grid(*self._table())}<ul>{notes}</ul></div>"


def _in_ms(rows_s: Mapping[str, Sequence[float]], columns: list[str], title: str) -> DataFrame:
    import pandas as pd

    return 1000 * pd.DataFrame([*rows_s.values()], pd.Index(rows_s, name=title), columns, float)


class Comparison:
    """The difference of two measurements' medians, ``second - first``, with 95% intervals."""

    def __init__(
        self, first: LatencyRun, second: LatencyRun, metrics: Sequence[str] = COMPARED
    ) -> None:
        if not isinstance(second, LatencyRun):
            raise InputError(f"A {type(second).__name__} was given: an hs.LatencyRun is needed.")
        self.first, self.second = first, second
        samples = {name: (first.values(name), second.values(name)) for name in metrics}
        self.rows = {
            name: self._difference(name, *both) for name, both in samples.items() if all(both)
        }
        if not self.rows:
            raise InputError("One of them has no run with a token: there is nothing to compare.")

    def _difference(
        self, name: str, before: Sequence[float], after: Sequence[float]
    ) -> tuple[float, float, float]:
        """The interval is widened by what the instrument itself is unsure of, where calibrated."""
        middle, low, high = stats.difference(before, after, "median")
        one, two = self.first.calibration, self.second.calibration
        if name == "ttft_s" and one and two:
            shift, unsure = two.bias_s - one.bias_s, hypot(one.error_s, two.error_s)
            middle, low, high = middle - shift, low - shift - unsure, high - shift + unsure
        return middle, low, high

    def unknown(self, metric: str) -> str:
        """Why nothing can be said of this metric; empty where something can."""
        if min(len(run.values(metric)) for run in (self.first, self.second)) < LEAST_RUNS:
            return TOO_FEW
        return "" if isfinite(self.rows[metric][0]) else NO_MEDIAN

    def differs(self, metric: str = "ttft_s") -> bool:
        """Whether the interval leaves 0 out."""
        _, low, high = self.rows[metric]
        return self.unknown(metric) != TOO_FEW and (low > 0 or high < 0)

    def verdict(self, metric: str = "ttft_s") -> str:
        """One sentence on this metric."""
        middle, low, high = self.rows[metric]
        said, how = self.unknown(metric), "longer" if middle > 0 else "shorter"
        if not said and self.differs(metric):
            near, far = sorted((abs(low), abs(high)))
            interval = f"(95% interval {ms(near)} to {ms(far)} ms {how})"
            said = f"the second is {ms(abs(middle))} ms {how} {interval}"
        said = said or f"no difference found (95% interval {ms(low)} to {ms(high)} ms)"
        return f"{NAMES[metric]}: {said}"

    @property
    def frame(self) -> DataFrame:
        """A row for each metric, in milliseconds: both medians, the difference, its interval."""
        rows = {}
        for name, found in self.rows.items():
            medians = (stats.quantile(run.values(name), 0.5) for run in (self.first, self.second))
            rows[NAMES[name]] = [*medians, *found]
        frame = _in_ms(rows, ["first", "second", "difference", "low", "high"], "median, ms")
        return frame.assign(differs=[self.differs(name) for name in self.rows])

    @property
    def notes(self) -> list[str]:
        """What makes the two unlike each other, apart from what was to be compared."""
        return [f"Note: {unlike}." for unlike in self._unlike()]

    def _unlike(self) -> Iterator[str]:
        first, second = both = self.first, self.second
        if first.how != second.how:
            yield f"under unlike load: {first.how}, and {second.how}"
        yield from _unlike_settings(first, second)
        for metric in self.rows:
            one, two = (len(run.values(metric)) for run in both)
            if (one, two) != (len(first), len(second)):
                of = f"of {one} runs of {len(first)}, and of {two} of {len(second)}"
                yield f"{NAMES[metric]}: {of}; the others have none"
        tokens = [[one.output_tokens for one in run.runs if one.output_tokens] for run in both]
        short, long = sorted(fmean(known) if known else 0 for known in tokens)
        if short and long > 1.05 * short:
            lengths = " and ".join(f"{fmean(known):.0f}" for known in tokens)
            yield f"answers of unlike length, {lengths} tokens: end to end compares that, too"
        if first.failed or second.failed:
            one, two = (len(run.failed) / len(run) for run in both)
            yield f"failed: {one:.0%} of the first, {two:.0%} of the second"

    def __str__(self) -> str:
        head = f"first: {self.first.label}; second: {self.second.label}"
        return "\n".join([head, *(self.verdict(name) for name in self.rows), *self.notes])

    __repr__ = __str__
