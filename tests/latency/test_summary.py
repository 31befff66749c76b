"""What a summary says: nothing that the sample does not carry, and all that one must know."""

from __future__ import annotations

from dataclasses import replace
from math import inf, isnan
from typing import Any

import numpy as np
import pytest

import holysheep_helpers as hs
from holysheep_helpers.latency import stats
from holysheep_helpers.latency.data import Calibration
from holysheep_helpers.latency.run import LatencyRun, LatencySummary, ms
from tests.support.latency_runs import FAILED, ladder, measured
from tests.support.streams import made, texts

TTFT = "time to first token"


CALIBRATION = Calibration(
    concurrency=1, streams=40, bias_s=0.002, error_s=0.0005, itl_bias_s=0.0, itl_error_s=0.00001
)


def row(run: LatencyRun, name: str = TTFT) -> Any:
    return run.summary().frame.loc[name]


def notes(run: LatencyRun) -> str:
    return "\n".join(run.summary().notes)


# --- numbers


def test_the_numbers_are_those_of_the_sample() -> None:
    found = row(measured(ladder(100)))
    assert found["runs"] == 20
    assert found["mean"] == pytest.approx(109.5)
    assert found["median"] == pytest.approx(109.5)
    assert found["p90"] == pytest.approx(117.1)
    assert found["p95"] == pytest.approx(118.05)
    end_to_end = row(measured(ladder(100)), "end to end")
    assert end_to_end["mean"] == pytest.approx(209.5)
    assert row(measured(ladder(100)), "inter-token latency")["median"] == pytest.approx(100.0)
    assert row(measured(ladder(100)), "added by the client")["median"] == pytest.approx(1.0)


def test_the_intervals_are_bootstrapped_and_widened_for_a_small_sample() -> None:
    times_s = [(100 + n**1.5) / 1000 for n in range(12)]
    found = row(measured([1000 * value for value in times_s]))
    level = stats.widened_level(0.95, 12)
    for statistic in ("mean", "median"):
        low, high = stats.interval(sorted(times_s), statistic, level=level)
        assert found[f"{statistic}_low"] == pytest.approx(1000 * low)
        assert found[f"{statistic}_high"] == pytest.approx(1000 * high)
        assert found[f"{statistic}_low"] < found[statistic] < found[f"{statistic}_high"]
    assert found["p90_low"] <= found["p90"] <= found["p90_high"]


@pytest.mark.parametrize(
    ("runs", "carried"),
    [
        *((1, []), (9, []), (10, ["p90"]), (19, ["p90"]), (20, ["p90", "p95"])),
        *((99, ["p90", "p95"]), (100, ["p90", "p95", "p99"])),
    ],
)
def test_a_percentile_is_shown_where_the_sample_carries_it(runs: int, carried: list[str]) -> None:
    run = measured(ladder(100, runs))
    found = row(run)
    assert [name for name in ("p90", "p95", "p99") if not isnan(found[name])] == carried
    missing = [name for name in ("p90", "p95", "p99") if name not in carried]
    needed = {"p90": 10, "p95": 20, "p99": 100}
    said = ", ".join(f"{name} needs {needed[name]} runs" for name in missing)
    assert (f"Not shown: {said}." in notes(run)) == bool(missing)
    assert ("Not shown" in notes(run)) == bool(missing)


@pytest.mark.parametrize("runs", [1, 2, 5, 6])
def test_fewer_than_six_runs_have_no_interval(runs: int) -> None:
    found = row(measured(ladder(100, runs)))
    ends = [found[f"{name}_{end}"] for name in ("mean", "median") for end in ("low", "high")]
    assert [isnan(end) for end in ends] == [runs < 6] * 4
    assert found["mean"] == pytest.approx(np.mean(ladder(100, runs)))


# --- failures


