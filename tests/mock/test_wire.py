"""The bytes of the mock: what a strict client finds in them."""

from typing import Any

import pytest
from openai.types import Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel

from holysheep_helpers import catalog
from holysheep_helpers.mock.handle import MockHandle
from tests.support import raw

STREAM: dict[str, Any] = {"stream": True}
WITH_USAGE: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}


def unknown_fields(model: BaseModel) -> list[str]:
    """Names that the SDK's type does not know, at any depth."""
    found = list(model.model_extra or {})
    for name in type(model).model_fields:
        value = getattr(model, name)
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, BaseModel):
                found += [f"{name}.{extra}" for extra in unknown_fields(part)]
    return found


@pytest.mark.parametrize("fields", [{}, {"n": 3}, {"max_tokens": 2}, {"stop": "a"}, {"seed": 7}])
def test_a_whole_reply_is_the_sdks_type_in_strict_mode(
    mock: MockHandle, fields: dict[str, Any]
) -> None:
    content = raw.ask(mock, **fields).content
    assert unknown_fields(ChatCompletion.model_validate_json(content, strict=True)) == []


@pytest.mark.parametrize("fields", [STREAM, WITH_USAGE, {**WITH_USAGE, "n": 2}])
def test_every_chunk_is_the_sdks_type_in_strict_mode(
    mock: MockHandle, fields: dict[str, Any]
) -> None:
    *chunks, done = raw.ask(mock, **fields).events
    assert done == "[DONE]"
    for chunk in chunks:
        assert unknown_fields(ChatCompletionChunk.model_validate_json(chunk, strict=True)) == []


def test_a_whole_reply_has_all_that_a_server_sends(mock: MockHandle) -> None:
    answer = raw.ask(mock, temperature=0)
    (choice,) = answer.json["choices"]
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.headers["x-request-id"].startswith("req_")
    assert int(answer.headers["openai-processing-ms"]) >= 0
    assert answer.json["object"] == "chat.completion"
    assert answer.json["id"].startswith("chatcmpl-")
    assert answer.json["model"] == catalog.DEFAULT_MODEL
    assert answer.json["service_tier"] == "default"
    assert choice["message"] == {
        "role": "assistant",
        "content": answer.text,
        "refusal": None,
        "annotations": [],
    }
    assert (choice["index"], choice["logprobs"], choice["finish_reason"]) == (0, None, "stop")
    used = answer.json["usage"]
    assert used["total_tokens"] == used["prompt_tokens"] + used["completion_tokens"]
    assert used["prompt_tokens_details"]["cached_tokens"] == 0
    assert used["completion_tokens_details"]["reasoning_tokens"] == 0


def test_a_stream_has_the_order_of_a_real_one(mock: MockHandle) -> None:
    answer = raw.ask(mock, temperature=0, **STREAM)
    first, *texts, last = answer.chunks
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert all(list(chunk["choices"][0]["delta"]) == ["content"] for chunk in texts)
    assert last["choices"][0]["delta"] == {}
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in answer.chunks]
    assert reasons == [None] * (len(reasons) - 1) + ["stop"]
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in answer.chunks}) == 1
    assert {chunk["object"] for chunk in answer.chunks} == {"chat.completion.chunk"}
    assert all("usage" not in chunk for chunk in answer.chunks)
    assert all("system_fingerprint" not in chunk for chunk in answer.chunks)


def test_usage_is_streamed_when_asked_for_and_only_then(mock: MockHandle) -> None:
    whole = raw.ask(mock, temperature=0).json["usage"]
    *before, last = raw.ask(mock, temperature=0, **WITH_USAGE).chunks
    assert all(chunk["usage"] is None and chunk["choices"] for chunk in before)
    assert last["choices"] == []
    assert last["usage"] == whole


