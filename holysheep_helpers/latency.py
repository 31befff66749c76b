"""``measure_latency()``: streams, one after the other or many at once, timed at the socket."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import openai

from holysheep_helpers import catalog
from holysheep_helpers.client.gateway import Gateway
from holysheep_helpers.latency_run import LatencyRun
from holysheep_helpers.planning import planned, say_estimate


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
    an event loop that stamps the bytes (``holysheep_helpers.latency_wire``). A run that fails is an
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
