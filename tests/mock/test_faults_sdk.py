"""Every fault, met by the official SDK: sync and async, whole and streamed, on every transport."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from holysheep_helpers import catalog
from holysheep_helpers.mock.faults import KINDS
from holysheep_helpers.mock.handle import MockHandle
from tests.support import errors, raw

TIMEOUT_S = 0.4  # of the client; only the stalls wait for it
FULL = "[canned reply] Hello! How can I help you?"
CHUNKS = 14  # a role, twelve tokens, a finish reason


class Got:
    """What came without an exception: the text, the finish reason, the number of chunks."""

    def __init__(self, text: str, finish: str | None, chunks: int = 1) -> None:
        self.text, self.finish, self.chunks = text, finish, chunks

    def __repr__(self) -> str:
        return f"Got({self.text!r}, {self.finish!r}, {self.chunks})"

    def __eq__(self, other: object) -> bool:
        return repr(self) == repr(other)

    __hash__ = None  # type: ignore[assignment]


WHOLE, STREAM = Got(FULL, "stop"), Got(FULL, "stop", CHUNKS)
PAGE = Got("<html><head><title>200", None)
NOTHING = Got("", None, 0)
PART = Got("[canned reply", None, 4)
BROKEN_OFF = Got("[canned", "error"), Got("[canned", "error", 4)
Expected = type[Exception] | Got
# The fault, what the SDK makes of a whole reply and of a streamed one, and the journal's outcomes.
TABLE: list[tuple[Any, ...]] = [
    (400, openai.BadRequestError, openai.BadRequestError, "error", "error"),
    (401, openai.AuthenticationError, openai.AuthenticationError, "error", "error"),
    (403, openai.PermissionDeniedError, openai.PermissionDeniedError, "error", "error"),
    (404, openai.NotFoundError, openai.NotFoundError, "error", "error"),
    (408, openai.APIStatusError, openai.APIStatusError, "error", "error"),
    (409, openai.ConflictError, openai.ConflictError, "error", "error"),
    (422, openai.UnprocessableEntityError, openai.UnprocessableEntityError, "error", "error"),
    (429, openai.RateLimitError, openai.RateLimitError, "error", "error"),
    (500, openai.InternalServerError, openai.InternalServerError, "error", "error"),
    (503, openai.InternalServerError, openai.InternalServerError, "error", "error"),
    ("rate_limit", openai.RateLimitError, openai.RateLimitError, "error", "error"),
    ("quota", openai.RateLimitError, openai.RateLimitError, "error", "error"),
    ("html", openai.InternalServerError, openai.InternalServerError, "error", "error"),
    ({"kind": "html", "status": 200}, PAGE, NOTHING, "error", "error"),
    (errors.ERROR_IN_200, Got("", None), NOTHING, "error", "error"),
    ({"kind": "broken_off", "after": 2}, *BROKEN_OFF, "truncated", "truncated"),
    ("content_type", WHOLE, STREAM, "delivered", "delivered"),
    ({"kind": "slow_first", "delay_s": 5}, WHOLE, STREAM, "delivered", "delivered"),
    ({"kind": "slow", "factor": 3}, WHOLE, STREAM, "delivered", "delivered"),
    ({"kind": "stall", "delay_s": 5, "after": 2}, WHOLE, STREAM, "delivered", "delivered"),
    ({"kind": "stall", "after": 2}, openai.APITimeoutError, openai.APITimeoutError, "left", "left"),
    ("stall", openai.APITimeoutError, openai.APITimeoutError, "left", "left"),
    ("reset", openai.APIConnectionError, openai.APIConnectionError, "broken", "broken"),
    ({"kind": "reset", "after": 2}, *[openai.APIConnectionError] * 2, *["broken"] * 2),
    ("disconnect", openai.APIConnectionError, openai.APIConnectionError, "broken", "broken"),
    ("cut_body", openai.APIConnectionError, openai.APIConnectionError, "broken", "broken"),
    ({"kind": "end_early", "after": 3}, WHOLE, PART, "delivered", "truncated"),
    ({"kind": "end_early", "after": 3, "done": False}, WHOLE, PART, "delivered", "truncated"),
    ("no_done", WHOLE, STREAM, "delivered", "delivered"),
    ({"kind": "error_in_stream", "after": 2}, WHOLE, openai.APIError, "delivered", "broken"),
    ({"kind": "bad_json", "after": 2}, json.JSONDecodeError, json.JSONDecodeError, *["broken"] * 2),
    ("comments", WHOLE, STREAM, "delivered", "delivered"),
    ({"kind": "bundle", "tokens": 5}, WHOLE, Got(FULL, "stop", 5), "delivered", "delivered"),
    ("no_choices", Got("", None), Got(FULL, "stop", CHUNKS + 1), "broken", "delivered"),
    ({"kind": "reasoning", "tokens": 6}, WHOLE, Got(FULL, "stop", 20), *["delivered"] * 2),
    ({"kind": "usage", "cost": "0.00012", "cached": 4}, WHOLE, STREAM, "delivered", "delivered"),
]
ASKED: dict[str, Any] = {
    "model": catalog.DEFAULT_MODEL,
    "messages": [{"role": "user", "content": "hello"}],
    "temperature": 0,
}


def of_whole(reply: Any) -> Got:
    if isinstance(reply, str):  # a page with status 200: the SDK hands it on
        return Got(reply[: len(PAGE.text)], None)
    choice = reply.choices[0] if reply.choices else None
    return Got(choice.message.content or "", choice.finish_reason) if choice else Got("", None)


def of_stream(chunks: list[ChatCompletionChunk]) -> Got:
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    text = "".join(choice.delta.content or "" for choice in choices)
    reasons = [choice.finish_reason for choice in choices if choice.finish_reason]
    return Got(text, reasons[-1] if reasons else None, len(chunks))


def check(outcome: Expected, expected: Expected) -> None:
    if isinstance(expected, Got):
        assert outcome == expected
    else:
        assert isinstance(outcome, type), f"{outcome} came, {expected} was to be raised"
        assert issubclass(outcome, expected)


def test_the_table_knows_every_kind_of_fault() -> None:
    kinds = {f["kind"] if isinstance(f, dict) else "status" if isinstance(f, int) else f
             for f, *_ in TABLE}  # fmt: skip
    assert kinds == set(KINDS)


every_fault = pytest.mark.parametrize(
    ("fault", "whole", "streamed", "whole_outcome", "streamed_outcome"),
    TABLE,
    ids=[json.dumps(fault).replace('"', "") for fault, *_ in TABLE],
)


@every_fault
def test_sync(
    mock: MockHandle, fault: Any, whole: Expected, streamed: Expected,
    whole_outcome: str, streamed_outcome: str,
) -> None:  # fmt: skip
    mock.script([fault, fault])
    with openai.OpenAI(
        base_url=mock.base_url, api_key=mock.api_key, max_retries=0, timeout=TIMEOUT_S
    ) as client:
        for stream, expected in ((False, whole), (True, streamed)):
            try:
                reply: Any = client.chat.completions.create(**ASKED, stream=stream)
                outcome = of_stream(list(reply)) if stream else of_whole(reply)
            except Exception as error:  # noqa: BLE001 (which one it is is the question)
                outcome = type(error)
            check(outcome, expected)
    assert [entry["outcome"] for entry in mock.entries()] == [whole_outcome, streamed_outcome]


Make = Callable[..., openai.AsyncOpenAI]


def with_httpx(**options: Any) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(**options)


def with_aiohttp(**options: Any) -> openai.AsyncOpenAI:
    http = openai.DefaultAioHttpClient(timeout=options["timeout"])
    return openai.AsyncOpenAI(**options, http_client=http)


@asynccontextmanager
async def closing(client: openai.AsyncOpenAI) -> AsyncIterator[openai.AsyncOpenAI]:
    try:
        yield client
    finally:
        await client.close()


@every_fault
@pytest.mark.parametrize("make", [with_httpx, with_aiohttp])
def test_async(
    mock: MockHandle, make: Make, fault: Any, whole: Expected, streamed: Expected,
    whole_outcome: str, streamed_outcome: str,
) -> None:  # fmt: skip
    async def ask() -> None:
        options = {"base_url": mock.base_url, "api_key": mock.api_key, "timeout": TIMEOUT_S}
        async with closing(make(**options, max_retries=0)) as client:
            for stream, expected in ((False, whole), (True, streamed)):
                try:
                    reply: Any = await client.chat.completions.create(**ASKED, stream=stream)
                    outcome = of_stream([c async for c in reply]) if stream else of_whole(reply)
                except Exception as error:  # noqa: BLE001 (which one it is is the question)
                    outcome = type(error)
                check(outcome, expected)

    mock.script([fault, fault])
    asyncio.run(ask())
    assert [entry["outcome"] for entry in mock.entries()] == [whole_outcome, streamed_outcome]


def test_the_sdk_waits_as_retry_after_says_and_is_not_blamed(mock: MockHandle) -> None:
    mock.script({"kind": "status", "status": 429, "headers": {"retry-after-ms": "50"}})
    with openai.OpenAI(base_url=mock.base_url, api_key=mock.api_key) as client:
        assert of_whole(client.chat.completions.create(**ASKED)) == WHOLE
    first, second = mock.entries()
    assert (first["retry_after_s"], second["attempt"]) == (0.05, 1)
    assert second["arrived_s"] - first["ended_s"] >= 0.05
    assert mock.verdict() == ()


def test_the_first_two_fail_and_the_third_works(mock: MockHandle) -> None:
    mock.script([503, 503])
    statuses = [raw.send(mock, raw.body()).status for _ in range(4)]
    assert statuses == [503, 503, 200, 200]
