"""``calibrate()``: streams whose times are known are measured, and the difference is stated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import fmean, stdev
from typing import Any

import openai

from holysheep_helpers._checks import check_whole
from holysheep_helpers.calibration import Calibration, remember
from holysheep_helpers.exceptions import HolySheepError
from holysheep_helpers.latency_run import LatencyRun
from holysheep_helpers.mock.process import MockProcess
from holysheep_helpers.planning import planned

ROUNDS = 8
STUDENT_T = 2.365
"""Student's t for 95% and ``ROUNDS - 1`` degrees of freedom (two-sided)."""
LEAST_ERROR_S = 0.00025
"""No error smaller than this is stated: rounds that follow each other at once do not see how the
machine itself drifts from one minute to the next."""
TTFT_S, ITL_S = 0.100, 0.0112
PROMPT = "Explain step by step how streaming works."


def calibrate(
    concurrency: int = 1, *, runs: int = 32, max_tokens: int | None = None, stagger: bool = True
) -> Calibration:
    """Find out how exact measurements on this machine are with ``concurrency`` streams at once.

    Starts a mock with constant times and measures ``runs`` streams of it, or eight for each of
    ``concurrency`` if those are more, in eight rounds, each with connections of its own. What
    ``hs.measure_latency`` says is compared with the mock's journal, which knows when each chunk
    left. ``max_tokens`` of a stream are 4 alone and 20 beside others, unless given. From then on
    every measurement in this process with as many at once, and like ``stagger``, carries the
    result. Takes six to ten seconds; costs nothing, live too.

    The mean difference is the bias. The error is that of one further round, ``t s sqrt(1 + 1/8)``
    with ``s`` the standard deviation of the eight rounds' means and Student's ``t`` (95%): a
    prediction interval; 0.25 ms at least. It is of this computer alone: a network between adds its
    own delay, which is part of what is measured.

    Raises ``InputError`` for numbers that can't be, ``MockError`` if the mock does not start.
    """
    check_whole("runs", runs, ROUNDS)
    check_whole("concurrency", concurrency, 1)
    if max_tokens is None:
        max_tokens = 4 if concurrency == 1 else 20
    mock = MockProcess.start(ttft_s=TTFT_S, itl_s=ITL_S)
    try:
        client = openai.OpenAI(api_key=mock.api_key, base_url=mock.base_url)
        rounds = []
        for _ in range(ROUNDS):
            measurement = planned(
                client, PROMPT, runs=max(runs // ROUNDS, concurrency), warmup=1,
                concurrency=concurrency, max_tokens=max_tokens, stagger=stagger,
            )  # fmt: skip
            run = measurement.supervised(progress=False)
            if run.stopped_by is not None:
                raise KeyboardInterrupt("Interrupted: nothing is calibrated.")
            rounds.append(run)
        found = compared(rounds, mock.entries())
    finally:
        mock.stop()
    remember(found)
    return found


def compared(rounds: Sequence[LatencyRun], journal: Sequence[Mapping[str, Any]]) -> Calibration:
    """The calibration that follows from measured rounds and the mock's journal of them.

    Raises ``HolySheepError`` if a round has no stream that both know.
    """
    truth = {entry["id"]: entry["sent_s"] for entry in journal}
    first, between, streams = [], [], 0
    for run in rounds:
        errors, gaps = [], []
        for stream in run.runs:
            sent = truth.get(stream.id or "")
            if stream.failed or not sent or stream.ttft_s is None:
                continue
            errors.append(stream.ttft_s - sent[0])
            if stream.itl_s is not None and len(sent) > 1:
                gaps.append(stream.itl_s - (sent[-1] - sent[0]) / (len(sent) - 1))
        if not errors:
            raise HolySheepError("A round has no stream that the journal knows: try again.")
        streams += len(errors)
        first.append(fmean(errors))
        between.append(fmean(gaps) if gaps else 0.0)
    step_s = max((run.clock_step_s or 0.0 for run in rounds), default=0.0)
    return Calibration(
        concurrency=rounds[0].concurrency,
        stagger=bool(rounds[0].settings.get("stagger", True)),
        streams=streams,
        bias_s=fmean(first),
        error_s=max(_of_one_more(first), LEAST_ERROR_S) + step_s,
        itl_bias_s=fmean(between),
        itl_error_s=_of_one_more(between),
    )


def _of_one_more(means: Sequence[float]) -> float:
    """Half the width of the 95% prediction interval for the mean of one more round."""
    return STUDENT_T * stdev(means) * sqrt(1 + 1 / len(means))
