"""What can be read out of an error: why no answer came, and what the request asked for.

The types in its chain of exceptions decide, by name where importing them would cost time. The
nearest one counts: an error that was handled around the call can be in the chain, too.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from socket import gaierror
from traceback import walk_tb
from typing import Any

import httpx2
import openai

from holysheep_helpers._checks import is_whole, short
from holysheep_helpers.catalog import tokens
from holysheep_helpers.exceptions import GatewayError, HolySheepError, IncompleteStreamError

TRANSPORT = {"httpx", "httpx2", "httpcore", "httpcore2", "h11", "aiohttp"}
CLIENTS = {"httpx._client", "httpx2._client"}

STREAM_READERS = ("openai._streaming", "holysheep_helpers.client.streams")
"""The modules that read streams, the SDK's and this package's."""

# Names of types, of httpx and of aiohttp
_BAD_ADDRESS = {"UnsupportedProtocol", "InvalidURL"}
_NOT_SENT = _BAD_ADDRESS | {
    *("ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "LocalProtocolError"),
    *("ClientConnectorError", "ConnectionTimeoutError", "ClientHttpProxyError"),
}
_CONNECT_TIMEOUTS = {"ConnectTimeout", "ConnectionTimeoutError"}
_READ_TIMEOUTS = {"ReadTimeout", "WriteTimeout", "SocketTimeoutError", "ServerTimeoutError"}

# Names of fields in the body of an error
_INSIDE = (
    *("error", "errors", "message", "detail", "innererror", "metadata", "availability", "details"),
    "violations",
)
_CODES = (
    *("code", "type", "error", "status", "error_code", "error_type", "reason", "limit_source"),
    "quotaId",
)
_STATUSES = ("code", "status", "http_status", "status_code", "raw_status_code")
_WORDS = ("message", "msg", "detail", "error", "error_description", "title")
_DEEPEST = 8

LONGEST_WORDS = 200
"""Characters of a server's own words that are shown."""

_ECHO = 16
"""As many characters in a row, out of the prompt and in a server's words, are an echo."""

_KEY = re.compile(r"\b(?:Bearer\s+\S+|(?:sk|hs|gsk|pk)[-_][\w-]{6,}|AIza[\w-]{6,})")


def exception_chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and its causes, nearest first, up to another call's error.

    Where several addresses of one host were tried, each one's error is a cause.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if seen and isinstance(error, openai.OpenAIError | HolySheepError):
            return
        seen.add(id(error))
        yield error
        if isinstance(error, BaseExceptionGroup):
            yield from error.exceptions
        error = error.__cause__ or error.__context__


def connection_kind(error: BaseException) -> str:
    """Why no answer came, or not all of it: a kind in ``kinds.KINDS``."""
    chain = list(exception_chain(error))
    outer, inner = _nearest(chain, "httpx", "httpx2"), _nearest(chain, "aiohttp")
    if _was_sent(chain, outer, inner):
        return "redirect" if "TooManyRedirects" in outer else _answer_lost(error, outer | inner)
    if outer & _BAD_ADDRESS:
        return "configuration"
    if "LocalProtocolError" in outer:  # a header that can't be sent
        return "input"
    if "PoolTimeout" in outer:
        return "pool_timeout"
    if (inner or outer) & _CONNECT_TIMEOUTS:
        return "connect_timeout"
    return _by_the_system(chain)


def _was_sent(chain: Iterable[BaseException], outer: set[str], inner: set[str]) -> bool:
    """Whether the request may have reached the server: then it may have been paid for.

    The SDK's aiohttp transport reports refused and broken connections alike, as a time-out while
    connecting, so what lies beneath decides: only aiohttp's own error tells the two apart.
    """
    if names := inner or outer:
        return not (names & _NOT_SENT or outer & _BAD_ADDRESS)
    unsent = (gaierror, ConnectionRefusedError, ssl.SSLCertVerificationError)
    return not any(isinstance(cause, unsent) for cause in chain)


def _answer_lost(error: BaseException, names: set[str]) -> str:
    if "DecodingError" in names:
        return "bad_json"
    streaming = while_streaming(error)
    if names & _READ_TIMEOUTS:
        return "stalled_stream" if streaming else "first_token_timeout"
    return "cut_stream" if streaming else "cut_connection"


