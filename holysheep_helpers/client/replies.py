"""What a reply says, whole or streamed: the one place where its JSON is read.

``ask``, ``stream``, ``batch``, ``failover``, the measurements of latency and the meter behind
``gw.spend`` all look at a reply through ``ParsedReply``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import Any, Literal

import aiohttp
import httpx2
from openai.types import CompletionUsage
from openai.types.completion_usage import CompletionTokensDetails, PromptTokensDetails
from pydantic import BaseModel, ValidationError

from holysheep_helpers._checks import short
from holysheep_helpers.diagnosis.evidence import ErrorBody, key_of, without
from holysheep_helpers.exceptions import GatewayError, UnexpectedReplyError
from holysheep_helpers.pricing.money import MOST_TOKENS, cache_parts, count, fields_of

Ending = Literal["", "whole", "cut", "filtered", "broken", "unknown"]

_ENDINGS: dict[str, Ending] = {
    **dict.fromkeys(("stop", "tool_calls", "function_call", "eos", "eos_token"), "whole"),
    **dict.fromkeys(("end_turn", "stop_sequence", "tool_use", "completed"), "whole"),
    **dict.fromkeys(("length", "max_tokens", "max_output_tokens", "model_length"), "cut"),
    "model_context_window_exceeded": "cut",
    **dict.fromkeys(("content_filter", "sensitive", "safety", "refusal", "recitation"), "filtered"),
    **dict.fromkeys(("prohibited_content", "blocklist", "spii"), "filtered"),
    **dict.fromkeys(("error", "abort", "aborted", "cancelled", "network_error"), "broken"),
    **dict.fromkeys(("insufficient_system_resource", "timeout", "load"), "broken"),
}
"""Finish reasons of OpenAI, OpenRouter, Mistral, DeepSeek, Gemini, Anthropic, vLLM, SGLang, Z.ai,
Together and Ollama, in lower case. ``"load"`` is Ollama's for a model that was only loaded."""

READ_ALREADY = "holysheep_reply"
"""Where the meter leaves what it has read of a whole reply, in the response's ``extensions``."""

_IN_USAGE = CompletionUsage.model_fields.keys()
_IN_DETAILS = PromptTokensDetails.model_fields.keys()

_BY_MAX_TOKENS = ("length", "max_tokens", "max_output_tokens")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_BOM = b"\xef\xbb\xbf"


def ending(finish_reason: str | None) -> Ending:
    """What a finish reason says of the answer; ``"unknown"`` for one that is not known."""
    return _ENDINGS.get(finish_reason.lower(), "unknown") if finish_reason else ""


def ending_note(finish_reason: str | None, refusal: str = "") -> str:
    """What to know of an answer that is not, or may not be, the whole one; else empty."""
    match ending(finish_reason):
        case "cut" if finish_reason in _BY_MAX_TOKENS:
            return "cut by max_tokens"
        case "cut":
            return f"cut by the model's context window (finish_reason {finish_reason!r})"
        case "filtered":
            return f"filtered (finish_reason {finish_reason!r})"
        case "unknown":
            return f"perhaps not whole: finish_reason {finish_reason!r} is unknown"
    return f"refused: {refusal}" if refusal else ""


def bill(used: CompletionUsage | None, cost: Decimal | None) -> str:
    """Tokens and cost of an answer, as its summary shows them."""
    tokens = f"{used.prompt_tokens} + {used.completion_tokens} tokens" if used else "no usage"
    return f"{tokens} · {'cost unknown' if cost is None else f'{cost:f} USD'}"


