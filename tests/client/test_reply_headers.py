"""A reply whose headers aiohttp refuses: one request's error, and never a raw one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import aiohttp
import pytest

import holysheep_helpers as hs
from tests.support.keys import made_up

ODD = {"long": "a" * 9_000, "malformed": "a\x00b"}
COMPLETION = {
    "id": "1",
    "object": "chat.completion",
    "created": 1,
    "model": "mistral-small-2603",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello."},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


class Handler(BaseHTTPRequestHandler):
    """Answers at once; a prompt that names an odd header gets it."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(asked)  # pyright: ignore[reportAttributeAccessIssue]
        body = json.dumps(COMPLETION).encode("utf-8")
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        if (odd := ODD.get(asked["messages"][0]["content"])) is not None:
            self.send_header("x-odd", odd)
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        pass


class Server(ThreadingHTTPServer):
    asked: list[Any]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.asked = []
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def gateway(server: Server) -> hs.Gateway:
    return hs.connect("live", f"http://127.0.0.1:{server.server_port}/v1", made_up(30))


@pytest.mark.parametrize("odd", list(ODD))
def test_it_is_one_item_s_error_and_is_not_paid_for_again(
    gateway: hs.Gateway, server: Server, odd: str
) -> None:
    result = asyncio.run(hs.batch(gateway, ["one", odd, "two"], progress=False))
    assert [item.text for item in result] == ["Hello.", None, "Hello."]
    error = result[1].error
    assert isinstance(error, hs.UnexpectedReplyError)
    assert isinstance(error.__cause__, aiohttp.ClientResponseError)
    found = hs.diagnose(error)
    assert (found.kind, found.retryable, found.may_have_cost) == ("unexpected_reply", False, True)
    assert len(server.asked) == 3


def test_a_stream_and_a_failover_end_in_the_same_error(gateway: hs.Gateway) -> None:
    async def begin() -> None:
        with pytest.raises(hs.UnexpectedReplyError, match="can't read its headers"):
            await hs.astream(gateway, "long")
        with pytest.raises(hs.UnexpectedReplyError, match="can't read its headers"):
            await hs.afailover(gateway, "long", models=["mistral-small-2603"])

    asyncio.run(begin())


def test_a_measurement_counts_it_and_goes_on(gateway: hs.Gateway) -> None:
    run = hs.measure_latency(gateway, ["long"], runs=2, warmup=0, concurrency=1)
    assert [one.error for one in run.runs] == ["UnexpectedReplyError"] * 2


def test_synchronous_calls_read_longer_headers(gateway: hs.Gateway) -> None:
    assert hs.ask(gateway, "long").text == "Hello."
