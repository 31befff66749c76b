"""What an error is taken for: by type, status, code and causes, under every transport."""

from __future__ import annotations

import json
import ssl
import traceback
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.diagnosis.kinds import KINDS
from holysheep_helpers.mock.handle import MockHandle
from tests.support.errors import ASKED, GATEWAY, caught, told
from tests.support.keys import made_up
from tests.support.virtual import error as response

# --- keys


@pytest.mark.parametrize(
    ("url", "key", "kind"),
    [
        (GATEWAY, "hs-x", "wrong_key"),
        (GATEWAY, " ", "missing_key"),
        (GATEWAY, "YOUR_HOLYSHEEP_API_KEY", "placeholder_key"),
        (GATEWAY, '"YOUR_HOLYSHEEP_API_KEY"', "placeholder_key"),
        (GATEWAY, '"hs-x"', "malformed_key"),
        (GATEWAY, "Bearer hs-x", "malformed_key"),
        (GATEWAY, "hs-mock-x", "wrong_host"),
        (GATEWAY, "sk-ant-x", "wrong_host"),
        (GATEWAY, "sk-proj-x", "wrong_host"),
        ("http://127.0.0.1:8765/v1", "sk-proj-x", "wrong_host"),
        ("http://127.0.0.1:8765/v1", "hs-x", "wrong_key"),
        ("https://api.openai.com/v1", "hs-x", "wrong_host"),
        ("https://api.mistral.ai/v1", "hs-x", "wrong_host"),
        ("https://api.openai.com/v1", "sk-proj-x", "wrong_key"),
        ("https://llm.example.com/v1", "hs-x", "wrong_key"),
    ],
)
def test_a_refused_key_is_told_apart_and_not_shown(url: str, key: str, kind: str) -> None:
    found = told(401, url=url, key=key)
    assert found.kind == kind
    assert (found.whose, found.retryable, found.other_model) == ("yours", False, False)
    shown = repr(found) + str(found) + found._repr_html_()
    assert key.strip('" ') == "YOUR_HOLYSHEEP_API_KEY" or key == " " or key not in shown


def test_the_key_of_the_environment_at_another_host(monkeypatch: pytest.MonkeyPatch) -> None:
    key, elsewhere = made_up(30), "https://llm.example.com/v1"
    monkeypatch.setenv("HOLYSHEEP_API_KEY", key)
    found = told(401, url=elsewhere, key=key)
    assert (found.kind, key in str(found)) == ("wrong_host", False)
    assert "llm.example.com" in found.what
    monkeypatch.setenv("HOLYSHEEP_BASE_URL", elsewhere)  # then it was meant
    assert told(401, url=elsewhere, key=key).kind == "wrong_key"


def test_a_request_without_a_key(mock: MockHandle) -> None:
    client = openai.OpenAI(base_url=mock.base_url, api_key="hs-mock-x", max_retries=0)
    headers: Any = {"Authorization": openai.Omit()}
    error = caught(lambda: client.chat.completions.create(**ASKED, extra_headers=headers))
    assert hs.diagnose(error).kind == "missing_key"
    error = caught(lambda: openai.OpenAI(base_url=mock.base_url))
    assert hs.diagnose(error).kind == "missing_key"


@pytest.mark.parametrize("key", [" ", "hs-mock-x\n", "키"])
def test_a_key_that_can_not_be_sent(mock: MockHandle, key: str) -> None:
    client = openai.OpenAI(base_url=mock.base_url, api_key=key, max_retries=0)
    found = hs.diagnose(caught(lambda: client.chat.completions.create(**ASKED)))
    assert found.kind == ("missing_key" if key == " " else "malformed_key")
    assert not found.may_have_cost
    assert mock.entries() == []


# --- models and paths


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("mistral-small", "Nearest known ids: mistral-small-2603"),
        ("mistral/small-2603", "try the id itself, 'mistral-small-2603'"),
        ("deepseek-chat", "retires on 2026-07-24"),
        ("zzz", "client.models.list() shows"),
    ],
)
def test_an_unknown_model_is_told_its_neighbours(model: str, says: str) -> None:
    found = told(404, code="model_not_found", model=model)
    assert (found.kind, found.other_model) == ("unknown_model", True)
    assert says in found.advice
    assert repr(model) in found.what


def test_an_integer_code_and_a_missing_one_are_survived() -> None:
    assert told(404, code=404, model="zzz").kind == "unknown_model"
    assert told(404, model="mistral-small-2603").kind == "wrong_path"
    assert told(404, param="model").kind == "unknown_model"


def test_what_is_no_id_is_not_repeated() -> None:
    secret = "hs-" + "a" * 10
    for model in (secret, "a secret prompt", "x" * 100):
        assert model not in str(told(404, code="model_not_found", model=model))


def test_a_missing_version_in_the_address(mock: MockHandle) -> None:
    address = mock.base_url.removesuffix("/v1")
    client = openai.OpenAI(base_url=address, api_key=mock.api_key, max_retries=0)
    found = hs.diagnose(caught(lambda: client.chat.completions.create(**ASKED)))
    assert found.kind == "wrong_path"
    assert f"/v1 is missing from base_url: use '{mock.base_url}'" in found.advice


# --- statuses, headers


