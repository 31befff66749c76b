"""One request of a batch: sent once, read into checked types, and judged if it failed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import httpx2
import openai
from openai.types import CompletionUsage
from pydantic import BaseModel, Field, ValidationError

from holysheep_helpers.batch_prompts import Item
from holysheep_helpers.errors import UnexpectedReplyError
from holysheep_helpers.pacing import retry_after_s

NEVER_SENT = {"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol"}
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
            f"{error.error_count()} things are off). A proxy's page, or a wrong address? Check it."
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


def judge(error: Exception) -> Failure:
    """By type, status and code; never by the words of a message."""
    if isinstance(error, openai.APIStatusError):
        return _judge_status(error)
    if isinstance(error, openai.APIConnectionError):  # time-outs are among them
        label = "time-out" if isinstance(error, openai.APITimeoutError) else "connection"
        sent = was_sent(error)
        return Failure(error, label if sent else "no connection", retry=True, maybe_paid=sent)
    if isinstance(error, TypeError | ValueError):
        return Failure(error, "not sendable")  # a header or a time-out that is none
    return Failure(error, "reply", maybe_paid=isinstance(error, UnexpectedReplyError))


def _judge_status(error: openai.APIStatusError) -> Failure:
    status, headers = error.status_code, error.response.headers
    label = str(status)
    if status == 429 and error.code != "insufficient_quota":
        return Failure(error, label, retry=True, limited=True, wait_s=retry_after_s(headers))
    if status in (401, 402, 403, 404, 429) or error.response.is_redirect:
        return Failure(error, label, fatal=True)
    retry = status in (408, 409) or status >= 500
    if headers.get("x-should-retry") == "false":
        retry = False
    return Failure(error, label, retry=retry, wait_s=retry_after_s(headers) if retry else None)


def was_sent(error: BaseException) -> bool:
    """Whether the request may have reached the server: then it may have been paid for.

    The SDK's aiohttp transport reports refused and broken connections alike, as a time-out while
    connecting, so what lies beneath decides: only aiohttp's own error tells the two apart.
    """
    chain = list(causes(error))
    beneath = [cause for cause in chain if isinstance(cause, aiohttp.ClientError)]
    if beneath:
        never = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
        return not isinstance(beneath[-1], never)
    return not any(_is_httpx(cause) and type(cause).__name__ in NEVER_SENT for cause in chain)


def _is_httpx(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] in ("httpx", "httpx2")  # the SDK takes both


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error itself, and what lies beneath it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
