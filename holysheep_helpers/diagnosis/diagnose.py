"""``diagnose()``: what an exception means, by its type, status, code and causes alone."""

from __future__ import annotations

import hmac
import json
import os
import re
import ssl
from dataclasses import dataclass, replace
from html import escape
from socket import EAI_AGAIN, gaierror
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai
from pydantic import ValidationError

from holysheep_helpers import catalog
from holysheep_helpers._checks import is_loopback
from holysheep_helpers.diagnosis.config import checked_key, has_version
from holysheep_helpers.diagnosis.evidence import (
    TRANSPORT,
    base_of,
    connection_kind,
    exception_chain,
    key_of,
    model_of,
    package_of,
    raised_in,
)
from holysheep_helpers.diagnosis.html import fields
from holysheep_helpers.diagnosis.kinds import KINDS
from holysheep_helpers.diagnosis.waiting import BREAKER, wait_asked
from holysheep_helpers.exceptions import (
    AllFailedError,
    ConfigurationError,
    HolySheepError,
    InputError,
    UnexpectedReplyError,
)

KIND_OF_CODE = {
    "insufficient_quota": "quota",
    "content_filter": "refused_content",
    "content_policy_violation": "refused_content",
    "moderation_blocked": "refused_content",
    "context_length_exceeded": "too_long",
}
KIND_OF_STATUS = {
    402: "quota",
    403: "forbidden",
    408: "timeout_408",
    409: "conflict",
    413: "too_long",
    429: "rate_limit",
    504: "gateway_timeout",
    524: "gateway_timeout",
}
KEY_PREFIXES: dict[str, tuple[str, ...]] = {
    "api.openai.com": ("sk-proj-", "sk-svcacct-", "sk-admin-"),
    "api.anthropic.com": ("sk-ant-",),
    "generativelanguage.googleapis.com": ("AIza",),
    "api.mistral.ai": (),
    "api.deepseek.com": (),
    "openrouter.ai": ("sk-or-",),
    "api.groq.com": ("gsk_",),
}
"""Hosts of other vendors, and how their keys begin, where that tells them from all others'."""

LONGEST_ID = 60
_ID = re.compile(r"[\w./:@+-]+", re.ASCII)
_PARAMETER = re.compile(r"[A-Za-z_][\w.\[\]]{0,40}")


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """What ``hs.diagnose()`` says of an error; ``print()`` it.

    The key and the prompt are never in it.

    Attributes:
        kind: the kind of error, a row of ``hs.errors_table()``.
        what: what happened, in a sentence.
        whose: whose fault it is: ``"yours"``, ``"the gateway's"``, ``"the line's"`` or
            ``"nobody knows whose"``.
        retryable: whether the same request may succeed later.
        other_model: whether another model may succeed.
        wait_s: how long the server asks its callers to wait, in seconds; ``None`` if it did not.
        wait_said_by: the header in which it did; ``None`` if it did not.
        may_have_cost: whether the request may have been answered and billed.
        advice: what to do now.

    Example:
        >>> found = hs.diagnose(hs.BudgetError("The budget is spent."))
        >>> found.retryable, found.whose
        (False, 'yours')
    """

    kind: str
    what: str
    whose: str
    retryable: bool
    other_model: bool
    wait_s: float | None
    wait_said_by: str | None
    may_have_cost: bool
    advice: str

    def _rows(self) -> dict[str, str]:
        again = "yes" if self.retryable else "no: the same request fails the same way"
        if self.retryable and self.wait_s is not None:
            again = f"yes, in {self.wait_s:g} s ({self.wait_said_by})"
        return {
            "whose": self.whose,
            "ask again": again,
            "another model": "may fare better" if self.other_model else "no help",
            "billed": "maybe: it may have been answered" if self.may_have_cost else "no",
            "now": self.advice,
        }

    def __str__(self) -> str:
        rows = "\n".join(f"  {name:<14} {value}" for name, value in self._rows().items())
        return f"{self.kind}: {self.what}\n{rows}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return (
            f'<div class="hs-diagnosis"><strong><code>{escape(self.kind)}</code></strong> '
            f"{escape(self.what)}{fields(self._rows())}</div>"
        )


