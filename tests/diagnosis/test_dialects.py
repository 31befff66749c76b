"""Errors as real gateways send them: told apart by structure, and the server's words are shown."""

from __future__ import annotations

import asyncio
import gc
import json
import math
import pickle
from collections.abc import Callable
from typing import Any

import httpx2
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

import holysheep_helpers as hs
from holysheep_helpers.client.replies import gateway_error
from holysheep_helpers.diagnosis.evidence import LONGEST_WORDS, ErrorBody
from holysheep_helpers.diagnosis.kinds import KIND_OF_CODE, KINDS
from holysheep_helpers.mock.handle import MockHandle
from tests.support.answers import body_of
from tests.support.dialects import REPLIES, Replied, error, flat, google
from tests.support.errors import (
    ASKED,
    GATEWAY,
    caught,
    every_transport,
    on_aiohttp,
    on_httpx,
    sync,
)

ERRORS = [reply for reply in REPLIES if reply.status != 200]
REQUEST = httpx2.Request("POST", GATEWAY)
IN_REPLIES = [reply for reply in REPLIES if reply.status == 200 and "error" in reply.kind]


def refusal(
    status: int, body: Any, headers: Any = (), key: str = "hs-x", **asked: Any
) -> openai.APIStatusError:
    """What the SDK raises for this answer."""
    answer = httpx2.Response(
        status, content=body_of(body), headers={"content-type": "application/json", **dict(headers)}
    )
    transport = httpx2.MockTransport(lambda _: answer)
    with httpx2.Client(transport=transport) as http:
        client = openai.OpenAI(base_url=GATEWAY, api_key=key, http_client=http, max_retries=0)
        raised = caught(lambda: client.chat.completions.create(**ASKED | asked))
    assert isinstance(raised, openai.APIStatusError)
    return raised


def told(status: int, body: Any, headers: Any = (), **asked: Any) -> hs.Diagnosis:
    return hs.diagnose(refusal(status, body, headers, **asked))


@pytest.mark.parametrize("reply", ERRORS, ids=lambda reply: reply.name)
def test_an_error_is_what_its_structure_says(reply: Replied) -> None:
    """Where ``by_words`` names a kind, only the words would tell it: they are shown, no more."""
    raised = refusal(reply.status, reply.body, reply.headers)
    found = hs.diagnose(raised)
    assert (found.kind, found.retryable, found.wait_s) == (reply.kind, reply.again, reply.wait_s)
    if reply.other_model is not None:
        assert found.other_model == reply.other_model
    words = ErrorBody(raised.body).words
    assert bool(words) == bool(reply.body)
    assert all(text in str(raised) or text in found.what for text in words)
    if reply.by_words:
        assert words
        assert reply.by_words != found.kind


# --- where the code is, and the words


SHAPES: list[Callable[[dict[str, Any]], Any]] = [
    lambda inner: {"error": inner},
    lambda inner: inner,
    lambda inner: [{"error": inner}],
    lambda inner: {"error": {"error": inner}},
    lambda inner: {"error": {"message": inner, "code": None}},
    lambda inner: {"detail": inner},
    lambda inner: {"detail": [inner]},
    lambda inner: {"error": {"message": "x", "innererror": inner}},
    lambda inner: {"error": {"message": json.dumps({"error": inner}), "code": 400}},
    lambda inner: {"error": json.dumps(inner)},
    lambda inner: json.dumps(json.dumps({"error": inner})),
    lambda inner: {"error": {"message": "Provider returned error", "code": 400,
                             "metadata": {"raw": json.dumps({"error": inner})}}},
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_code_and_words_are_found_in_every_shape(shape: Callable[[dict[str, Any]], Any]) -> None:
    raised = refusal(400, shape({"message": "so many tokens", "code": "context_length_exceeded"}))
    found = hs.diagnose(raised)
    assert found.kind == "too_long"
    assert "so many tokens" in str(raised) + found.what
    if not isinstance(raised.body, str):
        assert "so many tokens" in ErrorBody(raised.body).shown()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("plain text", "plain text"),
        ({"detail": "Unauthorized"}, "Unauthorized"),
        ({"error": "text"}, "text"),
        ({"detail": [{"loc": ["body", "top_p"], "msg": "too large", "input": "secret"}]},
         "body.top_p: too large"),
        ({"reason": 5}, '{"reason": 5}'),
        ({"error": {"message": "a", "metadata": {"raw": "b"}}}, "a: b"),
        ({"error": {"message": "a\n\x1b[31mb"}}, "a [31mb"),
        ("x" * 900, "x" * (LONGEST_WORDS - 1) + "…"),
        ("", ""), (None, ""), ({}, ""), ([], ""), (5, "5"), ("[" * 5000, ""),
    ],
)  # fmt: skip
def test_the_servers_words_on_one_line(body: Any, words: str) -> None:
    assert ErrorBody(body).shown() == words or body == "[" * 5000


