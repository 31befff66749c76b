"""Errors made to order: what a server answers, what the SDK raises for it, and the table of all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2
import openai
import pytest

import holysheep_helpers as hs

ANSWERED = "answered"


def refused(status: int, code: str | None = None) -> dict[str, Any]:
    body = {"error": {"message": "as asked for", "type": "x", "param": None, "code": code}}
    return {"kind": "status", "status": status, "body": body}


ERROR_IN_200 = {"kind": "status", "status": 200, "body": {"error": {"message": "x", "code": 502}}}
SILENT = (ERROR_IN_200, {"kind": "broken_off", "after": 2})
"""For the plain SDK these are answers: it raises nothing, and retries nothing."""


# The fault, and what it is for a whole reply and for a streamed one.
TABLE: list[tuple[Any, str, str]] = [
    (400, "bad_request", "bad_request"),
    (401, "wrong_key", "wrong_key"),
    (402, "quota", "quota"),
    (403, "forbidden", "forbidden"),
    (404, "wrong_path", "wrong_path"),
    (408, "timeout_408", "timeout_408"),
    (409, "conflict", "conflict"),
    (413, "too_long", "too_long"),
    (422, "bad_request", "bad_request"),
    (429, "rate_limit", "rate_limit"),
    (500, "server_error", "server_error"),
    (503, "server_error", "server_error"),
    (504, "gateway_timeout", "gateway_timeout"),
    (refused(400, "context_length_exceeded"), "too_long", "too_long"),
    (refused(400, "content_filter"), "refused_content", "refused_content"),
    (refused(404, "model_not_found"), "unknown_model", "unknown_model"),
    ("rate_limit", "rate_limit", "rate_limit"),
    ("quota", "quota", "quota"),
    ("html", "proxy_page", "proxy_page"),
    ({"kind": "html", "status": 200}, "html_page", "html_page"),
    *((fault, "server_error", "server_error") for fault in SILENT),
    ("content_type", ANSWERED, ANSWERED),
    ("slow_first", ANSWERED, ANSWERED),
    ("slow", ANSWERED, ANSWERED),
    ("stall", "first_token_timeout", "stalled_stream"),
    ({"kind": "stall", "after": 2}, "first_token_timeout", "stalled_stream"),
    ("reset", "cut_connection", "cut_connection"),
    ({"kind": "reset", "after": 2}, "cut_connection", "cut_stream"),
    ("disconnect", "cut_connection", "cut_stream"),
    ("cut_body", "cut_connection", "cut_stream"),
    ({"kind": "end_early", "after": 3}, ANSWERED, "ended_early"),
    ("no_done", ANSWERED, ANSWERED),
    ({"kind": "error_in_stream", "after": 2}, ANSWERED, "error_in_stream"),
    ({"kind": "bad_json", "after": 2}, "bad_json", "bad_json"),
    ("comments", ANSWERED, ANSWERED),
    ("bundle", ANSWERED, ANSWERED),
    ("no_choices", "unexpected_reply", ANSWERED),
    ({"kind": "usage", "cost": "0.00012"}, ANSWERED, ANSWERED),
    ("reasoning", ANSWERED, ANSWERED),
]


def name_of(fault: Any) -> str:
    """A fault as the matrix prints it: its kind and what belongs to it."""
    if not isinstance(fault, dict):
        return str(fault)
    code = fault.get("body", {}).get("error", {}).get("code")
    known = (fault["kind"], fault.get("status"), code, fault.get("after"))
    return " ".join(str(value) for value in known if value is not None)


MESSAGES: Any = [{"role": "user", "content": "a secret prompt about 429"}]


ASKED: Any = {"model": hs.catalog.DEFAULT_MODEL, "messages": MESSAGES}


GATEWAY = "https://api.holysheep.ai/v1"


def caught(call: Callable[[], Any]) -> Exception:
    try:
        call()
    except Exception as error:  # noqa: BLE001 (which one it is is the question)
        return error
    raise AssertionError("nothing was raised")


def told(status: int, *, url: str = GATEWAY, key: str = "hs-x", **parts: Any) -> hs.Diagnosis:
    """What is said of a reply with this status; ``parts`` are a body's code and param, headers."""
    headers = parts.pop("headers", {})
    body = {"error": {"message": "429 is in here", "type": "x", **parts}}
    answer = httpx2.Response(status, json=body, headers=headers)
    transport = httpx2.MockTransport(lambda _: answer)
    asked = ASKED | {"model": parts.pop("model", ASKED["model"])}
    with httpx2.Client(transport=transport) as http:
        client = openai.OpenAI(base_url=url, api_key=key, http_client=http, max_retries=0)
        return hs.diagnose(caught(lambda: client.chat.completions.create(**asked)))


def sync(**options: Any) -> Exception:
    with openai.OpenAI(**options, max_retries=0) as client:
        return caught(lambda: client.chat.completions.create(**ASKED))


async def _async(client: openai.AsyncOpenAI) -> Exception:
    async with client:
        try:
            await client.chat.completions.create(**ASKED)
        except Exception as error:  # noqa: BLE001
            return error
    raise AssertionError("nothing was raised")


def on_httpx(**options: Any) -> Exception:
    return asyncio.run(_async(openai.AsyncOpenAI(**options, max_retries=0)))


def on_aiohttp(**options: Any) -> Exception:
    async def main() -> Exception:
        http = openai.DefaultAioHttpClient(timeout=options["timeout"])
        return await _async(openai.AsyncOpenAI(**options, max_retries=0, http_client=http))

    return asyncio.run(main())


every_transport = pytest.mark.parametrize("fail", [sync, on_httpx, on_aiohttp])