@pytest.mark.parametrize(
    ("headers", "wait_s", "said_by"),
    [
        ({}, None, None),
        ({"Retry-After": "7"}, 7, "Retry-After"),
        ({"retry-after": "7", "retry-after-ms": "250"}, 0.25, "retry-after-ms"),
        (
            {
                "retry-after": "Tue, 24 Nov 2026 10:00:05 GMT",
                "date": "Tue, 24 Nov 2026 10:00:00 GMT",
            },
            5,
            "Retry-After",
        ),
        ({"retry-after": "soon"}, None, None),
        (
            {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1m3s"},
            63,
            "x-ratelimit-reset-tokens",
        ),
        (
            {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "120ms"},
            0.12,
            "x-ratelimit-reset-requests",
        ),
        ({"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "9s"}, None, None),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": ""}, None, None),
        (
            {
                "x-ratelimit-remaining": "0",
                "x-ratelimit-reset": "1795514405",
                "date": "Tue, 24 Nov 2026 10:00:00 GMT",
            },
            5,
            "x-ratelimit-reset",
        ),
    ],
)
def test_who_said_how_long_to_wait(
    headers: dict[str, str], wait_s: float | None, said_by: str | None
) -> None:
    found = told(429, code="rate_limit_exceeded", headers=headers)
    assert (found.kind, found.retryable, found.wait_s, found.wait_said_by) == (
        "rate_limit", True, wait_s, said_by,
    )  # fmt: skip
    assert f"yes, in {wait_s:g} s ({said_by})" in str(found) if wait_s else "yes\n" in str(found)


def test_a_server_that_says_not_to_ask_again_is_believed() -> None:
    assert not told(503, headers={"x-should-retry": "false"}).retryable
    assert told(503, headers={"x-should-retry": "true"}).retryable


def test_a_bad_parameter_is_named_and_the_message_is_not_repeated() -> None:
    assert "'max_tokens'" in told(400, param="max_tokens").what
    assert "secret" not in str(told(400, param="a secret prompt"))
    assert told(400, code="context_length_exceeded").kind == "too_long"
    assert told(400, code="content_filter").kind == "refused_content"
    assert not told(400, code="content_filter").may_have_cost
    assert told(429, code="insufficient_quota").kind == "quota"


def test_a_redirect_says_where_to() -> None:
    found = told(307, headers={"location": "https://elsewhere.example/v1"})
    assert (found.kind, found.retryable) == ("redirect", False)
    assert "https://elsewhere.example/v1" in found.what


# --- what no SDK type stands for


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (hs.InputError("x"), "input"),
        (hs.ConfigurationError("x"), "configuration"),
        (hs.BudgetError("x"), "budget"),
        (hs.UnknownPriceError("x"), "unknown_price"),
        (hs.IncompleteStreamError("x", ""), "ended_early"),
        (hs.DeadlineError("x"), "deadline"),
        (hs.NotAskedError("x"), "not_asked"),
        (hs.JournalError("x"), "helper"),
        (hs.GatewayError("x"), "server_error"),
        (hs.ClientClosedError("x", maybe_sent=True), "client_closed"),
        (hs.UnexpectedReplyError("x"), "unexpected_reply"),
        (hs.UnexpectedReplyError("x", page=True), "html_page"),
        (json.JSONDecodeError("x", "", 0), "bad_json"),
        (TimeoutError(), "deadline"),
        (ConnectionRefusedError(111, "x"), "refused"),
        (ConnectionResetError(104, "x"), "cut_connection"),
        (ssl.SSLCertVerificationError(1, "x"), "tls"),
        (httpx2.ReadTimeout("x"), "first_token_timeout"),
        (httpx2.ConnectTimeout("x"), "connect_timeout"),
        (FileNotFoundError(2, "x"), "unknown"),
        (TypeError("429"), "input"),
        (KeyError("429"), "unknown"),
        (KeyboardInterrupt(), "unknown"),
        ("<html>Sign in</html>", "html_page"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_every_other_error_has_its_kind(error: object, kind: str) -> None:
    assert hs.diagnose(error).kind == kind


def test_a_kind_of_a_helper_is_one_of_the_list() -> None:
    def below(parent: type[hs.HolySheepError]) -> Iterator[type[hs.HolySheepError]]:
        yield parent
        for child in parent.__subclasses__():
            yield from below(child)

    assert {error.kind for error in below(hs.HolySheepError)} <= set(KINDS)


def test_a_deadline_tells_what_came_before_it() -> None:
    error = hs.DeadlineError("x")
    error.__cause__ = hs.IncompleteStreamError("x", "")
    assert "Before that, ended_early: The stream ended" in hs.diagnose(error).what


@pytest.mark.parametrize("thing", [None, 5, object()])
def test_what_is_no_error_is_refused(thing: object) -> None:
    with pytest.raises(hs.InputError, match="an exception is needed"):
        hs.diagnose(thing)


def test_the_words_of_a_message_decide_nothing() -> None:
    assert told(500, headers={}).kind == "server_error"  # "429 is in here", says its message
    assert hs.diagnose(RuntimeError("Error code: 429")).kind == "unknown"
    assert response(429).status_code == 429


def test_neither_key_nor_prompt_is_in_any_text(mock: MockHandle) -> None:
    key = made_up(30)
    client = openai.OpenAI(base_url=mock.base_url, api_key=key, max_retries=0)
    for fault in (400, 404, 429, 500, "reset", "cut_body", {"kind": "bad_json", "after": 1}):
        error = caught(lambda: hs.ask(client, "a secret prompt"))
        mock.script([fault])
        other = caught(lambda: hs.stream(hs.connect("live", mock.base_url, mock.api_key).client(
            max_retries=0), "a secret prompt", model="mistral-small-2603").read())  # fmt: skip
        for one in (error, other):
            found = hs.diagnose(one)
            text = str(found) + repr(found) + found._repr_html_()
            text += "".join(traceback.format_exception_only(one))
            assert key not in text
            assert "secret" not in text
