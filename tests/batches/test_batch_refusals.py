"""What real gateways refuse, and what it means for the other prompts: in made-up time."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.mock.handle import MockHandle
from tests.support.dialects import FLAGGED, IN_FLIGHT, RETRY_INFO, error, google
from tests.support.virtual import Server, ask, names

NOON = "Mon, 05 Jan 2026 12:00:00 GMT"
BUSY = error("x", type="tokens", param=None, code="rate_limit_exceeded")


def reply(status: int, body: Any, headers: Any = None) -> httpx2.Response:
    return httpx2.Response(status, json=body, headers=headers)


def test_flagged_content_is_that_prompts_error_alone() -> None:
    server = Server(p1=[reply(403, error("flagged", code=403, metadata=FLAGGED))])
    result = ask(server, names(5), max_concurrency=1)
    assert result.texts == ["P0", None, "P2", "P3", "P4"]
    assert hs.diagnose(result[1].error).kind == "refused_content"
    assert result.stopped_by is None


def test_a_403_that_says_no_more_is_the_keys_and_stops_the_batch() -> None:
    server = Server(p1=[reply(403, error("no", code=403))])
    with pytest.warns(hs.BatchStoppedWarning):
        result = ask(server, names(5), max_concurrency=1)
    assert result.texts[:2] == ["P0", None]
    assert len(server.seen) == 2


def test_a_prompt_larger_than_a_whole_minute_is_that_prompts_error_alone() -> None:
    long, limit = "word " * 1000, {"x-ratelimit-limit-tokens": "300"}
    server = Server(b=[reply(429, BUSY, limit)])
    server.faults[long] = [reply(429, BUSY, limit)]
    result = ask(server, [long, "a", "b"], max_concurrency=1, max_tokens=10)
    assert result.texts == [None, "A", "B"]
    assert hs.diagnose(result[0].error).kind == "too_long"
    assert server.prompts().count(long) == 1


@pytest.mark.parametrize("code", ["billing_not_active", "usage_limit_reached", "1113"])
def test_what_no_waiting_cures_stops_the_batch_at_once(code: str) -> None:
    server = Server(p0=[reply(429, error("x", code=code), {"retry-after": "3"})])
    with pytest.warns(hs.BatchStoppedWarning):
        result = ask(server, names(3), max_concurrency=1)
    assert len(server.seen) == 1
    assert hs.diagnose(result[0].error).kind == "quota"


@pytest.mark.parametrize(
    ("refusal", "wait_s"),
    [
        (reply(429, BUSY, {"retry-after": "2m59.56s"}), 179.56),
        (reply(429, BUSY, {"retry-after": "1767614430", "date": NOON}), 30),
        (reply(429, BUSY, {"llm_provider-retry-after": "7"}), 7),
        (reply(429, google(429, "RESOURCE_EXHAUSTED", "x", RETRY_INFO)), 8),
        (reply(429, error("x", metadata={"retry_after_seconds": 11})), 11),
        (reply(402, error("x", code=402, metadata=IN_FLIGHT), {"retry-after": "3"}), 3),
    ],
)  # fmt: skip
def test_a_batch_waits_as_long_as_it_is_told_wherever_that_stands(
    refusal: httpx2.Response, wait_s: float
) -> None:
    server = Server(p0=[refusal])
    result = ask(server, names(2), max_concurrency=1)
    assert result.texts == ["P0", "P1"]
    assert len(server.seen) == 3
    assert wait_s <= server.times()[1] - server.times()[0] < wait_s * 1.5 + 5


@pytest.mark.parametrize("status", [424, 425, 498, 520, 530])
def test_what_is_the_gateways_is_asked_again(status: int) -> None:
    server = Server(p0=[reply(status, error("x"))])
    assert ask(server, names(1)).texts == ["P0"]


@pytest.mark.filterwarnings("ignore::holysheep_helpers.batches.batch.BatchStoppedWarning")
def test_a_closed_client_stops_a_batch_and_leaves_its_result(
    gw: hs.Gateway, mock: MockHandle
) -> None:
    async def main() -> hs.BatchResult:
        client = gw.async_client()
        await client.close()
        return await hs.batch(client, names(3), progress=False)

    result = asyncio.run(main())
    assert len(result.failed) == 3
    assert hs.diagnose(result[0].error).kind == "client_closed"
    assert (result.possibly_paid_twice, mock.entries()) == (0, [])
    assert isinstance(result.stopped_by, hs.ClientClosedError)
    assert result[0].timeline[0].outcome == "no connection"
    assert result.sent == 0
    assert "\n0 requests sent, 0 USD\n" in repr(result)


def test_an_error_of_the_sdk_is_in_the_item_with_what_the_server_says() -> None:
    server = Server(p0=[reply(422, {"detail": "top_p is too large"})])
    refused = ask(server, names(1))[0].error
    assert isinstance(refused, openai.UnprocessableEntityError)
    assert any("top_p is too large" in note for note in refused.__notes__)
