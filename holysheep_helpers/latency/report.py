"""Statistics of measurements, as they are shown: nothing that the sample does not carry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import hypot, inf, isfinite
from statistics import fmean
from typing import TYPE_CHECKING, Any

from holysheep_helpers.exceptions import InputError
from holysheep_helpers.latency import stats
from holysheep_helpers.latency.data import LatencyData, TimedStream

if TYPE_CHECKING:
    from pandas import DataFrame

NAMES = {
    "ttft_s": "time to first token",
    "answer_ttft_s": "time to first answer token",
    "itl_s": "inter-token latency",
    "e2e_s": "end to end",
    "client_s": "added by the client",
    "user_ttft_s": "first token, from the intended start",
}


PERCENTILES = (0.9, 0.95, 0.99)


LEAST_RUNS = 6
"""Of fewer there is no 95% interval: even from the least to the most of five, the median is held
with 1 - 2/2^5 = 94% alone."""


def ms(value_s: float | None, digits: int = 1) -> str:
    """Seconds as milliseconds for people."""
    if value_s is None:
        return "–"
    if not isfinite(value_s):
        return "∞" if value_s > 0 else "−∞"
    return f"{round(value_s * 1000, digits) + 0.0:,.{digits}f}"  # 0.0 makes no "-0.0" of nothing


def counted(count: int, noun: str) -> str:
    """``1 run``, ``2 runs``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


@dataclass(frozen=True)
class Row:
    """One metric's statistics in seconds; ``None`` where the sample does not carry one."""

    name: str
    count: int
    mean: float | None
    mean_interval: tuple[float, float] | None
    median: float
    median_interval: tuple[float, float] | None
    percentiles: dict[float, float | None]
    percentile_intervals: dict[float, tuple[float, float] | None]


def row_of(name: str, values: Sequence[float]) -> Row:
    """The mean is that of the finite values; in median and percentiles a failure is infinite."""
    answered = [value for value in values if isfinite(value)]
    carried = [q for q in PERCENTILES if len(values) >= stats.runs_needed(q)]
    return Row(
        name=name,
        count=len(values),
        mean=fmean(answered) if answered else None,
        mean_interval=_enough(answered, "mean"),
        median=stats.quantile(values, 0.5),
        median_interval=_enough(values, "median"),
        percentiles={q: stats.quantile(values, q) if q in carried else None for q in PERCENTILES},
        percentile_intervals={q: _enough(values, q) if q in carried else None for q in PERCENTILES},
    )


def _enough(values: Sequence[float], statistic: stats.Statistic) -> tuple[float, float] | None:
    """The 95% interval, widened as so small a sample needs it; ``None`` for fewer than six."""
    if len(values) < LEAST_RUNS:
        return None
    return stats.interval(values, statistic, level=stats.widened(0.95, len(values)))


