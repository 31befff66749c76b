"""The one reader of a reply: the same from JSON and from the SDK's object, and it never raises."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from holysheep_helpers.client.replies import EventStream, ParsedReply, parse_json, read_whole
from holysheep_helpers.exceptions import UnexpectedReplyError

USAGE = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}


def whole(**fields: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": "Hello"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": "x", "model": "m", "choices": [choice], "usage": USAGE, **fields}


def chunk(**delta: Any) -> dict[str, Any]:
    return {"id": "x", "model": "m", "choices": [{"index": 0, "delta": delta}]}


@pytest.mark.parametrize("as_object", [False, True])
def test_json_and_the_sdk_s_object_say_the_same(as_object: bool) -> None:
    body: Any = whole()
    said = ParsedReply(ChatCompletion.construct(**body) if as_object else body)
    assert (said.id, said.model, said.text, said.reasoning) == ("x", "m", "Hello", "")
    assert said.finish_reason == "stop"
    assert said.usage is not None
    assert said.usage.total_tokens == 9
    assert said.token_counts == {"prompt_tokens": 7, "output_tokens": 2}
    assert said.is_answer


@pytest.mark.parametrize("as_object", [False, True])
@pytest.mark.parametrize(
    ("delta", "text", "reasoning"),
    [
        ({"content": "Hi"}, "Hi", ""),
        ({"reasoning_content": "Hm", "content": None}, "", "Hm"),
        ({"reasoning": "So", "content": ""}, "", "So"),
        ({"content": [{"type": "text", "text": "Hi"}, {"type": "text", "text": "!"}]}, "Hi!", ""),
        ({"content": [{"thinking": [{"type": "text", "text": "Well"}]}]}, "", "Well"),
        ({}, "", ""),
    ],
)
def test_answer_and_thoughts_are_told_apart_by_each_of_their_names(
    as_object: bool, delta: dict[str, Any], text: str, reasoning: str
) -> None:
    body: Any = chunk(**delta)
    said = ParsedReply(ChatCompletionChunk.construct(**body) if as_object else body)
    assert (said.text, said.reasoning) == (text, reasoning)


@pytest.mark.parametrize("body", [None, 5, "text", [], {}, *({"choices": c} for c in (5, [None]))])
def test_what_is_no_reply_says_nothing_and_raises_nothing(body: Any) -> None:
    said = ParsedReply(body)
    assert (said.id, said.model, said.text, said.reasoning, said.usage) == (
        None,
        None,
        "",
        "",
        None,
    )
    assert said.token_counts == {}
    assert (said.finish_reason, said.error, said.is_answer) == (None, None, False)


@pytest.mark.parametrize(
    "fields",
    [
        {"choices": [{"message": {"content": 5}, "finish_reason": "stop"}]},
        {"choices": [{}]},
        {"choices": []},
        {"choices": None},
    ],
)
def test_a_reply_without_an_answer_is_refused(fields: dict[str, Any]) -> None:
    response = httpx2.Response(200, json=whole(**fields))
    with pytest.raises(UnexpectedReplyError, match="not with a whole chat compl") as caught:
        read_whole(response, "http://127.0.0.1/v1/")
    assert not caught.value.page
    assert read_whole(httpx2.Response(200, json=whole()), "").text == "Hello"


@pytest.mark.parametrize(
    ("fields", "odd"),
    [
        *(({"model": model}, "model") for model in (None, "", {}, 5)),
        *(({"usage": usage}, "usage") for usage in (None, {}, [], 5, {"prompt_tokens": "many"})),
        ({"choices": [{"message": {"content": "Hello"}}]}, "finish_reason"),
        ({"choices": [{"message": {"content": "Hello"}, "finish_reason": {}}]}, "finish_reason"),
    ],
)
def test_an_answer_is_kept_whatever_is_odd_beside_it(fields: dict[str, Any], odd: str) -> None:
    said = read_whole(httpx2.Response(200, json=whole(**fields)), "http://127.0.0.1/v1/")
    assert said.text == "Hello"
    assert getattr(said, odd) is None


def test_a_page_is_told_from_a_reply_that_lacks_something() -> None:
    response = httpx2.Response(200, html="<p>Sign in</p>")
    with pytest.raises(UnexpectedReplyError, match="A proxy's page") as caught:
        read_whole(response, "http://127.0.0.1/v1/")
    assert caught.value.page


def test_what_is_no_json_is_nothing() -> None:
    assert parse_json(b'{"a": 1}') == {"a": 1}
    assert parse_json(b'"a\xffb"') == "a\ufffdb"  # a broken character is one character
    assert [parse_json(text) for text in (b"", b"{", b"\xff", b"[" * 100_000)] == [None] * 4


def test_an_event_whose_end_never_came_is_kept() -> None:
    stream = EventStream()
    data = json.dumps({"usage": USAGE}).encode()
    assert stream.feed(b"data: 1\n\ndata: " + data + b"\n") == [b" 1"]
    assert stream.take_rest().strip() == data
    assert stream.take_rest() == b""


@pytest.mark.parametrize("late", [b"data: late\n\n", b"data: late\n", b"data: late"])
def test_nothing_is_kept_that_comes_after_the_end_mark(late: bytes) -> None:
    stream = EventStream()
    assert stream.feed(b"data: 1\n\ndata: [DONE]\n\n" + late) == [b" 1"]
    assert stream.take_rest() == b""
