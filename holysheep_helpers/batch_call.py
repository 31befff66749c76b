"""One request of a batch: sent once, read into checked types, and judged if it failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx2
import openai
from openai.types import CompletionUsage
from pydantic import BaseModel, Field, ValidationError

from holysheep_helpers.client.requests import Item
from holysheep_helpers.diagnosis.diagnose import Diagnosis, diagnose
from holysheep_helpers.diagnosis.waiting import RETRY_AFTER
from holysheep_helpers.exceptions import UnexpectedReplyError

_OPTIONS = {"extra_headers": "headers", "extra_query": "params", "timeout": "timeout"}


class _Message(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str


class Completion(BaseModel):
    """What a batch reads of a chat completion: checked, and a third of the work of all of it."""

    model: str
    choices: list[_Choice] = Field(min_length=1)
    usage: CompletionUsage | None = None

    @property
    def text(self) -> str:
        return self.choices[0].message.content or ""

    @property
    def finish_reason(self) -> str:
        return self.choices[0].finish_reason


def chat_url(client: openai.AsyncOpenAI) -> str:
    """Where to send: in full, which spares the SDK from joining it anew for each request.

    A client of another class (Azure's) makes an address of its own, from the path alone.
    """
    if type(client) is openai.AsyncOpenAI and not client.base_url.query:
        return f"{client.base_url}chat/completions"
    return "/chat/completions"


async def send(client: openai.AsyncOpenAI, url: str, item: Item) -> httpx2.Response:
    """Send it once, the SDK's own retries off, and hand back the reply with its headers."""
    options: Any = {"max_retries": 0}
    for name, value in item.options.items():
        options[_OPTIONS[name]] = value
    return await client.post(url, body=item.body, cast_to=httpx2.Response, options=options)


def read(response: httpx2.Response, url: object) -> Completion:
    """Raises ``UnexpectedReplyError`` if status 200 came with something else than a completion."""
    try:
        return Completion.model_validate_json(response.content)
    except ValidationError as error:
        kind = response.headers.get("content-type", "no content type")
        raise UnexpectedReplyError(
            f"{url} answered with status 200, but not with a whole chat completion ({kind}: "
            f"{error.error_count()} things are off). A proxy's page, or a wrong address? Check it.",
            page="json" not in kind,
        ) from None


@dataclass(frozen=True, slots=True)
class Failure:
    """What a failed request means for what comes next.

    ``fatal``: no other request can fare better; ``retry``: asking again may help; ``limited``: a
    429, all must wait; ``wait_s``: the seconds that the server asked for; ``maybe_paid``: the
    request went out and no verdict came back, so that it may have been answered and billed.
    """

    error: Exception
    label: str
    fatal: bool = False
    retry: bool = False
    limited: bool = False
    wait_s: float | None = None
    maybe_paid: bool = False


FATAL = {
    *("missing_key", "placeholder_key", "malformed_key", "wrong_key", "wrong_host", "forbidden"),
    *("unknown_model", "wrong_path", "redirect", "quota", "configuration"),
}
"""Kinds of error that every other request of the batch would meet, too."""


def judge(error: Exception) -> Failure:
    """What ``diagnose`` says of it, in a batch's terms."""
    found = diagnose(error)
    return Failure(
        error,
        _label(error, found),
        fatal=found.kind in FATAL or (found.kind == "proxy_page" and not found.retryable),
        retry=found.retryable,
        limited=found.kind == "rate_limit" and found.retryable,
        wait_s=found.wait_s if found.wait_said_by in RETRY_AFTER else None,
        maybe_paid=found.may_have_cost,
    )


def _label(error: Exception, found: Diagnosis) -> str:
    if isinstance(error, openai.APIStatusError):
        return str(error.status_code)
    if not isinstance(error, openai.APIConnectionError):
        return "reply" if isinstance(error, UnexpectedReplyError) else "not sendable"
    if not found.may_have_cost:
        return "no connection"
    return "time-out" if isinstance(error, openai.APITimeoutError) else "connection"
