"""Two measurements side by side, and one against targets: "can't tell" is an answer, too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import hypot, inf
from random import Random
from typing import Any

import pytest

import holysheep_helpers as hs
from holysheep_helpers.latency import stats
from holysheep_helpers.latency.data import Calibration
from holysheep_helpers.latency.run import Comparison, LatencyRun
from tests.support.latency_runs import FAILED, ladder, measured
from tests.support.streams import made, texts

TTFT = "time to first token"


def noisy(shift_ms: float = 0.0, count: int = 40, seed: int = 1) -> list[float]:
    draw = Random(seed)
    return [100 + shift_ms + draw.gauss(0, 5) for _ in range(count)]


def calibrated(bias_s: float, error_s: float) -> Calibration:
    return Calibration(
        concurrency=1, streams=40, bias_s=bias_s, error_s=error_s, itl_bias_s=0, itl_error_s=0
    )


# --- a difference


def pairs(shift_ms: float) -> Iterator[Comparison]:
    """Forty pairs of measurements, the second of each shifted."""
    for seed in range(0, 80, 2):
        yield measured(noisy(seed=seed)).compare(measured(noisy(shift_ms, seed=seed + 1)))


def test_a_known_shift_is_found() -> None:
    found = list(pairs(20.0))
    assert all(one.differs() for one in found)
    assert sum(one.rows["ttft_s"][1] < 0.020 < one.rows["ttft_s"][2] for one in found) >= 36
    middle, low, high = found[0].rows["ttft_s"]
    assert low < middle < high < low + 0.010
    assert found[0].verdict() == (
        f"{TTFT}: the second is {1000 * middle:.1f} ms longer "
        f"(95% interval {1000 * low:.1f} to {1000 * high:.1f} ms longer)"
    )
    back = Comparison(found[0].second, found[0].first)
    assert back.verdict().startswith(f"{TTFT}: the second is {1000 * middle:.1f} ms shorter (95%")


def test_what_was_drawn_from_one_thing_can_not_be_told_apart() -> None:
    found = list(pairs(0.0))
    same = [one for one in found if not one.differs()]
    assert len(same) >= 36
    _, low, high = same[0].rows["ttft_s"]
    assert low < 0 < high
    assert same[0].verdict() == (
        f"{TTFT}: no difference found (95% interval {1000 * low:.1f} to {1000 * high:.1f} ms)"
    )


def test_a_measurement_does_not_differ_from_itself() -> None:
    run = measured(noisy())
    assert run.compare(run).rows["ttft_s"][0] == 0.0
    assert not run.compare(run).differs()


def test_the_difference_turned_round_is_the_same_with_other_signs() -> None:
    first, second = measured(noisy()), measured(noisy(7, count=25, seed=3))
    known = [replace(first, calibration=calibrated(0.001, 0.0004))]
    known += [replace(second, calibration=calibrated(0.003, 0.0002))]
    for one, two in ((first, second), known):
        there, back = one.compare(two), two.compare(one)
        for name, (middle, low, high) in there.rows.items():
            assert back.rows[name] == pytest.approx((-middle, -high, -low)), name


@pytest.mark.parametrize("metric", ["ttft_s", "itl_s", "e2e_s"])
def test_it_is_that_of_the_medians_with_the_bootstraps_interval(metric: str) -> None:
    first, second = measured(noisy()), measured(noisy(3, seed=4))
    expected = stats.difference(first.values(metric), second.values(metric), "median")
    assert first.compare(second).rows[metric] == expected


def test_a_calibration_of_both_shifts_it_and_widens_it_by_their_errors() -> None:
    first, second = measured(noisy()), measured(noisy(3, seed=4))
    middle, low, high = first.compare(second).rows["ttft_s"]
    known = replace(first, calibration=calibrated(0.001, 0.0004)).compare(
        replace(second, calibration=calibrated(0.003, 0.0003))
    )
    unsure = hypot(0.0004, 0.0003)
    assert known.rows["ttft_s"] == pytest.approx(
        (middle - 0.002, low - 0.002 - unsure, high - 0.002 + unsure)
    )
    assert known.rows["e2e_s"] == first.compare(second).rows["e2e_s"]
    half = replace(first, calibration=calibrated(0.001, 0.0004)).compare(second)
    assert half.rows["ttft_s"] == (middle, low, high)


@pytest.mark.parametrize("runs", [1, 5])
def test_a_handful_of_runs_is_too_few_to_tell(runs: int) -> None:
    found = measured(ladder(100, runs)).compare(measured(ladder(900, 40)))
    assert not found.differs()
    assert found.verdict() == f"{TTFT}: too few runs to tell (6 of each are the least)"
    assert measured(ladder(100, 6)).compare(measured(ladder(900, 6))).differs()


# --- failures


def test_as_many_failures_as_answers_leave_no_median_to_compare() -> None:
    good, bad = measured(noisy()), measured(noisy(count=20), failed=20)
    assert good.compare(bad).rows["ttft_s"][0] == inf
    assert "half or more failed" in good.compare(bad).verdict()
    assert "half or more failed" in bad.compare(bad).verdict()
    assert "half or more failed" in bad.compare(good).verdict()


def test_a_few_failures_widen_the_interval_and_are_said() -> None:
    good, some = measured(noisy()), measured(noisy(seed=2, count=36), failed=4)
    found = good.compare(some)
    assert not found.differs()
    assert "Note: failed: 0% of the first, 10% of the second." in found.notes
    assert not any("Failed" in note for note in good.compare(good).notes)


# --- what makes two unlike


def test_unlike_loads_lengths_and_settings_are_said() -> None:
    first = measured(noisy(), settings={"host": "a", "measured_at": "monday"})
    assert first.compare(first).notes == []
    assert (
        first.compare(replace(first, settings={"host": "a", "measured_at": "friday"})).notes == []
    )
    other = replace(first, concurrency=4, settings={"host": "b"})
    assert first.compare(other).notes == [
        "Note: under unlike load: closed loop, 1 at once, and closed loop, 4 at once.",
        "Note: not the same host: a, and b.",
    ]


@pytest.mark.parametrize(("tokens", "said"), [(105, False), (106, True), (94, True), (96, False)])
def test_answers_of_unlike_length_are_said(tokens: int, said: bool) -> None:
    def of(count: int) -> LatencyRun:
        streams = [made(index=n, texts=texts([0.1, 1.0]), output_tokens=count) for n in range(9)]
        return LatencyRun(model="m", runs=tuple(streams), elapsed_s=9.0)

    notes = of(100).compare(of(tokens)).notes
    assert (f"Note: answers of unlike length, 100 and {tokens} tokens" in "".join(notes)) == said


def test_runs_that_have_no_such_metric_are_counted() -> None:
    whole = measured(ladder(100, 8))
    silent = replace(whole, runs=(*whole.runs[:6], *(made(index=n) for n in (6, 7))))
    assert "Note: time to first token: of 8 runs of 8, and of 6 of 8; the others have none." in (
        whole.compare(silent).notes
    )


# --- how it is shown, and what is refused


def test_its_data_frame_is_in_milliseconds() -> None:
    first, second = measured(ladder(100)), measured(ladder(150))
    frame = first.compare(second).frame
    row = frame.loc[TTFT]
    assert [row["first"], row["second"], row["difference"]] == pytest.approx([109.5, 159.5, 50.0])
    assert row["low"] < 50 < row["high"]
    assert list(frame["differs"]) == [True, False, True]
    assert list(frame.index) == [TTFT, "inter-token latency", "end to end"]


def test_its_text_names_both_and_gives_a_verdict_on_each_metric() -> None:
    first, second = measured(ladder(100)), replace(measured(ladder(150)), model="n")
    lines = str(first.compare(second)).splitlines()
    assert lines[0] == "first: m, closed loop, 1 at once; second: n, closed loop, 1 at once"
    assert [line.partition(":")[0] for line in lines[1:]] == [
        *(TTFT, "inter-token latency", "end to end")
    ]
    assert "\n".join(lines) == repr(first.compare(second))


def test_what_can_not_be_compared_is_refused() -> None:
    run = measured(ladder(100))
    with pytest.raises(hs.InputError, match="there is nothing to compare"):
        run.compare(LatencyRun(model="m", runs=()))
    wrong: Any = 5
    with pytest.raises(hs.InputError, match=r"A int was given: an hs\.LatencyRun is needed"):
        run.compare(wrong)


# --- targets


def targets(**known: Any) -> LatencyRun:
    """100, 200, 300 ms to the first token from the start, of which 50 ms were waited; 10 ms each;
    one failure, one token alone, one without usage, one empty; an end a second."""
    times = [0.05, 0.15, 0.25]
    runs = [
        made(
            due_s=0, called_s=0.05, sent_s=0.05, texts=texts([0.05 + at_s, 0.06 + at_s]),
            handed_on_s=0.05 + at_s, output_tokens=2,
        )
        for at_s in times
    ]  # fmt: skip
    quick = {"handed_on_s": 0.01, "texts": texts([0.01])}
    runs += [FAILED, made(**quick, output_tokens=1)]
    runs += [made(handed_on_s=0.01, texts=texts([0.01, 0.02])), made(output_tokens=0)]
    placed = [replace(run, index=n, done_s=n + 1.0) for n, run in enumerate(runs)]
    return LatencyRun(model="m", runs=tuple(placed), elapsed_s=7.0, **known)


@pytest.mark.parametrize(
    ("asked", "met"),
    [
        ({"ttft_s": 0.2}, 4),  # two of three, one token, no usage; not the empty one
        ({"ttft_s": 0.199}, 3),
        ({"itl_s": 0.011}, 4),  # one token is met, no usage is not known, an empty one is not
        ({"itl_s": 0.009}, 1),
        ({"e2e_s": 2.0}, 2),
        ({"e2e_s": 7.0}, 6),
        ({"ttft_s": 0.2, "itl_s": 0.011}, 3),
        ({"ttft_s": 0.2, "itl_s": 0.011, "e2e_s": 2.5}, 2),
        ({"ttft_s": 100.0, "itl_s": None}, 5),
    ],
)
def test_goodput_counts_the_runs_that_meet_every_target(asked: dict[str, Any], met: int) -> None:
    found = targets().goodput(**asked)
    assert (found.met, found.runs) == (met, 7)
    assert found.share == pytest.approx(met / 7)
    assert found.requests_per_s == pytest.approx(met / 7)  # of one a second


def test_goodput_is_a_share_of_the_ends_a_second() -> None:
    found = targets().goodput(ttft_s=0.2)
    assert (
        str(found) == repr(found) == ("4 of 7 runs (57%) meet every target: 0.57 requests a second")
    )
    none = LatencyRun(model="m", runs=()).goodput(ttft_s=1.0)
    assert (none.share, none.requests_per_s) == (0.0, 0.0)


@pytest.mark.parametrize("value", [0, -0.1, inf, float("nan"), "0.2", True, [1]])
@pytest.mark.parametrize("name", ["ttft_s", "itl_s", "e2e_s"])
def test_what_is_no_target_is_refused_by_its_own_name(name: str, value: Any) -> None:
    with pytest.raises(
        hs.InputError, match=rf"^{name} is .*: a number of seconds, more than 0, is needed"
    ):
        targets().goodput(**{name: value})


def test_no_target_at_all_is_refused() -> None:
    with pytest.raises(hs.InputError, match="No target was given"):
        targets().goodput()