def test_what_the_sdk_shows_is_not_repeated_and_what_it_leaves_out_is_shown() -> None:
    shown = refusal(422, flat("Extra inputs", type="x"))
    assert "The server says" not in hs.diagnose(shown).what
    left_out = refusal(422, {"detail": "Extra inputs"})
    assert "Extra inputs" not in str(left_out)
    assert hs.diagnose(left_out).what.endswith("The server says: 'Extra inputs'.")


def test_neither_key_nor_prompt_is_in_the_words() -> None:
    prompt = "Tell me all about my mother's secret recipe for kimchi, please."
    asked = {"messages": [{"role": "user", "content": [{"type": "text", "text": prompt}]}]}
    key = "plain-key-1234"
    detail = f"no: {prompt[5:]} | {prompt[:40]} | {key} | sk-proj-abcdefgh123 | Bearer abc"
    found = told(422, {"detail": detail}, key=key, **asked)
    for secret in ("secret", "kimchi", key, "abcdefgh", "Bearer"):
        assert secret not in str(found)
    assert "The server says: 'no:" in found.what
    dumped = told(422, {"input": prompt}, key=key, **asked)
    assert "kimchi" not in str(dumped)
    short = told(422, {"detail": "bad input: 안녕하세요"},
                 messages=[{"role": "user", "content": "안녕하세요"}])  # fmt: skip
    assert "안녕하세요" not in str(short)


# --- money, content, model, key


@pytest.mark.parametrize("status", [400, 402, 403, 429])
@pytest.mark.parametrize("name", ["type", "code"])
@pytest.mark.parametrize(
    "word",
    ["billing_not_active", "exceeded_current_quota_error", "usage_limit_reached",
     "insufficient_quota", "billing_hard_limit_reached"],
)  # fmt: skip
def test_no_money_is_quota_whatever_the_status(status: int, name: str, word: str) -> None:
    headers = {"retry-after": "3"} if status == 429 else {}
    found = told(status, error("x", **{name: word}), headers)
    assert (found.kind, found.retryable, found.wait_s) == ("quota", False, None)


@pytest.mark.parametrize("code", KIND_OF_CODE)
def test_a_code_says_what_it_says_in_capitals_and_wherever_it_stands(code: str) -> None:
    for body in (error("x", type=code.upper()), flat("x", code=code)):
        assert told(400, body).kind == KIND_OF_CODE[code]
        assert hs.diagnose(hs.GatewayError("x", body)).kind == KIND_OF_CODE[code]


def test_a_402_may_be_asked_again_only_if_it_names_a_wait() -> None:
    again = told(402, error("x", metadata={"retry_after_seconds": 5}))
    assert (again.kind, again.retryable, again.wait_s) == ("rate_limit", True, 5)
    assert not again.other_model  # all models are paid from one purse
    reset = told(402, error("x"), {"x-ratelimit-reset": "30"})
    assert (reset.kind, reset.retryable) == ("quota", False)


def test_a_daily_limit_of_gemini_is_no_wait_of_seconds() -> None:
    def limited(quota: str) -> hs.Diagnosis:
        violation = {"violations": [{"quotaId": f"GenerateRequests{quota}-FreeTier"}]}
        body = google(429, "RESOURCE_EXHAUSTED", "x", violation, {"retryDelay": "8s"})
        return told(429, body)

    assert limited("PerDayPerProjectPerModel").kind == "quota"
    minute = limited("PerMinutePerProjectPerModel")
    assert (minute.kind, minute.wait_s) == ("rate_limit", 8)


def test_a_budget_of_a_key_that_is_spent_is_no_lack_of_rights() -> None:
    assert told(403, error("x", metadata={"resets_at": "2026-12-02"})).kind == "quota"
    assert told(403, error("x")).kind == "forbidden"


