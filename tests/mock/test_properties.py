"""Whatever is asked: an answer or an error in the right form, and a server that lives."""

import json
import logging
import string
from collections.abc import Callable, Iterator
from functools import cache
from http.client import HTTPException
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from holysheep_helpers import catalog
from holysheep_helpers.mock.faults import KINDS
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.mock.requests import ALLOWED, UNSUPPORTED
from holysheep_helpers.mock.strict_json import parse_json
from tests.mock import raw
from tests.mock.inside import running

often = settings(
    derandomize=True,
    print_blob=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
Ask = Callable[..., raw.Answer]
numbers = count()


@pytest.fixture(scope="module")
def server() -> Iterator[MockHandle]:
    """A mock whose due times are real, but come at once."""
    with running(raw.at_once(), time_scale=1) as (mock, _):
        yield mock


@pytest.fixture
def sound(
    server: MockHandle, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[MockHandle]:
    """The mock under a new key; at the end it still answers, and nothing went wrong in it."""
    mock = MockHandle(server.base_url, f"hs-mock-property-{next(numbers)}")
    with caplog.at_level(logging.WARNING):
        yield mock
    assert raw.ask(mock).status == 200
    assert [record.getMessage() for record in caplog.records] == []
    assert capfd.readouterr().err == ""


def an_error(answer: raw.Answer) -> dict[str, Any]:
    """The error in an answer, which must have the form of one."""
    assert list(answer.json) == ["error"]
    error = answer.json["error"]
    assert list(error) == ["message", "type", "param", "code"]
    assert error["message"]
    assert isinstance(error["type"], str)
    assert all(isinstance(error[name], str | None) for name in ("param", "code"))
    assert answer.headers["content-type"] == "application/json"
    return error


texts = st.text(st.characters(codec="utf-8"), max_size=40)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
prompts = st.sampled_from(["hello", "Write a long poem.", "안녕하세요. 날씨?", "json: {x}"]) | texts
messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "assistant"]), "content": prompts}
    ),
    min_size=1,
    max_size=4,
)
requests = st.fixed_dictionaries(
    {"model": st.sampled_from([model.id for model in catalog.models()]), "messages": messages},
    optional={
        "n": st.integers(1, 3),
        "max_tokens": st.integers(1, 40),
        "temperature": st.floats(0, 2),
        "seed": st.integers(-5, 5),
        "stop": st.lists(st.sampled_from([".", " a", "[", "다"]), max_size=4),
        "user": texts,
        "response_format": st.just({"type": "text"}),
    },
)


@given(content=st.binary(max_size=300))
@often
def test_any_bytes_are_a_400(sound: MockHandle, content: bytes) -> None:
    answer = raw.send(sound, content)
    assert answer.status == 400
    an_error(answer)


@given(body=values)
@often
def test_any_json_is_a_400_that_tells_why(sound: MockHandle, body: Any) -> None:
    answer = raw.send(sound, json.dumps(body).encode())
    assert answer.status == 400
    param = an_error(answer)["param"]
    assert param in (None, "model") if not isinstance(body, dict) else param in {"model", *body}


names = st.sampled_from(sorted(ALLOWED | UNSUPPORTED)) | texts


@given(body=requests, name=names, value=values)
@often
def test_one_strange_field_is_served_or_named(
    sound: MockHandle, body: dict[str, Any], name: str, value: Any
) -> None:
    answer = raw.send(sound, {**body, name: value})
    assert answer.status in (200, 400, 404)
    if answer.status != 200:
        param = an_error(answer)["param"] or ""
        known = (name, name.replace("max_completion", "max"))
        assert param in known or param.startswith((f"{name}.", f"{name}[", "messages"))


def said(chunks: list[dict[str, Any]]) -> dict[int, tuple[str, str]]:
    """Text and finish reason of each choice of a stream."""
    found: dict[int, tuple[str, str]] = {}
    for chunk in chunks:
        for choice in chunk["choices"]:
            before = found.get(choice["index"], ("", ""))[0]
            text = before + choice["delta"].get("content", "")
            found[choice["index"]] = (text, choice["finish_reason"] or "")
    return found


