"""Replies, addresses and headers that are not as they should be: told apart, and nothing leaks."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

import httpx2
import openai
import pytest
from pydantic import BaseModel

import holysheep_helpers as hs
from holysheep_helpers.mock.handle import MockHandle
from tests.support.errors import ASKED, GATEWAY, caught, every_transport, told

PAGE = {"content-type": "text/html; charset=utf-8"}


def answered(handler: Callable[[httpx2.Request], httpx2.Response], **options: Any) -> hs.Diagnosis:
    """What is said of what comes of these replies, redirects followed as the SDK does."""
    transport = httpx2.MockTransport(handler)
    with httpx2.Client(transport=transport, follow_redirects=True) as http:
        options = {"base_url": GATEWAY, "api_key": "hs-x", "max_retries": 0} | options
        client = openai.OpenAI(**options, http_client=http)
        return hs.diagnose(caught(lambda: client.chat.completions.create(**ASKED)))


# --- bodies and headers that nobody expects


@pytest.mark.parametrize("odd", [{"a": 1}, ["a"], 5, None])
def test_code_and_param_may_be_anything(odd: Any) -> None:
    assert told(400, code=odd, param=odd).kind == "bad_request"
    assert told(404, code=odd, param=odd).kind == "wrong_path"
    assert told(429, code=odd, param=odd).kind == "rate_limit"
    error = openai.APIError("x", httpx2.Request("POST", GATEWAY), body={"code": odd})
    assert hs.diagnose(error).kind == "error_in_stream"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("context_length_exceeded", "too_long"),
        ("content_filter", "refused_content"),
        ("insufficient_quota", "quota"),
        ("overloaded", "error_in_stream"),
    ],
)
def test_a_code_in_the_middle_of_a_stream_says_what_it_says_with_a_status(
    code: str, kind: str
) -> None:
    error = openai.APIError("x", httpx2.Request("POST", GATEWAY), body={"code": code})
    found = hs.diagnose(error)
    assert (found.kind, found.retryable) == (kind, kind == "error_in_stream")
    assert found.may_have_cost


def test_used_up_credit_may_be_in_the_type_alone() -> None:
    assert told(429, code=429, type="insufficient_quota").kind == "quota"
    body = {"type": "insufficient_quota", "code": 429}
    error = openai.APIError("x", httpx2.Request("POST", GATEWAY), body=body)
    assert hs.diagnose(error).kind == "quota"


@pytest.mark.parametrize(
    "headers",
    [
        {"retry-after": "Tue, 24 Nov 99999999999999999999 10:00:00 GMT"},
        {"retry-after": "nan"},
        {"retry-after": "inf"},
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9" * 5000},
        {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "9" * 400 + "s"},
    ],
)
def test_a_wait_that_can_not_be_is_none(headers: dict[str, str]) -> None:
    found = told(429, headers=headers)
    assert (found.kind, found.wait_s) == ("rate_limit", None)


@pytest.mark.parametrize(("said", "wait_s"), [("-5", 0), ("0", 0), ("1e9", 1e9)])
def test_a_wait_that_can_be(said: str, wait_s: float) -> None:
    assert told(429, headers={"retry-after": said}).wait_s == wait_s


# --- redirects


def test_a_redirect_that_says_too_much_or_nothing() -> None:
    found = told(307, headers={"location": "https://me:word@elsewhere.example/v1?key=secret#x"})
    assert (found.kind, "'https://elsewhere.example/v1'" in found.what) == ("redirect", True)
    assert "secret" not in str(found)
    assert "word" not in str(found)
    assert "does not say where to" in told(304).what
    assert told(302, headers={"location": "http://[::1"}).kind == "redirect"


@pytest.mark.parametrize("status", [401, 404, 405])
def test_a_redirect_that_was_followed_is_the_cause_of_what_came(status: int) -> None:
    """The SDK's own client follows, and leaves the key behind: that is no missing key."""

    def elsewhere(request: httpx2.Request) -> httpx2.Response:
        if request.url.host != "elsewhere.example":
            there = "https://elsewhere.example/v1/chat/completions?key=secret"
            return httpx2.Response(307, headers={"location": there})
        assert "authorization" not in request.headers
        return httpx2.Response(status, json={})

    found = answered(elsewhere)
    assert (found.kind, found.retryable, found.other_model) == ("redirect", False, False)
    assert "https://elsewhere.example/v1, which refused" in found.what
    assert "secret" not in str(found)


