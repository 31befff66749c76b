"""Whatever field of a good reply is dropped, null or of another type: the text and its cost stay.

Each test tries at least 500 replies, and prints (``pytest -s``) how many it tried.
"""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Iterator
from functools import wraps
from typing import Any

import httpx2
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import holysheep_helpers as hs
from holysheep_helpers.client.spend import Budget, Meter
from holysheep_helpers.pricing.money import AssumedPriceWarning
from tests.support.answers import stream_of
from tests.support.dialects import END, USAGE, choice, chunk, thinking, whole
from tests.support.strategies import examples, often

MODEL = "mistral-small-2603"
OURS = (hs.GatewayError, hs.UnexpectedReplyError, hs.IncompleteStreamError, openai.OpenAIError)
ODD = (None, "", "odd", 5, -1, 1.5, True, [], {}, [None], [5], {"odd": {}}, [{"odd": None}])
DETAILED = {
    **USAGE,
    "prompt_tokens_details": {"cached_tokens": 6},
    "completion_tokens_details": {"reasoning_tokens": 1},
}
PARTS = [thinking("hm"), {"type": "text", "text": "Hello"}]
WHOLE = [
    {**whole({"role": "assistant", "content": content, "refusal": None}), "usage": DETAILED}
    for content in ("Hello", PARTS)
]
CHUNKS = [
    [
        chunk(choice({"role": "assistant", "content": first}), usage=None),
        chunk(choice({"content": "lo"}), usage=None),
        chunk(END, usage=None),
        chunk(usage=DETAILED),
    ]
    for first in ("Hel", [{"type": "text", "text": "Hel"}])
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every field, of a list's elements too."""
    if not isinstance(value, dict | list):
        return
    for name, one in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*path, name)
        yield from places(one, (*path, name))


@st.composite
def spoilt(draw: st.DrawFn, good: list[Any]) -> tuple[Any, list[tuple[Any, ...]]]:
    """A good value in which one to three fields are dropped, null or of another type."""
    value = copy.deepcopy(draw(st.sampled_from(good)))
    touched = []
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(places(value))))
        at = value
        for name in path[:-1]:
            at = at[name]
        if isinstance(at, dict) and draw(st.booleans()):
            del at[path[-1]]
        else:
            at[path[-1]] = copy.deepcopy(draw(st.sampled_from(ODD)))
        touched.append(path)
    return value, touched


def stands(value: Any, *path: Any) -> Any:
    for name in path:
        try:
            value = value[name]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def text_in(choices: Any, name: str) -> str:
    """The text where it belongs, read in the plainest way."""
    content = stands(choices, 0, name, "content")
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    answers = (part for part in content if stands(part, "thinking") is None)
    return "".join(text for one in answers if isinstance(text := stands(one, "text"), str))


def is_sound(usage: Any) -> bool:
    """Whether the counts that cost are those that were meant."""
    names = ("prompt_tokens", "completion_tokens")
    return all(stands(usage, name) == USAGE[name] for name in names) and all(
        type(stands(usage, name)) is int for name in names
    )


def asked(body: bytes, kind: str, call: Any) -> tuple[Any, hs.Gateway, Exception | None, list[str]]:
    """What a call makes of this body: its result, what was spent, its error, its warnings."""
    budget = Budget(None)
    meter = Meter(budget.spend, budget.check_request)
    answer = httpx2.MockTransport(
        lambda _: httpx2.Response(
            200, headers={"content-type": kind}, stream=httpx2.ByteStream(body)
        )
    )
    hooks: Any = {"request": [meter.on_request], "response": [meter.on_response]}
    result, error = None, None
    AssumedPriceWarning._warned_of.clear()  # it is given once in a process
    with (
        httpx2.Client(transport=answer, event_hooks=hooks) as http,
        warnings.catch_warnings(record=True) as told,
    ):
        warnings.simplefilter("always")
        client = openai.OpenAI(
            base_url="http://127.0.0.1/v1", api_key="x", http_client=http, max_retries=0
        )
        try:
            result = call(client)
        except OURS as raised:
            error = raised
    return result, budget.spend, error, [str(w.message) for w in told]  # pyright: ignore