def test_flagged_content_may_have_been_asked_of_another_model_in_vain() -> None:
    found = told(403, error("x", code=403, metadata={"reasons": ["violence"]}))
    assert (found.kind, found.other_model, found.may_have_cost) == ("refused_content", False, False)


def test_an_upstreams_own_key_and_money_are_not_the_callers() -> None:
    def upstream(code: str) -> Any:
        raw = json.dumps(error("x", code=code))
        return error("Provider returned error", code=502, metadata={"raw": raw})

    assert told(502, upstream("insufficient_quota")).kind == "server_error"
    assert told(502, upstream("invalid_api_key")).kind == "server_error"
    assert told(400, upstream("content_filter")).kind == "refused_content"


@pytest.mark.parametrize(
    "more", [{"param": "model"}, {"code": "model_not_found"}, {"code": "1211"}],
)  # fmt: skip
def test_an_unknown_model_may_come_as_a_400(more: dict[str, str]) -> None:
    found = told(400, error("x", **more), model="mistral-small")
    assert (found.kind, found.retryable, found.other_model) == ("unknown_model", False, True)
    assert "mistral-small-2603" in found.advice


def test_a_404_that_speaks_of_availability_is_about_the_model() -> None:
    body = error("x", error_type="not_found", http_status=404, availability={"retryable": False})
    assert told(404, body, model=hs.catalog.DEFAULT_MODEL).kind == "unknown_model"


def test_a_body_that_says_not_to_ask_again_is_believed() -> None:
    found = told(503, error("x", availability={"retryable": False}))
    assert (found.kind, found.retryable) == ("server_error", False)
    assert "The server itself says" in found.advice
    never = told(402, error("x", availability={"retryable": False}))
    assert never.advice == KINDS["quota"].advice


def test_a_refused_key_may_come_as_a_400() -> None:
    found = told(400, error("x", code="invalid_api_key"), key="sk-ant-x")
    assert (found.kind, found.retryable) == ("wrong_host", False)


@pytest.mark.parametrize("status", [424, 425, 498, 520, 521, 522, 523, 525, 526, 527, 529, 530])
def test_what_is_the_gateways_may_be_asked_again(status: int) -> None:
    found = told(status, error("x"), {"retry-after": "2"})
    assert (found.kind, found.whose) == ("server_error", "the gateway's")
    assert (found.retryable, found.other_model, found.wait_s) == (True, True, 2)


# --- too long


LONG = {"messages": [{"role": "user", "content": "word " * 1000}]}


@pytest.mark.parametrize(
    ("asked", "limit", "kind"),
    [
        (LONG, "300", "too_long"),
        (LONG, "100000", "rate_limit"),
        (LONG, "", "rate_limit"),
        (LONG, "many", "rate_limit"),
        ({}, "300", "rate_limit"),
        ({"max_tokens": 400}, "300", "too_long"),
        ({"max_completion_tokens": 400}, "300", "too_long"),
    ],
)
def test_a_prompt_larger_than_a_whole_minute_waits_for_nothing(
    asked: dict[str, Any], limit: str, kind: str
) -> None:
    body = error("x", type="tokens", code="rate_limit_exceeded")
    found = told(429, body, {"x-ratelimit-limit-tokens": limit, "retry-after": "2"}, **asked)
    assert (found.kind, found.retryable) == (kind, kind == "rate_limit")
    if kind == "too_long":
        assert "a whole minute (300)" in found.what


def test_a_limit_of_requests_is_no_limit_of_tokens() -> None:
    body = error("x", type="requests", code="rate_limit_exceeded")
    assert told(429, body, {"x-ratelimit-limit-tokens": "300"}, **LONG).kind == "rate_limit"


def test_over_the_minutes_tokens_is_not_over_the_context_window() -> None:
    found = told(413, error("x", type="tokens", code="rate_limit_exceeded"))
    assert (found.kind, "a whole minute" in found.what) == ("too_long", True)
    assert "context window" in told(413, error("x")).what


@pytest.mark.parametrize("status", [400, 403, 422, 500])
def test_a_prompt_over_the_models_window_is_too_long_by_our_own_count(status: int) -> None:
    window = hs.catalog.find("mistral-small-2603").context_window  # pyright: ignore[reportOptionalMemberAccess]
    assert window is not None
    body = error("no word of it", code=status)
    over = [{"role": "user", "content": [{"type": "text", "text": "word " * window}]}]
    assert told(status, body, messages=over).kind == "too_long"
    assert told(status, body, max_tokens=window).kind == "too_long"
    assert told(status, body, messages=over, model="nobody-knows").kind != "too_long"
    assert told(status, body).kind != "too_long"


