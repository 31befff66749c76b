"""Statistics of measurements that may be infinite: a request that failed never came to its end.

Every function takes plain numbers, so that none of them knows what was measured or in which unit.
Values are in any order; ``math.inf`` is a value like another, ``nan`` and ``-math.inf`` are none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache
from statistics import NormalDist, fmean
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from holysheep_helpers._checks import shown
from holysheep_helpers.exceptions import InputError

Floats = NDArray[np.float64]

Statistic = Literal["mean", "median"] | float

PERCENTILES = {"p90": 0.9, "p95": 0.95, "p99": 0.99}

STATISTICS: dict[str, Statistic] = {"mean": "mean", "median": "median", **PERCENTILES}

LEAST_RUNS = 6
"""Of fewer there is no 95% interval: even from the least to the most of five, the median is held
with 1 - 2/2^5 = 94% alone."""

AT_ONCE = 1_000_000  # random numbers held at once, whatever the size of the sample


class PointEstimate(NamedTuple):
    """A statistic and the ends of its 95% interval; ``nan`` where the sample carries none."""

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan


def estimate(values: Sequence[float], statistic: Statistic) -> PointEstimate:
    """The mean is that of the finite values; in median and quantiles a failure is infinite.

    With an interval from six values on, widened as so small a sample needs it.
    """
    q = 0.5 if isinstance(statistic, str) else statistic
    if statistic == "mean":
        values = [value for value in values if math.isfinite(value)]
    if len(values) < runs_needed(q):
        return PointEstimate()
    value = fmean(values) if statistic == "mean" else quantile(values, q)
    if len(values) < LEAST_RUNS:
        return PointEstimate(value)
    level = widened_level(0.95, len(values))
    return PointEstimate(value, *interval(values, statistic, level=level))


def quantile(values: Sequence[float], q: float) -> float:
    """The value below which the share ``q`` (0 to 1) of the values lies.

    Linear interpolation between neighbours, as NumPy does by default (Hyndman and Fan's type 7,
    1996). Between a finite value and an infinite one it is infinite. Raises ``InputError`` if there
    is no value, one of them is ``nan`` or ``-math.inf``, or ``q`` is not from 0 to 1.
    """
    return float(_quantiles(_sample("values", values), _share("q", q, open_ended=False)))


def runs_needed(q: float) -> int:
    """How many values carry a quantile: so many that one is expected at or beyond it.

    ``1 / (1 - q)`` rounded up, below the median ``1 / q``: 20 for a p95 and a p5, 100 for a p99.
    The median is 1, for it is no tail. Raises ``InputError`` if ``q`` is not between 0 and 1.
    """
    exact = Fraction(str(_share("q", q, open_ended=True)))  # as it is written: 1 / (1 - 0.9) is 10
    return 1 if exact == Fraction(1, 2) else math.ceil(1 / min(exact, 1 - exact))


def interval(
    values: Sequence[float],
    statistic: Statistic,
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """The confidence interval of a statistic: low and high, in the unit of the values.

    ``statistic`` is ``"mean"``, ``"median"`` or a quantile from 0 to 1; ``level`` is the share of
    such intervals that hold the truth. Percentile bootstrap (Efron, 1979) of ``resamples`` samples
    drawn with replacement; the same ``seed`` gives the same interval. An end between a finite value
    and an infinite one goes outward. It is too narrow for a few values, and shows nothing beyond
    the values that there are. Raises ``InputError`` for values or a statistic that can't be right.
    """
    sample, q = _sample("values", values), _statistic(statistic)
    drawn = _draws(len(sample), resamples, seed)
    found = np.concatenate([_of_rows(sample[_indices(u, len(sample))], q) for u in drawn])
    return _ends(found, found, level)


def widened_level(level: float, n: int) -> float:
    """The level to ask ``interval`` for, so that one of ``n`` values keeps ``level``.

    A percentile interval of few values is too narrow: it lacks the factor ``sqrt(n / (n - 1))``,
    and the difference between Student's t and the normal distribution. Both are put back by asking
    for the level ``1 - 2 Φ(-sqrt(n / (n - 1)) t)``; ``n`` is 2 or more. Source: Hesterberg, What
    Teachers Should Know About the Bootstrap, 2015, section 5.3.
    """
    return 1 - 2 * NormalDist().cdf(-math.sqrt(n / (n - 1)) * students_t(level, n - 1))


@cache
def students_t(level: float, degrees: int) -> float:
    """Student's t: a value of this distribution is within ± t with the probability ``level``.

    ``degrees`` are the degrees of freedom, 1 or more. The distribution's closed form for a whole
    number of them, inverted by bisection. Source: Abramowitz and Stegun, 26.7.3 and 26.7.4.
    """

    def within(angle: float) -> float:
        """The probability of a value within ± sqrt(degrees) tan(angle)."""
        odd = degrees % 2
        term, total = math.cos(angle) ** odd, 0.0
        for power in range(odd, degrees - 1, 2):
            total += term
            term *= math.cos(angle) ** 2 * (power + 1) / (power + 2)
        total *= math.sin(angle)
        return (angle + total) * 2 / math.pi if odd else total

    low, high = 0.0, math.pi / 2
    for _ in range(52):
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle) < level else (low, middle)
    return math.sqrt(degrees) * math.tan(high)


@np.errstate(invalid="ignore")  # inf - inf is nan, and meant
def difference(
    a: Sequence[float],
    b: Sequence[float],
    statistic: Statistic,
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float, float]:
    """The statistic of ``b`` minus that of ``a``, and the confidence interval's low and high.

    As ``interval``, with both samples drawn again each time. An interval around 0 means that no
    difference was found. ``difference(b, a)`` is the same with its signs turned round. Where both
    are infinite the difference is ``math.nan``, and counts as anything from ``-math.inf`` to
    ``math.inf`` in the interval. Raises ``InputError`` for values or a statistic that can't be
    right.
    """
    q = _statistic(statistic)
    one, two = _sample("a", a), _sample("b", b)
    found: list[Floats] = []
    for u in _draws(2 * max(len(one), len(two)), math.ceil(resamples / 2), seed):
        # each pair of draws is used both ways round, so that a and b have equal parts
        halves = np.split(u, 2, axis=1)
        for left, right in (halves, halves[::-1]):
            of_a = _of_rows(one[_indices(left[:, : len(one)], len(one))], q)
            of_b = _of_rows(two[_indices(right[:, : len(two)], len(two))], q)
            found.append(of_b - of_a)
    drawn = np.concatenate(found)
    unknown = np.isnan(drawn)
    low, high = _ends(np.where(unknown, -np.inf, drawn), np.where(unknown, np.inf, drawn), level)
    return float(_of_rows(two, q) - _of_rows(one, q)), low, high


def band(n: int, level: float = 0.95) -> float:
    """Half the width of the confidence band around the distribution of ``n`` values (0 to 1).

    With the probability ``level`` the true distribution function lies nowhere further from the
    measured one: ``sqrt(ln(2 / (1 - level)) / (2 n))`` (Dvoretzky, Kiefer and Wolfowitz, 1956, with
    Massart's constant, 1990).
    """
    return min(1.0, math.sqrt(math.log(2 / (1 - level)) / (2 * n)))


def _sample(name: str, values: Sequence[float]) -> Floats:
    try:
        sample = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be a list of numbers: {error}.") from error
    if sample.ndim != 1 or not len(sample):
        raise InputError(
            f"{name} has the shape {sample.shape}: a list of one number or more is needed."
        )
    for wrong in np.flatnonzero(np.isnan(sample) | (sample == -np.inf))[:1]:
        raise InputError(
            f"{name}[{wrong}] is {sample[wrong]}: numbers are needed, and math.inf for what never "
            "came to its end. Leave out what was not measured."
        )
    return np.sort(sample)


def _share(name: str, share: float, *, open_ended: bool) -> float:
    within = isinstance(share, int | float) and 0 <= share <= 1
    if not within or (open_ended and share in (0, 1)):
        allowed = "between 0 and 1 (neither of them)" if open_ended else "from 0 to 1"
        raise InputError(f"{name} is {shown(share)}: a number {allowed} is needed (0.95 for 95%).")
    return float(share)


def _statistic(statistic: Any) -> float | None:
    """The quantile, or ``None`` for the mean."""
    named = {"mean": None, "median": 0.5}
    if not isinstance(statistic, str):
        return _share("statistic", statistic, open_ended=False)
    if statistic not in named:
        raise InputError(f'statistic is {shown(statistic)}: take "mean", "median" or a quantile.')
    return named[statistic]


def _draws(n: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Random numbers from 0 to 1: ``n`` for each sample to be drawn, some samples at a time."""
    random, most = np.random.default_rng(seed), max(1, AT_ONCE // n)
    for done in range(0, resamples, most):
        yield random.random((min(resamples - done, most), n))


def _indices(uniform: Floats, n: int) -> NDArray[np.intp]:
    return (uniform * n).astype(np.intp)


def _of_rows(rows: Floats, q: float | None) -> Floats:
    """The statistic along the last axis."""
    if q is not None:
        return _quantiles(rows, q)
    means = np.mean(rows, axis=-1)  # equal values have just this mean, whatever rounding does
    return np.clip(means, np.min(rows, axis=-1), np.max(rows, axis=-1))


@np.errstate(invalid="ignore")  # what -inf and inf give is not taken
def _quantiles(rows: Floats, q: float) -> Floats:
    """The quantile along the last axis; beside an infinite value it is the larger neighbour."""
    position = (rows.shape[-1] - 1) * Fraction(str(q))  # as it is written: 0.55 x 100 is 55
    below, part = math.floor(position), float(position % 1)
    above = math.ceil(position)
    rows = np.partition(rows, (below, above), axis=-1)
    low, high = rows[..., below], rows[..., above]
    if below == above:
        return low
    between = np.clip(low * (1 - part) + high * part, low, high)
    return np.where(np.isfinite(low), between, high)


def _ends(lows: Floats, highs: Floats, level: float) -> tuple[float, float]:
    """Both ends of the percentile interval, each outward where a neighbour is infinite."""
    upper = (1 + level) / 2
    return -float(_quantiles(-lows, upper)), float(_quantiles(highs, upper))
