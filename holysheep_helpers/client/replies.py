"""What a reply says, whole or streamed: the one place where its JSON is read.

``ask``, ``stream``, ``batch``, ``failover``, the measurements of latency and the meter behind
``gw.spend`` all look at a reply through ``ParsedReply``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import aiohttp
import httpx2
from openai.types import CompletionUsage
from pydantic import BaseModel, ValidationError

from holysheep_helpers.exceptions import UnexpectedReplyError

_LINE_END = re.compile(rb"\r\n|\r|\n")


class ParsedReply:
    """One whole reply, or one chunk of a stream, in any shape: nothing here raises.

    Takes parsed JSON or the SDK's own object (``ChatCompletion``, ``ChatCompletionChunk``), whose
    shapes the SDK does not check. A field that is missing is ``None``. Of several choices the
    first one is read.
    """

    __slots__ = ("_body", "_choice", "_message", "usage")

    usage: CompletionUsage | None
    """The server's count of tokens; ``None`` also for what can't be one."""

    def __init__(self, body: object) -> None:
        self._body = body
        choices = _as_list(_field(body, "choices"))
        self._choice = next((one for one in choices if _is_object(one)), None)
        message = _field(self._choice, "message")
        self._message = _field(self._choice, "delta") if message is None else message
        self.usage = _usage(_field(body, "usage"))

    @property
    def has_choice(self) -> bool:
        return self._choice is not None

    @property
    def id(self) -> str | None:
        return _field(self._body, "id")

    @property
    def model(self) -> str | None:
        return _field(self._body, "model")

    @property
    def finish_reason(self) -> str | None:
        return _field(self._choice, "finish_reason")

    @property
    def text(self) -> str:
        """The answer, or this chunk's part of it. Some gateways send it as a list of parts."""
        content = _field(self._message, "content")
        return content if isinstance(content, str) else _joined(_of_parts(content, "text"))

    @property
    def reasoning(self) -> str:
        """The model's thoughts.

        Gateways have two names for them; Mistral's own models send them as parts of the content.
        """
        for name in ("reasoning_content", "reasoning"):
            thought = _field(self._message, name)
            if thought and isinstance(thought, str):
                return thought
        return _joined(_of_parts(_field(self._message, "content"), "thinking"))

    @property
    def token_counts(self) -> dict[str, int]:
        """Those of ``prompt_tokens``, ``output_tokens``, ``reasoning_tokens`` that are counts."""
        usage = _field(self._body, "usage")
        found = {
            "prompt_tokens": _field(usage, "prompt_tokens"),
            "output_tokens": _field(usage, "completion_tokens"),
            "reasoning_tokens": _field(
                _field(usage, "completion_tokens_details"), "reasoning_tokens"
            ),
        }
        return {name: value for name, value in found.items() if type(value) is int and value >= 0}

    def oddities(self) -> list[str]:
        """The fields that a whole reply has and that are missing here, or of a wrong type."""
        content = _field(self._message, "content")
        is_right = {
            "choices": self.has_choice,
            "message": _is_object(self._message) and isinstance(content, str | list | None),
            "finish_reason": isinstance(self.finish_reason, str),
            "model": isinstance(self.model, str),
            "usage": _field(self._body, "usage") is None or self.usage is not None,
        }
        return [name for name, right in is_right.items() if not right]


def _usage(sent: Any) -> CompletionUsage | None:
    if sent is None or isinstance(sent, CompletionUsage):
        return sent
    try:
        return CompletionUsage.model_validate(sent)
    except ValidationError:
        return None


def _field(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)


def _is_object(value: object) -> bool:
    return isinstance(value, dict | BaseModel)  # JSON, or the SDK's


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _of_parts(content: Any, name: str) -> list[Any]:
    return [part.get(name) for part in _as_list(content) if isinstance(part, Mapping)]


def _joined(value: Any) -> str:
    """The text in a part, or in parts inside it."""
    if isinstance(value, Mapping):
        value = value.get("text")
    return value if isinstance(value, str) else "".join(map(_joined, _as_list(value)))


def parse_json(text: bytes, **options: Any) -> Any:
    """What this JSON says; ``None`` for what is none. Takes the options of ``json.loads``."""
    try:
        return json.loads(text, **options)
    except (ValueError, RecursionError):
        return None


def is_event_stream(response: httpx2.Response) -> bool:
    """Whether the server answered with an event stream: the SDK takes a page for an empty one."""
    return "text/event-stream" in response.headers.get("content-type", "")


class EventStream:
    """Makes the events of a stream out of its bytes, in whichever pieces they come."""

    def __init__(self) -> None:
        self._data: list[bytes] = []  # the lines of the event that has not ended
        self._rest = b""
        self._half_end = False
        self._done = False

    def feed(self, piece: bytes) -> list[bytes]:
        """The data of each event that ends in this piece; ``[DONE]`` ends the stream."""
        text = piece.removeprefix(b"\n") if self._half_end else piece
        if piece:
            self._half_end = piece.endswith(b"\r")  # a line feed may follow: the same line's end
        *lines, self._rest = _LINE_END.split(self._rest + text)
        events = []
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[5:])
            elif not line and self._data and not self._done:
                data = self.take_rest()
                self._done = data.strip() == b"[DONE]"
                if not self._done:
                    events.append(data)
        return events

    def take_rest(self) -> bytes:
        """The data of the event that has not ended, as far as its lines came."""
        data = b"\n".join(self._data)
        self._data.clear()
        return data


def read_whole(response: httpx2.Response, url: object) -> ParsedReply:
    """Read a whole chat completion with all that belongs to it.

    Raises:
        UnexpectedReplyError: something else came with status 200.
    """
    reply = ParsedReply(parse_json(response.content))
    if odd := reply.oddities():
        kind = response.headers.get("content-type", "no content type")
        what = f"a whole chat completion ({kind}; missing or odd: {', '.join(odd)})"
        raise unexpected_reply(url, what, page="json" not in kind)
    return reply


@contextmanager
def readable_head() -> Iterator[None]:
    """Send a request inside: a head of a reply that aiohttp can't read is no raw error of its own.

    It takes headers of up to 8 KB, and the SDK has no way to allow it more.
    """
    try:
        yield
    except aiohttp.ClientResponseError as error:
        raise UnexpectedReplyError(
            "A reply came, and asynchronous clients (aiohttp) can't read its headers: one is "
            "longer than 8 KB, or malformed. It may be billed. Synchronous calls, hs.ask say, "
            "read headers of up to 100 KB."
        ) from error


def unexpected_reply(url: object, needed: str, *, page: bool) -> UnexpectedReplyError:
    """The error for a reply with status 200 that is not what is ``needed``."""
    return UnexpectedReplyError(
        f"{url} answered with status 200, but not with {needed}. A proxy's page, or a wrong "
        "address? Check it.",
        page=page,
    )