# --- no status: a reply with status 200, a stream


@pytest.mark.parametrize("reply", IN_REPLIES, ids=lambda reply: reply.name)
def test_an_error_in_a_reply_with_status_200_is_the_error_that_it_is(reply: Replied) -> None:
    body = reply.body.get("error") or reply.body["choices"][0]["error"]
    raised = gateway_error("Status 200", body, reply.text, REQUEST)
    assert (raised.body, raised.partial_text, raised.streamed) == (body, reply.text, False)
    found = hs.diagnose(raised)
    assert (found.kind, found.retryable) == (reply.kind, reply.again)
    assert found.may_have_cost
    if reply.other_model is not None:
        assert found.other_model == reply.other_model
    assert str(raised) == f"Status 200: {body['message']}"


IN_STREAMS = [
    ({"code": 429}, "rate_limit"),
    ({"code": "429"}, "rate_limit"),
    ({"code": "rate_limit_exceeded"}, "rate_limit"),
    ({"type": "rate_limit_error"}, "rate_limit"),
    ({"status": "RESOURCE_EXHAUSTED"}, "rate_limit"),
    ({"code": 502}, "server_error"),
    ({"code": "500"}, "server_error"),
    ({"status_code": 503}, "server_error"),
    ({"code": 504}, "gateway_timeout"),
    ({"code": 402}, "quota"),
    ({"type": "insufficient_quota"}, "quota"),
    ({"code": 401}, "wrong_key"),
    ({"code": 404}, "unknown_model"),
    ({"code": 400}, "bad_request"),
    ({"code": 403, "metadata": {"flagged_input": "x"}}, "refused_content"),
    ({"code": 400, "type": "context_length_exceeded"}, "too_long"),
    ({"type": "overloaded_error"}, ""),
    ({"code": 200}, ""),
    ({"code": True}, ""),
    ({}, ""),
]


@pytest.mark.parametrize(("inner", "kind"), IN_STREAMS)
def test_an_error_without_a_status_says_as_much(inner: dict[str, Any], kind: str) -> None:
    inner = {"message": "its own words", **inner}
    raised = gateway_error("x", {"error": inner}, "", REQUEST, streamed=True)
    ours, theirs = hs.diagnose(raised), hs.diagnose(openai.APIError("x", REQUEST, body=inner))
    assert (ours.kind, theirs.kind) == (kind or "server_error", kind or "error_in_stream")
    assert "its own words" in str(raised)
    assert "its own words" in theirs.what
    for found in (ours, theirs):
        assert found.may_have_cost
        assert found.retryable == (kind in ("", "rate_limit", "server_error", "gateway_timeout"))


def test_a_wait_in_a_body_with_status_200_counts() -> None:
    body = error("x", code=429, metadata={"retry_after_seconds": 11})
    found = hs.diagnose(hs.GatewayError("x", body))
    assert (found.wait_s, found.wait_said_by) == (11, "retry_after_seconds")


def test_only_a_finish_reason_tells_of_it() -> None:
    found = hs.diagnose(hs.GatewayError("The server broke off.", partial_text="Hel"))
    assert (found.kind, found.retryable, found.other_model) == ("server_error", True, True)
    assert "The server says" not in found.what


def test_neither_key_nor_prompt_is_in_what_is_shown_of_a_body() -> None:
    prompt = ASKED["messages"][0]["content"]
    request = refusal(400, {}, key="plain-key-1234").request
    body = ErrorBody({"error": f"no: {prompt} (plain-key-1234)"})
    assert body.shown(request=request) == "no: … (key …)"
    long = "Tell me the secret recipe for kimchi, please."
    messages = [{"role": "user", "content": long}]
    request = refusal(400, {}, messages=messages).request
    assert ErrorBody(f"no: {long[9:]}").shown(request=request) == "no: …"
    assert ErrorBody({}).shown(request=request) == ""


def test_an_odd_text_in_a_stream() -> None:
    raised = openai.APIError("x", REQUEST, body="out of memory")
    assert "The server says: 'out of memory'." in hs.diagnose(raised).what


def test_a_blank_body_is_garbled_and_may_be_asked_again() -> None:
    found = hs.diagnose(caught(lambda: json.loads("\n\n\n")))
    assert (found.kind, found.retryable, found.may_have_cost) == ("bad_json", True, True)