def _by_the_system(chain: Iterable[BaseException]) -> str:
    """What the operating system says of a connection that could not be made."""
    otherwise = "connect"
    for cause in chain:
        if isinstance(cause, gaierror):
            return "dns"
        if isinstance(cause, ConnectionRefusedError):
            return "refused"  # of several addresses the one where a computer is
        if isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return "connect"  # the other side hung up
        waiting = isinstance(cause, ssl.SSLWantReadError | ssl.SSLWantWriteError)
        if isinstance(cause, ssl.SSLError) and not waiting:
            return "tls"
        if isinstance(cause, TimeoutError) and cause.errno is not None:
            otherwise = "connect_timeout"
    return otherwise


def _nearest(chain: Iterable[BaseException], *packages: str) -> set[str]:
    """The names of the types of the nearest error out of these packages; empty if there is none."""
    found = next((cause for cause in chain if package_of(cause) in packages), None)
    return {kind.__name__ for kind in type(found).__mro__} if found is not None else set()


def package_of(error: BaseException) -> str:
    """The package that has made this type of error."""
    return type(error).__module__.partition(".")[0]


def while_streaming(error: BaseException) -> bool:
    """Whether the answer had begun: then the SDK's reading of streams is on a traceback."""
    if isinstance(error, GatewayError):
        return error.streamed
    by_a_reader = any(raised_in(error, module) for module in STREAM_READERS)
    return by_a_reader or isinstance(error, IncompleteStreamError)


def _steps(error: BaseException) -> list[tuple[str, str]]:
    """The modules and functions on the traceback, the one that has raised the error last."""
    frames = (frame for frame, _ in walk_tb(error.__traceback__))
    return [(frame.f_globals.get("__name__") or "", frame.f_code.co_name) for frame in frames]


def raised_by(error: BaseException) -> str:
    """The module whose code has raised this error; empty if it was never raised."""
    return next((module for module, _ in reversed(_steps(error))), "")


def raised_in(error: BaseException, package: str) -> bool:
    """Whether code of this package, or module, is on a traceback of the error or of a cause."""
    modules = {module for cause in exception_chain(error) for module, _ in _steps(cause)}
    return any(f"{module}.".startswith(f"{package}.") for module in modules)


def raised_in_making_a_client(error: BaseException) -> bool:
    """Whether an HTTP client could not be made: nothing was sent."""
    return any(module in CLIENTS and name == "__init__" for module, name in _steps(error))


def key_of(request: httpx2.Request) -> str:
    """The key that the request carries, ``""`` if none: Azure's client has a header of its own."""
    value = request.headers.get("authorization") or request.headers.get("api-key", "")
    return value.removeprefix("Bearer").removeprefix(" ")


