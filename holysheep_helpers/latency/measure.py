"""``measure_latency()``: streams, one after the other or many at once, timed at the socket."""

from __future__ import annotations

import json
import platform
import warnings
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from difflib import get_close_matches
from hashlib import blake2b
from inspect import signature
from math import sqrt
from secrets import token_hex
from statistics import fmean, stdev
from typing import Any
from urllib.parse import urlsplit

import openai
from openai.resources.chat.completions import AsyncCompletions

from holysheep_helpers import catalog
from holysheep_helpers._checks import check_whole
from holysheep_helpers.client.budget import BudgetError, checked_usd, most_usd, of_items, unpriced
from holysheep_helpers.client.gateway import Gateway, is_live
from holysheep_helpers.client.requests import SDK_OPTIONS, Item, stream_arguments
from holysheep_helpers.exceptions import HolySheepError, InputError
from holysheep_helpers.latency.data import Calibration, remember
from holysheep_helpers.latency.load import check_can_be_copied, measuring_client
from holysheep_helpers.latency.run import LatencyRun, Measurement
from holysheep_helpers.mock.process import MockProcess

MANY_CALLS = 20


MOST_AT_ONCE = 400
"""Windows' ``select`` ends at 512 sockets."""


LONGEST_S = 3600.0
"""An open loop whose starts would take longer than this is taken for a slip."""


def planned(
    target: Gateway | openai.AsyncOpenAI | openai.OpenAI,
    prompt: str | Iterable[str],
    *,
    model: str = catalog.DEFAULT_MODEL,
    runs: int,
    warmup: int,
    concurrency: int,
    rate: float | None = None,
    max_tokens: int | None = None,
    stagger: bool = True,
    budget_usd: object = None,
    unique: bool = False,
    system: str | None = None,
    preset: str = "general",
    **sdk_parameters: Any,
) -> Measurement:
    """All arguments checked, nothing sent. Raises ``InputError`` or ``BudgetError``."""
    check_can_be_copied(target)
    check_whole("runs", runs, 1)
    check_whole("warmup", warmup, 0)
    check_whole("concurrency", concurrency, 1)
    if not concurrency <= min(runs, MOST_AT_ONCE):
        raise InputError(
            f"concurrency is {concurrency}, and runs is {runs}: measure at least as many runs, or "
            f"fewer at once ({MOST_AT_ONCE} at most)."
        )
    if rate is not None:
        _check_rate(rate, runs, concurrency)
    _check_known(sdk_parameters)
    if max_tokens is not None:
        sdk_parameters["max_tokens"] = max_tokens
    prompts = _listed(prompt)
    measurement = Measurement(
        client=lambda: measuring_client(target),
        requests=[],
        runs=runs,
        warmup=warmup,
        concurrency=concurrency,
        rate_per_s=rate,
        stagger=bool(stagger),
    )
    count = measurement.count
    mark = f"{token_hex(3)}-" if unique else None
    requests = measurement.requests
    for number in range(min(count, len(prompts)) if mark is None else count):
        text = prompts[number % len(prompts)]
        request = stream_arguments(text, system, model, preset, dict(sdk_parameters))
        if mark is not None:  # in front of all: caches go by how a request begins
            first = request["messages"][0]
            first["content"] = f"[{mark}{number}] {first['content']}"
        _check_can_be_sent(request)
        requests.append(request)
    _check_budget(requests, count, checked_usd(budget_usd))
    measurement.settings = _settings(target, requests, measurement.stagger)
    return measurement


def _settings(
    target: Gateway | openai.AsyncOpenAI | openai.OpenAI,
    requests: list[dict[str, Any]],
    stagger: bool,
) -> dict[str, Any]:
    """What a measurement must be alike in to be compared; of its prompts a hash, no word."""
    url = target.base_url if isinstance(target, Gateway) else str(target.base_url)
    asked = json.dumps([request["messages"] for request in requests], ensure_ascii=False)
    return {
        "host": urlsplit(url).hostname,
        "max_tokens": requests[0].get("max_tokens") or requests[0].get("max_completion_tokens"),
        "prompts": blake2b(asked.encode("utf-8"), digest_size=6).hexdigest(),
        "stagger": stagger,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "openai": openai.__version__,
    }


def _listed(prompt: Any) -> list[Any]:
    if isinstance(prompt, str):
        return [prompt]
    if isinstance(prompt, Mapping | bytes) or not isinstance(prompt, Iterable):
        raise InputError(f"The prompt is a {type(prompt).__name__}: a text is needed, or several.")
    prompts = list(prompt)
    if not prompts:
        raise InputError("No prompt was given: a text is needed, or several.")
    return prompts


