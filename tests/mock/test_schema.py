"""The mock against the published description of the wire (JSON Schema), where it is at hand."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from holysheep_helpers.mock.handle import MockHandle
from tests.support import raw
from tests.support.schema import schema


def faults(name: str, instance: Any) -> list[str]:
    reference = {"$ref": f"#/components/schemas/{name}"}
    validator = Draft202012Validator(schema() | reference)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(instance)]


@pytest.mark.parametrize(
    "fields", [{}, {"n": 2}, {"max_completion_tokens": 1}, {"stop": ["."]}, {"temperature": 0}]
)
def test_whole_replies_fit(mock: MockHandle, fields: dict[str, Any]) -> None:
    assert faults("CreateChatCompletionRequest", raw.body(**fields)) == []
    assert faults("CreateChatCompletionResponse", raw.ask(mock, **fields).json) == []


@pytest.mark.parametrize("usage", [True, False])
def test_every_chunk_fits(mock: MockHandle, usage: bool) -> None:
    fields = {"stream": True, "stream_options": {"include_usage": usage}}
    assert faults("CreateChatCompletionRequest", raw.body(**fields)) == []
    for chunk in raw.ask(mock, **fields).chunks:
        assert faults("CreateChatCompletionStreamResponse", chunk) == []


def test_models_fit(mock: MockHandle) -> None:
    listed = raw.send(mock, method="GET", path="/v1/models").json
    assert faults("ListModelsResponse", listed) == []


@pytest.mark.parametrize("payload", [b"{", {}, {"model": "nobody"}, [], {"model": 1}])
def test_errors_fit(mock: MockHandle, payload: Any) -> None:
    answer = raw.send(mock, payload)
    assert answer.status in (400, 404)
    assert faults("ErrorResponse", answer.json) == []


def test_the_schema_can_say_no(mock: MockHandle) -> None:
    reply = raw.ask(mock).json
    del reply["choices"][0]["finish_reason"]
    assert faults("CreateChatCompletionResponse", reply)
