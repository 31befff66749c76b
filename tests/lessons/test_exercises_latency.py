"""The checks of lessons 5's and 6's exercises."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import holysheep_helpers as hs
from holysheep_helpers.latency.data import Text
from holysheep_helpers.mock.handle import MockHandle
from tests.support.exercises import judge

ASK: dict[str, Any] = {"max_tokens": 20, "progress": False, "warmup": 0}


def test_05a_wants_runs_enough_for_a_p95(gw: hs.Gateway, mock: MockHandle) -> None:
    judge("05a", hs.measure_latency(gw, "hello", runs=19, **ASK), right=False, says="19 runs")
    judge(
        "05a",
        hs.measure_latency(gw, "hello", runs=20, **ASK),
        right=True,
        says="the smallest useful number",
    )
    mock.script([None, 503])
    failed = hs.measure_latency(gw, "hello", runs=20, **ASK)
    judge("05a", failed, right=False, says="1 run failed")
    judge("05a", failed.runs, right=False, says="hand over the LatencyRun")


@pytest.mark.parametrize(
    ("answer", "right", "says"),
    [
        (2.5, True, "40 / 16 = 2.5 s"),
        (0.5, False, "only the work"),
        (20, False, "20 is not it"),
        ("2.5", False, "a number is needed"),
    ],
)
def test_06a_wants_littles_law(answer: Any, right: bool, says: str) -> None:
    judge("06a", answer, right=right, says=says)


def bundled() -> hs.TimedStream:
    """Five chunks of four tokens: one after 0.2 s, the others 0.1 s apart; done after 0.7 s."""
    texts = tuple(Text(0.2 + 0.1 * n, 9, "answer") for n in range(5))
    return hs.TimedStream(
        index=0, model="m", due_s=0.0, called_s=0.0, sent_s=0.0, handed_on_s=0.2, done_s=0.7,
        texts=texts, chunks=7, output_tokens=20, finish_reason="stop",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("speed", "right", "says"),
    [
        (16 / 0.4, True, "the tokens after the first chunk"),
        (5 / 0.7, False, "chunks, divided by the whole time"),
        (5 / 0.4, False, "those are chunks per second"),
        (20 / 0.7, False, "divides by the whole time"),
        (20 / 0.4, False, "the tokens of the first chunk came before"),
        (19 / 0.4, False, "Leave all of them out"),
        (1000.0, False, "that is not it"),
        (None, False, "your function returns None"),
        ("fast", False, "hand over both"),
    ],
)
def test_05b_wants_the_tokens_after_the_first_chunk(speed: Any, right: bool, says: str) -> None:
    judge("05b", (bundled(), lambda stream: speed), right=right, says=says)


def test_05b_wants_the_stream_of_the_cell(gw: hs.Gateway) -> None:
    plain = hs.measure_latency(gw, "hello", runs=1, **ASK).runs[0]
    judge("05b", (plain, lambda stream: 1.0), right=False, says="one token each")
    broken = replace(bundled(), error="503")
    judge("05b", (broken, lambda stream: 1.0), right=False, says="one token each")
    judge("05b", 40.0, right=False, says="hand over both")


def test_05b_tells_a_stream_that_was_read_at_one_moment_from_one_that_bundles_nothing() -> None:
    late = tuple(Text(0.6, 9, "answer") for _ in range(5))
    judge(
        "05b",
        (replace(bundled(), texts=late), lambda stream: 40.0),
        right=False,
        says="Run the cell again",
    )


def test_a_share_counts_the_runs_that_failed(gw: hs.Gateway, mock: MockHandle) -> None:
    mock.script([None, 503])
    mixed = hs.measure_latency(gw, "hello", runs=4, **ASK)
    sound = hs.measure_latency(gw, "hello", runs=2, **ASK)

    def right(run: hs.LatencyRun, limit_s: float) -> float:
        return run.goodput(ttft_s=limit_s).share

    def forgets(run: hs.LatencyRun, limit_s: float) -> float:
        times = [one.user_ttft_s for one in run.runs if not one.failed]
        return sum((time_s or 0) <= limit_s for time_s in times) / len(times)

    judge("06b", (mixed, right), right=True, says="it counts among all runs")
    judge("06b", (mixed, forgets), right=False, says="for 3600 s, your function returns 100%. 75%")
    judge("06b", (mixed, lambda run, limit_s: 0.75), right=False, says="your function returns 75%")
    judge("06b", (mixed, lambda run, limit_s: 75), right=False, says="returns 75, and not a share")
    judge("06b", (sound, right), right=False, says="Keep the lines above")
    judge("06b", right, right=False, says="hand over both")
