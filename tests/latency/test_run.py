"""What a measurement holds: as numbers, as a data frame, as a file, and two of them as one."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from math import inf, isnan
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import holysheep_helpers as hs
from holysheep_helpers.latency.data import Calibration, Text
from holysheep_helpers.latency.run import LatencyRun
from tests.support.streams import made, texts
from tests.support.virtual_wire import KEY, PROMPT, Wire

GOOD = made(
    due_s=1.0, called_s=1.002, connect_s=0.010, sent_s=1.015, handed_on_s=1.119, done_s=1.400,
    texts=(*texts([1.115], "reasoning"), *texts([1.215, 1.315])), new_connection=True, chunks=6,
    prompt_tokens=7, output_tokens=3, reasoning_tokens=1, finish_reason="stop", id="x",
    cost_usd=Decimal("0.0000018"),
)  # fmt: skip


FAILED = made(index=1, error="429", done_s=0.2)


EMPTY = made(index=2, done_s=0.5, output_tokens=0)


CALIBRATION = Calibration(
    concurrency=1, streams=40, bias_s=0.0007, error_s=0.0003, itl_bias_s=0.0, itl_error_s=0.00001
)


def run_of(*runs: Any, **known: Any) -> LatencyRun:
    return LatencyRun(**{"model": "m", "runs": runs, "elapsed_s": 2.0, "asked": len(runs), **known})


@pytest.fixture(autouse=True)
def nothing_is_calibrated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Calibration, "_known", {})


# --- numbers


def test_a_failure_is_an_infinite_latency_and_no_speed_and_what_is_missing_is_left_out() -> None:
    run = run_of(GOOD, FAILED, EMPTY)
    assert run.values("ttft_s") == pytest.approx([0.1, inf])
    assert run.values("answer_ttft_s") == pytest.approx([0.2, inf])
    assert run.values("itl_s") == pytest.approx([0.1, inf])
    assert run.values("e2e_s") == pytest.approx([0.4, inf, 0.5])
    assert run.values("wire_s") == pytest.approx([0.3, inf])
    assert run.values("user_ttft_s") == pytest.approx([0.119, inf])
    assert run.values("decode_tokens_per_s") == pytest.approx([10.0, 0.0])
    assert run.values("tokens_per_s") == pytest.approx([7.5, 0.0, 0.0])
    assert run.values("client_s") == pytest.approx([0.007])
    assert run.values("tokens_per_chunk") == [1.0]
    assert run.values("connect_s") == pytest.approx([0.010, 0.0])


@pytest.mark.parametrize("metric", ["ttft", "ttft_ms", "", "gaps_s", "index"])
def test_a_metric_that_there_is_not_is_refused_with_those_that_there_are(metric: str) -> None:
    with pytest.raises(hs.InputError, match=rf"no metric '{metric}': allowed are ttft_s, answer"):
        run_of(GOOD).values(metric)


def test_what_is_said_of_a_load() -> None:
    closed = run_of(GOOD, FAILED, concurrency=4)
    assert closed.label == "m, closed loop, 4 at once"
    assert repr(closed) == "<LatencyRun m, closed loop, 4 at once: 2 runs, 1 failed>"
    assert run_of(GOOD, rate_per_s=2.5).how == "open loop, 2.5 a second"
    assert len(closed) == 2
    assert closed.failed == [FAILED]


def test_most_at_once_counts_those_under_way_together() -> None:
    spans = [(0.0, 1.0), (1.0, 2.0), (1.5, 3.0), (1.9, 2.1), (3.0, 4.0)]
    runs = [made(index=n, called_s=a, done_s=b) for n, (a, b) in enumerate(spans)]
    assert run_of(*runs).most_at_once == 3
    assert run_of(*runs[:2]).most_at_once == 1
    assert run_of().most_at_once == 0


def test_the_cost_is_that_of_the_warm_up_too_as_far_as_it_is_known() -> None:
    run = run_of(GOOD, EMPTY, warmups=(GOOD, FAILED))
    assert run.cost_usd == Decimal("0.0000036")
    assert isinstance(run_of().cost_usd, Decimal)


def test_ends_a_second_are_counted_between_the_first_end_and_the_last() -> None:
    runs = [made(index=n, done_s=3.0 + n / 2) for n in range(5)]
    run = run_of(*runs, elapsed_s=5.0)
    assert run.ended_per_s == 2.0
    assert run.answers_per_s == 2.0
    assert run_of(*runs[:4], replace(FAILED, done_s=5.0)).answers_per_s == pytest.approx(1.6)
    assert run_of(GOOD, elapsed_s=4.0).ended_per_s == 0.25
    assert run_of().ended_per_s == run_of(elapsed_s=0.0).answers_per_s == 0.0


def test_the_client_is_the_bottleneck_where_it_is_busy_or_adds_a_quarter_of_the_wait() -> None:
    slow = made(sent_s=0.020, texts=texts([0.080]), handed_on_s=0.100)  # 40 of 100 ms are its own
    assert run_of(slow).client_share == pytest.approx(0.4)
    assert run_of(slow).client_is_bottleneck
    assert run_of(slow, FAILED, EMPTY).client_share == pytest.approx(0.4)
    assert not run_of(GOOD).client_is_bottleneck
    assert not run_of(GOOD, busy=0.69).client_is_bottleneck
    assert run_of(GOOD, busy=0.7).client_is_bottleneck
    assert run_of(FAILED).client_share == 0.0


# --- a data frame


def test_a_data_frame_has_a_row_for_each_run_in_milliseconds() -> None:
    frame = run_of(GOOD, FAILED, EMPTY).to_frame()
    good = frame.loc[0]
    assert good["start_s"] == 1.0
    for name, value in {
        "ttft": 100, "answer_ttft": 200, "itl": 100, "e2e": 400, "wire": 300, "user_ttft": 119,
        "client": 7, "client_before": 3, "client_after": 4, "connect": 10, "wait": 2,
        "longest_gap": 100,
    }.items():  # fmt: skip
        assert good[f"{name}_ms"] == pytest.approx(value), name
    assert [good["output_tokens"], good["reasoning_tokens"], good["chunks"]] == [3, 1, 6]
    assert [good["tokens_per_chunk"], good["decode_tokens_per_s"]] == pytest.approx([1.0, 10.0])
    assert good["new_connection"]
    assert good["finish_reason"] == "stop"
    assert pd.isna(good["error"])
    assert good["notes"] == ""
    failed, empty = frame.loc[1], frame.loc[2]
    assert failed["ttft_ms"] == failed["e2e_ms"] == inf
    assert failed["tokens_per_s"] == 0.0
    assert isnan(failed["client_ms"])
    assert (failed["error"], failed["notes"]) == ("429", "failed: 429")
    assert pd.isna(failed["output_tokens"])
    assert isnan(empty["ttft_ms"])
    assert empty["e2e_ms"] == 500
    assert empty["notes"] == "no text came: no time to first token"


@pytest.mark.parametrize("runs", [(GOOD, FAILED, EMPTY), (FAILED,), ()])
def test_its_columns_and_their_types_are_always_the_same(runs: tuple[Any, ...]) -> None:
    frame = run_of(*runs).to_frame()
    times = [name for name in frame.columns if name.endswith(("_ms", "_s", "_per_chunk"))]
    assert {"ttft_ms", "itl_ms", "e2e_ms", "client_ms", "tokens_per_chunk"} <= set(times)
    assert {str(frame[name].dtype) for name in times} == {"float64"}
    assert {str(frame[name].dtype) for name in ("output_tokens", "chunks")} == {"Int64"}
    assert {str(frame[name].dtype) for name in ("error", "finish_reason", "notes")} == {"str"}
    assert str(frame["new_connection"].dtype) == "bool"
    assert frame.index.name == "run"
    assert list(frame.index) == [run.index for run in runs]


# --- a file


def measured(**options: Any) -> LatencyRun:
    wire = Wire().script(*[None] * 4, 503, {"kind": "end_early", "after": 2}, {"kind": "reasoning"})
    return wire.measure(6, warmup=2, **options)


@pytest.mark.parametrize("options", [{}, {"concurrency": 2}, {"rate_per_s": 20.0}])
def test_what_is_saved_is_loaded_as_it_was(options: dict[str, Any], tmp_path: Path) -> None:
    run = replace(measured(**options), calibration=CALIBRATION, under_way_s=(0.25, 0.5))
    run.save(tmp_path / "run.json")
    loaded = hs.LatencyRun.load(tmp_path / "run.json")
    assert loaded == run
    assert isinstance(loaded, LatencyRun)
    assert isinstance(loaded.runs[0].texts[0], Text)
    assert isinstance(loaded.runs[0].cost_usd, Decimal)
    assert {stream.error for stream in loaded.runs} == {None, "503", "IncompleteStreamError"}
    assert str(loaded.summary()) == str(run.summary())


def test_a_saved_file_holds_no_prompt_no_answer_and_no_key(tmp_path: Path) -> None:
    run = replace(measured(), settings={"prompts": "a1b2c3"})
    run.save(tmp_path / "run.json")
    content = (tmp_path / "run.json").read_text("utf-8")
    assert KEY not in content
    for words in (PROMPT, "streaming", "[canned", "reply"):
        assert words not in content
    assert json.loads(content)["runs"][0]["chunks"] == 8


def test_it_is_the_same_file_on_every_system(tmp_path: Path) -> None:
    run_of(replace(GOOD, model="모델")).save(str(tmp_path / "run.json"))
    content = (tmp_path / "run.json").read_bytes()
    assert "모델".encode() in content
    assert b"\r" not in content
    assert content.endswith(b"}\n")


SAVED: dict[str, Any] = {"kind": "holysheep latency", "version": 1}


@pytest.mark.parametrize(
    "content",
    [
        *("", "no JSON", "null", "[]", "{}", "5", '"text"', '{"kind": "holysheep latency"}'),
        json.dumps(SAVED),
        json.dumps({**SAVED, "calibration": None, "runs": [], "warmups": [], "model": "m"}),
        json.dumps({**SAVED, "calibration": None, "runs": [{}], "warmups": [], "model": "m"}),
    ],
)
def test_any_other_file_is_refused(content: str, tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_text(content, "utf-8")
    with pytest.raises(hs.InputError, match=r"other\.json is no measurement .* LatencyRun\.save"):
        LatencyRun.load(file)


def test_a_file_that_is_changed_by_hand_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    run_of(GOOD, calibration=CALIBRATION, under_way_s=(1.0,)).save(file)
    whole = json.loads(file.read_text("utf-8"))
    for change in (
        {"runs": [{**whole["runs"][0], "cost_usd": "a lot"}]},
        {"runs": [{**whole["runs"][0], "more": 1}]},
        {"runs": [{**whole["runs"][0], "texts": [[1.0]]}]},
        {"runs": 5},
        {"version": 2},
        {"kind": "holysheep batch"},
        {"calibration": {"concurrency": 1}},
        {"under_way_s": None},
        {"more": 1},
    ):
        file.write_text(json.dumps(whole | change), "utf-8")
        with pytest.raises(hs.InputError, match="is no measurement"):
            LatencyRun.load(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(hs.InputError, match="is no measurement"):
        LatencyRun.load(file)


def test_a_file_that_is_not_there_is_the_systems_own_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        LatencyRun.load(tmp_path / "none.json")


# --- two as one


def test_two_measurements_of_one_kind_are_one() -> None:
    first, second = measured(), measured()
    both = first + second
    assert len(both) == 12
    assert [run.index for run in both.runs] == list(range(12))
    assert both.elapsed_s == pytest.approx(2 * first.elapsed_s)
    assert both.values("ttft_s") == pytest.approx(2 * first.values("ttft_s"))
    assert both.values("client_s") == pytest.approx(2 * first.values("client_s"))
    assert both.most_at_once == first.most_at_once == 1
    assert (both.asked, len(both.warmups)) == (12, 4)
    assert both.cost_usd == 2 * first.cost_usd
    assert both.runs[6].due_s == pytest.approx(first.elapsed_s)


def test_what_is_said_of_either_holds_for_both() -> None:
    first = run_of(GOOD, busy=0.2, elapsed_s=1.0, clock_step_s=0.0156, under_way_s=(1.0,))
    second = run_of(GOOD, busy=0.5, elapsed_s=3.0, stopped_by="stopped", under_way_s=(2.0,))
    both = first + second
    assert both.busy == pytest.approx((0.2 + 1.5) / 4)
    assert (both.clock_step_s, both.stopped_by) == (0.0156, "stopped")
    assert both.under_way_s == (1.0, 2.0)
    known = [replace(run, calibration=CALIBRATION) for run in (first, second)]
    assert (known[0] + known[1]).calibration == CALIBRATION
    assert (known[0] + second).calibration is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": "n"}, "are no one measurement"),
        ({"concurrency": 2}, "are no one measurement"),
        ({"rate_per_s": 2.0}, "are no one measurement"),
        ({"settings": {"max_tokens": 50}}, "not the same max_tokens: 40, and 50"),
    ],
)
def test_unlike_measurements_are_not_made_one(change: dict[str, Any], said: str) -> None:
    first = run_of(GOOD, settings={"max_tokens": 40, "measured_at": "monday"})
    assert len(first + replace(first, settings={"max_tokens": 40, "measured_at": "friday"})) == 2
    with pytest.raises(hs.InputError, match=said):
        _ = first + replace(first, **change)
    with pytest.raises(TypeError):
        _ = first + 5  # pyright: ignore[reportOperatorIssue]


# --- what is known of the instrument


def test_a_measurement_carries_the_calibration_of_its_own_load() -> None:
    assert Wire().measure(3).calibration is None
    CALIBRATION.remember()
    assert Wire().measure(3).calibration == CALIBRATION
    assert Wire().measure(8, concurrency=2).calibration is None
    replace(CALIBRATION, concurrency=2, stagger=False).remember()
    assert Wire().measure(8, concurrency=2).calibration is None
    assert Wire().measure(3, rate_per_s=0.5).calibration == CALIBRATION  # one at a time
    assert Wire().measure(9, rate_per_s=50.0).calibration is None