def diagnose(error: object) -> Diagnosis:
    """Say what went wrong, whose fault it is, whether to ask again, and what to do now.

    The type, the status, the code and the causes of the error decide, never its message.

    Args:
        error: an exception of the SDK, of its transport or of these helpers; any other exception
            is of the kind ``"unknown"``. Where the SDK raises nothing, give what came instead: the
            ``str`` that stands for a page with status 200.

    Returns:
        A ``Diagnosis``; ``print()`` it.

    Raises:
        InputError: ``error`` is neither an exception nor a ``str``.

    Example:
        >>> try:
        ...     hs.ask(gw, "Hello", temperature=9)
        ... except Exception as error:
        ...     print(hs.diagnose(error).kind)
        bad_request
    """
    if isinstance(error, openai.APIStatusError):
        return _of_status(error)
    if isinstance(error, openai.APIConnectionError):
        return _of_connection(error)
    if isinstance(error, HolySheepError):
        return _of_helper(error)
    if isinstance(error, openai.APIResponseValidationError):
        return _diagnosis("unexpected_reply")
    if isinstance(error, openai.APIError):
        kind = KIND_OF_CODE.get(_code(error), "error_in_stream")
        return _diagnosis(kind, may_have_cost=True)
    if isinstance(error, str):
        return _diagnosis("html_page")
    if not isinstance(error, BaseException):
        raise InputError(
            f"A {type(error).__name__} was given: an exception is needed, or the text that came in "
            "the place of a completion."
        )
    if isinstance(error, BaseExceptionGroup):
        return _of_group(error)
    return _diagnosis(_kind_of_any(error))


def add_advice(error: openai.OpenAIError) -> None:
    """Attach to the SDK's error, as a note below it, what to do about it."""
    found = diagnose(error)
    if isinstance(error, openai.BadRequestError | openai.NotFoundError):
        error.add_note(found.advice)  # its message has said what happened
    elif isinstance(error, openai.APIConnectionError) or not found.retryable:
        error.add_note(f"{found.what} {found.advice}")


def _diagnosis(kind: str, what: str = "", advice: str = "", **known: Any) -> Diagnosis:
    """A diagnosis as its kind has it, except for what is known better of this error."""
    usual = KINDS[kind]
    found = Diagnosis(
        kind=kind,
        what=what or usual.what,
        whose=usual.whose,
        retryable=usual.retryable,
        other_model=usual.other_model,
        wait_s=None,
        wait_said_by=None,
        may_have_cost=usual.may_have_cost,
        advice=advice or usual.advice,
    )
    return replace(found, **known)


# --- a status


def _of_status(error: openai.APIStatusError) -> Diagnosis:
    status, response, headers = error.status_code, error.response, error.response.headers
    code, param = _code(error), _text(error.param)
    if response.is_redirect or (response.history and status in (401, 404, 405)):
        return _redirected(response)
    page = "html" in headers.get("content-type", "")
    refused = _refused_key(error.request) if status == 401 else None
    if page and (status in (403, 407) or (refused and refused.kind == "wrong_key")):
        return _diagnosis(
            "proxy_page",
            advice="A firewall, or a proxy that wants its own log-in, stands in between: ask who "
            "runs it.",
            whose="the line's",
            retryable=False,
            other_model=False,
            may_have_cost=False,
        )
    if refused:
        return refused
    if status in (404, 405):
        return _not_found(error.request, code, param)
    found = _diagnosis(_kind_of_status(status, code, page))
    if found.kind == "refused_content":
        return replace(found, may_have_cost=False)
    if found.kind == "bad_request" and param and _PARAMETER.fullmatch(param):
        return replace(found, what=f"The server can't accept {param!r} (status {status}).")
    if found.kind in ("bad_request", "server_error"):
        found = replace(found, what=f"{found.what[:-1]} (status {status}).")
    if not found.retryable:
        return found
    if headers.get("x-should-retry") == "false":
        advice = "The server itself says that asking again won't help (x-should-retry)."
        return replace(found, retryable=False, advice=advice)
    wait_s, said_by = wait_asked(headers)
    return replace(found, wait_s=wait_s, wait_said_by=said_by)


def _text(value: object) -> str:
    """A code or parameter as the server sent it, if it is text: some send numbers, or objects."""
    return value if isinstance(value, str) else ""


def _code(error: openai.APIError) -> str:
    """The error's code: the API of OpenAI says that the credit is used up in ``type``, too."""
    kind = _text(error.type)
    return kind if kind == "insufficient_quota" else _text(error.code)


def _kind_of_status(status: int, code: str, page: bool) -> str:
    """What a status means, but for 401, 404, 405 and redirects; ``page``: it came with HTML."""
    if found := KIND_OF_CODE.get(code) or KIND_OF_STATUS.get(status):
        return found
    if status < 500:
        return "bad_request"
    return "proxy_page" if page else "server_error"


