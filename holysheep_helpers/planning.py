"""A measurement's arguments: checked, its cost known, and nothing sent yet."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from difflib import get_close_matches
from hashlib import blake2b
from inspect import signature
from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit

import openai
from openai.resources.chat.completions import AsyncCompletions

from holysheep_helpers import catalog
from holysheep_helpers._checks import check_whole
from holysheep_helpers.client.budget import BudgetError, checked_usd, most_usd, of_items, unpriced
from holysheep_helpers.client.gateway import Gateway, is_live
from holysheep_helpers.client.requests import SDK_OPTIONS, Item, stream_arguments
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.latency_client import check_can_be_copied, measuring_client
from holysheep_helpers.measurement import Measurement

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
