"""Statistics of measurements, as they are shown: nothing that the sample does not carry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import hypot, isfinite
from statistics import fmean
from typing import TYPE_CHECKING

from holysheep_helpers import stats
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.latency_data import LatencyData

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
