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
from holysheep_helpers.diagnosis import environment
from holysheep_helpers.diagnosis.config import checked_key, has_version
from holysheep_helpers.diagnosis.evidence import (
    CLIENTS,
    TRANSPORT,
    ErrorBody,
    base_of,
    connection_kind,
    exception_chain,
    key_of,
    model_of,
    package_of,
    raised_by,
    raised_in,
    raised_in_making_a_client,
    tokens_of,
)
from holysheep_helpers.diagnosis.html import fields
from holysheep_helpers.diagnosis.kinds import KINDS
from holysheep_helpers.diagnosis.waiting import BREAKER, MANDATORY, wait_asked
from holysheep_helpers.exceptions import (
    AllFailedError,
    ClientClosedError,
    ConfigurationError,
    GatewayError,
    HolySheepError,
    InputError,
    UnexpectedReplyError,
)

KIND_OF_CODE = {
    "insufficient_quota": "quota",
    "billing_not_active": "quota",
    "billing_hard_limit_reached": "quota",
    "billing_error": "quota",  # Anthropic
    "exceeded_current_quota_error": "quota",  # Moonshot
    "usage_limit_reached": "quota",
    "payment_required": "quota",  # OpenRouter, as the next
    "openrouter_free_tier_daily": "quota",
    "1113": "quota",  # Z.ai: no balance; of the day, of the plan
    "1304": "quota",
    "1308": "quota",
    "1310": "quota",
    "openrouter_in_flight_budget": "rate_limit",
    "content_filter": "refused_content",
    "content_policy_violation": "refused_content",
    "moderation_blocked": "refused_content",
    "responsibleaipolicyviolation": "refused_content",  # Azure
    "refusal": "refused_content",  # OpenRouter
    "1301": "refused_content",  # Z.ai
    "context_length_exceeded": "too_long",
    "max_tokens_exceeded": "too_long",  # OpenRouter, as the next
    "token_limit_exceeded": "too_long",
    "exceed_context_size_error": "too_long",  # llama.cpp
    "model_context_window_exceeded": "too_long",  # Z.ai, as the next
    "1261": "too_long",
    "model_not_found": "unknown_model",
    "deploymentnotfound": "unknown_model",  # Azure
    "1211": "unknown_model",  # Z.ai
    "invalid_api_key": "wrong_key",
    "api_key_invalid": "wrong_key",  # Gemini
}
"""What a code or type in a body says, whatever the status; in lower case."""

KIND_OF_TYPE = {
    "rate_limit_exceeded": "rate_limit",
    "rate_limit_error": "rate_limit",
    "rate_limited": "rate_limit",
    "throttling_error": "rate_limit",
    "resource_exhausted": "rate_limit",
    "invalid_request_error": "bad_request",
    "badrequesterror": "bad_request",
    "invalid_argument": "bad_request",
    "authentication_error": "wrong_key",
    "permission_error": "forbidden",
}
"""What a type says where there is no status: in a stream, or in a reply with status 200."""