class LatencySummary:
    """A table in milliseconds, and below it what one must know to read it; ``frame`` has the
    numbers."""

    def __init__(self, run: LatencyData) -> None:
        if not run.runs:
            raise InputError("Nothing was measured: there is nothing to sum up.")
        self.run = run
        shown = ["ttft_s", "itl_s", "e2e_s", "client_s"]
        if run.values("answer_ttft_s") != run.values("ttft_s"):
            shown.insert(1, "answer_ttft_s")
        self._speeds = {
            name: stats.quantile(found, 0.5)
            for name in ("decode_tokens_per_s", "tokens_per_s")
            if (found := run.values(name))
        }
        if run.rate_per_s is not None:
            shown.insert(0, "user_ttft_s")
        values = {name: run.values(name) for name in shown}
        self.rows = [row_of(NAMES[name], found) for name, found in values.items() if found]

    @property
    def frame(self) -> DataFrame:
        """A row for each metric, all in milliseconds; empty where the sample does not carry it."""
        import pandas as pd

        def in_ms(value: float | None) -> float | None:
            return None if value is None else value * 1000

        table: list[dict[str, float | None]] = []
        for row in self.rows:
            mean, middle = row.mean_interval or (None, None), row.median_interval or (None, None)
            table.append(
                {
                    "runs": row.count,
                    "mean": in_ms(row.mean),
                    "mean_low": in_ms(mean[0]),
                    "mean_high": in_ms(mean[1]),
                    "median": in_ms(row.median),
                    "median_low": in_ms(middle[0]),
                    "median_high": in_ms(middle[1]),
                }
            )
            for q, value in row.percentiles.items():
                low, high = row.percentile_intervals[q] or (None, None)
                for end, number in (("", value), ("_low", low), ("_high", high)):
                    table[-1][f"p{q * 100:.0f}{end}"] = in_ms(number)
        frame = pd.DataFrame(table, index=pd.Index([row.name for row in self.rows], name="ms"))
        return frame.astype({name: float for name in frame.columns if name != "runs"})

    @property
    def headline(self) -> str:
        run = self.run
        warm = (
            f", {counted(len(run.warmups), 'warm-up')} left out" if run.warmups else ", no warm-up"
        )
        return f"{run.label}: {counted(len(run), 'run')} in {run.elapsed_s:.1f} s{warm}"

    @property
    def notes(self) -> list[str]:
        """What one must know to read the table."""
        run, found = self.run, []
        if run.stopped_by is not None:
            found.append(f"Stopped early ({run.stopped_by}): {run.asked} runs were asked for.")
        if run.under_way_s:
            left_out = counted(len(run.under_way_s), "run")
            found.append(
                f"Note: {left_out} under way left out, the longest after "
                f"{ms(max(run.under_way_s))} ms: the slow ones are missing most."
            )
        if run.failed:
            kinds = Counter(stream.error for stream in run.failed)
            what = ", ".join(f"{count} x {kind}" for kind, count in sorted(kinds.items()))
            found.append(
                f"Note: {len(run.failed)} of {len(run)} failed ({what}): infinite in median and "
                "percentiles, not in the mean."
            )
        if failed := sum(stream.failed for stream in run.warmups):
            found.append(f"Note: {failed} of {counted(len(run.warmups), 'warm-up')} failed.")
        found += [*self._speed(), *self._own_error()]
        if missing := [q for q in PERCENTILES if len(run) < stats.runs_needed(q)]:
            needs = (f"p{q * 100:.0f} needs {stats.runs_needed(q)} runs" for q in missing)
            found.append(f"Not shown: {', '.join(needs)}.")
        each = Counter(note for stream in run.runs if not stream.failed for note in stream.notes)
        found += [f"{note} ({count} of {len(run)} runs)" for note, count in each.items()]
        if new := sum(stream.new_connection for stream in run.runs):
            found.append(f"{new} of {len(run)} runs opened a new connection.")
        return found

    def _speed(self) -> list[str]:
        run, parts = self.run, []
        if "decode_tokens_per_s" in self._speeds:
            parts.append(f"decode speed {self._speeds['decode_tokens_per_s']:.1f} tokens/s")
        if "tokens_per_s" in self._speeds:
            parts.append(
                f"throughput {self._speeds['tokens_per_s']:.1f} tokens/s a stream (medians)"
            )
        answered = [stream.output_tokens or 0 for stream in run.runs if not stream.failed]
        if answered:
            parts.append(
                f"in all {run.answers_per_s:.2f} answers/s, "
                f"{run.answers_per_s * fmean(answered):.1f} tokens/s"
            )
        return ["; ".join(parts).capitalize() + "."] if parts else []

    def _own_error(self) -> list[str]:
        run, found = self.run, []
        known = run.calibration
        first = next((row for row in self.rows if row.name == NAMES["ttft_s"]), None)
        if known is None:
            at_once = "" if run.concurrency == 1 else str(run.concurrency)
            found.append(f"The error of this client is unknown: hs.calibrate({at_once}) states it.")
        elif first is not None and first.mean is not None:
            found.append(
                f"Time to first token ± {ms(known.error_s, 2)} ms at {known.concurrency} at once "
                f"on this machine, after taking off {ms(known.bias_s, 2)} ms of the instrument's "
                f"own: mean {ms(first.mean - known.bias_s)} ms"
                + self._both(first, known.bias_s, known.error_s)
            )
        if run.clock_step_s is not None:
            found.append(
                f"Note: the clock moves in steps of {ms(run.clock_step_s)} ms: no single time is "
                "more exact than that."
            )
        if run.client_is_bottleneck:
            found.append(
                f"Note: the client itself is the bottleneck: busy {run.busy:.0%} of the time, and "
                f"{run.client_share:.0%} of the wait for the first token. These figures are about "
                "this computer as much as about the gateway."
            )
        return found

    def _both(self, first: Row, bias_s: float, error_s: float) -> str:
        """The interval of the mean with both its errors: the sample's and the instrument's."""
        if first.mean is None or first.mean_interval is None:
            return "."
        ends = [
            first.mean - bias_s + sign * hypot(abs(end - first.mean), error_s)
            for sign, end in zip((-1, 1), first.mean_interval, strict=True)
        ]
        return f", with the sample's own error {ms(ends[0])} to {ms(ends[1])} ms."

    def _table(self) -> list[list[str]]:
        rows = [["ms", "mean", "95% interval", "median", "95% interval", "p90", "p95", "p99"]]
        for row in self.rows:
            digits = 2 if row.median < 0.02 else 1
            rows.append(
                [
                    row.name + (f", {row.count} runs" if row.count != len(self.run) else ""),
                    ms(row.mean, digits),
                    _interval(row.mean_interval, digits),
                    ms(row.median, digits),
                    _interval(row.median_interval, digits),
                    *(ms(row.percentiles[q], digits) for q in PERCENTILES),
                ]
            )
        return rows

    def __str__(self) -> str:
        table = self._table()
        widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
        lines = [
            "  ".join(
                [
                    row[0].ljust(widths[0]),
                    *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)),
                ]
            )
            for row in table
        ]
        return "\n".join([self.headline, *lines, *self.notes])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head, *rows = self._table()
        right = ' style="text-align:right;padding:0 .6em"'
        top = "".join(f'<th scope="col"{right}>{escape(cell)}</th>' for cell in head)
        body = "".join(
            f'<tr><th scope="row" style="text-align:left">{escape(row[0])}</th>'
            + "".join(f"<td{right}>{escape(cell)}</td>" for cell in row[1:])
            + "</tr>"
            for row in rows
        )
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        return (
            f"<div><strong>{escape(self.headline)}</strong>"
            f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table><ul>{notes}</ul></div>"
        )


