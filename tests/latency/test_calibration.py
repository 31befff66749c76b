"""The instrument's own error, by a server that knows the truth, and what is done with it."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite, sqrt
from statistics import fmean, stdev
from typing import Any

import pytest
import scipy.stats

import holysheep_helpers as hs
from holysheep_helpers.exceptions import HolySheepError
from holysheep_helpers.latency import measure
from holysheep_helpers.latency.data import Calibration
from holysheep_helpers.latency.load import Measurement
from holysheep_helpers.latency.measure import LEAST_ERROR_S, ROUNDS, calibration_from
from holysheep_helpers.latency.run import LatencyRun
from holysheep_helpers.mock.process import MockProcess
from tests.support.streams import made, texts

TRUTH = [0.100, 0.110, 0.120]


EIGHT = [0.004, 0.002, 0.003, 0.005, 0.001, 0.004, 0.002, 0.003]


@pytest.fixture(autouse=True)
def nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Calibration, "_known", {})


def rounds(
    late_s: list[list[float]], itl_late_s: float = 0.0, **known: Any
) -> tuple[list[LatencyRun], list[dict[str, Any]]]:
    """Rounds of streams that were measured so much too late, and the journal of them."""
    runs, journal = [], []
    for nth, errors in enumerate(late_s):
        streams = []
        for index, error_s in enumerate(errors):
            name = f"{nth}-{index}"
            at = [at_s + error_s + n * itl_late_s for n, at_s in enumerate(TRUTH)]
            streams.append(made(index=index, id=name, texts=texts(at), output_tokens=3))
            journal.append({"id": name, "sent_s": TRUTH})
        runs.append(LatencyRun(**{"model": "m", "runs": tuple(streams), **known}))
    return runs, journal


# --- what follows from rounds and a journal


def test_bias_and_error_are_those_that_can_be_worked_out_by_hand() -> None:
    late = [[mean - 0.001, mean + 0.001] for mean in EIGHT]
    found = calibration_from(*rounds(late, concurrency=2))
    assert found.bias_s == pytest.approx(0.003)
    assert fmean(EIGHT) == pytest.approx(0.003)
    assert found.error_s == pytest.approx(2.364624 * stdev(EIGHT) * sqrt(9 / 8))
    assert stdev(EIGHT) == pytest.approx(sqrt(12 / 7) / 1000)
    assert (found.itl_bias_s, found.itl_error_s) == pytest.approx((0.0, 0.0))
    assert (found.streams, found.concurrency, found.stagger) == (16, 2, True)


@pytest.mark.parametrize("count", [2, 3, 8, 25])
def test_the_factor_is_students_for_as_many_rounds(count: int) -> None:
    means = [0.001 * nth for nth in range(count)]
    t = scipy.stats.t.ppf(0.975, count - 1)
    found = calibration_from(*rounds([[mean] for mean in means]))
    assert found.error_s == pytest.approx(t * stdev(means) * sqrt(1 + 1 / count))


def test_each_round_counts_once_however_many_streams_it_has() -> None:
    late = [[0.004] * 9, *[[0.002]] * 7]
    assert calibration_from(*rounds(late)).bias_s == pytest.approx((0.004 + 7 * 0.002) / 8)


def test_a_constant_bias_leaves_the_least_error_that_is_stated() -> None:
    found = calibration_from(*rounds([[0.005] * 4] * 8))
    assert found.bias_s == pytest.approx(0.005)
    assert found.error_s == LEAST_ERROR_S == 0.00025
    assert found.itl_error_s == pytest.approx(0.0)


def test_inter_token_latency_has_a_bias_and_an_error_of_its_own() -> None:
    found = calibration_from(*rounds([[0.0]] * 8, itl_late_s=0.0002))
    assert found.itl_bias_s == pytest.approx(0.0002)
    uneven = [rounds([[0.0]], itl_late_s=late_s)[0][0] for late_s in EIGHT]
    found = calibration_from(uneven, rounds([[0.0]])[1])
    assert found.itl_bias_s == pytest.approx(0.003)
    assert found.itl_error_s == pytest.approx(2.364624 * stdev(EIGHT) * sqrt(9 / 8))


def test_a_coarse_clocks_step_is_part_of_the_error() -> None:
    found = calibration_from(*rounds([[0.005]] * 8, clock_step_s=0.0156))
    assert found.error_s == pytest.approx(0.0156 + LEAST_ERROR_S)


def test_streams_that_failed_or_that_nobody_knows_are_left_out() -> None:
    runs, journal = rounds([[0.003, 0.9, 0.9, 0.9]] * 8)
    for nth, run in enumerate(runs):
        good, failed, unknown, empty = run.runs
        odd = (replace(failed, error="429"), replace(unknown, id=None), replace(empty, texts=()))
        runs[nth] = replace(run, runs=(good, *odd))
    found = calibration_from(runs, journal)
    assert (found.bias_s, found.streams) == (pytest.approx(0.003), 8)


def test_a_round_without_any_stream_is_an_error() -> None:
    runs, journal = rounds([[0.003]] * 8)
    with pytest.raises(HolySheepError, match="no stream that the journal knows"):
        calibration_from(runs, journal[1:])
    with pytest.raises(HolySheepError, match="no stream"):
        calibration_from(runs, [{**entry, "sent_s": []} for entry in journal])


def test_one_token_a_stream_has_no_inter_token_latency_to_calibrate() -> None:
    runs, journal = rounds([[0.003]] * 8)
    short = [
        replace(run, runs=tuple(replace(one, texts=one.texts[:1]) for one in run.runs))
        for run in runs
    ]
    found = calibration_from(short, [{**entry, "sent_s": TRUTH[:1]} for entry in journal])
    assert (found.itl_bias_s, found.itl_error_s) == (0.0, 0.0)


# --- what is known from then on

FOUND = Calibration(
    concurrency=4, streams=80, bias_s=0.0012, error_s=0.00034, itl_bias_s=0, itl_error_s=0.00002
)


def test_a_calibration_holds_for_its_own_load_alone_and_the_last_one_counts() -> None:
    assert Calibration.known(4) is None
    FOUND.remember()
    assert Calibration.known(4) is FOUND
    assert [Calibration.known(at) for at in (1, 3, 5)] == [None] * 3
    assert Calibration.known(4, stagger=False) is None
    better = replace(FOUND, error_s=0.00030)
    better.remember()
    assert Calibration.known(4) is better


def test_it_says_what_it_is_in_milliseconds() -> None:
    assert str(FOUND) == (
        "At 4 at once, on this machine: time to first token ± 0.34 ms after taking off "
        "1.20 ms, inter-token latency ± 0.020 ms (80 streams against the mock's journal)."
    )
    assert repr(FOUND) == str(FOUND)
    assert "At 4 at once, not staggered, on" in str(replace(FOUND, stagger=False))


# --- hs.calibrate()


@pytest.fixture
def mocks(monkeypatch: pytest.MonkeyPatch) -> list[MockProcess]:
    """The mocks that were started."""
    started: list[MockProcess] = []
    start = MockProcess.start

    def watched(**options: Any) -> MockProcess:
        started.append(start(**options))
        return started[-1]

    monkeypatch.setattr(measure.MockProcess, "start", watched)
    return started


@pytest.mark.process
def test_a_real_calibration_is_finite_and_remembered_and_its_mock_is_gone(
    mocks: list[MockProcess],
) -> None:
    found = hs.calibrate(runs=ROUNDS)
    assert (found.streams, found.concurrency) == (ROUNDS, 1)
    numbers = (found.bias_s, found.error_s, found.itl_bias_s, found.itl_error_s)
    assert all(map(isfinite, numbers))
    assert found.error_s >= LEAST_ERROR_S
    assert Calibration.known(1) is found
    (mock,) = mocks
    assert not mock.alive


@pytest.mark.process
def test_one_that_is_interrupted_leaves_neither_a_mock_nor_a_calibration(
    mocks: list[MockProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(self: Measurement) -> LatencyRun:
        self.stop("interrupted")
        return self.run()

    monkeypatch.setattr(Measurement, "run_in_thread", stopped)
    with pytest.raises(KeyboardInterrupt, match="nothing is calibrated"):
        hs.calibrate()
    assert [mock.alive for mock in mocks] == [False]
    assert Calibration.known(1) is None


@pytest.mark.process
@pytest.mark.parametrize(
    ("options", "said"),
    [
        *(({"runs": value}, "runs is .*: a whole number, 8 or more") for value in (0, 7, 9.0)),
        *(({"concurrency": value}, "concurrency is .*: a whole") for value in (0, -1, "4", True)),
        ({"max_tokens": 0}, "max_tokens is 0"),
        ({"concurrency": 401}, "concurrency, with runs=401, is 401"),
    ],
)
def test_numbers_that_can_not_be_are_refused(
    options: dict[str, Any], said: str, mocks: list[MockProcess]
) -> None:
    with pytest.raises(hs.InputError, match=said):
        hs.calibrate(**options)
    assert [mock for mock in mocks if mock.alive] == []
