"""``hs.measure_latency`` and ``hs.calibrate``: streams, timed at the socket, and their error."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, nullcontext
from datetime import UTC, datetime
from decimal import Decimal
from difflib import get_close_matches
from hashlib import blake2b
from inspect import signature
from itertools import cycle, islice
from math import sqrt
from secrets import token_hex
from statistics import fmean, stdev
from typing import Any
from urllib.parse import urlsplit

import openai
from openai.resources.chat.completions import AsyncCompletions

from holysheep_helpers import catalog
from holysheep_helpers._checks import check_whole, short, shown
from holysheep_helpers.client.gateway import Gateway, is_live
from holysheep_helpers.client.requests import SDK_OPTIONS, Item, check_can_be_sent, stream_arguments
from holysheep_helpers.client.spend import Budget, Estimate, checked_usd, estimate_items
from holysheep_helpers.diagnosis.display import Progress
from holysheep_helpers.exceptions import HolySheepError, InputError, warn
from holysheep_helpers.latency.data import Calibration
from holysheep_helpers.latency.load import LoadPlan, Measurement, measuring_client
from holysheep_helpers.latency.run import LatencyRun
from holysheep_helpers.latency.stats import students_t
from holysheep_helpers.mock.process import MockProcess

MANY_CALLS = 20
"""More calls than this are estimated first."""

ROUNDS = 8
"""A calibration measures so many times."""

LEAST_ERROR_S = 0.00025
"""No error smaller than this is stated: rounds that follow each other at once do not see how the
machine itself drifts from one minute to the next."""

TTFT_S, ITL_S = 0.100, 0.0112

PROMPT = "Explain step by step how streaming works."

Target = Gateway | openai.AsyncOpenAI | openai.OpenAI


class LatencyStoppedWarning(UserWarning):
    """A measurement ended early. What was measured until then is kept: ask again for the rest."""


def measure_latency(
    gateway_or_client: Gateway | openai.AsyncOpenAI | openai.OpenAI,
    prompt: str | Iterable[str],
    *,
    model: str = catalog.DEFAULT_MODEL,
    runs: int = 30,
    warmup: int = 2,
    concurrency: int = 1,
    rate: float | None = None,
    max_tokens: int | None = None,
    stagger: bool = True,
    budget_usd: Decimal | str | int | None = None,
    progress: bool = True,
    unique: bool = False,
    system: str | None = None,
    preset: str = "general",
    **sdk_parameters: Any,
) -> LatencyRun:
    """Stream the answer several times, and time each stream at the socket.

    Without ``rate`` it is a closed loop: each asker asks again once it has its answer. With
    ``rate`` it is an open loop: starts at the moments of a Poisson process, the same ones each
    time, whether or not answers have come, and latency counts from the intended start.

    The requests go through a copy of the client: on connections of its own, without retries, in a
    thread with an event loop that stamps the bytes (``holysheep_helpers.latency.wire``). A run that
    fails is an infinite latency. Ctrl-C (the Stop button), a 401 or a spent budget ends the
    measurement, and what was measured is returned, with a ``LatencyStoppedWarning``.

    Args:
        gateway_or_client: the gateway from ``hs.connect()``, or a client of the SDK.
        prompt: the question, as text, or several that are asked in turn.
        model: the model's id. Default: the catalogue's default model.
        runs: the number of streams to measure. Default: 30.
        warmup: the number of streams before, which are left out: at least one for each of
            ``concurrency``, and one more for each whose start is spread out. Default: 2.
        concurrency: the number of askers at once in a closed loop, 400 at most. Default: 1.
        rate: the starts per second of an open loop. Default: ``None``, a closed loop.
        max_tokens: the longest answer, in tokens. Default: the preset's.
        stagger: whether the first starts of a closed loop are spread out. Default: yes.
        budget_usd: the budget of this call, in US dollars. Nothing is sent unless it covers the
            most that all runs may cost. Default: no budget of its own.
        progress: whether to show a progress bar, and an estimate where it costs. Default: yes.
        unique: whether to put a mark of its own in front of each request, so that no cache can
            answer it. Default: no.
        system: the system prompt. Default: none.
        preset: the preset of parameters, as in ``hs.ask``. Default: ``"general"``.
        **sdk_parameters: any other parameter of ``client.chat.completions.create``.

    Returns:
        A ``LatencyRun`` with all runs, whose ``summary()`` has the statistics.

    Raises:
        InputError: an argument can't be right. Nothing was sent.
        ConfigurationError: ``budget_usd`` is no amount of money. Nothing was sent.
        BudgetError: the runs may cost more than the budget. Nothing was sent.
        openai.OpenAIError: no run succeeded, and every further run would meet the same error (400,
            401, 402, 403, 404, 422, or no warm-up came through).

    Example:
        >>> run = hs.measure_latency(gw, "Say hello.", runs=10, max_tokens=5, progress=False)
        >>> print(run.summary())
        mistral-small-2603, closed loop, 1 at once: 10 runs in ...
    """
    plan = LoadPlan(runs, warmup, concurrency, rate, bool(stagger))
    if max_tokens is not None:
        sdk_parameters["max_tokens"] = max_tokens
    measurement = plan_measurement(
        gateway_or_client, prompt, plan, model=model, budget_usd=budget_usd, unique=unique,
        system=system, preset=preset, **sdk_parameters,
    )  # fmt: skip
    costs = is_live(gateway_or_client) or budget_usd is not None
    if progress and costs and plan.count > MANY_CALLS:
        print(_estimate(measurement))
    run = with_progress(measurement, bool(progress))
    if run.stopped_by is not None:
        kept = f"{len(run.runs)} of {runs} runs were measured, and are kept."
        said = f"The measurement was stopped ({run.stopped_by}): {kept}"
        warn(said, LatencyStoppedWarning, stacklevel=2)
    return run


def with_progress(measurement: Measurement, shown: bool) -> LatencyRun:
    """Measure with a bar, which counts the runs, their cost and their failures."""
    runs = measurement.plan.runs
    with closing(Progress(runs, unit=" runs")) if shown else nullcontext() as bar:
        return measurement.run_in_thread(
            lambda raw: bar and bar.one_more(raw.cost_usd, raw.error is not None)
        )


def plan_measurement(
    target: Target,
    prompt: str | Iterable[str],
    plan: LoadPlan,
    *,
    model: str = catalog.DEFAULT_MODEL,
    budget_usd: object = None,
    unique: bool = False,
    system: str | None = None,
    preset: str = "general",
    **sdk_parameters: Any,
) -> Measurement:
    """All arguments checked, nothing sent. Raises ``InputError`` or ``BudgetError``."""
    client = measuring_client(target)
    _check_known(sdk_parameters)
    prompts, requests, mark = _listed(prompt), [], token_hex(3)
    for number in range(plan.count if unique else min(plan.count, len(prompts))):
        text = prompts[number % len(prompts)]
        request = stream_arguments(text, system, model, preset, dict(sdk_parameters))
        if unique:  # in front of all: caches look at how a request begins
            first = request["messages"][0]
            first["content"] = f"[{mark}-{number}] {first['content']}"
        check_can_be_sent({name: request[name] for name in request if name not in SDK_OPTIONS})
        requests.append(request)
    settings = _settings(target, requests, plan.stagger)
    measurement = Measurement(client, requests, plan, settings)
    if (limit_usd := checked_usd(budget_usd)) is not None:
        work, most_usd = f"{plan.count} runs, warm-up included,", _estimate(measurement).most_usd
        advice = "Measure fewer runs, lower max_tokens"
        Budget(limit_usd).check_covers(most_usd, model, work, advice)
    return measurement


def _check_known(parameters: Iterable[str]) -> None:
    """A typing mistake would fail at each run, and look like a server's failure."""
    known = signature(AsyncCompletions.create).parameters
    for name in parameters:
        if name not in known:
            near = get_close_matches(name, [*known, *signature(measure_latency).parameters], n=1)
            raise InputError(
                f"There is no argument {shown(name)}, here or in the SDK's "
                "chat.completions.create()" + (f": is {near[0]!r} meant?" if near else ".")
            )