KIND_OF_STATUS = {
    402: "quota",
    403: "forbidden",
    408: "timeout_408",
    409: "conflict",
    413: "too_long",
    424: "server_error",
    425: "server_error",
    429: "rate_limit",
    498: "server_error",
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
_LOOPS = TRANSPORT | {"asyncio", "anyio"}
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
        wait_said_by: the header, or the field of the body, in which it did; ``None`` if it did not.
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

    The type, the status, the codes and fields of the body, and the causes of the error decide,
    never the words of its message.

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
        body = ErrorBody.read(error.body)
        return _with_words(_of_body(body, "error_in_stream"), body, str(error), error.request)
    if isinstance(error, str):
        return _diagnosis("html_page")
    if not isinstance(error, BaseException):
        raise InputError(
            f"A {type(error).__name__} was given: an exception is needed, or the text that came in "
            "the place of a completion."
        )
    if isinstance(error, BaseExceptionGroup):
        return _of_group(error)
    if raised_in_making_a_client(error) and (fault := environment.fault()):
        return _diagnosis("configuration", str(fault))
    kind = _kind_of_any(error)
    if kind == "client_closed":
        return _closed(maybe_sent=raised_by(error) not in CLIENTS)
    return _diagnosis(kind, advice=_advice(kind, error))


def add_advice(error: openai.OpenAIError) -> None:
    """Attach to the SDK's error, as a note below it, what to do about it."""
    found = diagnose(error)
    told = "The server says: " not in found.what
    if told and isinstance(error, openai.BadRequestError | openai.NotFoundError):
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
    status, response = error.status_code, error.response
    if response.is_redirect or (response.history and status in (401, 404, 405)):
        return _redirected(response)
    body = ErrorBody.read(error.body)
    kind = _kind_of_body(body, status)
    page = "html" in response.headers.get("content-type", "")
    refused = None
    if kind == "wrong_key" or (kind is None and status == 401):
        refused = _refused_key(error.request)
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
        found = refused
    elif kind == "unknown_model" or (kind is None and status in (404, 405)):
        found = _not_found(error.request, is_model=kind is not None, body=body)
    else:
        found = _refused(error, body, kind or _kind_of_status(status, page))
    return found if page else _with_words(found, body, str(error), error.request)


def _refused(error: openai.APIStatusError, body: ErrorBody, kind: str) -> Diagnosis:
    """What a status, or the code beside it, says, and what is known better of this request."""
    status, headers = error.status_code, error.response.headers
    if too_long := _too_long(error, body, kind):
        return too_long
    wait_s, said_by = wait_asked(headers, body=body)
    if status == 402 and kind == "quota" and said_by in MANDATORY:
        kind = "rate_limit"  # credit that is set aside for requests that are under way
    found = _diagnosis(kind)
    if status == 402:
        found = replace(found, other_model=False)
    if kind == "refused_content":
        return replace(found, may_have_cost=False)
    if kind == "bad_request" and _PARAMETER.fullmatch(body.param):
        return replace(found, what=f"The server can't accept {body.param!r} (status {status}).")
    if kind in ("bad_request", "server_error"):
        found = replace(found, what=f"{found.what[:-1]} (status {status}).")
    if not found.retryable:
        return found
    if headers.get("x-should-retry") == "false" or body.field("retryable") is False:
        advice = "The server itself says that asking again won't help."
        return replace(found, retryable=False, advice=advice)
    return replace(found, wait_s=wait_s, wait_said_by=said_by)


def _kind_of_body(body: ErrorBody, status: int | None = None) -> str | None:
    """What the codes and fields of a body say; ``None`` if that is nothing in particular."""
    kinds = [KIND_OF_CODE[code] for code in body.codes if code in KIND_OF_CODE]
    if body.upstream.objects:  # an upstream's own key and money are not ours
        inner = _kind_of_body(body.upstream)
        kinds += [inner] if inner in ("too_long", "refused_content") else []
    if kinds:
        return kinds[0]
    if body.field("n_ctx") is not None:  # llama.cpp
        return "too_long"
    if status in (None, 403) and body.field("flagged_input", "patterns", "reasons") is not None:
        return "refused_content"  # OpenRouter's moderation, and its guardrails
    if status == 403 and body.field("resets_at") is not None:
        return "quota"  # the budget of a key
    if any("perday" in code for code in body.codes):
        return "quota"  # Gemini's quotaId
    if body.param == "model" and status in (None, 400, 404):
        return "unknown_model"
    return None


def _of_body(body: ErrorBody, otherwise: str) -> Diagnosis:
    """An error that came without a status: in a stream, or in a reply with status 200."""
    kind = _kind_of_body(body)
    if kind is None and body.status is not None:
        in_body = {401: "wrong_key", 404: "unknown_model"}
        kind = in_body.get(body.status) or _kind_of_status(body.status, page=False)
    kind = kind or next((KIND_OF_TYPE[code] for code in body.codes if code in KIND_OF_TYPE), None)
    found = _diagnosis(kind or otherwise, may_have_cost=True)
    if not found.retryable:
        return found
    wait_s, said_by = wait_asked({}, body=body)
    return replace(found, wait_s=wait_s, wait_said_by=said_by)


def _with_words(
    found: Diagnosis, body: ErrorBody, shown: str, request: httpx2.Request
) -> Diagnosis:
    """With the server's own words, unless the message of the error shows them."""
    words = body.shown(shown, request)
    return replace(found, what=f"{found.what} The server says: {words!r}.") if words else found


def _too_long(error: openai.APIStatusError, body: ErrorBody, kind: str) -> Diagnosis | None:
    """A prompt that is too long for its model, or for a minute, by our own count of it."""
    status, request = error.status_code, error.request
    stated = error.response.headers.get("x-ratelimit-limit-tokens", "")
    by_tokens = "tokens" in body.codes
    if status in (413, 429) and (by_tokens or "requests" not in body.codes):
        limit = int(stated) if stated.isdecimal() else 0
        if (status == 413 and by_tokens) or (limit and tokens_of(request) > limit):
            of = f" ({limit:,})" if limit else ""
            return _diagnosis(
                "too_long",
                f"Prompt and answer are more than the tokens of a whole minute{of}.",
                "No waiting helps: shorten the prompt, lower max_tokens, split the text, or take a "
                "plan with more tokens per minute.",
            )
    if status in (400, 403, 422, 500) and kind in ("bad_request", "forbidden", "server_error"):
        model = catalog.find(model_of(request) or "")
        if model and model.context_window and tokens_of(request) > model.context_window:
            return _diagnosis("too_long")
    return None


def _kind_of_status(status: int, page: bool) -> str:
    """What a status means, but for 401, 404, 405 and redirects; ``page``: it came with HTML."""
    if found := KIND_OF_STATUS.get(status):
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
    if environment.is_custom_key(request):
        variable = environment.CUSTOM_HEADERS
        return _diagnosis(
            "configuration",
            f"{variable} put another key in the place of the client's, and it was refused.",
            f"unset {variable}, or use hs.connect()'s client, which keeps its key.",
        )
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


def _not_found(request: httpx2.Request, is_model: bool, body: ErrorBody) -> Diagnosis:
    """A model that is not there, or a path that is not: by the code, else by what was asked for."""
    model = model_of(request)
    known = catalog.find(model) if model else None
    if not is_model and body.field("availability") is None:
        versioned = has_version(request.url.path)
        unknown_url = "unknown_url" in body.codes
        if unknown_url or model is None or known is not None or not versioned:
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
    found = _diagnosis(kind, advice=_advice(kind, error))
    if found.may_have_cost:
        return found
    if kind == "dns":  # a name server may be busy just now; a name that it does not know stays so
        codes = [e.errno for e in exception_chain(error) if isinstance(e, gaierror)]
        found = replace(found, retryable=EAI_AGAIN in codes)
    return replace(found, what=f"No connection to {base}: {found.what[0].lower()}{found.what[1:]}")


def _advice(kind: str, error: BaseException) -> str:
    """The cure for a certificate that is not trusted; ``""`` for all else, as its kind has it."""
    causes = exception_chain(error)
    if kind == "tls" and any(isinstance(one, ssl.SSLCertVerificationError) for one in causes):
        return environment.certificate_advice()
    return ""


def _of_helper(error: HolySheepError) -> Diagnosis:
    if isinstance(error, UnexpectedReplyError):
        if not error.page and isinstance(error.__cause__, json.JSONDecodeError):
            return _diagnosis("bad_json")
        return _diagnosis("html_page" if error.page else "unexpected_reply")
    if isinstance(error, AllFailedError):
        return _of_all(error)
    if isinstance(error, ClientClosedError):
        return _closed(error.maybe_sent)
    if isinstance(error, GatewayError):
        return _of_body(ErrorBody.read(error.body), error.kind)  # its message has the words
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


def _closed(maybe_sent: bool) -> Diagnosis:
    if maybe_sent:
        return _diagnosis("client_closed")
    what = "The client is closed. Nothing was sent."
    return _diagnosis("client_closed", what, may_have_cost=False)


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
    if type(error) is RuntimeError and raised_in(error, "openai"):
        return "client_closed" if raised_by(error).partition(".")[0] in _LOOPS else "unknown"
    if isinstance(error, UnicodeEncodeError) and str(error.object).startswith("Bearer "):
        return "malformed_key"  # the SDK writes it into a header
    if not isinstance(error, TypeError | ValueError):
        return "unknown"
    if error.__traceback__ is not None and not raised_in(error, "openai"):
        return "unknown"  # of the code around the call: who knows what was sent before
    return "wrong_form" if isinstance(error, ValidationError) else "input"
