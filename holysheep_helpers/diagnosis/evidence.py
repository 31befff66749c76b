"""What lies beneath an error of the SDK: why there is no answer, and whether the request went out.

By the types of the causes, by name where importing them would cost time. The nearest one counts:
an error that was handled around the call can be among the causes, too.
"""

from __future__ import annotations

import hmac
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from socket import gaierror
from ssl import (
    SSLCertVerificationError,
    SSLEOFError,
    SSLError,
    SSLWantReadError,
    SSLWantWriteError,
    SSLZeroReturnError,
)
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai

from holysheep_helpers import catalog
from holysheep_helpers._checks import is_loopback
from holysheep_helpers.diagnosis.config import checked_key
from holysheep_helpers.exceptions import ConfigurationError, HolySheepError

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


Told = tuple[str, str | None, str | None]
"""A kind; what happened and what to do, where more can be said than the kind itself says."""


VENDORS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "api.openai.com": ("sk-proj-", "sk-svcacct-", "sk-admin-"),
    "api.anthropic.com": ("sk-ant-",),
    "generativelanguage.googleapis.com": ("AIza",),
    "api.mistral.ai": (),
    "api.deepseek.com": (),
    "openrouter.ai": ("sk-or-",),
    "api.groq.com": ("gsk_",),
})  # fmt: skip
"""Hosts of other vendors, and how their keys begin, where that tells them from all others'."""


REFUSED = {"content_filter", "content_policy_violation", "moderation_blocked"}


QUOTA = "insufficient_quota"


TOO_LONG = "context_length_exceeded"


_PROXY_GAVE_UP = (504, 524)


LONGEST_SHOWN = 60


_ID = re.compile(r"[\w./:@+-]+", re.ASCII)


def refused_key(request: httpx2.Request) -> Told:
    """Missing, placeholder, malformed, sent to the wrong host, or simply wrong."""
    key, host = key_of(request), request.url.host
    if not key.strip():
        return "missing_key", None, None
    if (off := unsendable_key(key)) is not None:
        return off
    own_host = urlsplit(catalog.BASE_URL).hostname or ""
    makers = [name for name, starts in VENDORS.items() if starts and key.startswith(starts)]
    if makers and host not in makers:
        return "wrong_host", f"A key that {makers[0]} issued was sent to {host}.", None
    if host in VENDORS and not makers:
        advice = (
            f"If the key is this gateway's, give its address, too: base_url={catalog.BASE_URL!r} "
            "(without one, the SDK asks api.openai.com). If it is that vendor's, it is not valid."
        )
        return "wrong_host", f"{host}, another vendor's host, refused the key.", advice
    if checked_key(key, "the request").from_mock and host == own_host:
        return "wrong_host", "A key that a mock issued was sent to the real gateway.", None
    if _is_ours(key) and host not in (own_host, _named_host()) and not is_loopback(host):
        return "wrong_host", f"The key in {catalog.KEY_VARIABLE} was sent to {host}.", None
    if is_loopback(host):
        return "wrong_key", None, "A mock takes the keys that it issued alone: hs.connect('mock')."
    return "wrong_key", None, None


def key_of(request: httpx2.Request) -> str:
    """The key that the request carries, ``""`` if none: Azure's client has a header of its own."""
    value = request.headers.get("authorization") or request.headers.get("api-key", "")
    return value.removeprefix("Bearer").removeprefix(" ")


def sent_elsewhere(response: httpx2.Response) -> Told:
    """Where a redirect leads, without what may be secret in it; followed or not."""
    if not response.history:
        where = _plain(response.headers["location"]) if "location" in response.headers else ""
        there = (
            f"sends its callers on{f' to {where!r}' if where else ', and does not say where to'}"
        )
        return "redirect", f"{base_of(response.request)} {there}.", None
    asked, last = response.history[0].request, response.request
    what = f"{base_of(asked)} sent the SDK on to {base_of(last)}, which refused."
    advice = "The key does not go to another host. If you trust that address, give it as base_url."
    return "redirect", f"{what[:-1]} (status {response.status_code}).", advice