def test_whole_and_streamed_say_the_same(mock: MockHandle) -> None:
    prompt = "API 게이트웨이를 두 문장으로 설명해 주세요."
    whole = raw.ask(mock, prompt, temperature=0)
    deltas = [
        chunk["choices"][0]["delta"].get("content", "")
        for chunk in raw.ask(mock, prompt, temperature=0, **STREAM).chunks
    ]
    assert "".join(deltas) == whole.text
    assert len([text for text in deltas if text]) == whole.json["usage"]["completion_tokens"]


def test_several_choices_are_streamed_side_by_side(mock: MockHandle) -> None:
    chunks = raw.ask(mock, n=2, temperature=1, **STREAM).chunks
    whole = raw.ask(mock, n=2, temperature=1)
    for index in (0, 1):
        own = [c["choices"][0] for c in chunks if c["choices"][0]["index"] == index]
        assert own[0]["delta"]["role"] == "assistant"
        assert own[-1]["finish_reason"] == "stop"
    assert [choice["index"] for choice in whole.json["choices"]] == [0, 1]


def test_the_models_are_the_catalogues(mock: MockHandle) -> None:
    listed = raw.send(mock, method="GET", path="/v1/models").json
    assert listed["object"] == "list"
    assert [entry["id"] for entry in listed["data"]] == [m.id for m in catalog.models()]
    for entry in listed["data"]:
        assert unknown_fields(Model.model_validate(entry, strict=True)) == []


ALIAS = next(alias for model in catalog.models() for alias in model.aliases)


@pytest.mark.parametrize("model", [catalog.DEFAULT_MODEL, ALIAS])
def test_a_model_can_be_asked_for_by_id_or_alias(mock: MockHandle, model: str) -> None:
    found = raw.send(mock, method="GET", path=f"/v1/models/{model}").json
    assert (found["id"], found["object"]) == (model, "model")
    assert raw.ask(mock, model=model).json["model"] == model


def test_an_unknown_model_is_404_in_both_places(mock: MockHandle) -> None:
    for answer in (
        raw.send(mock, method="GET", path="/v1/models/mistral-small"),
        raw.send(mock, raw.body(model="mistral-small")),
    ):
        assert answer.status == 404
        assert answer.json["error"] == {
            "message": "The model `mistral-small` does not exist or you do not have access to it.",
            "type": "invalid_request_error",
            "param": "model",
            "code": "model_not_found",
        }


@pytest.mark.parametrize(
    "given",
    [None, "", "Bearer", "Bearer ", "Basic aHM6eA==", "Bearer wrong-key", "Bearer hs-moc-typo"],
)
def test_a_wrong_key_is_401_and_not_repeated(mock: MockHandle, given: str | None) -> None:
    answer = raw.send(mock, raw.body(), headers={"Authorization": given})
    assert answer.status == 401
    error = answer.json["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_api_key")
    assert "wrong-key" not in error["message"]


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/x", "/mock/journal", "/mock/script"])
def test_every_path_checks_the_key(mock: MockHandle, path: str) -> None:
    method = "POST" if path.endswith("script") else "GET"
    answer = raw.send(mock, method=method, path=path, headers={"Authorization": None})
    assert answer.status == 401


@pytest.mark.parametrize(
    ("method", "path", "status", "says"),
    [
        ("GET", raw.CHAT, 405, "Use POST"),
        ("POST", "/v1/models", 405, "Use GET"),
        ("DELETE", "/v1/models/gpt-4o", 405, "Use GET"),
        ("GET", "/mock/script", 405, "Use POST"),
        ("POST", "/mock/journal", 405, "Use GET or DELETE"),
        ("POST", "/v1/embeddings", 404, "Unknown request URL: POST /v1/embeddings."),
        ("POST", "/chat/completions", 404, "Is /v1 missing"),
        ("GET", "/", 404, "Is /v1 missing"),
    ],
)
def test_what_is_not_served_is_an_error_in_the_same_form(
    mock: MockHandle, method: str, path: str, status: int, says: str
) -> None:
    answer = raw.send(mock, method=method, path=path)
    assert answer.status == status
    assert set(answer.json["error"]) == {"message", "type", "param", "code"}
    assert says in answer.json["error"]["message"]