@given(body=requests)
@often
def test_whole_and_streamed_say_the_same_and_count_the_same(
    sound: MockHandle, body: dict[str, Any]
) -> None:
    body["seed"] = 1  # the how-manieth request does not choose the text then
    sound.reset()
    whole = raw.send(sound, body)
    options = {"stream": True, "stream_options": {"include_usage": True}}
    *chunks, last = raw.send(sound, body | options).chunks
    assert said(chunks) == {
        choice["index"]: (choice["message"]["content"], choice["finish_reason"])
        for choice in whole.json["choices"]
    }
    assert last["usage"] == whole.json["usage"]
    used = last["usage"]
    assert used["total_tokens"] == used["prompt_tokens"] + used["completion_tokens"]
    most = body.get("max_tokens")
    if most is not None:
        assert used["completion_tokens"] <= most * body.get("n", 1)
    for choice in whole.json["choices"]:
        assert (choice["finish_reason"] == "length") <= (most is not None)
        assert not any(stop in choice["message"]["content"] for stop in body.get("stop", []))
    journal = sound.entries()
    assert len(journal) == 2
    assert {entry["completion_tokens"] for entry in journal} == {used["completion_tokens"]}
    assert {entry["prompt_tokens"] for entry in journal} == {used["prompt_tokens"]}


@given(body=requests, stream=st.booleans())
@often
def test_the_same_request_from_a_new_start_gives_the_same_bytes(
    sound: MockHandle, body: dict[str, Any], stream: bool
) -> None:
    answers = []
    for _ in range(2):
        sound.reset()
        answers.append([raw.send(sound, body | {"stream": stream}) for _ in range(2)])
    first, second = answers
    assert [a.content for a in first] == [a.content for a in second]
    ids = [[answer.headers["x-request-id"] for answer in each] for each in answers]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 2


FIELDS = {
    "after": st.integers(0, 60),
    "status": st.sampled_from([400, 401, 429, 500, 503, 599]),
    "body": values,
    "headers": st.dictionaries(
        st.sampled_from(["retry-after", "x-y", "Content-Type"]), st.text(string.digits)
    ),
    "value": st.sampled_from(["text/html", ""]),
    "delay_s": st.floats(0, 3600),
    "factor": st.floats(0, 1000),
    "tokens": st.integers(1, 60),
    "done": st.booleans(),
}


@st.composite
def faults(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(sorted(KINDS)))
    takes = sorted(KINDS[kind][0])
    fields = draw(st.fixed_dictionaries({}, optional={name: FIELDS[name] for name in takes}))
    if kind == "stall":  # one without an end is none of this test
        fields["delay_s"] = draw(FIELDS["delay_s"])
    if kind == "status":
        fields["status"] = draw(FIELDS["status"])
    return {"kind": kind, **fields}


@given(fault=faults(), body=requests, stream=st.booleans(), carried=st.booleans())
@often
def test_a_fault_strikes_one_request_and_no_other(
    sound: MockHandle, fault: dict[str, Any], body: dict[str, Any], stream: bool, carried: bool
) -> None:
    sound.reset()
    headers = {"x-mock-fault": json.dumps(fault)} if carried else {}
    if not carried:
        sound.script([fault])
    try:
        status = raw.send(sound, body | {"stream": stream}, headers=headers).status
    except (OSError, HTTPException):
        status = None  # broken off
    refuses = {"rate_limit": 429, "quota": 429, "html": fault.get("status") or 502}
    wanted = fault["status"] if fault["kind"] == "status" else refuses.get(fault["kind"], 200)
    assert status in (wanted, None)
    if fault["kind"] not in ("disconnect", "reset", "cut_body"):
        assert status == wanted
    after = raw.send(sound, body)
    assert (after.status, after.json["object"]) == (200, "chat.completion")
    journal = sound.entries(settle_s=10)
    assert [entry["fault"] for entry in journal] == [fault["kind"], None]
    assert "open" not in {entry["outcome"] for entry in journal}


@given(script=values | st.lists(faults() | values, max_size=3), every=values, probability=values)
@often
def test_any_script_is_taken_or_named(
    sound: MockHandle, script: Any, every: Any, probability: Any
) -> None:
    for payload in (script, {"faults": script, "every": every, "probability": probability}):
        answer = raw.send(sound, json.dumps(payload).encode(), path="/mock/script")
        if answer.status == 200:
            assert answer.json == {"queued": len(script)}
        else:
            assert answer.status == 400
            assert (an_error(answer)["param"] or "").startswith("script")
    sound.reset()


visible = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1)