def test_a_note_says_what_the_message_leaves_out(gw: hs.Gateway, mock: MockHandle) -> None:
    for status in (400, 422, 500):
        body = {"detail": "its own words"}
        mock.script([{"kind": "status", "status": status, "body": body}])
        raised = caught(lambda: hs.ask(gw.client(max_retries=0), "hello"))
        said = " ".join(raised.__notes__) if status != 500 else hs.diagnose(raised).what
        assert "its own words" in said


def test_an_error_of_the_gateway_can_be_pickled_with_what_it_carries() -> None:
    raised = hs.GatewayError("x", {"code": 429}, partial_text="Hel", streamed=True)
    again = pickle.loads(pickle.dumps(raised))
    assert (str(again), again.body, again.partial_text) == ("x", {"code": 429}, "Hel")
    assert again.streamed
    assert hs.diagnose(again).kind == "rate_limit"


# --- any body at all


NAMES = [
    *("error", "message", "detail", "metadata", "details", "raw", "headers", "code", "type"),
    *("status", "param", "loc", "msg", "retryDelay", "retry_after", "n_ctx", "violations"),
]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    | st.sampled_from([*KIND_OF_CODE, "8s", "429", "[{", '{"code": 5}']),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5)
    | inner.map(lambda value: json.dumps(value)),
    max_leaves=15,
)  # fmt: skip


@given(st.sampled_from([400, 401, 402, 403, 404, 413, 422, 429, 498, 500, 529]), ANYTHING)
def test_whatever_a_body_is_it_is_diagnosed_and_shown_in_short(status: int, body: Any) -> None:
    request = httpx2.Request("POST", GATEWAY, json=ASKED, headers={"authorization": "Bearer hs-x"})
    response = httpx2.Response(status, request=request)
    with_status = openai.APIStatusError("x", response=response, body=body)
    within = gateway_error("x", body, "", request)
    for raised in (with_status, within, openai.APIError("x", request, body=body)):
        found = hs.diagnose(raised)
        assert found.kind in KINDS
        assert found.wait_s is None or 0 <= found.wait_s < math.inf
    assert len(ErrorBody(body).shown(request=request)) <= LONGEST_WORDS


# --- closed clients


@every_transport
def test_a_closed_client_has_sent_nothing(fail: Callable[..., Exception]) -> None:
    ways: dict[Any, Callable[[], Any]] = {sync: closed, on_httpx: aclosed, on_aiohttp: aclosed_aio}
    found = hs.diagnose(caught(ways[fail]))
    assert (found.kind, found.whose) == ("client_closed", "yours")
    assert (found.retryable, found.other_model, found.may_have_cost) == (False, False, False)
    assert found.what == "The client is closed. Nothing was sent."


def closed() -> None:
    client = openai.OpenAI(base_url=GATEWAY, api_key="hs-x", max_retries=0)
    client.close()
    client.chat.completions.create(**ASKED)


def aclosed(**options: Any) -> None:
    async def main() -> None:
        client = openai.AsyncOpenAI(base_url=GATEWAY, api_key="hs-x", max_retries=0, **options)
        await client.close()
        await client.chat.completions.create(**ASKED)

    asyncio.run(main())


def aclosed_aio() -> None:
    aclosed(http_client=openai.DefaultAioHttpClient())


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the first loop's socket
def test_a_client_of_an_event_loop_that_has_ended_may_have_asked(mock: MockHandle) -> None:
    """The connection is of the first loop: what the second sends on it can arrive."""

    def in_two_loops() -> None:
        http = openai.DefaultAsyncHttpxClient()
        client = openai.AsyncOpenAI(
            base_url=mock.base_url, api_key=mock.api_key, http_client=http, max_retries=0
        )

        async def once() -> None:
            await client.chat.completions.create(**ASKED)

        asyncio.run(once())
        asyncio.run(once())

    found = hs.diagnose(caught(in_two_loops))
    assert (found.kind, found.retryable, found.may_have_cost) == ("client_closed", False, True)
    gc.collect()


def test_a_runtime_error_of_the_code_around_the_call_is_unknown() -> None:
    def fails() -> None:
        raise RuntimeError("the client has been closed")

    assert hs.diagnose(caught(fails)).kind == "unknown"
    assert hs.diagnose(RuntimeError("Event loop is closed")).kind == "unknown"
