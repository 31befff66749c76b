"""What will be sent for a long text: all of it, each part where it fits, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from unittest.mock import patch

import openai
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types import CompletionUsage

import holysheep_helpers as hs
from holysheep_helpers.batches import long_prompts
from holysheep_helpers.batches.long_prompts import rounds_of
from holysheep_helpers.catalog.splitting import counter_for
from tests.support.strategies import examples
from tests.support.texts import DO, SMALL, TEXT


def test_the_parts_in_the_prompts_are_the_whole_text(gw: hs.Gateway) -> None:
    plan = hs.plan_long(gw, DO, TEXT, **SMALL)
    assert "".join(plan.parts) == TEXT
    assert all(part in prompt for part, prompt in zip(plan.parts, plan.prompts(), strict=True))
    assert all(prompt.startswith(DO) for prompt in plan.prompts())


def test_parts_are_as_large_as_the_window_allows(gw: hs.Gateway) -> None:
    plan = hs.plan_long(gw, DO, TEXT, max_tokens=1000)
    assert 126_000 < plan.part_tokens < 127_000
    known = hs.catalog.find(plan.model)
    assert known is not None
    assert known.safe_context_window == 128_000
    more = hs.plan_long(gw, DO, TEXT, max_tokens=1000, model="gemini-2.5-flash")
    assert more.part_tokens > 1_000_000


WORDS = ["parcel ", "배송", "늦음. ", "😀", "QUJD", "\n\n", "x=1;\n", "</part>\n"]


@settings(deadline=None, max_examples=examples(100))
@given(
    text=st.lists(st.sampled_from(WORDS), min_size=1, max_size=40).map("".join),
    times=st.integers(1, 80),
    instruction=st.sampled_from([DO, "요약해 주세요.", "x" * 100]),
    system=st.sampled_from([None, "Be brief."]),
    window=st.integers(420, 900),  # in less, no two answers fit into one call
    most=st.integers(1, 60),
    model=st.sampled_from(["mistral-small-2603", "gemini-2.5-flash"]),
)
def test_every_prompt_fits_into_the_window(
    text: str, times: int, instruction: str, system: str | None, window: int, most: int, model: str
) -> None:
    client = openai.AsyncOpenAI(api_key="hs-mock-x", base_url="http://127.0.0.1:9/v1")
    with patch.object(long_prompts, "_window", lambda model: window):
        plan = hs.plan_long(
            client, instruction, text * times + "end", model=model, system=system, max_tokens=most
        )
    count = counter_for(model).at_most
    framed = 6 + (count(system) + 3 if system else 0)
    used = [count(prompt) + framed for prompt in plan.prompts()]
    answer = " word" * most
    assert max(used) + most <= window
    answers = ["" if count(answer) > most else answer] * len(plan.parts)
    for calls in plan.rounds[1:]:
        prompts = plan.combining(answers)
        assert len(prompts) == calls
        used += [count(prompt) + framed for prompt in prompts]
        assert max(used) + most <= window
        answers = answers[:calls]
    assert plan.calls == len(used)
    assert sum(used) <= plan.input_tokens
    assert plan.most_usd == hs.cost_of(
        CompletionUsage(
            prompt_tokens=plan.input_tokens, completion_tokens=plan.calls * most, total_tokens=0
        ),
        model,
    )


def test_each_answer_stands_in_one_combining_prompt(gw: hs.Gateway) -> None:
    plan = replace(hs.plan_long(gw, DO, TEXT, **SMALL), group=3)
    answers = ["apple", "birch", "cedar", "daisy", "elder"]
    prompts = plan.combining(answers)
    held = [[answer for answer in answers if answer in prompt] for prompt in prompts]
    assert held == [["apple", "birch", "cedar"], ["daisy", "elder"]]


@given(parts=st.integers(1, 100_000), group=st.integers(2, 500))
def test_combining_comes_to_one_answer(parts: int, group: int) -> None:
    rounds = rounds_of(parts, group)
    assert rounds[0] == parts
    assert rounds[-1] == 1
    assert len(rounds) < 20


def test_an_unknown_price_is_said_in_plan_and_reply(gw: hs.Gateway) -> None:
    plan = hs.plan_long(gw, DO, TEXT, model="gpt-4o", **SMALL)
    assert plan.most_usd is None
    assert "by estimate at most" in str(plan)
    assert "price unknown" in str(plan)


def test_overlap_reaches_the_parts(live: Callable[..., hs.Gateway]) -> None:
    gateway = live()
    apart = hs.plan_long(gateway, DO, TEXT, **SMALL)
    repeated = hs.plan_long(gateway, DO, TEXT, overlap=100, **SMALL)
    assert len(repeated.parts) > len(apart.parts)
    assert sum(map(len, repeated.parts)) > len(TEXT)