def _check_rate(rate: Any, runs: int, concurrency: int) -> None:
    number = isinstance(rate, int | float) and not isinstance(rate, bool)
    if not number or not 0 < rate < float("inf"):
        raise InputError(
            f"rate is {rate!r}: requests a second, above 0, are needed, or None for a closed loop."
        )
    if runs / rate > LONGEST_S:
        raise InputError(
            f"rate is {rate!r}: {runs} starts at so many a second take {runs / rate:,.0f} s. It is "
            "requests a second, and an hour is the longest."
        )
    if concurrency != 1:
        raise InputError(
            f"rate={rate} and concurrency={concurrency} were given: with a rate, requests start "
            "when they are due, however many are under way. Leave one of them out."
        )


def _check_known(parameters: Iterable[str]) -> None:
    """A slip of the pen would fail at each run, and look like a server's failure."""
    known = signature(AsyncCompletions.create).parameters
    for name in parameters:
        if name not in known:
            near = get_close_matches(name, [*known, *signature(planned).parameters], n=1)
            raise InputError(
                f"There is no argument {name!r}, here or in the SDK's chat.completions.create()"
                + (f": is {near[0]!r} meant?" if near else ".")
            )


def _check_can_be_sent(request: dict[str, Any]) -> None:
    body = {name: value for name, value in request.items() if name not in SDK_OPTIONS}
    try:
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:  # half a character, a set, nan
        raise InputError(
            f"A request takes text and plain JSON values ({type(error).__name__}): clean the "
            "prompt, text.encode('utf-8', 'replace').decode() say."
        ) from None


def _items(requests: list[dict[str, Any]], count: int) -> list[Item]:
    return [Item(None, requests[number % len(requests)], {}) for number in range(count)]


def _check_budget(requests: list[dict[str, Any]], count: int, budget: Decimal | None) -> None:
    if budget is None:
        return
    most = Decimal(0)
    for item in _items(requests, count):
        cost = most_usd(item)
        if cost is None:
            raise unpriced(item.model, budget)
        most += cost
    if most > budget:
        raise BudgetError(
            f"Not sent: {count} runs, warm-up included, may cost {most:f} USD, and budget_usd is "
            f"{budget:f} USD. Measure fewer runs, lower max_tokens, or raise it."
        )


def say_estimate(target: object, measurement: Measurement, budget_usd: object) -> None:
    """Print what the runs may cost, if they cost anything and are many."""
    count = measurement.count
    if count > MANY_CALLS and (is_live(target) or budget_usd is not None):
        print(of_items(_items(measurement.requests, count)))


class LatencyStoppedWarning(UserWarning):
    """A measurement ended early; what was measured until then is kept."""


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
    """Stream the answer ``runs`` times and time each at the socket: an ``hs.LatencyRun``.

    Without ``rate`` it is a closed loop: ``concurrency`` askers, each asking anew once it has its
    answer, their first starts spread out (``stagger``). With ``rate``, in requests a second, it is
    an open loop: starts at the moments of a Poisson process, the same ones each time, whether or
    not answers have come, and latency runs from the intended start.

    ``warmup`` runs come first and are left out: at least one for each of ``concurrency``, so that
    each connection is open, and one more for each whose start is spread out, until all of them are
    under way. ``prompt`` is a text, or several that are asked in turn; ``unique``
    puts a mark of its own in front of each request, the system prompt included, so that no cache
    can answer any of it. ``max_tokens``, ``system``, ``preset`` and any further parameter are as in
    ``hs.stream``.

    Asked through a copy of the client: on connections of its own, without retries, in a thread with
    an event loop that stamps the bytes (``holysheep_helpers.latency.wire``). A run that fails is an
    infinite latency. ``budget_usd`` is for this call: nothing is sent unless it covers the most
    that all runs may cost. Ctrl-C (the Stop button) ends it, and what was measured is returned,
    with a warning (``LatencyStoppedWarning``), as with a 401 or a spent budget midway.

    Raises ``InputError`` or ``BudgetError`` before anything is sent (``ConfigurationError`` for a
    budget that can't be one), and the SDK's error where every run would meet it (400, 401, 402,
    403, 404, 422, or no warm-up came through) and none has succeeded.
    """
    measurement = planned(
        gateway_or_client, prompt, model=model, runs=runs, warmup=warmup, concurrency=concurrency,
        rate=rate, max_tokens=max_tokens, stagger=stagger, budget_usd=budget_usd, unique=unique,
        system=system, preset=preset, **sdk_parameters,
    )  # fmt: skip
    if progress:
        say_estimate(gateway_or_client, measurement, budget_usd)
    run = measurement.supervised(progress=bool(progress))
    if run.stopped_by is not None:
        warnings.warn(
            f"The measurement was stopped ({run.stopped_by}): {len(run.runs)} of {runs} runs were "
            "measured, and are kept.",
            LatencyStoppedWarning,
            stacklevel=2,
        )
    return run


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