def _listed(prompt: Any) -> list[Any]:
    if isinstance(prompt, Mapping | bytes) or not isinstance(prompt, Iterable):
        raise InputError(f"The prompt is a {type(prompt).__name__}: a text is needed, or several.")
    prompts = [prompt] if isinstance(prompt, str) else list(prompt)
    if not prompts:
        raise InputError("No prompt was given: a text is needed, or several.")
    return prompts


def _settings(target: Target, requests: list[dict[str, Any]], stagger: bool) -> dict[str, Any]:
    """What a measurement must be alike in to be compared; of its prompts a hash, no word."""
    asked = json.dumps([request["messages"] for request in requests], ensure_ascii=False)
    return {
        "host": short(urlsplit(str(target.base_url)).hostname or ""),
        "max_tokens": requests[0].get("max_tokens") or requests[0].get("max_completion_tokens"),
        "prompts": blake2b(asked.encode("utf-8"), digest_size=6).hexdigest(),
        "stagger": stagger,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "openai": openai.__version__,
    }


def _estimate(measurement: Measurement) -> Estimate:
    requests = cycle(measurement.requests)
    items = (Item(None, request, {}) for request in islice(requests, measurement.plan.count))
    return estimate_items(items)


def calibrate(
    concurrency: int = 1, *, runs: int = 32, max_tokens: int | None = None, stagger: bool = True
) -> Calibration:
    """Find out how exact measurements on this computer are with so many streams at once.

    Starts a mock with constant times and measures its streams in eight rounds, each with
    connections of its own. The results are compared with the mock's journal, which knows when each
    chunk left. From then on every measurement in this process under the same load carries the
    result. It takes three to ten seconds and costs nothing, with a live gateway too. A network
    between has a delay of its own, which is part of what is measured, not of this error.

    The mean difference is the bias. The error is that of one further round, ``t s sqrt(1 + 1/8)``
    with ``s`` the standard deviation of the eight rounds' means and Student's ``t`` (95%): a
    prediction interval; 0.25 ms at least. Source: Hahn and Meeker, Statistical Intervals, 1991.

    Args:
        concurrency: the number of streams at once, 400 at most. Default: 1.
        runs: the number of streams, 8 or more; at least eight for each of ``concurrency`` are
            measured. Default: 32.
        max_tokens: the length of a stream, in tokens. Default: 4 alone, 20 beside others.
        stagger: whether the first starts are spread out. Default: yes.

    Returns:
        A ``Calibration`` with bias and error, in seconds.

    Raises:
        InputError: a number can't be right. Nothing was measured.
        MockError: the mock did not start.

    Example:
        >>> calibration = hs.calibrate(runs=8)
        >>> calibration.streams, calibration.concurrency
        (8, 1)
    """
    check_whole("runs", runs, ROUNDS)
    check_whole("concurrency", concurrency)
    if max_tokens is None:
        max_tokens = 4 if concurrency == 1 else 20
    plan = LoadPlan(max(runs // ROUNDS, concurrency), 1, concurrency, stagger=bool(stagger))
    mock = MockProcess.start(ttft_s=TTFT_S, itl_s=ITL_S)
    try:
        client = openai.OpenAI(api_key=mock.api_key, base_url=mock.base_url)
        rounds = []
        for _ in range(ROUNDS):
            run = plan_measurement(client, PROMPT, plan, max_tokens=max_tokens).run_in_thread()
            if run.stopped_by is not None:
                raise KeyboardInterrupt("Interrupted: nothing is calibrated.")
            rounds.append(run)
        found = calibration_from(rounds, mock.entries())
    finally:
        mock.stop()
    found.remember()
    return found


def calibration_from(
    rounds: Sequence[LatencyRun], journal: Sequence[Mapping[str, Any]]
) -> Calibration:
    """The calibration that follows from measured rounds and the mock's journal of them.

    Raises ``HolySheepError`` if a round has no stream that both know.
    """
    truth = {entry["id"]: entry["sent_s"] for entry in journal if entry["sent_s"]}
    first, between, streams = [], [], 0
    for run in rounds:
        known = [stream for stream in run.runs if stream.id in truth and not stream.failed]
        errors = [one.ttft_s - truth[one.id][0] for one in known if one.ttft_s is not None]
        if not errors:
            raise HolySheepError("A round has no stream that the journal knows: try again.")
        gaps = [one.itl_s - _itl_s(truth[one.id]) for one in known if one.itl_s is not None]
        streams += len(errors)
        first.append(fmean(errors))
        between.append(fmean(gaps or [0.0]))
    step_s = max((run.clock_step_s or 0.0 for run in rounds), default=0.0)
    return Calibration(
        concurrency=rounds[0].concurrency,
        stagger=bool(rounds[0].settings.get("stagger", True)),
        streams=streams,
        bias_s=fmean(first),
        error_s=max(_prediction_error(first), LEAST_ERROR_S) + step_s,
        itl_bias_s=fmean(between),
        itl_error_s=_prediction_error(between),
    )


def _itl_s(sent_s: Sequence[float]) -> float:
    return (sent_s[-1] - sent_s[0]) / max(len(sent_s) - 1, 1)


def _prediction_error(means: Sequence[float]) -> float:
    """Half the width of the 95% prediction interval for the mean of one more round."""
    return students_t(0.95, len(means) - 1) * stdev(means) * sqrt(1 + 1 / len(means))