def _redirected(response: httpx2.Response) -> Diagnosis:
    """Where a redirect leads, without what may be secret in it; followed or not."""
    if not response.history:
        where = _plain(response.headers["location"]) if "location" in response.headers else ""
        there = f" to {where!r}" if where else ", and does not say where to"
        return _diagnosis("redirect", f"{base_of(response.request)} sends its callers on{there}.")
    asked, last = base_of(response.history[0].request), base_of(response.request)
    return _diagnosis(
        "redirect",
        f"{asked} sent the SDK on to {last}, which refused (status {response.status_code}).",
        "The key does not go to another host. If you trust that address, give it as base_url.",
    )


def _plain(address: str) -> str:
    try:
        url = httpx2.URL(address)
    except httpx2.InvalidURL:
        return ""
    return f"{url.scheme}://{url.netloc.decode()}{url.path}" if url.host else url.path


def _refused_key(request: httpx2.Request) -> Diagnosis:
    """Missing, placeholder, malformed, sent to the wrong host, or simply wrong."""
    key, host = key_of(request), request.url.host
    if unsendable := _unsendable_key(key):
        return unsendable
    own_host = urlsplit(catalog.BASE_URL).hostname or ""
    makers = [name for name, starts in KEY_PREFIXES.items() if starts and key.startswith(starts)]
    if makers and host not in makers:
        return _diagnosis("wrong_host", f"A key that {makers[0]} issued was sent to {host}.")
    if host in KEY_PREFIXES and not makers:
        return _diagnosis(
            "wrong_host",
            f"{host}, another vendor's host, refused the key.",
            f"If the key is this gateway's, give its address, too: base_url={catalog.BASE_URL!r} "
            "(without one, the SDK asks api.openai.com). If it is that vendor's, it is not valid.",
        )
    if checked_key(key, "the request").from_mock and host == own_host:
        return _diagnosis("wrong_host", "A key that a mock issued was sent to the real gateway.")
    if _is_own(key) and host not in (own_host, _own_host()) and not is_loopback(host):
        return _diagnosis("wrong_host", f"The key in {catalog.KEY_VARIABLE} was sent to {host}.")
    if is_loopback(host):
        advice = "A mock takes the keys that it issued alone: hs.connect('mock')."
        return _diagnosis("wrong_key", advice=advice)
    return _diagnosis("wrong_key")


def _unsendable_key(key: str) -> Diagnosis | None:
    """Why this can't be a key, ``None`` if it can."""
    if not key.strip():
        return _diagnosis("missing_key")
    if key.strip().strip("\"'") == catalog.PLACEHOLDER_KEY:
        return _diagnosis("placeholder_key")
    try:
        checked_key(key, "the request")
    except ConfigurationError as error:
        return _diagnosis("malformed_key", str(error))
    return None


def _is_own(key: str) -> bool:
    own = os.environ.get(catalog.KEY_VARIABLE, "")
    return bool(own) and hmac.compare_digest(os.fsencode(own), os.fsencode(key))


def _own_host() -> str | None:
    try:
        return urlsplit(os.environ.get("HOLYSHEEP_BASE_URL", "")).hostname
    except ValueError:
        return None


def _not_found(request: httpx2.Request, code: str, param: str) -> Diagnosis:
    """A model that is not there, or a path that is not: by the code, else by what was asked for."""
    model = model_of(request)
    known = catalog.find(model) if model else None
    if code != "model_not_found" and param != "model":
        versioned = has_version(request.url.path)
        if code == "unknown_url" or model is None or known is not None or not versioned:
            base = base_of(request)
            cure = "" if versioned else f"/v1 is missing from base_url: use {base + '/v1'!r}."
            return _diagnosis("wrong_path", f"{base} has no such path.", cure)
    near = [name for name in catalog.nearest(model or "") if known is None or name != known.id]
    advice = f"Nearest known ids: {', '.join(near)}. " if near else ""
    advice += "client.models.list() shows what this key may use."
    if known is not None and model != known.id:
        advice = f"It is an alias: try the id itself, {known.id!r}. " + advice
    if known is not None and known.warning():
        advice = f"{known.warning()} " + advice
    shown = _is_showable(model) and model != key_of(request)
    what = f"The server has no model {model!r} for this key." if shown else ""
    return _diagnosis("unknown_model", what, advice)


def _is_showable(model: str | None) -> bool:
    """Whether it is an id, as far as one can see: no prompt in the wrong place, and no key."""
    if not model or len(model) > LONGEST_ID or not _ID.fullmatch(model):
        return False
    starts = tuple(start for starts in KEY_PREFIXES.values() for start in starts)
    return not model.startswith(("hs-", "sk-", *starts))