def without(value: Any, key: str) -> Any:
    """Text, or texts in lists and objects, without this key; as short as 3 letters it is none."""
    if isinstance(value, str):
        return value.replace(key, "key …") if len(key) > 3 else value
    if isinstance(value, dict):
        return {without(name, key): without(one, key) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(without(one, key) for one in value)
    return value


def model_of(request: httpx2.Request) -> str | None:
    """The model that the request names, if it names one."""
    model = body_of(request).get("model")
    return model if isinstance(model, str) else None


def tokens_of(request: httpx2.Request) -> int:
    """Our own count of the messages of a request, and of the answer that it allows."""
    body = body_of(request)
    limits = (body.get("max_completion_tokens"), body.get("max_tokens"))
    allowed = next((limit for limit in limits if is_whole(limit)), 0)
    return tokens.count_messages(_texts_of(body)) + max(allowed, 0)


def body_of(request: httpx2.Request) -> dict[str, Any]:
    """The JSON object that the request carries; empty if it carries none."""
    try:
        body = json.loads(request.content)
    except (ValueError, httpx2.RequestNotRead):
        return {}
    return body if isinstance(body, dict) else {}


def _texts_of(body: Mapping[str, Any]) -> list[str]:
    """The texts of all messages; a content may be a list of parts."""
    texts = []
    messages = body.get("messages")
    for message in messages if isinstance(messages, list) else []:
        content = message.get("content") if isinstance(message, dict) else None
        parts = content if isinstance(content, list) else [{"text": content}]
        texts += [part.get("text") for part in parts if isinstance(part, dict)]
    return [text for text in texts if isinstance(text, str)]


def base_of(request: httpx2.Request) -> str:
    """The address that was asked, as base_url has it."""
    return short(_whole(request.url).removesuffix("/chat/completions").rstrip("/"))


def plain(url: httpx2.URL) -> str:
    """An address without a user's name, a query and whatever else may be secret in it."""
    return short(_whole(url))


def _whole(url: httpx2.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode()}{url.path}" if url.host else url.path


@dataclass(frozen=True)
class ErrorBody:
    """What the body of an error says, whichever of the shapes it has that servers give it.

    A body may be OpenAI's ``{"error": {...}}``, flat, nested several times, a list, a string, with
    an object as its ``message``, or have a ``detail``.

    Attributes:
        body: the parsed JSON, a text, or the ``body`` of an error of the SDK: anything is read.
    """

    body: object

    @cached_property
    def objects(self) -> tuple[Mapping[str, Any], ...]:
        """The JSON objects in it that tell of the error, the outermost first."""
        return tuple(_objects(self.body))

    @cached_property
    def upstream(self) -> ErrorBody:
        """What a router's upstream said, which the router passes on in ``metadata.raw``."""
        return ErrorBody(self.field("raw"))

    @cached_property
    def codes(self) -> tuple[str, ...]:
        """Codes and types as text in lower case: some servers send numbers."""
        found = (one.get(name) for one in self.objects for name in _CODES)
        return tuple(str(code).lower() for code in found if isinstance(code, str) or is_whole(code))

    @property
    def status(self) -> int | None:
        """The status that the body states, where the status of the response is none of an error."""
        found = (str(one.get(name)) for one in self.objects for name in _STATUSES)
        return next((int(text) for text in found if re.fullmatch("[45][0-9]{2}", text)), None)

    @property
    def param(self) -> str:
        """The name of the parameter at fault; empty if it is not named."""
        value = self.field("param")
        return value if isinstance(value, str) else ""

    def field(self, *names: str) -> Any:
        """The first value under one of these names, the outermost first; ``None`` if none is."""
        found = (one.get(name) for one in self.objects for name in names)
        return next((value for value in found if value is not None), None)

    @property
    def words(self) -> list[str]:
        """The server's own words, as they came."""
        if isinstance(self.body, str) and not self.objects:
            return [self.body] if self.body.strip() else []
        found = []
        for one in self.objects:
            for name in _WORDS:
                text = one.get(name)
                if isinstance(text, str) and text.strip() and next(_objects(text), None) is None:
                    found.append(_at(one) + text)
        found += self.upstream.words if self.upstream.body else []
        if not found and self.body:
            found = [json.dumps(self.body, ensure_ascii=False, default=str)]
        return list(dict.fromkeys(found))

    def shown(self, but: str = "", request: httpx2.Request | None = None) -> str:
        """The server's words on one line, shortened; without keys, and without the prompt.

        Args:
            but: a text that is shown already, and is not repeated.
            request: the request that was refused: neither its key nor its messages are shown.
        """
        words = [text for text in self.words if text not in but]
        line = _KEY.sub("key …", _printable(": ".join(words)))
        if request is not None:
            line = without(line, key_of(request).strip())
            line = _without_echo(line[: 5 * LONGEST_WORDS], _texts_of(body_of(request)))
        line = " ".join(line.split())
        return line if len(line) <= LONGEST_WORDS else f"{line[: LONGEST_WORDS - 1]}…"


def _objects(value: object, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """The objects of an error, the outermost first; some servers send JSON inside a string."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for one in value[:20]:
            yield from _objects(one, depth + 1)
    elif isinstance(value, Mapping):
        yield value
        for name in _INSIDE:
            yield from _objects(value.get(name), depth + 1)


def _at(one: Mapping[str, Any]) -> str:
    """Where the fault is, as validators state it: ``body.max_tokens: ``."""
    where = one.get("loc")
    return f"{'.'.join(map(str, where))}: " if isinstance(where, list) else ""


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _without_echo(line: str, texts: Iterable[str]) -> str:
    """The line without whatever is a piece of one of these texts, of a request's messages."""
    for text in map(_printable, texts):
        if 3 < len(text) <= _ECHO:
            line = line.replace(text, "…")
        start = 0
        while (end := start + _ECHO) <= len(line):
            while end <= len(line) and line[start:end] in text:
                end += 1
            if end > start + _ECHO:
                line = f"{line[:start]}…{line[end - 1 :]}"
            start += 1
    return line