def test_a_redirect_in_circles_is_no_broken_line() -> None:
    found = answered(lambda r: httpx2.Response(307, headers={"location": str(r.url)}))
    assert (found.kind, found.retryable, found.may_have_cost) == ("redirect", False, False)


# --- pages


@pytest.mark.parametrize("status", [401, 403, 407])
def test_a_page_that_lets_nobody_pass(status: int) -> None:
    found = answered(lambda _: httpx2.Response(status, text="<html>", headers=PAGE))
    assert (found.kind, found.retryable, found.other_model) == ("proxy_page", False, False)
    assert (found.whose, found.may_have_cost) == ("the network's", False)
    assert "A firewall" in found.advice
    plain = answered(lambda _: httpx2.Response(401, text="<html>", headers=PAGE), api_key=" ")
    assert plain.kind == "missing_key"


def test_what_a_proxy_says_leaves_open_whether_it_cost() -> None:
    """A 502 may stand for an answer that was lost between the proxy and the gateway."""
    assert answered(lambda _: httpx2.Response(502, text="<html>", headers=PAGE)).may_have_cost


# --- keys and models


def test_azures_client_has_its_key_in_another_header() -> None:
    transport = httpx2.MockTransport(lambda _: httpx2.Response(401, json={}))
    with httpx2.Client(transport=transport) as http:
        client = openai.AzureOpenAI(
            azure_endpoint="https://az.example", api_key="az-x", api_version="1", http_client=http
        )
        found = hs.diagnose(caught(lambda: client.chat.completions.create(**ASKED)))
    assert (found.kind, "az-x" in str(found)) == ("wrong_key", False)


def test_another_vendors_key_at_its_own_host_is_not_called_this_gateways() -> None:
    found = told(401, url="https://api.mistral.ai/v1", key="abc123")
    assert "If it is that vendor's, it is not valid" in found.advice


@pytest.mark.parametrize("model", ["plain-key-1234", "한국의수도는어디입니까"])
def test_neither_the_key_nor_a_prompt_is_shown_as_a_model(model: str) -> None:
    found = told(404, code="model_not_found", key="plain-key-1234", model=model)
    assert (found.kind, model in str(found)) == ("unknown_model", False)


# --- addresses


@every_transport
@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/v1", "api.holysheep.ai/v1", "localhost:8000/v1", "https://",
            "https://host:port/v1", "http://999.1.1.1/v1"],
)  # fmt: skip
def test_what_is_no_address_is_not_asked_again(fail: Callable[..., Exception], url: str) -> None:
    try:
        error = fail(base_url=url, api_key="hs-mock-x", timeout=1)
    except Exception as refused:  # noqa: BLE001 (some are refused when the client is made)
        error = refused
    found = hs.diagnose(error)
    assert (found.kind, found.retryable, found.may_have_cost) == ("configuration", False, False)


@every_transport
def test_a_header_that_can_not_be_sent(mock: MockHandle, fail: Callable[..., Exception]) -> None:
    for text in ("a\nb", "키"):
        headers = {"x-mine": text}
        options = {"base_url": mock.base_url, "api_key": "hs-mock-x", "timeout": 30}
        found = hs.diagnose(fail(**options, default_headers=headers))
        assert (found.kind, found.retryable, found.may_have_cost) == ("input", False, False)
    assert mock.entries() == []


@every_transport
def test_a_host_of_two_addresses_that_both_refuse(
    mock: MockHandle, monkeypatch: pytest.MonkeyPatch, fail: Callable[..., Exception]
) -> None:
    port = int(mock.refused_url().removesuffix("/v1").rpartition(":")[2])

    def two(*_: Any, **__: Any) -> Any:
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    error = fail(base_url=f"http://two.invalid:{port}/v1", api_key="hs-mock-x", timeout=30)
    assert hs.diagnose(error).kind == "refused"


@every_transport
def test_a_proxy_that_refuses_to_connect_has_sent_nothing_on(
    mock: MockHandle, monkeypatch: pytest.MonkeyPatch, fail: Callable[..., Exception]
) -> None:
    """The mock is no proxy: to CONNECT it answers with an error."""
    monkeypatch.setenv("https_proxy", mock.base_url.removesuffix("/v1"))
    monkeypatch.setenv("HTTPS_PROXY", mock.base_url.removesuffix("/v1"))
    found = hs.diagnose(fail(base_url=GATEWAY, api_key="hs-mock-x", timeout=30))
    assert (found.kind, found.may_have_cost) == ("connect", False)