class ParsedReply:
    """One whole reply, or one chunk of a stream, in any shape: nothing here raises.

    Takes parsed JSON or the SDK's own object (``ChatCompletion``, ``ChatCompletionChunk``), whose
    shapes the SDK does not check. A field that is missing, or that can't be what it should be, is
    ``None``. Of several choices the first one is read.
    """

    __slots__ = ("_body", "_choice", "_message", "has_choice", "usage")

    has_choice: bool

    usage: CompletionUsage | None
    """The server's count of tokens, as ``read_usage`` makes it out; some send it in the choice."""

    def __init__(self, body: object) -> None:
        if isinstance(body, list) and len(body) == 1:
            body = body[0]  # Gemini's errors
        self._body = fields_of(body)
        choice = next(filter(_is_object, _as_list(self._body.get("choices"))), None)
        self.has_choice = choice is not None
        self._choice = fields_of(choice)
        message = self._choice.get("message")
        self._message = fields_of(message if _is_object(message) else self._choice.get("delta"))
        sent = self._body.get("usage"), self._choice.get("usage")
        self.usage = read_usage(sent[0]) or read_usage(sent[1])

    def facts(self, *names: str) -> dict[str, Any]:
        """These properties, by name."""
        return {name: getattr(self, name) for name in names}

    @property
    def is_answer(self) -> bool:
        """Whether it can be a whole reply: it has a text, thoughts, a call or a finish reason."""
        if self.text or self.refusal or self.reasoning or self._message.get("tool_calls"):
            return True
        content = self._message.get("content")
        is_odd = not isinstance(content, str | list | None)
        return content == "" or (self.finish_reason is not None and not is_odd)

    @property
    def id(self) -> str | None:
        return _text_of(self._body, "id")

    @property
    def model(self) -> str | None:
        return _text_of(self._body, "model")

    @property
    def finish_reason(self) -> str | None:
        return _text_of(self._choice, "finish_reason")

    @property
    def text(self) -> str:
        """The answer, or this chunk's part of it. Some gateways send it as a list of parts."""
        content = self._message.get("content")
        if isinstance(content, str):
            return content
        if isinstance(content, list) and (text := "".join(_parts(content, "text"))):
            return text
        legacy = self._choice.get("text")
        return legacy if isinstance(legacy, str) else ""

    @property
    def reasoning(self) -> str:
        """The model's thoughts.

        Gateways have two names for them; Mistral's own models send them as parts of the content.
        """
        for name in ("reasoning_content", "reasoning"):
            if thought := _text_of(self._message, name):
                return thought
        return "".join(_parts(_as_list(self._message.get("content")), "thinking"))

    @property
    def refusal(self) -> str:
        """The model's words where it refuses to answer."""
        return _text_of(self._message, "refusal") or ""

    @property
    def error(self) -> Any:
        """The error that came in the place of an answer, or beside it; ``None`` if none did."""
        body = self._body
        if found := body.get("error") or self._choice.get("error"):
            return found
        is_flat = "error" in (body.get("object"), body.get("type"))
        if not is_flat and not self.has_choice:  # FastAPI's, Mistral's, Z.ai's, Cloudflare's
            is_flat = any(body.get(name) for name in ("detail", "message", "msg", "errors"))
        return {n: value for n, value in body.items() if value is not None} if is_flat else None

    @property
    def token_counts(self) -> dict[str, int]:
        """Those of ``prompt_tokens``, ``output_tokens``, ``reasoning_tokens`` that are counts."""
        sent = _counts(self._body.get("usage") or self._choice.get("usage"))
        read = _counts(self.usage)
        names = ("prompt_tokens", "completion_tokens", "reasoning_tokens")
        known = (name for name in names if type(sent.get(name)) is int)
        found = {name.replace("completion", "output"): read.get(name) for name in known}
        return {name: value for name, value in found.items() if value is not None}


def _counts(usage: object) -> dict[str, Any]:
    """What a usage says, the count of the thoughts beside the others."""
    said = fields_of(usage)
    return {**said, **fields_of(said.get("completion_tokens_details"))}


def read_usage(sent: object) -> CompletionUsage | None:
    """The usage that a server sent, as JSON or as the SDK's object; ``None`` if it counts nothing.

    A count that the SDK can't read as one is ``None``. Where the total is more than prompt and
    answer together, the difference is reasoning, which some servers count beside the answer: it
    belongs to the answer, and is billed with it. Where it is less, their sum is the total, and
    ``stated_total_tokens`` has what was stated. Cached tokens are in ``prompt_tokens_details``
    whatever the server calls them.
    """
    said = fields_of(sent)
    if not said:
        return None
    if _is_plain(said):
        if isinstance(sent, CompletionUsage) and not isinstance(sent.prompt_tokens_details, dict):
            return sent
        with suppress(ValidationError):
            return CompletionUsage.model_validate(said)
    return _mended(fields_of(_as_the_sdk_does(said)))


def _is_plain(said: dict[str, Any]) -> bool:
    """Whether counts and total agree, and cached tokens stand where the SDK has them."""
    prompt, answer = said.get("prompt_tokens"), said.get("completion_tokens")
    total, details = said.get("total_tokens"), said.get("prompt_tokens_details")
    if type(prompt) is not int or type(answer) is not int or type(total) is not int:
        return False
    if prompt < 0 or answer < 0 or not prompt + answer == total < MOST_TOKENS:
        return False
    if not isinstance(details, dict | PromptTokensDetails | None):
        return False
    parts = fields_of(details)
    cached = parts.get("cached_tokens") or 0
    if said.keys() <= _IN_USAGE and parts.keys() <= _IN_DETAILS:  # nothing of a cache elsewhere
        return type(cached) is int and 0 <= cached <= prompt
    return cache_parts(said, prompt)[0] == cached


