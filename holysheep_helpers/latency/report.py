"""Numbers as they are shown: nothing that the sample does not carry."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, isnan, nan
from statistics import fmean
from typing import NamedTuple

from holysheep_helpers.latency import stats

NAMES = {
    "ttft_s": "time to first token",
    "answer_ttft_s": "time to first answer token",
    "itl_s": "inter-token latency",
    "e2e_s": "end to end",
    "client_s": "added by the client",
    "user_ttft_s": "first token, from the intended start",
}

PERCENTILES = {"p90": 0.9, "p95": 0.95, "p99": 0.99}

STATISTICS: dict[str, stats.Statistic] = {"mean": "mean", "median": "median", **PERCENTILES}

LEAST_RUNS = 6
"""Of fewer there is no 95% interval: even from the least to the most of five, the median is held
with 1 - 2/2^5 = 94% alone."""


class PointEstimate(NamedTuple):
    """A statistic and the ends of its 95% interval; ``nan`` where the sample carries none."""

    value: float = nan
    low: float = nan
    high: float = nan


def estimate(values: Sequence[float], statistic: stats.Statistic) -> PointEstimate:
    """The mean is that of the finite values; in median and quantiles a failure is infinite.

    With an interval from six values on, widened as so small a sample needs it.
    """
    q = 0.5 if isinstance(statistic, str) else statistic
    if statistic == "mean":
        values = [value for value in values if isfinite(value)]
    if len(values) < stats.runs_needed(q):
        return PointEstimate()
    value = fmean(values) if statistic == "mean" else stats.quantile(values, q)
    if len(values) < LEAST_RUNS:
        return PointEstimate(value)
    return PointEstimate(
        value, *stats.interval(values, statistic, level=stats.widened_level(0.95, len(values)))
    )


def estimates(values: Sequence[float]) -> dict[str, PointEstimate]:
    """All statistics of a summary."""
    return {name: estimate(values, statistic) for name, statistic in STATISTICS.items()}


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