# --- no status: a connection, a helper's error, several errors, any other


def _of_connection(error: openai.APIConnectionError) -> Diagnosis:
    kind, base = connection_kind(error), base_of(error.request)
    if kind == "input":
        return _unsendable_key(key_of(error.request)) or _diagnosis(
            "input",
            "A header that was to be sent has a character that no header can have.",
            "Look for a line break in extra_headers, default_headers and the key.",
        )
    if kind == "configuration" or not error.request.url.host:
        return _diagnosis(
            "configuration",
            "base_url is no address that can be asked.",
            f"Give a base_url like {catalog.BASE_URL!r}.",
        )
    if kind == "redirect":
        return _diagnosis(kind, f"{base} sends its callers on and on.")
    if kind == "first_token_timeout":
        waited_s = (error.request.extensions.get("timeout") or {}).get("read")
        silent = f": silence for {waited_s:g} s" if waited_s else ""
        return _diagnosis(kind, f"No answer in time from {base}{silent}.")
    found = _diagnosis(kind)
    if found.may_have_cost:
        return found
    if kind == "dns":  # a name server may be busy just now; a name that it does not know stays so
        codes = [e.errno for e in exception_chain(error) if isinstance(e, gaierror)]
        found = replace(found, retryable=EAI_AGAIN in codes)
    return replace(found, what=f"No connection to {base}: {found.what[0].lower()}{found.what[1:]}")


def _of_helper(error: HolySheepError) -> Diagnosis:
    if isinstance(error, UnexpectedReplyError):
        if isinstance(error.__cause__, json.JSONDecodeError):
            return _diagnosis("bad_json")
        return _diagnosis("html_page" if error.page else "unexpected_reply")
    if isinstance(error, AllFailedError):
        return _of_all(error)
    found = _diagnosis(error.kind if error.kind in KINDS else "helper")
    cause = error.__cause__
    if found.kind in ("deadline", "not_asked") and isinstance(cause, Exception):
        why = diagnose(cause)
        return replace(found, what=f"{found.what} Before that, {why.kind}: {why.what}")
    return found


def _of_all(error: AllFailedError) -> Diagnosis:
    """As soon as the first of the models may be asked again, so may all."""
    waits: list[tuple[float, str | None]] = []
    for one in error.tried:
        if one.why is not None and one.why.retryable:
            waits.append((one.why.wait_s or 0.0, one.why.wait_said_by))
        elif one.cooling_s is not None:
            waits.append((one.cooling_s, BREAKER))
    wait_s, said_by = min(waits, key=lambda wait: wait[0], default=(0.0, None))
    return _diagnosis(
        "all_failed",
        retryable=bool(waits),
        wait_s=wait_s or None,
        wait_said_by=said_by if wait_s else None,
        may_have_cost=error.lost > 0,
    )


def _of_group(group: BaseExceptionGroup[BaseException]) -> Diagnosis:
    """Of one error it is that one's (a ``TaskGroup`` wraps it); of several, none's alone."""
    found = [diagnose(error) for error in group.exceptions]
    if len(found) == 1:
        return found[0]
    return _diagnosis(
        "unknown",
        f"Several errors came together: {', '.join(one.kind for one in found)}.",
        "Look at each: [hs.diagnose(one) for one in error.exceptions].",
        may_have_cost=any(one.may_have_cost for one in found),
    )


def _kind_of_any(error: BaseException) -> str:
    if isinstance(error, openai.LengthFinishReasonError):
        return "cut_short"
    if isinstance(error, openai.ContentFilterFinishReasonError):
        return "refused_content"
    if type(error) is openai.OpenAIError:  # a client that was to be made without a key
        return "missing_key"
    if isinstance(error, json.JSONDecodeError):
        return "bad_json"
    if isinstance(error, TimeoutError) and error.errno is None:
        return "deadline"
    if package_of(error) in TRANSPORT or isinstance(
        error, ConnectionError | gaierror | ssl.SSLError | TimeoutError
    ):
        return connection_kind(error)
    if isinstance(error, UnicodeEncodeError) and str(error.object).startswith("Bearer "):
        return "malformed_key"  # the SDK writes it into a header
    if not isinstance(error, TypeError | ValueError):
        return "unknown"
    if error.__traceback__ is not None and not raised_in(error, "openai"):
        return "unknown"  # of the code around the call: who knows what was sent before
    return "wrong_form" if isinstance(error, ValidationError) else "input"
