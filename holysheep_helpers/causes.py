"""What lies beneath an error of the SDK: the transport's own, and whether a request went out."""

from __future__ import annotations

from collections.abc import Iterator
from socket import gaierror
from ssl import SSLError
from typing import Any

NEVER_SENT = {"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol"}
_CONNECTING = {"ClientConnectorError", "ConnectionTimeoutError", "InvalidURL"}  # aiohttp's


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what caused it, outermost first; each once, though they may go in circles."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def was_sent(error: BaseException) -> bool:
    """Whether the request may have reached the server: then it may have been paid for.

    The SDK's aiohttp transport reports refused and broken connections alike, as a time-out while
    connecting, so what lies beneath decides: only aiohttp's own error tells the two apart.
    """
    chain = list(causes(error))
    beneath = [cause for cause in chain if _room(cause) == "aiohttp"]
    if beneath:
        return not _named(beneath[-1], _CONNECTING)
    return not any(_is_httpx(cause) and type(cause).__name__ in NEVER_SENT for cause in chain)


def connection_kind(error: BaseException) -> str:
    """Why there is no answer at all: a kind of ``kinds.KINDS``, by the types of the causes."""
    chain = list(causes(error))
    numbered = [c for c in chain if isinstance(c, OSError) and c.errno is not None]
    if any(isinstance(cause, gaierror) for cause in chain):
        return "dns"
    if any(isinstance(cause, SSLError) or _named(cause, _TLS) for cause in chain):
        return "tls"
    if any(isinstance(cause, ConnectionRefusedError) for cause in chain):
        return "refused"
    names = {name for cause in chain if _is_httpx(cause) for name in _names(cause)}
    if not was_sent(error):
        if "PoolTimeout" in names:
            return "pool_timeout"
        late = "ConnectTimeout" in names or any(_named(c, _LATE) for c in chain)
        return "connect_timeout" if late and not numbered else "connect"
    streaming = any(_in_stream(cause) for cause in chain)
    if not numbered and ("ReadTimeout" in names or "WriteTimeout" in names):
        return "stalled_stream" if streaming else "first_token_timeout"
    return "cut_stream" if streaming else "cut_connection"


_TLS = {"ClientConnectorSSLError", "ClientConnectorCertificateError"}
_LATE = {"ConnectionTimeoutError"}


def _in_stream(error: BaseException) -> bool:
    """Whether the answer had begun: the SDK's own reading of streams is on the traceback."""
    tb = error.__traceback__
    while tb is not None:
        if tb.tb_frame.f_globals.get("__name__") == "openai._streaming":
            return True
        tb = tb.tb_next
    return False


def _names(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


def _named(error: BaseException, names: set[str]) -> bool:
    return _room(error) == "aiohttp" and bool(_names(error) & names)


def _room(error: Any) -> str:
    return type(error).__module__.partition(".")[0]


def _is_httpx(error: BaseException) -> bool:
    return _room(error) in ("httpx", "httpx2")  # the SDK takes both