def _interval(found: tuple[float, float] | None, digits: int) -> str:
    return "–" if found is None else f"{ms(found[0], digits)} to {ms(found[1], digits)}"


MAY_DIFFER = ("measured_at", "python", "openai")
"""Settings that are noted with a measurement, and of no account when two are compared."""


@dataclass(frozen=True)
class Goodput:
    """``met`` of ``runs`` meet every target: ``share`` of them, ``requests_per_s`` a second."""

    met: int
    runs: int
    ended_per_s: float

    @classmethod
    def of(
        cls,
        runs: Sequence[TimedStream],
        targets: Mapping[str, float | None],
        ended_per_s: float,
    ) -> Goodput:
        asked = {name: value for name, value in targets.items() if value is not None}
        for name, value in asked.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < inf:
                given = name.removeprefix("user_")
                raise InputError(f"{given} is {value!r}: seconds, above 0, are needed.")
        if not asked:
            raise InputError("No target was given: ttft_s=0.2 say, itl_s=0.02 or e2e_s=1.5.")
        met = sum(
            all(_meets(run, name, most) for name, most in asked.items())
            for run in runs
            if not run.failed
        )
        return cls(met, len(runs), ended_per_s)

    @property
    def share(self) -> float:
        return self.met / self.runs if self.runs else 0.0

    @property
    def requests_per_s(self) -> float:
        return self.share * self.ended_per_s

    def __str__(self) -> str:
        return (
            f"{self.met} of {self.runs} runs ({self.share:.0%}) meet every target: "
            f"{self.requests_per_s:.2f} requests a second"
        )

    __repr__ = __str__


def _meets(run: TimedStream, metric: str, most: float) -> bool:
    """What came all at once has no inter-token latency, and meets its target. What is unknown (no
    usage came, no token) does not."""
    value = getattr(run, metric)
    return metric == "itl_s" and len(run.texts) == 1 if value is None else value <= most


