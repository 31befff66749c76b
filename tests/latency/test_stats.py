"""Statistics of a sample with infinities: against NumPy, SciPy, and what can be worked out."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from holysheep_helpers.exceptions import InputError
from holysheep_helpers.latency import stats
from holysheep_helpers.latency.stats import band, difference, interval, quantile, runs_needed
from tests.support.strategies import often

INF = math.inf


seconds = st.floats(-1e6, 1e6)


samples = st.lists(seconds, min_size=1, max_size=30)


mixed = st.lists(st.one_of(seconds, st.just(INF)), min_size=1, max_size=30)


shares = st.floats(0, 1)


statistics = st.one_of(st.sampled_from(["mean", "median"]), shares)


FEW: Any = {"resamples": 50}


def wrong(value: Any) -> Any:
    """What a type checker would have refused."""
    return value


def close(value: Any) -> Any:
    return pytest.approx(value, rel=1e-9, abs=1e-6)


def skewed(n: int, seed: int) -> list[float]:
    return np.random.default_rng(seed).lognormal(size=n).tolist()


@often
@given(samples, shares)
def test_quantiles_are_numpys(values: list[float], q: float) -> None:
    assert quantile(values, q) == close(np.quantile(values, q))


@often
@given(mixed, shares, shares)
def test_a_quantile_grows_with_q_and_is_never_nan(values: list[float], q: float, p: float) -> None:
    lower, higher = (quantile(values, share) for share in sorted((q, p)))
    assert lower <= higher or lower == close(higher)
    assert min(values) <= lower <= max(values)


@often
@given(mixed, shares)
def test_what_is_infinite_stands_at_the_upper_end(values: list[float], q: float) -> None:
    above = sorted(values)[math.ceil((len(values) - 1) * Fraction(str(q)))]
    finite = [1e12 if value == INF else value for value in values]
    assert quantile(values, q) == (INF if above == INF else close(np.quantile(finite, q)))


def test_beside_an_infinite_value_a_quantile_is_infinite_and_at_a_value_it_is_that_value() -> None:
    assert [quantile([1, 2, INF], q) for q in (0, 0.25, 0.5, 0.51, 1)] == [1, 1.5, 2, INF, INF]
    hundred = [*range(56), *[INF] * 45]  # the 56th is the last that came to its end
    assert quantile(hundred, 0.55) == 55  # although 100 * 0.55 is 55.00000000000001
    assert quantile([INF, INF], 0.5) == INF
    assert quantile([3], 0.99) == 3


@pytest.mark.parametrize(
    ("q", "runs"),
    [(0.5, 1), (0.75, 4), (0.9, 10), (0.95, 20), (0.99, 100), (0.999, 1000), (0.05, 20), (0.6, 3)],
)
def test_a_tail_needs_so_many_runs_that_one_lies_in_it(q: float, runs: int) -> None:
    assert runs_needed(q) == runs


@pytest.mark.parametrize(("statistic", "function"), [("mean", np.mean), ("median", np.median)])
def test_intervals_are_scipys(statistic: Any, function: Callable[..., Any]) -> None:
    values = skewed(60, 1)
    theirs = scipy.stats.bootstrap(
        (values,), function, method="percentile", n_resamples=20_000, rng=2
    ).confidence_interval
    ours = interval(values, statistic, resamples=20_000)
    assert ours == pytest.approx(tuple(theirs), abs=0.05 * (theirs.high - theirs.low))


def test_the_interval_of_a_median_is_the_one_that_can_be_worked_out() -> None:
    """The median of 31 drawn from 31 is at most the k-th smallest if 16 draws or more are."""
    values = skewed(31, 3)
    chance = scipy.stats.binom.sf(15, 31, np.arange(1, 32) / 31)
    for level in (0.5, 0.7, 0.95):
        alpha = (1 - level) / 2
        exact = [sorted(values)[int(np.searchsorted(chance, p))] for p in (alpha, 1 - alpha)]
        assert interval(values, "median", level=level, resamples=20_000) == tuple(exact)


@pytest.mark.parametrize(("statistic", "function"), [("mean", np.mean), (0.9, None)])
def test_differences_are_scipys(statistic: Any, function: Any) -> None:
    take = function or (lambda x, axis: np.quantile(x, 0.9, axis=axis))
    a = skewed(40, 4)
    b = skewed(70, 5)
    theirs = scipy.stats.bootstrap(
        (a, b),
        lambda x, y, axis: take(y, axis=axis) - take(x, axis=axis),
        method="percentile", n_resamples=20_000, rng=6,
    ).confidence_interval  # fmt: skip
    found, *ends = difference(a, b, statistic, resamples=20_000)
    assert found == pytest.approx(take(b, axis=0) - take(a, axis=0))
    assert ends == pytest.approx(list(theirs), abs=0.05 * (theirs.high - theirs.low))


@pytest.mark.parametrize(("statistic", "truth"), [("mean", math.exp(0.125)), ("median", 1.0)])
def test_about_95_of_100_intervals_hold_the_truth(statistic: Any, truth: float) -> None:
    random, held = np.random.default_rng(7), 0
    for _ in range(400):
        low, high = interval(random.lognormal(0, 0.5, 40).tolist(), statistic, resamples=400)
        held += low <= truth <= high
    assert 0.91 * 400 <= held <= 0.98 * 400


def test_of_two_samples_of_one_kind_few_are_told_apart_and_of_two_kinds_many() -> None:
    random, alarms, found = np.random.default_rng(8), 0, 0
    for _ in range(200):
        a, b = random.lognormal(0, 0.5, (2, 40)).tolist()
        _, low, high = difference(a, b, "median", resamples=400)
        alarms += not low <= 0 <= high
        found += difference(a, [x + 0.6 for x in b], "median", resamples=400)[1] > 0
    assert alarms <= 0.08 * 200
    assert found >= 0.95 * 200


@often
@given(mixed, mixed, statistics)
def test_the_other_way_round_only_the_sign_differs(
    a: list[float], b: list[float], statistic: Any
) -> None:
    there, low, high = difference(a, b, statistic, **FEW)
    back = difference(b, a, statistic, **FEW)
    assert back == pytest.approx((-there, -high, -low), rel=0, abs=0, nan_ok=True)
    assert not math.isnan(low)
    assert not math.isnan(high)
    assert low <= high


@often
@given(mixed, statistics)
def test_an_interval_is_within_the_values_and_the_same_each_time(
    values: list[float], statistic: Any
) -> None:
    low, high = interval(values, statistic, **FEW)
    assert min(values) <= low <= high <= max(values)
    assert interval(values[::-1], statistic, **FEW) == (low, high)


@often
@given(samples, samples, statistics, st.floats(-1e3, 1e3), st.floats(0.001, 1e3))
def test_another_unit_and_another_origin_move_everything_alike(
    a: list[float], b: list[float], statistic: Any, shift: float, scale: float
) -> None:
    def moved(values: list[float]) -> list[float]:
        return [scale * value + shift for value in values]

    error = 1e-9 * scale * 1e6  # what rounding does to values of this size
    ends = interval(a, statistic, **FEW)
    assert interval(moved(a), statistic, **FEW) == pytest.approx(moved([*ends]), abs=error)
    apart = difference(a, b, statistic, **FEW)
    assert difference(moved(a), moved(b), statistic, **FEW) == pytest.approx(
        [scale * value for value in apart], abs=error
    )


def test_a_higher_level_and_a_smaller_sample_make_a_wider_interval() -> None:
    values = skewed(200, 9)

    def width(n: int, level: float) -> float:
        low, high = interval(values[:n], "mean", level=level)
        return high - low

    assert width(50, 0.8) < width(50, 0.95) < width(50, 0.99)
    assert width(200, 0.95) < width(50, 0.95)
    assert all(narrower < wider for wider, narrower in pairwise(band(n) for n in (5, 20, 80)))
    assert band(20, 0.99) > band(20, 0.95)


def test_one_value_and_ties_have_an_interval_without_width() -> None:
    for statistic in ("mean", "median", 0.9):
        assert interval([0.1], statistic) == (0.1, 0.1)
        assert interval([0.1] * 30, statistic) == (0.1, 0.1)
        assert difference([0.1] * 30, [0.3] * 20, statistic) == (0.3 - 0.1,) * 3
        assert interval([INF], statistic) == (INF, INF)


def test_failures_reach_the_interval() -> None:
    few = [*skewed(38, 10), INF, INF]
    low, high = interval(few, "median")
    assert interval(sorted(few)[:38], "median")[0] <= low < high < INF
    assert interval(few, "mean")[1] == interval(few, 0.95)[1] == INF
    assert interval(few, 0.95)[0] < INF  # some samples are drawn without a failure
    faster, low, high = difference([INF] * 20, skewed(20, 11), "median")
    assert faster == low == high == -INF
    unknown, low, high = difference([INF] * 20, [INF] * 20, "median")
    assert math.isnan(unknown)
    assert (low, high) == (-INF, INF)


def test_an_end_beside_an_infinite_one_goes_outward() -> None:
    """Two samples are drawn: where one of them is infinite, so is the end on that side."""
    assert {interval([0, INF], "mean", resamples=2, seed=seed) for seed in range(100)} == {
        (INF, INF), (0, INF), (0, 0),
    }  # fmt: skip


def test_a_large_sample_in_parts_gives_what_it_gives_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a, b = skewed(50, 13), skewed(40, 14)

    def all_of_it() -> list[float]:
        return [*interval(a, 0.9, seed=5), *difference(a, b, "mean", seed=5)]

    at_once = all_of_it()
    monkeypatch.setattr(stats, "AT_ONCE", 137)
    assert all_of_it() == pytest.approx(at_once, rel=1e-12)
    assert interval(a, 0.9, seed=6) != tuple(at_once[:2])


@pytest.mark.parametrize(("n", "level"), [(10, 0.95), (30, 0.95), (100, 0.9), (1000, 0.99)])
def test_the_band_holds_as_kolmogorovs_exact_law_says(n: int, level: float) -> None:
    assert band(n, level) == pytest.approx(math.sqrt(math.log(2 / (1 - level)) / (2 * n)))
    exact = scipy.stats.kstwo.ppf(level, n)
    assert exact <= band(n, level) <= 1.06 * exact
    assert band(1, level) == 1


@pytest.mark.parametrize("values", [[], [1, math.nan], [1, -INF], [1, None], ["soon"], [[1], [2]]])
def test_what_is_no_sample_is_an_error_that_says_so(values: Any) -> None:
    for call in (
        lambda: quantile(values, 0.5),
        lambda: interval(values, "median"),
        lambda: difference([1], values, "median"),
        lambda: difference(values, [1], "mean"),
    ):
        with pytest.raises(InputError, match=r"(values|a|b)(\[1\] is (nan|-inf)| has | must be )"):
            call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: quantile([1], 95), "q is 95: a number from 0 to 1 is needed"),
        (lambda: quantile([1], math.nan), "q is nan"),
        (lambda: runs_needed(1), "q is 1: a number between 0 and 1 (neither"),
        (lambda: interval([1], wrong("mode")), "statistic is 'mode': take \"mean\""),
        (lambda: interval([1], 50), "statistic is 50"),
    ],
)
def test_what_can_not_be_right_is_named(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        call()
    assert message in str(caught.value)
