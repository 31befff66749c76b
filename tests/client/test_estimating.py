"""What work may cost, said before it is sent, with the assumption."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

import holysheep_helpers as hs
from holysheep_helpers.catalog import tokens
from tests.support.usage import usage

MODEL = "mistral-small-2603"


PROMPTS = ["Say hello in Korean and in English.", "안녕하세요", "What is a token?"]


def most(prompts: list[str], output: int, model: str = MODEL) -> Decimal:
    counted = [tokens.count_messages([prompt]) for prompt in prompts]
    return sum((hs.cost_of(usage(count, output), model) for count in counted), Decimal(0))


def test_a_batch_by_hand() -> None:
    found = hs.estimate(PROMPTS, max_tokens=100)
    assert (found.calls, found.uncapped, found.unpriced) == (3, 0, 0)
    assert found.input_tokens == sum(tokens.count_messages([prompt]) for prompt in PROMPTS)
    assert found.output_tokens == 300
    assert found.most_usd == most(PROMPTS, 100)
    assert str(found) == (
        "Estimate: 3 calls, at most 0.0002 USD if each used all of max_tokens; "
        f"{found.input_tokens} tokens in, estimated by rule."
    )


def test_without_max_tokens_a_thousand_are_assumed_and_said() -> None:
    found = hs.estimate(PROMPTS)
    assert (found.output_tokens, found.uncapped) == (3000, 3)
    assert found.most_usd == most(PROMPTS, 1000)
    assert "3 without max_tokens are taken for 1,000" in str(found)


def test_a_measurement_is_its_prompt_so_many_times() -> None:
    one = hs.estimate(PROMPTS[0], max_tokens=50)
    found = hs.estimate(PROMPTS[0], runs=32, max_tokens=50)
    assert one.most_usd is not None
    assert (found.calls, found.most_usd) == (32, 32 * one.most_usd)
    assert found.input_tokens == 32 * one.input_tokens


def test_a_system_prompt_is_counted_and_each_prompt_may_have_settings_of_its_own() -> None:
    found = hs.estimate(
        [{"prompt": "Hi.", "max_tokens": 5}, {"prompt": "Hi.", "model": "gpt-4o"}],
        system="Be brief.",
    )
    assert found.input_tokens == 2 * tokens.count_messages(["Be brief.", "Hi."])
    assert (found.uncapped, found.unpriced) == (1, 1)
    assert "1 are of unknown price and not in it" in str(found)


def test_an_unknown_price_is_not_zero() -> None:
    found = hs.estimate(PROMPTS, model="gpt-4o")
    assert (found.most_usd, found.unpriced) == (None, 3)
    assert str(found) == "Estimate: 3 calls of unknown price."


def test_a_plan_of_a_long_text_says_the_same(gw: hs.Gateway) -> None:
    plan = hs.plan_long(gw, "Sum it up.", "word " * 5000, max_tokens=100, part_tokens=1000)
    found = hs.estimate(plan)
    assert (found.calls, found.most_usd) == (plan.calls, plan.most_usd)
    assert (found.input_tokens, found.output_tokens) == (plan.input_tokens, plan.output_tokens)
    assert plan.counted_by in str(found)
    assert hs.estimate(plan, runs=2).calls == 2 * plan.calls


def test_no_prompts_cost_nothing() -> None:
    found = hs.estimate([])
    assert (found.calls, found.most_usd) == (0, 0)


def test_what_came_back_costs_no_more_than_was_estimated(gw: hs.Gateway) -> None:
    before = hs.estimate(PROMPTS, max_tokens=20).most_usd
    result = hs.batch_sync(gw, PROMPTS, max_tokens=20, progress=False)
    assert before is not None
    assert 0 < result.cost <= before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"work": PROMPTS, "runs": 0}, "runs is 0"),
        ({"work": PROMPTS, "runs": True}, "runs is True"),
        ({"work": PROMPTS, "runs": "3"}, "runs is '3'"),
        ({"work": 5}, "A int was given"),
        ({"work": [""]}, "Prompt 0"),
        ({"work": PROMPTS, "max_tokens": 0}, "max_tokens"),
    ],
)
def test_what_can_not_be_asked_is_refused(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(hs.InputError) as e:
        hs.estimate(**arguments)
    assert says in str(e.value)


def test_a_plan_has_its_settings_already(gw: hs.Gateway) -> None:
    plan = hs.plan_long(gw, "Sum it up.", "word " * 50)
    with pytest.raises(hs.InputError, match="A plan has its model and settings"):
        hs.estimate(plan, max_tokens=5)


def test_a_bound_is_never_rounded_down() -> None:
    found = hs.estimate(["hi"], max_tokens=10)
    assert found.most_usd is not None
    assert 0 < found.most_usd < Decimal("0.0001")
    assert "at most 0.0001 USD" in str(found)
