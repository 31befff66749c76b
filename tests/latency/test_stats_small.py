"""Intervals of few values, which the percentile bootstrap alone makes too narrow."""

from __future__ import annotations

import math
from random import Random

import pytest
import scipy.stats

from holysheep_helpers.latency import stats


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("n", [6, 10, 30, 1000])
def test_a_small_sample_is_asked_for_a_wider_interval(n: int, level: float) -> None:
    t = scipy.stats.t.ppf((1 + level) / 2, n - 1)
    exact = 1 - 2 * scipy.stats.norm.cdf(-math.sqrt(n / (n - 1)) * t)
    assert stats.widened_level(level, n) == pytest.approx(exact, rel=1e-9)
    assert level < stats.widened_level(level, n) < 1


def test_the_widened_interval_of_ten_values_holds_the_mean_as_often_as_it_says() -> None:
    draw = Random(1)
    held = [0, 0]
    for _ in range(400):
        sample = [draw.lognormvariate(0, 0.12) for _ in range(10)]
        for wide, level in enumerate((0.95, stats.widened_level(0.95, 10))):
            low, high = stats.interval(sample, "mean", level=level, resamples=400)
            held[wide] += low <= math.exp(0.12**2 / 2) <= high
    assert held[0] < 370 < held[1]  # of 400, 380 would be 95%


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
@pytest.mark.parametrize("degrees", [*range(1, 12), 99, 1000])
def test_students_t_is_scipys_for_any_number_of_degrees(degrees: int, level: float) -> None:
    exact = scipy.stats.t.ppf((1 + level) / 2, degrees)
    assert stats.students_t(level, degrees) == pytest.approx(exact, rel=1e-9)