class Comparison:
    """The difference of two measurements' medians, ``second - first``, with 95% intervals."""

    def __init__(self, first: LatencyData, second: LatencyData) -> None:
        if not isinstance(second, type(first)):
            raise InputError(f"A {type(second).__name__} was given: an hs.LatencyRun is needed.")
        self.first, self.second = first, second
        self.rows: dict[str, tuple[float, float, float]] = {}
        for name in ("ttft_s", "itl_s", "e2e_s"):
            before, after = first.values(name), second.values(name)
            if before and after:
                self.rows[name] = self._difference(name, before, after)
        if not self.rows:
            raise InputError("One of them has no run with a token: there is nothing to compare.")
        self.few = min(len(first), len(second)) < LEAST_RUNS

    def _difference(
        self, name: str, before: Sequence[float], after: Sequence[float]
    ) -> tuple[float, float, float]:
        """The interval is widened by what the instrument itself is unsure of, where calibrated."""
        middle, low, high = stats.difference(before, after, "median")
        known = [run.calibration for run in (self.first, self.second)]
        if name == "ttft_s" and known[0] and known[1]:
            shift = known[1].bias_s - known[0].bias_s
            unsure = hypot(known[0].error_s, known[1].error_s)
            middle, low, high = middle - shift, low - shift - unsure, high - shift + unsure
        return middle, low, high

    def differs(self, metric: str = "ttft_s") -> bool:
        """Whether the interval leaves 0 out."""
        _, low, high = self.rows[metric]
        return not self.few and (low > 0 or high < 0)

    def verdict(self, metric: str = "ttft_s") -> str:
        """One sentence on this metric."""
        middle, low, high = self.rows[metric]
        if self.few:
            return f"{NAMES[metric]}: too few runs to tell ({LEAST_RUNS} of each are the least)"
        interval = f"95% interval {ms(low)} to {ms(high)} ms"
        if not isfinite(middle):
            return f"{NAMES[metric]}: half or more failed, so that there is no median to compare"
        if not self.differs(metric):
            return f"{NAMES[metric]}: can't tell them apart ({interval})"
        how = "longer" if middle > 0 else "shorter"
        near, far = sorted((abs(low), abs(high)))
        return (
            f"{NAMES[metric]}: the second is {ms(abs(middle))} ms {how} "
            f"(95% interval {ms(near)} to {ms(far)} ms {how})"
        )

    @property
    def frame(self) -> DataFrame:
        """A row for each metric, in milliseconds: both medians, the difference, its interval."""
        import pandas as pd

        table: list[dict[str, Any]] = []
        for name, (middle, low, high) in self.rows.items():
            both = [
                stats.quantile(run.values(name), 0.5) * 1000 for run in (self.first, self.second)
            ]
            spans = {"difference": middle, "low": low, "high": high}
            table.append(
                {"first": both[0], "second": both[1]}
                | {key: value * 1000 for key, value in spans.items()}
                | {"differs": self.differs(name)}
            )
        return pd.DataFrame(table, index=pd.Index([NAMES[n] for n in self.rows], name="median, ms"))

    @property
    def notes(self) -> list[str]:
        """What makes the two unlike each other, apart from what was to be compared."""
        found = []
        if self.first.how != self.second.how:
            found.append(f"Note: under unlike load: {self.first.how}, and {self.second.how}.")
        for name, value in self.first.settings.items():
            other = self.second.settings.get(name)
            if name not in MAY_DIFFER and value != other:
                found.append(f"Note: not the same {name}: {value}, and {other}.")
        for metric in self.rows:
            counts = [len(run.values(metric)) for run in (self.first, self.second)]
            if counts != [len(self.first), len(self.second)]:
                found.append(
                    f"Note: {NAMES[metric]}: of {counts[0]} runs of {len(self.first)}, and of "
                    f"{counts[1]} of {len(self.second)}; the others have none."
                )
        lengths = [
            fmean(known) if (known := [s.output_tokens for s in run.runs if s.output_tokens]) else 0
            for run in (self.first, self.second)
        ]
        if min(lengths) and max(lengths) > 1.05 * min(lengths):
            found.append(
                f"Note: answers of unlike length, {lengths[0]:.0f} and {lengths[1]:.0f} tokens: "
                "end to end compares that, too."
            )
        shares = [len(run.failed) / len(run) for run in (self.first, self.second)]
        if any(shares):
            found.append(
                f"Note: failed: {shares[0]:.0%} of the first, {shares[1]:.0%} of the second."
            )
        return found

    def __str__(self) -> str:
        head = f"first: {self.first.label}; second: {self.second.label}"
        return "\n".join([head, *(self.verdict(name) for name in self.rows), *self.notes])

    __repr__ = __str__
