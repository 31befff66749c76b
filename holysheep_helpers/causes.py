"""What lies beneath an error of the SDK: why there is no answer, and whether the request went out.

By the types of the causes, by name where importing them would cost time. The nearest one counts:
an error that was handled around the call can be among the causes, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from socket import gaierror
from ssl import SSLCertVerificationError, SSLError, SSLWantReadError, SSLWantWriteError

import openai

from holysheep_helpers.errors import HolySheepError

NEVER_SENT = {
    *("ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol"),
    "LocalProtocolError",  # what was to be sent is no HTTP
}
_TLS = {"ClientConnectorSSLError", "ClientConnectorCertificateError"}  # these four are aiohttp's
_NOT_CONNECTED = {"ClientConnectorError", "ConnectionTimeoutError", "InvalidURL"}
_LATE = {"ConnectTimeout", "ConnectionTimeoutError"}
_SILENT = {"ReadTimeout", "WriteTimeout", "SocketTimeoutError"}
_BEFORE_SENDING = (gaierror, ConnectionRefusedError, SSLCertVerificationError)
TRANSPORT = {"httpx", "httpx2", "httpcore", "httpcore2", "h11", "aiohttp"}


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and its causes, nearest first, up to another call's error."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if seen and isinstance(error, openai.OpenAIError | HolySheepError):
            return
        seen.add(id(error))
        yield error
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
        return not (beneath & _NOT_CONNECTED or "UnsupportedProtocol" in outer)
    if outer:
        return not outer & NEVER_SENT
    return not any(isinstance(cause, _BEFORE_SENDING) for cause in chain)


def connection_kind(error: BaseException) -> str:
    """Why no answer came, or not all of it: a kind in ``kinds.KINDS``."""
    chain = list(causes(error))
    outer, beneath = _nearest(chain, "httpx", "httpx2"), _nearest(chain, "aiohttp")
    names = beneath or outer
    if was_sent(error):
        return _answer_lost(error, names)
    if "PoolTimeout" in outer:
        return "pool_timeout"
    if names & _LATE:
        return "connect_timeout"
    for cause in chain:
        if isinstance(cause, gaierror):
            return "dns"
        if isinstance(cause, ConnectionRefusedError):
            return "refused"
        if isinstance(cause, SSLError) and not isinstance(
            cause, SSLWantReadError | SSLWantWriteError
        ):
            return "tls"
    return "tls" if names & _TLS else "connect"


def _answer_lost(error: BaseException, names: set[str]) -> str:
    streaming = while_streaming(error)
    if names & (_SILENT | {"ServerTimeoutError"}):
        return "stalled_stream" if streaming else "first_token_timeout"
    return "cut_stream" if streaming else "cut_connection"


def while_streaming(error: BaseException) -> bool:
    """Whether the answer had begun: then the SDK's reading of streams is on a traceback."""
    for cause in causes(error):
        step = cause.__traceback__
        while step is not None:
            if step.tb_frame.f_globals.get("__name__") == "openai._streaming":
                return True
            step = step.tb_next
    return False


def _nearest(chain: Iterable[BaseException], *rooms: str) -> set[str]:
    """The names of the types of the nearest error out of these packages; empty if there is none."""
    found = next((cause for cause in chain if room(cause) in rooms), None)
    return {kind.__name__ for kind in type(found).__mro__} if found is not None else set()
