"""Requests made from the published description of the wire, right and wrong ones alike."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from holysheep_helpers import catalog
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.mock.requests import ALLOWED
from tests.support import raw
from tests.support.inside import running
from tests.support.schema import schema
from tests.support.strategies import examples

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
often = settings(
    max_examples=examples(60),
    derandomize=True,
    print_blob=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def content(name: str, kind: str = "application/json") -> dict[str, Any]:
    return {"content": {kind: {"schema": {"$ref": f"#/components/schemas/{name}"}}}}


def replies(name: str, *errors: str) -> dict[str, Any]:
    said = {"200": content(name)} | {status: content("ErrorResponse") for status in errors}
    return {status: {"description": status, **reply} for status, reply in said.items()}


def description() -> dict[str, Any]:
    """The three addresses of the mock in OpenAPI; the shapes are the published ones."""
    answer = replies("CreateChatCompletionResponse", "400", "404")
    answer["200"]["content"]["text/event-stream"] = {"schema": {}}
    model = {"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}
    request = {"required": True, **content("CreateChatCompletionRequest")}
    return {
        "openapi": "3.1.0",
        "info": {"title": "The mock", "version": "1"},
        "components": schema()["components"],
        "paths": {
            "/models": {"get": {"responses": replies("ListModelsResponse")}},
            "/models/{model}": {
                "get": {"parameters": [model], "responses": replies("Model", "404")}
            },
            "/chat/completions": {"post": {"requestBody": request, "responses": answer}},
        },
    }


@pytest.fixture(scope="module")
def mock() -> Iterator[MockHandle]:
    with running() as (handle, _):
        yield handle


RIGHT, WRONG = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE


@pytest.mark.parametrize(
    ("method", "path", "mode", "statuses"),
    [
        ("GET", "/models", RIGHT, {200}),
        ("GET", "/models/{model}", RIGHT, {200}),
        ("POST", "/chat/completions", RIGHT, {200, 400}),
        ("POST", "/chat/completions", WRONG, {400}),
    ],
)
def test_every_answer_is_a_described_one(
    mock: MockHandle,
    caplog: pytest.LogCaptureFixture,
    method: str,
    path: str,
    mode: schemathesis.GenerationMode,
    statuses: set[int],
) -> None:
    operation = schemathesis.openapi.from_dict(description())[path][method]
    seen: set[int] = set()

    @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
    @often
    def ask(case: schemathesis.Case, known: bool) -> None:
        if known and mode is RIGHT:  # what the mock has, which is rarely hit
            case.path_parameters |= dict.fromkeys(case.path_parameters, catalog.DEFAULT_MODEL)
            if isinstance(case.body, dict):
                fields = {name: case.body[name] for name in case.body if name in ALLOWED}
                case.body = fields | raw.body()
        headers = {"Authorization": f"Bearer {mock.api_key}"}
        response = case.call(base_url=mock.base_url, headers=headers)
        seen.add(response.status_code)
        case.validate_response(response, checks=CHECKS)

    with caplog.at_level(logging.WARNING):
        ask()
    assert statuses <= seen <= {200, 400, 404}
    assert caplog.records == []
    assert raw.ask(mock).status == 200