def counted(test: Any) -> Any:
    """The property test ``test``; afterwards it says how many cases it tried."""
    tried = [0]
    inner = test.hypothesis.inner_test

    @wraps(inner)
    def one(*args: Any, **kwargs: Any) -> None:
        tried[0] += 1
        inner(*args, **kwargs)

    test.hypothesis.inner_test = one

    @wraps(test)
    def all_of_them() -> None:
        test()
        print(f"{test.__name__}: {tried[0]} replies tried")
        assert tried[0] >= examples(500)

    return all_of_them


def check_cost(cost: Any, spend: Any, usage: Any, stated: Any) -> None:
    """The meter says the same; sound counts have their price, and no other is below it."""
    assert spend.usd == (cost or 0)
    assert spend.unpriced == (cost is None)
    if is_sound(usage):
        price = hs.catalog.published_price(MODEL)
        assert price is not None
        right = (10 * price.input_usd_per_mtok + 4 * price.output_usd_per_mtok) / 10**6
        assert cost is not None
        assert cost >= right


@counted
@settings(often, max_examples=examples(500))
@given(spoilt(WHOLE))
def test_a_spoilt_reply_is_its_text_or_an_error_of_ours(
    case: tuple[Any, list[tuple[Any, ...]]],
) -> None:
    body, _ = case
    reply, spend, error, told = asked(
        json.dumps(body).encode(), "application/json", lambda client: hs.ask(client, "q")
    )
    text = text_in(stands(body, "choices"), "message")
    if error is not None:
        reason = stands(body, "choices", 0, "finish_reason")
        assert not text or stands(body, "error") or reason == "error", error
        return
    assert reply.text == text
    check_cost(reply.cost, spend, stands(body, "usage"), stands(body, "model"))
    if stands(body, "model") not in (MODEL, None, "") and isinstance(body.get("model"), str):
        assert reply.cost is None or told  # a name without a price is said


@counted
@settings(often, max_examples=examples(500))
@given(spoilt(CHUNKS))
def test_a_spoilt_stream_is_its_text_or_an_error_of_ours(
    case: tuple[Any, list[tuple[Any, ...]]],
) -> None:
    chunks, _ = case
    streams: list[Any] = []

    def read(client: openai.OpenAI) -> Any:
        streams.append(hs.stream(client, "q"))
        streams[0].read()
        return streams[0]

    _, spend, error, _ = asked(stream_of(*chunks), "text/event-stream", read)
    text = "".join(text_in(stands(one, "choices"), "delta") for one in chunks)
    reasons = [stands(one, "choices", 0, "finish_reason") for one in chunks]
    is_ended = any(isinstance(reason, str) and reason for reason in reasons)
    assert (error is None) is is_ended
    assert streams[0].text == text
    if is_ended:
        last = [one for one in chunks if stands(one, "usage")]
        check_cost(streams[0].cost, spend, stands(last[-1], "usage") if last else None, None)


@counted
@settings(often, max_examples=examples(500))
@given(spoilt(WHOLE))
def test_a_spoilt_reply_is_the_same_in_a_batch(case: tuple[Any, list[tuple[Any, ...]]]) -> None:
    from holysheep_helpers.client.replies import read_whole

    body, _ = case
    response = httpx2.Response(200, json=body)
    alone, _, error, _ = asked(
        json.dumps(body).encode(), "application/json", lambda client: hs.ask(client, "q")
    )
    if error is not None:
        with pytest.raises(type(error)):
            read_whole(response, "")
        return
    said = read_whole(response, "")
    assert (said.text, said.finish_reason, said.model) == (
        alone.text,
        alone.finish_reason,
        alone.model,
    )
