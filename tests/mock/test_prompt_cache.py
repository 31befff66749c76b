"""The mock's prompt cache: the rule of one maker, by what a key has sent before."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from holysheep_helpers import catalog
from holysheep_helpers.mock import prompt_cache
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.mock.timing import PER_PROMPT_TOKEN_S
from tests.support.inside import running, tenant_of

MODEL = "gpt-4.1"
RULES = "Answer in one sentence, and name the parcel by its number. " * 200
SHORT = "Answer in one sentence."


def usage(mock: MockHandle, *texts: str, model: str = MODEL, **more: Any) -> Any:
    messages: Any = [{"role": "system", "content": texts[0]}]
    messages += [{"role": "user", "content": text} for text in texts[1:]]
    with openai.OpenAI(base_url=mock.base_url, api_key=mock.api_key, max_retries=0) as client:
        reply = client.chat.completions.create(model=model, messages=messages, **more)
    assert reply.usage is not None
    return reply.usage


def cached(mock: MockHandle, *texts: str, **more: Any) -> int:
    return usage(mock, *texts, **more).prompt_tokens_details.cached_tokens


def test_the_same_start_is_cached_in_the_steps_of_the_rule(mock: MockHandle) -> None:
    first = usage(mock, RULES, "Where is parcel 1?")
    assert first.prompt_tokens_details.cached_tokens == 0
    again = cached(mock, RULES, "Where is parcel 2?")
    rule = catalog.find(MODEL).caching  # pyright: ignore[reportOptionalMemberAccess]
    assert rule is not None
    assert (rule.least_tokens, rule.step_tokens) == (1024, 128)
    assert (again - 1024) % 128 == 0
    assert 0 < first.prompt_tokens - again < 128 + 20  # all of the rules but a last, unfull step
    assert cached(mock, RULES, "Where is parcel 2?") == again


@pytest.mark.parametrize(
    ("texts", "more"),
    [
        ((f"It is 14:05. {RULES}", "Where is parcel 1?"), {}),
        ((f"It is 14:06. {RULES}", "Where is parcel 1?"), {}),
        ((SHORT, "Where is parcel 1?"), {}),
        ((RULES, "Where is parcel 1?"), {"model": "mistral-small-2603"}),
    ],
    ids=["another start", "and another", "too short", "a model without a rule"],
)
def test_nothing_else_is_cached(mock: MockHandle, texts: Any, more: Any) -> None:
    cached(mock, RULES, "Where is parcel 1?")
    cached(mock, SHORT, "Where is parcel 1?")
    assert cached(mock, *texts, **more) == 0


def test_a_changing_word_ends_what_is_cached_where_it_stands(mock: MockHandle) -> None:
    half = RULES[: len(RULES) // 2]
    cached(mock, f"{half}today is Monday. {half}", "Hello.")
    whole = usage(mock, f"{half}today is Friday. {half}", "Hello.")
    found = whole.prompt_tokens_details.cached_tokens
    assert 1024 <= found < whole.prompt_tokens / 2 + 10


def test_another_key_has_a_cache_of_its_own_and_reset_empties_it(mock: MockHandle) -> None:
    cached(mock, RULES, "Hello.")
    assert cached(mock.apart("other"), RULES, "Hello.") == 0
    assert cached(mock, RULES, "Hello.") > 0
    mock.reset()
    assert cached(mock, RULES, "Hello.") == 0


def test_a_request_that_was_refused_is_in_no_cache(mock: MockHandle) -> None:
    mock.script([503])
    with pytest.raises(openai.InternalServerError):
        cached(mock, RULES, "Hello.")
    assert cached(mock, RULES, "Hello.") == 0


def test_cached_tokens_are_not_read_again_before_the_first_token(mock: MockHandle) -> None:
    def first_s(handle: MockHandle) -> tuple[int, float]:
        with openai.OpenAI(base_url=handle.base_url, api_key=handle.api_key) as client:
            messages: Any = [{"role": "user", "content": RULES}]
            ask: dict[str, Any] = {"model": MODEL, "messages": messages, "temperature": 0}
            reply = client.chat.completions.create(max_tokens=1, **ask)
        assert reply.usage is not None
        assert reply.usage.prompt_tokens_details is not None
        due_s = handle.entries()[-1]["due_s"]
        return reply.usage.prompt_tokens_details.cached_tokens or 0, due_s[0]

    with running(time_scale=0.01) as (handle, server):
        drawn = []
        for _ in range(2):
            tenant_of(server, handle)._asked.clear()  # the same draw both times
            drawn.append(first_s(handle))
    (none, slow_s), (found, fast_s) = drawn
    assert none == 0
    assert slow_s - fast_s == pytest.approx(0.01 * found * PER_PROMPT_TOKEN_S, abs=1e-5)


def test_it_stays_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_cache, "PREFIXES_KNOWN", 20)
    with running() as (handle, server):
        cached(handle, RULES, "Hello.")
        for name in range(5):
            cached(handle, f"{name} {RULES}", "Hello.")
        assert len(tenant_of(server, handle).prompts._known) == 20
        assert cached(handle, f"4 {RULES}", "Hello.") > 0
        assert cached(handle, RULES, "Hello.") == 0


def test_it_is_said_where_the_rule_comes_from() -> None:
    ruled = [model for model in catalog.models() if model.caching]
    assert [model.id for model in ruled] == [MODEL]
    assert "openai/openai-cookbook" in str(ruled[0].caching.source.name)  # pyright: ignore