@given(carried=visible, key=visible, count_=visible)
@often
def test_any_header_is_taken_or_named(
    sound: MockHandle, carried: str, key: str, count_: str
) -> None:
    for headers, statuses in (
        ({"x-mock-fault": carried}, (400,)),
        ({"Authorization": carried}, (401,)),
        ({"Authorization": f"Bearer hs-mock-{key}"}, (200,)),
        ({"x-stainless-retry-count": count_, "Origin": key, "Content-Type": carried}, (200,)),
    ):
        answer = raw.send(sound, raw.body(), headers=headers)
        assert answer.status in statuses
        if answer.status != 200:
            an_error(answer)


sizes = st.fixed_dictionaries({}, optional={"min": st.integers(0, 4), "max": st.integers(0, 6)})
bound = st.integers(-40, 40) | st.floats(-40, 40)
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def sized(kind: str, what: str, chosen: dict[str, int]) -> dict[str, Any]:
    return {"type": kind} | {f"{end}{what}": size for end, size in chosen.items()}


schemas = st.recursive(
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"type": ["string", "null"]}])
    | st.builds(lambda chosen: sized("string", "Length", chosen), sizes)
    | st.fixed_dictionaries(
        {"type": st.just("string"), "format": st.sampled_from(["date", "uuid", "date-time", "x"])}
    )
    | st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number"])},
        optional=dict.fromkeys(BOUNDS, bound) | {"multipleOf": st.integers(1, 7)},
    )
    | st.builds(lambda options: {"enum": options}, st.lists(values, min_size=1, max_size=3))
    | st.builds(lambda value: {"const": value}, values)
    | st.just({"type": "string", "pattern": "^a+$"}),
    lambda inner: (
        st.builds(lambda options: {"anyOf": options}, st.lists(inner, min_size=1, max_size=2))
        | st.builds(
            lambda item, chosen: sized("array", "Items", chosen) | {"items": item}, inner, sizes
        )
        | st.builds(
            lambda fields: {
                "type": "object",
                "properties": fields,
                "required": list(fields),
                "additionalProperties": False,
            },
            st.dictionaries(texts, inner, max_size=3),
        )
    ),
    max_leaves=6,
)


def asked_for(schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}


@given(schema=schemas)
@often
def test_json_fits_the_schema_that_was_asked_for(sound: MockHandle, schema: dict[str, Any]) -> None:
    answer = raw.send(sound, raw.body(response_format=asked_for(schema)))
    if answer.status == 200:
        Draft202012Validator(schema).validate(parse_json(answer.text.encode()))
    else:
        assert answer.status == 400
        assert an_error(answer)["param"] == "response_format.json_schema.schema"


KEYWORDS = st.sampled_from(
    ["type", "properties", "items", "anyOf", "enum", "const", "$ref", "minItems", "maxItems",
     "minLength", "maxLength", "required", "minimum", "multipleOf", "format", "allOf", "$defs"]
)  # fmt: skip
WORDS = st.sampled_from(
    ["object", "array", "string", "number", "integer", "#", "#/$defs", "#/items"]
)
jumbles = st.recursive(
    WORDS | values,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYWORDS, inner, max_size=4),
    max_leaves=20,
)


@given(schema=jumbles)
@often
def test_any_jumble_of_a_schema_is_served_or_refused(sound: MockHandle, schema: Any) -> None:
    answer = raw.send(sound, raw.body(response_format=asked_for(schema)))
    assert answer.status in (200, 400)
    if answer.status == 200:
        parse_json(answer.text.encode())
    else:
        assert (an_error(answer)["param"] or "").startswith("response_format")


@cache
def wide(depth: int) -> dict[str, Any]:
    """A schema of 200 letters, of which each level doubles the instance."""
    levels = {
        f"d{at}": {"type": "array", "minItems": 2, "items": {"$ref": f"#/$defs/d{at + 1}"}}
        for at in range(depth)
    }
    return {"$ref": "#/$defs/d0", "$defs": levels | {f"d{depth}": {"const": "x" * 100}}}


def test_a_small_schema_can_t_make_an_endless_reply(sound: MockHandle) -> None:
    nested: dict[str, Any] = {"type": "string"}
    for _ in range(20):
        nested = {"type": "array", "minItems": 100, "items": nested}
    for schema, status in ((wide(5), 200), (wide(28), 400), (nested, 400)):
        answer = raw.send(sound, raw.body(response_format=asked_for(schema)))
        assert answer.status == status
