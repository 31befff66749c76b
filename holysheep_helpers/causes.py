"""What lies beneath an error of the SDK: why there is no answer, and whether the request went out.

By the types of the causes, by name where importing them would cost time. The nearest one counts:
an error that was handled around the call can be among the causes, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from socket import gaierror
from ssl import (
    SSLCertVerificationError,
    SSLEOFError,
    SSLError,
    SSLWantReadError,
    SSLWantWriteError,
    SSLZeroReturnError,
)

import openai

from holysheep_helpers.exceptions import HolySheepError

_NO_ADDRESS = {"UnsupportedProtocol", "InvalidURL"}
_NO_HTTP = "LocalProtocolError"  # what was to be sent
NEVER_SENT = {"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", _NO_HTTP} | _NO_ADDRESS
_TLS = {"ClientConnectorSSLError", "ClientConnectorCertificateError"}  # these four are aiohttp's
_NOT_CONNECTED = {
    *("ClientConnectorError", "ConnectionTimeoutError", "InvalidURL", "ClientHttpProxyError"),
}
_LATE = {"ConnectTimeout", "ConnectionTimeoutError"}
_SILENT = {"ReadTimeout", "WriteTimeout", "SocketTimeoutError"}
_BEFORE_SENDING = (gaierror, ConnectionRefusedError, SSLCertVerificationError)
_NO_TLS_FAULT = (SSLWantReadError, SSLWantWriteError)
_HUNG_UP = (SSLEOFError, SSLZeroReturnError)
TRANSPORT = {"httpx", "httpx2", "httpcore", "httpcore2", "h11", "aiohttp"}


def causes(error: BaseException | None) -> Iterator[BaseException]:
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


def room(error: BaseException) -> str:
    """The package in which this error's type was made."""
    return type(error).__module__.partition(".")[0]


def was_sent(error: BaseException) -> bool:
    """Whether the request may have reached the server: then it may have been paid for.

    The SDK's aiohttp transport reports refused and broken connections alike, as a time-out while
    connecting, so what lies beneath decides: only aiohttp's own error tells the two apart.
    """
    chain = list(causes(error))
    outer, beneath = _nearest(chain, "httpx", "httpx2"), _nearest(chain, "aiohttp")
    if beneath:
        return not (beneath & _NOT_CONNECTED or outer & _NO_ADDRESS)
    if outer:
        return not outer & NEVER_SENT
    return not any(isinstance(cause, _BEFORE_SENDING) for cause in chain)


def connection_kind(error: BaseException) -> str:
    """Why no answer came, or not all of it: a kind in ``kinds.KINDS``."""
    chain = list(causes(error))
    outer, beneath = _nearest(chain, "httpx", "httpx2"), _nearest(chain, "aiohttp")
    names = beneath or outer
    if was_sent(error):
        return "redirect" if "TooManyRedirects" in outer else _answer_lost(error, names | outer)
    if outer & _NO_ADDRESS:
        return "configuration"
    if _NO_HTTP in outer:
        return "input"
    if "PoolTimeout" in outer:
        return "pool_timeout"
    if names & _LATE:
        return "connect_timeout"
    return _by_the_system(chain) or ("tls" if names & _TLS else "connect")


def _by_the_system(chain: Iterable[BaseException]) -> str | None:
    """What the operating system says of it; ``None`` if that is nothing in particular."""
    said = None
    for cause in chain:
        if isinstance(cause, gaierror):
            return "dns"
        if isinstance(cause, ConnectionRefusedError):
            return "refused"  # of several addresses the one where a computer is
        if isinstance(cause, SSLError) and not isinstance(cause, _NO_TLS_FAULT):
            return "connect" if isinstance(cause, _HUNG_UP) else "tls"
        if isinstance(cause, TimeoutError) and cause.errno is not None:
            said = said or "connect_timeout"
    return said


def _answer_lost(error: BaseException, names: set[str]) -> str:
    if "DecodingError" in names:
        return "bad_json"
    streaming = while_streaming(error)
    if names & (_SILENT | {"ServerTimeoutError"}):
        return "stalled_stream" if streaming else "first_token_timeout"
    return "cut_stream" if streaming else "cut_connection"


def while_streaming(error: BaseException) -> bool:
    """Whether the answer had begun: then the SDK's reading of streams is on a traceback."""
    return raised_beneath(error, "openai._streaming")


def raised_beneath(error: BaseException, package: str) -> bool:
    """Whether code of this package, or module, is on a traceback of the error or of a cause."""
    for cause in causes(error):
        step = cause.__traceback__
        while step is not None:
            name = step.tb_frame.f_globals.get("__name__") or ""
            if name == package or name.startswith(f"{package}."):
                return True
            step = step.tb_next
    return False


def _nearest(chain: Iterable[BaseException], *rooms: str) -> set[str]:
    """The names of the types of the nearest error out of these packages; empty if there is none."""
    found = next((cause for cause in chain if room(cause) in rooms), None)
    return {kind.__name__ for kind in type(found).__mro__} if found is not None else set()