def test_failures_are_infinite_in_median_and_percentiles_and_not_in_the_mean() -> None:
    run = measured(ladder(100, 18), failed=2)
    found = row(run)
    assert found["runs"] == 20
    assert found["mean"] == pytest.approx(108.5)
    assert 100 < found["mean_low"] < 108.5 < found["mean_high"] < 118
    assert found["median"] == pytest.approx(109.5)
    assert found["p90"] == found["p95"] == inf
    assert (
        "Note: 2 of 20 failed (2 x 429): infinite in median and percentiles, not in the mean"
        in (notes(run))
    )
    assert "failed: 429" not in notes(run)  # said once
    assert "∞" in str(run.summary())


def test_each_kind_of_failure_is_counted_apart() -> None:
    kinds = ["429", "503", "429", "IncompleteStreamError"]
    runs = [replace(FAILED, index=n, error=error) for n, error in enumerate(kinds)]
    run = replace(measured(ladder(100, 4)), runs=tuple(runs))
    assert "4 of 4 failed (2 x 429, 1 x 503, 1 x IncompleteStreamError)" in notes(run)
    found = row(run)
    assert isnan(found["mean"])
    assert found["median"] == inf
    assert "in all 0.00 answers/s" not in notes(run)


def test_a_warm_up_that_failed_is_said() -> None:
    run = measured(ladder(100), warmups=(FAILED, FAILED, measured([100]).runs[0]))
    assert "Note: 2 of 3 warm-ups failed." in notes(run)
    assert "3 warm-ups left out" in run.summary().headline


# --- what else is said


def test_the_headline_says_what_was_run() -> None:
    run = measured(ladder(100), concurrency=4)
    assert run.summary().headline == "m, closed loop, 4 at once: 20 runs in 10.0 s, no warm-up"
    one = measured([100], warmups=(FAILED,), rate_per_s=2.0)
    assert one.summary().headline == (
        "m, open loop, 2 a second: 1 run in 10.0 s, 1 warm-up left out"
    )


def test_an_open_loop_shows_the_wait_from_the_intended_start_first() -> None:
    late = made(called_s=0.3, sent_s=0.3, texts=texts([0.4, 0.5]), handed_on_s=0.4, done_s=0.6)
    run = LatencyRun(model="m", runs=(late,), rate_per_s=2.0, elapsed_s=1.0)
    names = list(run.summary().frame.index)
    assert names[:2] == ["first token, from the intended start", TTFT]
    assert row(run, names[0])["median"] == pytest.approx(400.0)
    assert row(run)["median"] == pytest.approx(100.0)
    assert names[0] not in run_of_one(late).summary().frame.index


def run_of_one(stream: Any, **known: Any) -> LatencyRun:
    return LatencyRun(model="m", runs=(stream,), elapsed_s=1.0, **known)


def test_reasoning_has_a_row_of_its_own_for_the_answer() -> None:
    thinking = made(texts=(*texts([0.1], "reasoning"), *texts([0.5])), output_tokens=2)
    assert row(run_of_one(thinking), "time to first answer token")["median"] == 500
    assert "time to first answer token" not in measured([100]).summary().frame.index


def test_what_the_streams_have_to_say_is_counted() -> None:
    bundled = made(texts=texts([0.1 * n for n in range(1, 11)]), output_tokens=40)
    run = LatencyRun(model="m", runs=(bundled, bundled, made(texts=texts([0.1]))), elapsed_s=1.0)
    said = notes(run)
    assert "chunks bundle tokens: gaps are not inter-token latency (2 of 3 runs)" in said
    assert "no usage came: tokens, and times per token, are unknown (1 of 3 runs)" in said
    assert "inter-token latency, 2 runs" in str(run.summary())


def test_new_connections_are_counted() -> None:
    run = measured(ladder(100, 3))
    assert "new connection" not in notes(run)
    opened = tuple(replace(stream, new_connection=stream.index < 2) for stream in run.runs)
    assert "2 of 3 runs opened a new connection." in notes(replace(run, runs=opened))


def test_a_measurement_that_was_stopped_says_so() -> None:
    run = measured(ladder(100), stopped_by="interrupted", asked=50, under_way_s=(0.2, 3.4))
    assert "Stopped early (interrupted): 50 runs were asked for." in notes(run)
    assert "Note: 2 runs in flight left out, the longest after 3,400.0 ms" in notes(run)
    assert "Note: 1 run in flight left out" in notes(replace(run, under_way_s=(0.2,)))
    assert "Note: " not in notes(measured(ladder(100)))