def test_a_handshake_that_breaks_off_is_no_bad_certificate() -> None:
    error = openai.APIConnectionError(request=httpx2.Request("POST", GATEWAY))
    error.__cause__ = httpx2.ConnectError("x")
    error.__cause__.__cause__ = ssl.SSLEOFError(8, "EOF occurred in violation of protocol")
    assert (hs.diagnose(error).kind, hs.diagnose(error).retryable) == ("connect", True)


def test_a_certificate_is_to_blame_for_its_own_connection_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/another/ca.pem")

    def fails() -> None:
        try:
            raise ssl.SSLCertVerificationError(1, "x")
        except ssl.SSLError:
            raise KeyError("x")  # noqa: B904 (the error before it is its context)

    found = hs.diagnose(caught(fails))
    assert (found.kind, "SSL_CERT_FILE" in found.advice) == ("unknown", False)


def test_a_connection_that_the_system_gave_up_was_late() -> None:
    error = openai.APIConnectionError(request=httpx2.Request("POST", GATEWAY))
    error.__cause__ = httpx2.ConnectError("x")
    error.__cause__.__cause__ = TimeoutError(110, "Connection timed out")
    assert hs.diagnose(error).kind == "connect_timeout"


# --- what came after an answer


class Form(BaseModel):
    number: int


def test_an_answer_of_another_form_was_sent_and_billed(mock: MockHandle, gw: hs.Gateway) -> None:
    reply = gw.client().chat.completions.create(**ASKED).model_dump()

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json=reply)

    with httpx2.Client(transport=httpx2.MockTransport(answer)) as http:
        client = openai.OpenAI(base_url=GATEWAY, api_key="hs-x", http_client=http)
        parse = client.chat.completions.parse
        found = hs.diagnose(caught(lambda: parse(**ASKED, response_format=Form)))
    assert (found.kind, found.retryable, found.may_have_cost) == ("wrong_form", True, True)
    own = hs.diagnose(caught(lambda: Form.model_validate({})))
    assert own.kind == "unknown"


def test_an_error_of_the_code_around_the_call_is_not_said_to_have_sent_nothing(
    gw: hs.Gateway,
) -> None:
    found = hs.diagnose(caught(lambda: int(hs.ask(gw, "hello").text)))
    assert (found.kind, found.may_have_cost) == ("unknown", True)
    create: Any = gw.client().chat.completions.create
    for bad in ({"foo": 1}, {"model": object(), "messages": []}):
        assert hs.diagnose(caught(lambda bad=bad: create(**bad))).kind == "input"


def test_garbled_compression_is_no_broken_line() -> None:
    def garbled(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, stream=httpx2.ByteStream(b"{}" * 20), headers={
            "content-encoding": "gzip", "content-type": "application/json"})  # fmt: skip

    found = answered(garbled)
    assert (found.kind, found.retryable, found.other_model) == ("bad_json", False, False)
    assert "content-encoding" in found.what
    assert found.may_have_cost


def test_a_group_of_one_is_that_one() -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fails())

    async def fails() -> None:
        raise hs.DeadlineError("x")

    assert hs.diagnose(caught(lambda: asyncio.run(main()))).kind == "deadline"
    several = ExceptionGroup("secret", [hs.DeadlineError("x"), hs.InputError("x")])
    found = hs.diagnose(several)
    assert (found.kind, found.retryable, found.may_have_cost) == ("unknown", False, True)
    assert "deadline, input" in found.what


@every_transport
def test_silence_in_the_middle_of_a_whole_reply_is_not_said_to_be_before_its_first_byte(
    mock: MockHandle, fail: Callable[..., Exception]
) -> None:
    def half(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{")
        held.append(connection)

    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=half, args=(server,))
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        found = hs.diagnose(fail(base_url=url, api_key="hs-mock-x", timeout=0.2))
        thread.join()
        held[0].close()
    assert found.kind == "first_token_timeout"
    assert found.what == f"No answer in time from {url}: silence for 0.2 s."
