"""Money: exact from the price to the screen."""

from decimal import Decimal
from typing import Any

import pytest
from openai.types import CompletionUsage

import holysheep_helpers as hs
from holysheep_helpers.cost import cost_or_none


def usage(prompt: int, completion: int) -> CompletionUsage:
    return CompletionUsage(
        prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion
    )


@pytest.mark.parametrize(
    ("model", "million_each"),
    [
        ("gpt-4.1", "11.00"),
        ("claude-sonnet-4-5", "18.00"),
        ("gemini-2.5-flash", "2.85"),
        ("mistral-small-2603", "0.80"),
        ("deepseek-v3.2", "0.49"),
    ],
)
def test_a_million_tokens_each_way(model: str, million_each: str) -> None:
    assert hs.cost_of(usage(1_000_000, 1_000_000), model) == Decimal(million_each)


def test_one_small_call_is_exact() -> None:
    cost = hs.cost_of(usage(25, 100), "mistral-small-2603")
    assert cost == Decimal("0.000065")
    assert hs.to_krw(cost, hs.catalog.published_rate()) == Decimal("0.09425")


def test_a_single_token_is_not_rounded_away() -> None:
    assert hs.cost_of(usage(1, 0), "deepseek-v3.2") == Decimal("0.00000007")


def test_the_published_monthly_figures_are_those_of_a_hundred_million_tokens() -> None:
    """The article says 10M at 50/50 and prints 40.00 USD: that is ten times as many tokens."""
    assert hs.cost_of(usage(5_000_000, 5_000_000), "mistral-small-2603") == 4
    assert hs.cost_of(usage(50_000_000, 50_000_000), "mistral-small-2603") == 40


@pytest.mark.parametrize("model", ["gpt-4o", "mistral-small", "nobody"])
def test_an_unknown_price_is_an_error_and_never_a_zero(model: str) -> None:
    with pytest.raises(hs.UnknownPriceError, match=f"No price was published for '{model}'") as e:
        hs.cost_of(usage(1, 1), model)
    assert "mistral-small-2603" in str(e.value)
    assert cost_or_none(usage(1, 1), model) is None


def test_no_usage_no_cost() -> None:
    assert cost_or_none(None, "mistral-small-2603") is None


@pytest.mark.parametrize("broken", [None, {}, usage(-1, 5), CompletionUsage.model_construct()])
def test_what_is_no_usage_is_refused(broken: Any) -> None:
    with pytest.raises(hs.InputError, match=r"usage\.prompt_tokens is"):
        hs.cost_of(broken, "mistral-small-2603")


@pytest.mark.parametrize("money", [0.5, 1, "1"])
def test_won_are_made_of_exact_dollars_alone(money: Any) -> None:
    with pytest.raises(hs.InputError, match="money is Decimal"):
        hs.to_krw(money, hs.catalog.published_rate())
