"""The clients of a gateway: the SDK's own, with nothing of another vendor's in them."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import socketserver
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.mock.handle import MockHandle
from tests.support.keys import made_up

HELLO = [{"role": "user", "content": "hello"}]


class Recorder(BaseHTTPRequestHandler):
    """Writes down each request's headers, and answers with ``answer`` (status, headers)."""

    seen: list[dict[str, str]]
    answer: tuple[int, dict[str, str]] = (500, {})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.seen.append({name.lower(): value for name, value in self.headers.items()})
        status, headers = self.answer
        self.send_response(status)
        for name, value in {"content-length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_request(self, code: object = "-", size: object = "-") -> None:
        pass


@contextmanager
def recording(status: int = 500, **headers: str) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A plain HTTP server on loopback: its address, and the headers that it got."""
    seen: list[dict[str, str]] = []
    handler = type("Handler", (Recorder,), {"seen": seen, "answer": (status, headers)})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", seen
        finally:
            server.shutdown()
            thread.join()


def test_clients_are_the_sdks_own(gw: hs.Gateway) -> None:
    assert type(gw.client()) is openai.OpenAI
    assert type(gw.async_client()) is openai.AsyncOpenAI


def test_the_same_client_comes_back_so_that_connections_are_reused(gw: hs.Gateway) -> None:
    first = gw.client()
    assert gw.client() is first
    assert gw.client(timeout=5) is not first
    first.close()
    assert gw.client() is not first


def test_an_async_client_belongs_to_its_event_loop(gw: hs.Gateway) -> None:
    async def twice() -> tuple[openai.AsyncOpenAI, openai.AsyncOpenAI]:
        return gw.async_client(), gw.async_client()

    one, same = asyncio.run(twice())
    other, _ = asyncio.run(twice())
    assert one is same
    assert one is not other


def test_time_outs_and_retries_are_the_published_ones_unless_given(gw: hs.Gateway) -> None:
    published = hs.catalog.client_settings()
    assert (gw.client().timeout, gw.client().max_retries) == (30, 3)
    assert gw.async_client().timeout == published.async_timeout_s == 60
    own = gw.client(timeout=5, max_retries=0)
    assert (own.timeout, own.max_retries) == (5, 0)


@pytest.mark.parametrize("name", ["api_key", "base_url", "http_client"])
def test_what_belongs_to_the_gateway_can_not_be_given_to_a_client(
    gw: hs.Gateway, name: str
) -> None:
    with pytest.raises(hs.InputError, match=rf"{name} belongs to the gateway.*hs\.connect"):
        gw.client(**{name: "x"})
    with pytest.raises(hs.InputError, match=name):
        gw.async_client(**{name: "x"})


def test_another_vendors_settings_in_the_environment_are_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-another")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-another")
    monkeypatch.setenv("OPENAI_API_KEY", "another-key")
    with recording() as (address, seen):
        gateway = hs.connect("live", f"{address}/v1", "a-key-of-ours")
        with pytest.raises(openai.InternalServerError):
            hs.ask(gateway.client(max_retries=0), "hello")
    assert "another" not in str(seen)
    assert seen[0]["authorization"] == "Bearer a-key-of-ours"


@pytest.mark.parametrize("asynchronous", [False, True])
def test_no_proxy_stands_between_this_computer_and_itself(
    mock: MockHandle, monkeypatch: pytest.MonkeyPatch, asynchronous: bool
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, mock.refused_url().removesuffix("/v1"))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name)
    gateway = hs.connect("live", mock.base_url, mock.api_key)

    async def ask() -> int:
        async with gateway.async_client(max_retries=0) as client:
            return len((await client.models.list()).data)

    found = asyncio.run(ask()) if asynchronous else len(gateway.client().models.list().data)
    assert found >= 20


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_redirect_is_not_followed_but_told(asynchronous: bool) -> None:
    with recording() as (elsewhere, followed):
        target = f"{elsewhere}/v1/chat/completions"
        with recording(307, location=target) as (address, seen):
            gateway = hs.connect("live", f"{address}/v1", made_up(30))

            async def call() -> None:
                if asynchronous:
                    await hs.astream(gateway.async_client(), "hello")
                else:
                    hs.ask(gateway, "hello")

            with pytest.raises(openai.APIStatusError) as caught:
                asyncio.run(call())
    assert caught.value.status_code == 307
    assert any(target in note for note in caught.value.__notes__)
    assert len(seen) == 1
    assert followed == []


def test_the_key_is_in_no_traceback_of_a_failing_call(mock: MockHandle) -> None:
    key = made_up(30)
    gateway = hs.connect("live", mock.base_url, key)
    with pytest.raises(openai.AuthenticationError) as caught:
        hs.ask(gateway, "hello")
    shown = "".join(traceback.format_exception(caught.value)) + repr(gateway)
    assert key not in shown + gateway._repr_html_() + str(caught.value.body)
    assert "The server refused the key" in shown


def test_a_gateway_that_is_down_is_a_connection_error_that_names_the_address(
    mock: MockHandle,
) -> None:
    address = mock.refused_url()
    gateway = hs.connect("live", address, "hs-mock-nobody")
    with pytest.raises(openai.APIConnectionError) as caught:
        hs.ask(gateway.client(max_retries=0), "hello")
    assert any(address in note for note in caught.value.__notes__)


@pytest.mark.parametrize("refused", [True, False])
def test_an_async_call_tells_a_refused_connection_from_silence(
    mock: MockHandle, refused: bool
) -> None:
    """The aiohttp transport reports both as ``APITimeoutError``."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        address = mock.refused_url() if refused else f"http://127.0.0.1:{port}/v1"
        gateway = hs.connect("live", address, "hs-mock-nobody")

        async def call() -> None:
            async with gateway.async_client(max_retries=0, timeout=0.2) as client:
                await hs.astream(client, "hello")

        with pytest.raises(openai.APITimeoutError) as caught:
            asyncio.run(call())
    said = "No connection to" if refused else "No answer in time from"
    assert [note.startswith(f"{said} {address}") for note in caught.value.__notes__] == [True]


@pytest.mark.parametrize("target", [None, "a string", object()])
def test_only_a_gateway_or_a_client_is_accepted(target: object) -> None:
    with pytest.raises(hs.InputError, match=r"hs\.connect\(\)'s gateway"):
        hs.ask(target, "hello")  # pyright: ignore[reportArgumentType]


def test_an_async_client_is_sent_to_the_async_helper(gw: hs.Gateway) -> None:
    with pytest.raises(hs.InputError, match="astream"):
        hs.ask(gw.async_client(), "hello")  # pyright: ignore[reportArgumentType]


def test_no_setting_of_the_environment_was_needed() -> None:
    assert "OPENAI_API_KEY" not in os.environ


def test_a_bare_client_works_too(mock: MockHandle, gw: hs.Gateway) -> None:
    with openai.OpenAI(base_url=mock.base_url, api_key=mock.api_key) as bare:
        reply = hs.ask(bare, "Say hello in Korean and in English.", temperature=0)
    assert "안녕하세요" in reply.text
    assert gw.spend.calls == 0


def test_the_live_card_says_so_in_words_and_colour(live: Callable[..., hs.Gateway]) -> None:
    gateway = live()
    assert repr(gateway).startswith("LIVE gateway: calls leave this computer and cost money")
    assert "LIVE</strong>" in gateway._repr_html_()
    assert "0.50 USD (default)" in repr(gateway)


@pytest.mark.parametrize("collected", [False, True])
def test_async_clients_close_with_their_loop_or_gateway(
    live: Callable[..., hs.Gateway], caplog: pytest.LogCaptureFixture, collected: bool
) -> None:
    async def ask() -> None:
        gateway = live()
        await gateway.async_client().models.list()
        if collected:
            del gateway
            gc.collect()
            await asyncio.sleep(0)  # the loop closes it in a task of its own
            others = asyncio.all_tasks() - {asyncio.current_task()}
            assert others
            await asyncio.gather(*others)

    asyncio.run(ask())
    gc.collect()
    assert caplog.records == []  # aiohttp complains in the log of what was left open


def test_a_client_that_is_forgotten_closes_its_connections(gw: hs.Gateway) -> None:
    client = gw.client(timeout=5)
    http = client._client
    client.models.list()
    pool: Any = http._transport._pool  # pyright: ignore[reportAttributeAccessIssue]
    copy = client.with_options(timeout=3)
    del client, http
    gc.collect()
    assert len(pool.connections) == 1  # the copy still needs it
    del copy
    gc.collect()
    assert pool.connections == []
