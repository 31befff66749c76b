"""Whatever is asked: an answer or an error in the right form, and a server that lives."""

import json
import string
from collections.abc import Callable
from http.client import HTTPException
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from holysheep_helpers.mock.faults import KINDS
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.mock.requests import ALLOWED, UNSUPPORTED
from tests.support import raw
from tests.support.strategies import an_error, often, requests, texts, values

Ask = Callable[..., raw.Answer]


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
    "status": st.sampled_from([200, 400, 401, 429, 500, 503, 599]),
    "body": values,
    "headers": st.dictionaries(
        st.sampled_from(["retry-after", "x-y", "Content-Type"]), st.text(string.digits)
    ),
    "value": st.sampled_from(["text/html", ""]),
    "delay_s": st.floats(0, 3600),
    "factor": st.floats(0, 1000),
    "tokens": st.integers(1, 60),
    "done": st.booleans(),
    "reason": st.sampled_from(["error", "abort"]),
    "cached": st.integers(0, 100),
    "cost": st.sampled_from(["0", "0.00012", "1e-7"]),
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
        if fields["status"] == 200 and fields.get("body") is None:  # it needs one
            fields["body"] = {"error": "overloaded"}
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


@given(script=values | st.lists(faults() | values, max_size=3), every=values, other=values)
@often
def test_any_script_is_taken_or_named(
    sound: MockHandle, script: Any, every: Any, other: Any
) -> None:
    rules = {"faults": script, "every": every, "probability": other, "model": other}
    for payload in (script, rules):
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