def _as_the_sdk_does(said: Mapping[str, Any]) -> CompletionUsage:
    try:
        return CompletionUsage.model_validate(said)
    except ValidationError:
        return CompletionUsage.construct(**said)


def _mended(said: Mapping[str, Any]) -> CompletionUsage | None:
    """``said`` is what the SDK makes of it: a count that came as text is one for all callers."""
    prompt, answer = count(said.get("prompt_tokens")), count(said.get("completion_tokens"))
    total = stated_total = count(said.get("total_tokens"))
    thoughts = fields_of(said.get("completion_tokens_details"))
    thought = count(thoughts.get("reasoning_tokens"))
    if total is not None:
        if prompt is None and answer is not None:
            prompt = max(total - answer, 0)
        if prompt is not None:
            answer = max(answer or 0, total - prompt)
    elif answer is not None:  # nothing says whether the thoughts are in it
        answer = max(answer, thought or 0)
    if prompt is not None and answer is not None:
        total = prompt + answer
    if prompt is answer is total is None and said.get("cost") is None:
        return None
    fields: dict[str, Any] = {**said, "prompt_tokens_details": None}
    if stated_total is not None and stated_total != total:
        fields["stated_total_tokens"] = stated_total
    cached, written = cache_parts(said, prompt)
    if (details := fields_of(said.get("prompt_tokens_details"))) or cached or written:
        parts = {**details, "cached_tokens": cached, "cache_write_tokens": written or None}
        fields["prompt_tokens_details"] = PromptTokensDetails.construct(**parts)
    fields["completion_tokens_details"] = None
    if thoughts:
        parts = {**thoughts, "reasoning_tokens": thought}
        fields["completion_tokens_details"] = CompletionTokensDetails.construct(**parts)
    fields |= {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": total}
    return CompletionUsage.construct(**fields)


def _text_of(fields: dict[str, Any], name: str) -> str | None:
    """A field that is a text, and not an empty one."""
    found = fields.get(name)
    return found if isinstance(found, str) and found else None


def _is_object(value: object) -> bool:
    return isinstance(value, dict | BaseModel)  # JSON, or the SDK's


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _parts(content: list[Any], wanted: Literal["text", "thinking"]) -> Iterator[str]:
    """The text in the parts of a content, or in its thoughts."""
    for part in content:
        if isinstance(part, Mapping):
            thinks = "thinking" in part or part.get("type") in ("thinking", "reasoning")
            if thinks == (wanted == "thinking"):
                yield _joined(part.get("thinking") or part.get("text"))


def _joined(value: Any) -> str:
    """The text in a part, or in parts inside it."""
    if isinstance(value, Mapping):
        value = value.get("text")
    return value if isinstance(value, str) else "".join(map(_joined, _as_list(value)))


def load_json(text: bytes, **options: Any) -> Any:
    """``json.loads``, for which a broken character is one character, not the end of the text."""
    try:
        return json.loads(text, **options)
    except UnicodeDecodeError:
        return json.loads(text.decode("utf-8", "replace"), **options)


def parse_json(text: bytes, **options: Any) -> Any:
    """What this JSON says; ``None`` for what is none. Takes the options of ``json.loads``."""
    try:
        return load_json(text, **options)
    except (ValueError, RecursionError):
        return None


def is_event_stream(response: httpx2.Response) -> bool:
    """Whether the server says that it answers with an event stream."""
    return "text/event-stream" in response.headers.get("content-type", "")


class EventStream:
    """Makes the events of a stream out of its bytes, in whichever pieces they come.

    A whole JSON answer that came in the place of a stream is one event, which ``take_rest`` gives.
    ``is_json`` tells so; ``done`` is set by ``[DONE]``, which ends the stream.
    """

    def __init__(self) -> None:
        self.done = self.is_json = False
        self._data: list[bytes] = []  # the lines of the event that has not ended
        self._name = b""
        self._rest: list[bytes] = []  # of the line that has not ended
        self._half_end = False
        self._begun = False

    def feed(self, piece: bytes) -> list[bytes]:
        """The data of each event that ends in this piece."""
        if not self._begun:
            piece = self._begin(b"".join([*self._rest, piece]))
        if self.is_json or not piece:
            self._rest.append(piece)
            return []
        text = piece.removeprefix(b"\n") if self._half_end else piece
        self._half_end = piece.endswith(b"\r")  # a line feed may follow: the same line's end
        first, *others = _LINE_END.split(text)
        self._rest.append(first)
        if not others:
            return []
        lines = [b"".join(self._rest), *others[:-1]]
        self._rest = others[-1:]
        events: list[bytes] = []
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[5:])
            elif not line:
                if self._data and not self.done:
                    self._end_event(events)
                self._name = b""
            elif line.startswith(b"event:"):
                self._name = line[6:].strip()
        return events

    def _begin(self, piece: bytes) -> bytes:
        """What is left of the first bytes once they tell what comes: events, or JSON."""
        text = piece.removeprefix(_BOM).lstrip()
        self._begun = bool(text) and not _BOM.startswith(text)
        self.is_json = self._begun and text[:1] in b"{["
        self._rest = [] if self._begun else [piece]
        return text if self._begun else b""

    def _end_event(self, events: list[bytes]) -> None:
        data = b"\n".join(self._data)
        self._data.clear()
        self.done = data.strip() == b"[DONE]"
        # An event of another name, such as "ping", is no part of it unless it reads like one.
        is_meant = self._name in (b"", b"message", b"error") or data.lstrip()[:1] in b"{["
        if is_meant and not self.done:
            events.append(_as_error(data) if self._name == b"error" else data)

    def take_rest(self) -> bytes:
        """The JSON, or the data of the event that has not ended; nothing after ``[DONE]``."""
        lines, rest = self._data, b"".join(self._rest)
        if self.is_json or rest.startswith(b"data:"):
            lines = [*lines, rest if self.is_json else rest[5:]]
        self._data, self._rest = [], []
        return b"" if self.done else b"\n".join(lines)