def test_speeds_are_medians_and_those_of_all_runs_together() -> None:
    said = notes(measured(ladder(100)))  # 2 tokens each, 100 ms apart; an end a second
    assert "Decode speed 10.0 tokens/s" in said
    assert "throughput 9.5 tokens/s a stream (medians)" in said
    assert "in all 1.00 answers/s, 2.0 tokens/s" in said


# --- the instrument's own error


def test_without_a_calibration_the_error_is_unknown_and_the_way_to_know_it_is_said() -> None:
    assert "The error of this client is unknown: hs.calibrate() states it." in notes(
        measured(ladder(100))
    )
    assert "hs.calibrate(4) states it" in notes(measured(ladder(100), concurrency=4))


def test_with_one_the_bias_is_taken_off_and_both_errors_are_in_the_interval() -> None:
    run = measured(ladder(100), calibration=CALIBRATION)
    said = notes(run)
    assert "Time to first token ± 0.50 ms at 1 at once on this machine" in said
    assert "after taking off 2.00 ms" in said
    assert "mean 107.5 ms, with the sample's own error" in said
    assert "unknown" not in said
    found = row(run)
    low = 107.5 - np.hypot(109.5 - found["mean_low"], 0.5)
    high = 107.5 + np.hypot(found["mean_high"] - 109.5, 0.5)
    assert f"own error {low:.1f} to {high:.1f} ms." in said
    assert found["mean"] == pytest.approx(109.5)  # the table shows what was measured
    few = measured(ladder(100, 5), calibration=CALIBRATION)
    assert "mean 100.0 ms." in notes(few)  # and no interval


def test_a_client_that_is_the_bottleneck_and_a_coarse_clock_are_warned_of() -> None:
    run = measured(ladder(100), busy=0.83, clock_step_s=0.0156)
    assert (
        "Note: the client itself is the bottleneck: busy 83% of the time, and 1% of the wait"
        in (notes(run))
    )
    assert "Note: the clock moves in steps of 15.6 ms" in notes(run)
    assert "bottleneck" not in notes(measured(ladder(100), busy=0.5))


# --- how it is shown


def test_its_text_is_a_table_whose_columns_stand_below_each_other() -> None:
    summary = measured(ladder(100)).summary()
    head, *rows = str(summary).splitlines()[1:5]
    assert " ".join(head.split()) == "ms mean 95% interval median 95% interval p90 p95 p99"
    assert {len(line) for line in rows} == {len(head)}
    assert rows[0].startswith(TTFT)
    assert rows[0].split()[-3:] == ["117.1", "118.0", "–"]
    assert repr(summary) == str(summary)
    assert str(summary).splitlines()[0] == summary.headline
    assert str(summary).splitlines()[-1] == summary.notes[-1]


def test_its_html_says_the_same_and_lets_no_name_become_markup() -> None:
    run = replace(measured(ladder(100)), model="<script>alert(1)</script>")
    page = run.summary()._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;, closed loop" in page
    assert page.count("<tr>") == 1 + len(run.summary().rows)
    assert ">117.1</td>" in page
    failed = replace(FAILED, error="<b>odd</b>")
    assert "<b>odd</b>" not in run_of_one(failed).summary()._repr_html_()


@pytest.mark.parametrize(
    ("value_s", "digits", "shown"),
    [
        *((0.1234, 1, "123.4"), (0.1234, 2, "123.40"), (12.3456, 1, "12,345.6")),
        *((None, 1, "–"), (inf, 1, "∞"), (-inf, 1, "−∞"), (-0.0012, 1, "-1.2")),
        *((-1e-9, 1, "0.0"), (-0.00004, 2, "-0.04")),
    ],
)
def test_milliseconds_for_people(value_s: float | None, digits: int, shown: str) -> None:
    assert ms(value_s, digits) == shown


def test_nothing_can_be_summed_up_of_nothing() -> None:
    with pytest.raises(hs.InputError, match="Nothing was measured"):
        LatencySummary(LatencyRun(model="m", runs=()))