def _plain(address: str) -> str:
    try:
        url = httpx2.URL(address)
    except httpx2.InvalidURL:
        return ""
    return f"{url.scheme}://{url.netloc.decode()}{url.path}" if url.host else url.path


def unsendable_key(key: str) -> Told | None:
    """Why this can't be a key, ``None`` if it can."""
    if key.strip().strip("\"'") == catalog.PLACEHOLDER_KEY:
        return "placeholder_key", None, None
    try:
        checked_key(key, "the request")
    except ConfigurationError as error:
        return "malformed_key", str(error), None
    return None


def _is_ours(key: str) -> bool:
    own = os.environ.get(catalog.KEY_VARIABLE, "")
    return bool(own) and hmac.compare_digest(os.fsencode(own), os.fsencode(key))


def _named_host() -> str | None:
    try:
        return urlsplit(os.environ.get("HOLYSHEEP_BASE_URL", "")).hostname
    except ValueError:
        return None


def kind_of_status(status: int, code: str | None, page: bool) -> str:
    """What a status means, but for 401, 404, 405 and redirects; ``page``: it came with HTML."""
    if code == QUOTA or status == 402:
        return "quota"
    if code in REFUSED:
        return "refused_content"
    if code == TOO_LONG or status == 413:
        return "too_long"
    named = {403: "forbidden", 408: "timeout_408", 409: "conflict", 429: "rate_limit"}
    if status in named:
        return named[status]
    if status < 500:
        return "bad_request"
    if status in _PROXY_GAVE_UP:
        return "gateway_timeout"
    return "proxy_page" if page else "server_error"


def not_found(request: httpx2.Request, code: str | None, param: str | None) -> Told:
    """A model that is not there, or a path that is not: by the code, else by what was asked for."""
    model = asked_model(request)
    known = catalog.find(model) if model else None
    about_model = code == "model_not_found" or param == "model"
    if not about_model:
        versioned = any(part[:1] == "v" and part[1:2].isdigit() for part in _parts(request))
        if code == "unknown_url" or model is None or known is not None or not versioned:
            base = base_of(request)
            cure = None if versioned else f"/v1 is missing from base_url: use {base + '/v1'!r}."
            return "wrong_path", f"{base} has no such path.", cure
    near = [name for name in catalog.nearest(model or "") if known is None or name != known.id]
    advice = f"Nearest known ids: {', '.join(near)}. " if near else ""
    advice += "client.models.list() shows what this key may use."
    shown = _showable(model) and model != key_of(request)
    what = f"The server has no model {model!r} for this key." if shown else None
    if known is not None and model != known.id:
        advice = f"It is an alias: try the id itself, {known.id!r}. " + advice
    if known is not None and known.warning():
        advice = f"{known.warning()} " + advice
    return "unknown_model", what, advice


def _parts(request: httpx2.Request) -> list[str]:
    return request.url.path.split("/")


def asked_model(request: httpx2.Request) -> str | None:
    """The model that the request names, if it names one."""
    try:
        body: Any = json.loads(request.content)
    except (ValueError, httpx2.RequestNotRead):
        return None
    model = body.get("model") if isinstance(body, dict) else None
    return model if isinstance(model, str) else None


def _showable(model: str | None) -> bool:
    """Whether it is an id, as far as one can see: no prompt in the wrong place, and no key."""
    if not model or len(model) > LONGEST_SHOWN or not _ID.fullmatch(model):
        return False
    starts = tuple(start for starts in VENDORS.values() for start in starts)
    return not model.startswith(("hs-", "sk-", *starts))


def base_of(request: httpx2.Request) -> str:
    """The address that was asked, as base_url has it."""
    url = request.url
    host = f"[{url.host}]" if ":" in url.host else url.host
    port = f":{url.port}" if url.port else ""
    return f"{url.scheme}://{host}{port}{url.path.removesuffix('/chat/completions')}".rstrip("/")
