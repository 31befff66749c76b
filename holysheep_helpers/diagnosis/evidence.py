"""What can be read out of an error: why no answer came, and what the request asked for.

The types in its chain of exceptions decide, by name where importing them would cost time. The
nearest one counts: an error that was handled around the call can be in the chain, too.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterable, Iterator
from socket import gaierror
from typing import Any

import httpx2
import openai

from holysheep_helpers.exceptions import HolySheepError

TRANSPORT = {"httpx", "httpx2", "httpcore", "httpcore2", "h11", "aiohttp"}

# Names of types, of httpx and of aiohttp
_BAD_ADDRESS = {"UnsupportedProtocol", "InvalidURL"}
_BAD_HEADER = "LocalProtocolError"
_NOT_SENT_BY_HTTPX = {
    *("ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", _BAD_HEADER, *_BAD_ADDRESS)
}
_NOT_SENT_BY_AIOHTTP = {
    *("ClientConnectorError", "ConnectionTimeoutError", "InvalidURL", "ClientHttpProxyError")
}
_TLS = {"ClientConnectorSSLError", "ClientConnectorCertificateError"}
_CONNECT_TIMEOUTS = {"ConnectTimeout", "ConnectionTimeoutError"}
_READ_TIMEOUTS = {"ReadTimeout", "WriteTimeout", "SocketTimeoutError", "ServerTimeoutError"}


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
    if _BAD_HEADER in outer:
        return "input"
    if "PoolTimeout" in outer:
        return "pool_timeout"
    names = inner or outer
    if names & _CONNECT_TIMEOUTS:
        return "connect_timeout"
    return _by_the_system(chain) or ("tls" if names & _TLS else "connect")


def _was_sent(chain: Iterable[BaseException], outer: set[str], inner: set[str]) -> bool:
    """Whether the request may have reached the server: then it may have been paid for.

    The SDK's aiohttp transport reports refused and broken connections alike, as a time-out while
    connecting, so what lies beneath decides: only aiohttp's own error tells the two apart.
    """
    if inner:
        return not (inner & _NOT_SENT_BY_AIOHTTP or outer & _BAD_ADDRESS)
    if outer:
        return not outer & _NOT_SENT_BY_HTTPX
    unsent = (gaierror, ConnectionRefusedError, ssl.SSLCertVerificationError)
    return not any(isinstance(cause, unsent) for cause in chain)


def _answer_lost(error: BaseException, names: set[str]) -> str:
    if "DecodingError" in names:
        return "bad_json"
    streaming = while_streaming(error)
    if names & _READ_TIMEOUTS:
        return "stalled_stream" if streaming else "first_token_timeout"
    return "cut_stream" if streaming else "cut_connection"


def _by_the_system(chain: Iterable[BaseException]) -> str | None:
    """What the operating system says of it; ``None`` if that is nothing in particular."""
    timed_out = None
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
            timed_out = "connect_timeout"
    return timed_out


def _nearest(chain: Iterable[BaseException], *packages: str) -> set[str]:
    """The names of the types of the nearest error out of these packages; empty if there is none."""
    found = next((cause for cause in chain if package_of(cause) in packages), None)
    return {kind.__name__ for kind in type(found).__mro__} if found is not None else set()


def package_of(error: BaseException) -> str:
    """The package that has made this type of error."""
    return type(error).__module__.partition(".")[0]


def while_streaming(error: BaseException) -> bool:
    """Whether the answer had begun: then the SDK's reading of streams is on a traceback."""
    return raised_in(error, "openai._streaming")


def raised_in(error: BaseException, package: str) -> bool:
    """Whether code of this package, or module, is on a traceback of the error or of a cause."""
    for cause in exception_chain(error):
        step = cause.__traceback__
        while step is not None:
            name = step.tb_frame.f_globals.get("__name__") or ""
            if name == package or name.startswith(f"{package}."):
                return True
            step = step.tb_next
    return False


def key_of(request: httpx2.Request) -> str:
    """The key that the request carries, ``""`` if none: Azure's client has a header of its own."""
    value = request.headers.get("authorization") or request.headers.get("api-key", "")
    return value.removeprefix("Bearer").removeprefix(" ")


def model_of(request: httpx2.Request) -> str | None:
    """The model that the request names, if it names one."""
    try:
        body: Any = json.loads(request.content)
    except (ValueError, httpx2.RequestNotRead):
        return None
    model = body.get("model") if isinstance(body, dict) else None
    return model if isinstance(model, str) else None


def base_of(request: httpx2.Request) -> str:
    """The address that was asked, as base_url has it."""
    url = request.url
    host = f"[{url.host}]" if ":" in url.host else url.host
    port = f":{url.port}" if url.port else ""
    return f"{url.scheme}://{host}{port}{url.path.removesuffix('/chat/completions')}".rstrip("/")
