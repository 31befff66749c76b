"""What ``hs.measure_latency`` refuses before anything is sent, and how it keeps a budget."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.exceptions import ConfigurationError
from holysheep_helpers.mock.handle import MockHandle

PROMPT = "Explain step by step how streaming works."


QUIET: dict[str, Any] = {"progress": False, "max_tokens": 5}


BAD: list[tuple[dict[str, Any], str]] = [
    *(({"runs": value}, "runs is .*: a whole number, 1 or more") for value in (0, -1, 2.5, True)),
    *(({"warmup": value}, "warmup is .*: a whole number, 0 or more") for value in (-1, None, "2")),
    *(({"concurrency": value}, "is .*: a whole number, from 1 to 3") for value in (0, 1.5, "4")),
    ({"runs": 3, "concurrency": 4}, "concurrency, with runs=3, is 4: .* from 1 to 3"),
    ({"runs": 500, "concurrency": 401}, "concurrency, with runs=500, is 401: .* to 400, is"),
    *(({"rate": value}, "rate is .*: requests a second, ") for value in (0, -2, "5", True)),
    *(({"rate": value}, "rate is (nan|inf)") for value in (float("nan"), float("inf"))),
    ({"rate": 0.0001}, "rate is 0.0001: .* 3 starts take an hour at most, 0.00083.* or more"),
    ({"rate": 2, "concurrency": 3}, "rate=2 and concurrency=3 were given"),
    *(({"max_tokens": value}, "max_tokens is .*: a whole number, 1") for value in (0, 1.5, "9")),
    *(({"prompt": value}, "The prompt is a ") for value in (None, 5, b"bytes", {"a": "b"}, [5])),
    ({"prompt": []}, "No prompt was given"),
    *(({"prompt": value}, "The prompt is empty") for value in ("", "  ", ["a", ""])),
    ({"prompt": "half \ud800"}, "a text has half a character in it"),
    ({"temperature": float("nan")}, "plain JSON values"),
    ({"model": ""}, "model is ''"),
    ({"preset": "fastest"}, "There is no preset 'fastest'"),
    ({"system": 5}, "system is a int"),
    ({"n": 2}, "n is 2: one answer"),
    ({"temprature": 0}, "no argument 'temprature'.*: is 'temperature' meant"),
    ({"xyz": 0}, r"no argument 'xyz', here or in .*create\(\)\."),
    ({"stream": False}, "'stream' is made by this helper"),
    ({"messages": []}, "'messages' is made by this helper"),
]


@pytest.mark.parametrize(("options", "said"), BAD, ids=str)
def test_what_can_not_be_right_is_refused_by_name(
    options: dict[str, Any], said: str, gw: hs.Gateway, mock: MockHandle
) -> None:
    given = {"prompt": PROMPT, "runs": 3, "progress": False, **options}
    with pytest.raises(hs.InputError, match=said):
        hs.measure_latency(gw, **given)
    assert mock.entries() == []


def _synchronous_key() -> str:
    return "hs-mock-key"


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (lambda url: 5, "A int was given"),
        (lambda url: url, "A str was given"),
        (
            lambda url: openai.AzureOpenAI(api_key="x", azure_endpoint=url, api_version="1"),
            "A AzureOpenAI was given",
        ),
        (
            lambda url: openai.OpenAI(
                base_url=url, api_key="x", http_client=openai.DefaultHttpxClient()
            ),
            r"http_client of its own \(a ",
        ),
        (
            lambda url: openai.AsyncOpenAI(
                base_url=url, api_key="x", http_client=openai.DefaultAioHttpClient()
            ),
            r"http_client of its own \(a ",
        ),
        (
            lambda url: openai.OpenAI(base_url=url, api_key=_synchronous_key),
            "key comes from a function",
        ),
    ],
)
def test_who_can_not_be_asked_in_the_same_way_is_refused(
    target: Callable[[str], Any], said: str, mock: MockHandle
) -> None:
    with pytest.raises(hs.InputError, match=said):
        hs.measure_latency(target(mock.base_url), PROMPT, **QUIET)
    assert mock.entries() == []


# --- budgets


def test_nothing_is_sent_unless_the_budget_covers_the_most_that_all_may_cost(
    gw: hs.Gateway, mock: MockHandle
) -> None:
    options: dict[str, Any] = {"runs": 4, "warmup": 2, "concurrency": 3, **QUIET}
    with pytest.raises(hs.BudgetError, match=r"Not sent: 9 runs, .* may cost \d") as caught:
        hs.measure_latency(gw, PROMPT, budget_usd="0.0000001", **options)
    assert mock.entries() == []
    most = Decimal(str(caught.value).split("may cost ")[1].split(" USD")[0])
    with pytest.raises(hs.BudgetError):
        hs.measure_latency(gw, PROMPT, budget_usd=most - Decimal("1e-12"), **options)
    run = hs.measure_latency(gw, PROMPT, budget_usd=most, **options)
    assert 0 < run.cost_usd <= most
    assert len(mock.entries()) == 9  # three to warm up, two until the load is whole, four


def test_a_model_without_a_price_can_not_be_kept_to_a_budget(
    live: Callable[..., hs.Gateway], mock: MockHandle
) -> None:
    with pytest.raises(hs.BudgetError, match="no price was published for 'gpt-4o'"):
        hs.measure_latency(live(), PROMPT, model="gpt-4o", budget_usd=1, **QUIET)
    with pytest.raises(ConfigurationError, match=r"budget_usd is 0\.5"):
        hs.measure_latency(live(), PROMPT, **{"budget_usd": 0.5, **QUIET})
    assert mock.entries() == []


def test_a_gateways_budget_that_is_spent_midway_keeps_what_was_measured(
    live: Callable[..., hs.Gateway], mock: MockHandle
) -> None:
    gateway = live(budget_usd="0.00002")
    with pytest.warns(hs.LatencyStoppedWarning, match=r"stopped \(BudgetError\): [1-9] of 50"):
        run = hs.measure_latency(gateway, PROMPT, runs=50, warmup=0, **QUIET)
    assert 0 < len(run) == len(mock.entries()) < 50
    assert run.failed == []
