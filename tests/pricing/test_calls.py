"""Money: exact from the price to the screen."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import CompletionUsage

import holysheep_helpers as hs
from holysheep_helpers.pricing import money as money
from holysheep_helpers.pricing.money import cost_or_none
from tests.support.usage import usage

MODEL = "mistral-small-2603"


PRICED = [model.id for model in hs.catalog.models() if model.price]


COUNTS = st.integers(0, 10**9)


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


def test_won_and_back_are_the_same_to_28_digits() -> None:
    rate = hs.catalog.ExchangeRate(Decimal("1377.7"), hs.catalog.published_rate().source)
    for usd in (Decimal("0.000065"), Decimal("34.48"), Decimal("-7"), Decimal(0)):
        there = hs.to_krw(usd, rate)
        assert abs(hs.to_usd(there, rate) - usd) <= abs(usd) * Decimal("1e-27")
    assert hs.to_usd(Decimal(50_000), hs.catalog.published_rate()).quantize(Decimal("0.01")) == (
        Decimal("34.48")
    )
    with pytest.raises(hs.InputError, match="money is Decimal"):
        hs.to_usd(50_000, rate)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("bad", [Decimal(0), Decimal(-1), Decimal("NaN"), 1450, 1450.0, "1450"])
def test_what_can_be_no_rate_is_refused(bad: Any) -> None:
    with pytest.raises(hs.InputError, match=r"krw_per_usd is .*above 0"):
        hs.catalog.ExchangeRate(bad, hs.catalog.published_rate().source)


@given(prompt=COUNTS, completion=COUNTS, model=st.sampled_from(PRICED))
def test_it_is_exact_whatever_precision_the_caller_has_set(
    prompt: int, completion: int, model: str
) -> None:
    price = hs.catalog.published_price(model)
    assert price is not None
    with localcontext() as context:
        context.prec = 2
        found = hs.cost_of(usage(prompt, completion), model)
    into, out = Fraction(price.input_usd_per_mtok), Fraction(price.output_usd_per_mtok)
    assert Fraction(found) == (prompt * into + completion * out) / 1_000_000
    assert "E+" not in str(found)


def test_a_hundred_thousand_calls_add_up_exactly_where_floats_do_not() -> None:
    one = hs.cost_of(usage(1000, 0), MODEL)
    assert one == Decimal("0.0002")
    assert sum([one] * 100_000) == 20
    total = 0.0
    for _ in range(100_000):  # from Python 3.12 on sum() makes up for what floats lose
        total += 0.0002
    assert total != 20
    assert f"{total:.11f}" == "19.99999999998"


def test_cached_tokens_cost_the_same_where_no_price_of_their_own_is_known() -> None:
    assert hs.cost_of(usage(1000, 10, cached=900), MODEL) == hs.cost_of(usage(1000, 10), MODEL)


@pytest.mark.parametrize(
    ("model", "by_hand"),
    [
        # 100 fresh at 2.00, 900 cached at 0.50, 10 out at 8.00, for a million each
        ("gpt-4.1", "0.00073"),
        ("mistral-small-2603", "0.0000345"),  # 0.15, 0.015, 0.60
        ("claude-sonnet-4-5", "0.00072"),  # 3.00, 0.30, 15.00
        ("gemini-2.5-flash", "0.000082"),  # 0.30, 0.03, 2.50
    ],
)
def test_cached_tokens_are_inside_the_prompt_and_cost_their_own_price(
    model: str, by_hand: str
) -> None:
    assert hs.cost_of(usage(1000, 10, cached=900), model, prices="direct") == Decimal(by_hand)


@given(prompt=COUNTS, data=st.data())
def test_caching_more_never_costs_more(prompt: int, data: st.DataObject) -> None:
    less, more = sorted(data.draw(st.integers(0, prompt)) for _ in range(2))
    cheap, dear = (
        hs.cost_of(usage(prompt, 5, cached=count), MODEL, prices="direct") for count in (more, less)
    )
    assert cheap <= dear <= hs.cost_of(usage(prompt, 5), MODEL, prices="direct")


@pytest.mark.parametrize(
    ("text", "exact"),
    [("0.00014", "0.00014"), ("1.5e-7", "0.00000015"), ("0", "0"), ("3", "3"),
     ("0.123456789012345", "0.123456789012345")],
)  # fmt: skip
def test_a_cost_that_the_gateway_states_wins(text: str, exact: str) -> None:
    json = (
        '{"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010, '
        f'"cost": {text}, "cost_details": {{"upstream": 1}}}}'
    )
    found = CompletionUsage.model_validate_json(json)
    assert hs.cost_of(found, MODEL) == Decimal(exact)
    assert hs.cost_of(found, "a-model-that-nobody-knows") == Decimal(exact)
    assert cost_or_none(found, "a-model-that-nobody-knows") == Decimal(exact)


def test_what_the_gateway_states_is_not_what_the_maker_asks() -> None:
    stated = usage(1_000_000, 0, cost=7)
    assert hs.cost_of(stated, MODEL, prices="direct") == Decimal("0.15")


def test_with_a_key_of_ones_own_the_vendor_is_paid_beside_the_router() -> None:
    def paid(**more: Any) -> Decimal | None:
        usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "cost": 0.001}
        details = {"cost_details": {"upstream_inference_cost": 0.02}}
        return cost_or_none(CompletionUsage.model_validate(usage | details | more), "gpt-4.1")

    assert paid(is_byok=True) == Decimal("0.021")
    assert paid() == paid(is_byok=False) == paid(is_byok=True, cost_details=None)
    assert paid() == Decimal("0.001")


def test_a_stated_cost_of_nothing_is_none() -> None:
    assert hs.cost_of(usage(1_000_000, 0, cost=None), MODEL) == Decimal("0.2")


@pytest.mark.parametrize(
    "bad", [-0.01, float("nan"), float("inf"), True, {"usd": 1}, "free", Decimal(-1)]
)
def test_a_stated_cost_that_can_be_none_is_refused_and_loses_no_reply(bad: Any) -> None:
    odd = usage(1_000_000, 0, cost=bad)
    with pytest.raises(hs.InputError, match=r"usage\.cost is "):
        hs.cost_of(odd, MODEL)
    assert cost_or_none(odd, MODEL) == Decimal("0.2")


def test_a_reply_with_a_senseless_usage_is_of_unknown_cost() -> None:
    assert cost_or_none(usage(-1, 5), MODEL) is None
    assert cost_or_none(usage(5, 5, cached=6), MODEL) is None


@pytest.mark.parametrize("cached", [-1, 6])
def test_more_cached_tokens_than_prompt_are_refused(cached: int) -> None:
    with pytest.raises(hs.InputError, match=r"cached_tokens is .*: a count of tokens, .*5 at most"):
        hs.cost_of(usage(5, 5, cached=cached), MODEL)


@pytest.mark.parametrize("count", [5.0, "5", Decimal(5), True])
def test_a_count_is_a_whole_number(count: Any) -> None:
    for name in ("prompt_tokens", "completion_tokens"):
        counts = {"prompt_tokens": 5, "completion_tokens": 5, name: count}
        with pytest.raises(hs.InputError, match=rf"usage\.{name} is "):
            hs.cost_of(SimpleNamespace(**counts), MODEL)  # pyright: ignore[reportArgumentType]


def test_any_object_with_the_two_counts_will_do() -> None:
    counts: Any = SimpleNamespace(prompt_tokens=25, completion_tokens=100)
    assert hs.cost_of(counts, MODEL) == Decimal("0.000065")


def test_a_direct_price_that_is_unknown_is_named_as_such() -> None:
    with pytest.raises(hs.UnknownPriceError, match=r"genai-prices .* no price of 'nobody'"):
        hs.cost_of(usage(1, 1), "nobody", prices="direct")
    with pytest.raises(hs.InputError, match="'published' and 'direct' are allowed"):
        hs.cost_of(usage(1, 1), MODEL, prices="cheap")  # pyright: ignore[reportArgumentType]


@given(prompt=COUNTS, completion=COUNTS)
def test_what_tokens_cost_at_most_is_the_same_arithmetic(prompt: int, completion: int) -> None:
    assert money.most_of(prompt, completion, MODEL) == hs.cost_of(usage(prompt, completion), MODEL)
    assert money.most_of(prompt, completion, "gpt-4o") is None


@pytest.mark.parametrize("model", [None, 5])
@pytest.mark.parametrize("prices", ["published", "direct"])
def test_a_model_is_an_id(model: Any, prices: Any) -> None:
    with pytest.raises(hs.InputError, match=r"The model is .*: an id is needed"):
        hs.cost_of(usage(1, 1), model, prices=prices)


@pytest.mark.parametrize("amount", ["NaN", "Infinity"])
def test_what_is_no_amount_has_no_other_currency(amount: str) -> None:
    for convert in (hs.to_krw, hs.to_usd):
        with pytest.raises(hs.InputError, match="no amount of money"):
            convert(Decimal(amount), hs.catalog.published_rate())