def _as_error(data: bytes) -> bytes:
    """The data of an event that is named error, as those have it that are not named."""
    said = parse_json(data)
    if isinstance(said, dict) and said.get("error"):
        return data
    return json.dumps({"error": said or data.decode("utf-8", "replace").strip()}).encode()


def read_whole(response: httpx2.Response, url: object) -> ParsedReply:
    """Read a whole chat completion with all that belongs to it; raises as ``check_answer`` does."""
    kind = response.headers.get("content-type", "no content type")
    said = response.extensions.get(READ_ALREADY)
    try:
        said = said or ParsedReply(load_json(response.content))
    except (ValueError, RecursionError) as error:
        page = "json" not in kind
        raise unexpected_reply(url, f"a whole chat completion ({kind})", page=page) from error
    check_answer(said, url, f"a whole chat completion ({kind})", lambda: response.request)
    return said


def check_answer(
    said: ParsedReply, url: object, needed: str, request: Callable[[], httpx2.Request]
) -> None:
    """Check that a whole reply is an answer; ``request`` gives what was sent for it.

    Raises:
        GatewayError: it is an error, or the server broke off, as its finish reason says.
        UnexpectedReplyError: it is something else.
    """
    if (error := said.error) is not None:
        what = f"{short(str(url))} answered with status 200, but with an error"
        raise gateway_error(what, error, said.text, request())
    reason = said.finish_reason
    if ending(reason) == "broken":
        raise broken_off(reason, said.text)
    if not said.is_answer:
        raise unexpected_reply(url, needed, page=False)


def gateway_error(
    what: str, error: object, text: str, request: httpx2.Request, *, streamed: bool = False
) -> GatewayError:
    """The error that a server sent with status 200, with its own words, not with the prompt."""
    words, said = ErrorBody(error).shown(request=request), without(error, key_of(request).strip())
    return GatewayError(f"{what}: {words}", said, partial_text=text, streamed=streamed)


def broken_off(reason: str | None, text: str, *, streamed: bool = False) -> GatewayError:
    """The error for an answer of which the server says that it broke off."""
    return GatewayError(
        f"The server broke off, with finish_reason {reason!r}: what came is not the whole answer. "
        "It is in this error's partial_text; asking again is a new, paid request.",
        partial_text=text,
        streamed=streamed,
    )


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
            "longer than 8 KB, or malformed. It may be billed. Synchronous calls, "
            "such as hs.ask, read headers of up to 100 KB."
        ) from error


def unexpected_reply(url: object, needed: str, *, page: bool) -> UnexpectedReplyError:
    """The error for a reply with status 200 that is not what is ``needed``."""
    return UnexpectedReplyError(
        f"{short(str(url))} answered with status 200, but not with {needed}. A proxy's "
        "page, or a wrong address? Check it.",
        page=page,
    )
