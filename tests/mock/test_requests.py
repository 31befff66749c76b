"""A request that is off gets a 400 that names the parameter, never a 422, a 500 or an answer."""

import json
from typing import Any

import pytest

from holysheep_helpers import catalog
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.mock.http import BODY_LIMIT
from tests.support import raw

USER = {"role": "user", "content": "hello"}
WINDOW = catalog.find(catalog.DEFAULT_MODEL)


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in raw.body().items() if key != name}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"nothing",
        b"[" * 100_000,
        b'"text"',
        b"[]",
        b"1",
        b"null",
        b'{"user": NaN}',
        b'{"user": -Infinity}',
        b'{"user": ' + b"[" * 200 + b"]" * 200 + b"}",
        b'{"user": "\\ud800"}',
        b'{"seed": ' + b"9" * 5000 + b"}",
        b"\xef\xbb\xbf{}",
    ],
    ids=lambda content: repr(content[:8]),
)
def test_a_body_that_is_no_json_object(mock: MockHandle, content: bytes) -> None:
    answer = raw.send(mock, content)
    assert (answer.status, answer.json["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize(
    ("payload", "param"),
    [
        (without("model"), "model"),
        (raw.body(model=""), "model"),
        (raw.body(model=7), "model"),
        (without("messages"), "messages"),
        (raw.body(messages=[]), "messages"),
        (raw.body(messages="hello"), "messages"),
        (raw.body(messages=[USER, "hello"]), "messages[1]"),
        (raw.body(messages=[{"content": "hello"}]), "messages[0].role"),
        (raw.body(messages=[{**USER, "role": "boss"}]), "messages[0].role"),
        (raw.body(messages=[{"role": "user"}]), "messages[0].content"),
        (raw.body(messages=[{**USER, "content": 5}]), "messages[0].content"),
        (raw.body(messages=[{**USER, "content": []}]), "messages[0].content"),
        (
            raw.body(messages=[{**USER, "content": [{"type": "image_url"}]}]),
            "messages[0].content[0].type",
        ),
        (
            raw.body(messages=[{**USER, "content": [{"type": "text"}]}]),
            "messages[0].content[0].text",
        ),
        (raw.body(max_tokens=0), "max_tokens"),
        (raw.body(max_tokens=-1), "max_tokens"),
        (raw.body(max_tokens=1.5), "max_tokens"),
        (raw.body(max_tokens="10"), "max_tokens"),
        (raw.body(max_tokens=True), "max_tokens"),
        (raw.body(max_completion_tokens=0), "max_completion_tokens"),
        (raw.body(max_tokens=5, max_completion_tokens=5), "max_tokens"),
        (raw.body(temperature=-0.1), "temperature"),
        (raw.body(temperature=2.1), "temperature"),
        (raw.body(temperature="hot"), "temperature"),
        (raw.body(top_p=1.1), "top_p"),
        (raw.body(top_p=10**400), "top_p"),
        (raw.body(user=5), "user"),
        (raw.body(metadata="x"), "metadata"),
        (raw.body(store="yes"), "store"),
        (raw.body(presence_penalty=3), "presence_penalty"),
        (raw.body(frequency_penalty=-3), "frequency_penalty"),
        (raw.body(n=0), "n"),
        (raw.body(n=9), "n"),
        (raw.body(seed=1.5), "seed"),
        (raw.body(seed=2**63), "seed"),
        (raw.body(stream="yes"), "stream"),
        (raw.body(stream_options={"include_usage": True}), "stream_options"),
        (raw.body(stream=True, stream_options=5), "stream_options"),
        (
            raw.body(stream=True, stream_options={"include_usage": 1}),
            "stream_options.include_usage",
        ),
        (raw.body(stop=5), "stop"),
        (raw.body(stop=[""]), "stop"),
        (raw.body(stop=["a", "b", "c", "d", "e"]), "stop"),
        (raw.body(tools=[]), "tools"),
        (raw.body(logprobs=True), "logprobs"),
        (raw.body(response_format={"type": "yaml"}), "response_format"),
        (raw.body(response_format={"type": "json_object"}), "messages"),
        (raw.body(response_format={"type": "json_schema"}), "response_format.json_schema"),
        (raw.body(audio={}), "audio"),
        (raw.body(modalities=["text"]), "modalities"),
        (raw.body(max_token=5), "max_token"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_parameter_that_is_off_is_named(
    mock: MockHandle, payload: dict[str, Any], param: str
) -> None:
    answer = raw.send(mock, payload)
    assert (answer.status, answer.json["error"]["param"]) == (400, param)
    assert param.split("[", maxsplit=1)[0].split(".", maxsplit=1)[0] in json.dumps(answer.json)
    (entry,) = mock.entries()
    assert (entry["status"], entry["outcome"], entry["paid"]) == (400, "error", "no")


def test_null_is_the_same_as_left_out(mock: MockHandle) -> None:
    nothing = dict.fromkeys(("max_tokens", "stop", "seed", "stream_options", "n", "tools"))
    assert raw.ask(mock, temperature=0, **nothing).text == raw.ask(mock, temperature=0).text


def test_text_parts_are_one_text(mock: MockHandle) -> None:
    parts = [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}]
    answer = raw.ask(mock, temperature=0, messages=[{**USER, "content": parts}])
    assert answer.text == raw.ask(mock, temperature=0).text


def test_harmless_extras_change_nothing(mock: MockHandle) -> None:
    extras = {"user": "someone", "metadata": {"a": "b"}, "store": False}
    assert raw.ask(mock, temperature=0, **extras).text == raw.ask(mock, temperature=0).text


def test_more_than_the_context_window_is_refused(mock: MockHandle) -> None:
    assert WINDOW is not None
    assert WINDOW.context_window is not None
    answer = raw.send(mock, raw.body(max_tokens=WINDOW.context_window))
    error = answer.json["error"]
    assert (answer.status, error["code"]) == (400, "context_length_exceeded")
    assert f"maximum context length is {WINDOW.context_window} tokens" in error["message"]
    assert raw.send(mock, raw.body(max_tokens=WINDOW.context_window - 100)).status == 200


def test_a_body_without_end_is_refused(mock: MockHandle) -> None:
    answer = raw.send(mock, b" " * (BODY_LIMIT + 1))
    assert answer.status == 413
    assert raw.send(mock, b" " * (BODY_LIMIT - 200) + json.dumps(raw.body()).encode()).status == 200


def test_a_number_beyond_all_floats_is_named_like_any_other(mock: MockHandle) -> None:
    content = json.dumps(raw.body(temperature=7)).replace("7", "1e400").encode()
    answer = raw.send(mock, content)
    assert (answer.status, answer.json["error"]["param"]) == (400, "temperature")


def test_what_is_repeated_of_a_long_value_is_short(mock: MockHandle) -> None:
    payload = raw.body(messages=[{**USER, "role": "x" * 100_000}])
    assert len(raw.send(mock, payload).content) < 1000
