"""Two measurements side by side, and one against targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import hypot, inf, isfinite
from statistics import fmean
from typing import TYPE_CHECKING, Any

from holysheep_helpers import stats
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.latency_data import LatencyData
from holysheep_helpers.latency_summary import LEAST_RUNS, NAMES, ms
from holysheep_helpers.timed_stream import TimedStream

if TYPE_CHECKING:
    from pandas import DataFrame


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
