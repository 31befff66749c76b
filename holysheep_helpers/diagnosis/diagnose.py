"""``diagnose()``: what an exception means, by its type, status, code and causes alone."""

from __future__ import annotations

import json
import os
import re
import ssl
from contextlib import suppress
from dataclasses import dataclass, replace
from html import escape
from itertools import chain
from socket import EAI_AGAIN, gaierror
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai
from pydantic import ValidationError

from holysheep_helpers import catalog, exceptions
from holysheep_helpers._checks import is_loopback, short
from holysheep_helpers.diagnosis import config, evidence
from holysheep_helpers.diagnosis.display import fields
from holysheep_helpers.diagnosis.evidence import ErrorBody, base_of, model_of
from holysheep_helpers.diagnosis.kinds import KIND_OF_CODE, KIND_OF_STATUS, KIND_OF_TYPE, KINDS
from holysheep_helpers.diagnosis.waiting import BREAKER, MANDATORY, wait_asked

VENDORS = {host: tuple(starts) for host, *starts in KINDS["wrong_host"].vendors}
_OF_KIND = ("what", "whose", "retryable", "other_model", "may_have_cost", "advice")
_NOT_TAKEN = (503, 529)
"""Statuses of a server that is too busy to take a request up, whoever says so."""

_LOOPS = evidence.TRANSPORT | {"asyncio", "anyio"}
_STARTS_OF_KEYS = ("hs-", "sk-", *chain(*VENDORS.values()))
_ID = re.compile(r"[\w./:@+-]{1,60}", re.ASCII)
_PARAMETER = re.compile(r"[A-Za-z_][\w.\[\]]{0,40}")


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """What ``hs.diagnose()`` says of an error; ``print()`` it.

    The key and the prompt are never in it.

    Attributes:
        kind: the kind of error, a row of ``hs.errors_table()``.
        what: what happened, in a sentence.
        whose: whose fault it is: ``"yours"``, ``"the gateway's"``, ``"the network's"`` or
            ``"unknown"``.
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
        if self.wait_s is not None:
            again = f"yes, in {self.wait_s:g} s ({self.wait_said_by})"
        return {
            "whose": self.whose,
            "ask again": again,
            "another model": "may succeed" if self.other_model else "no help",
            "billed": "maybe: it may have been answered" if self.may_have_cost else "no",
            "now": self.advice,
        }

    def __repr__(self) -> str:
        rows = "\n".join(f"  {name:<14} {value}" for name, value in self._rows().items())
        return f"{self.kind}: {self.what}\n{rows}"

    def _repr_html_(self) -> str:
        head = f"<strong><code>{escape(self.kind)}</code></strong> {escape(self.what)}"
        return f'<div class="hs-diagnosis">{head}{fields(self._rows())}</div>'


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
    if isinstance(error, BaseException) and (known := vars(error).get("_diagnosis")):
        return known
    if isinstance(error, openai.APIStatusError):
        return _of_status(error)
    if isinstance(error, openai.APIConnectionError):
        return _of_connection(error)
    if isinstance(error, exceptions.HolySheepError):
        return _of_helper(error)
    if isinstance(error, openai.APIResponseValidationError):
        return _diagnosis("unexpected_reply")
    if isinstance(error, openai.APIError):
        body = ErrorBody(error.body)
        return _with_words(_of_body(body, "error_in_stream"), body, error)
    if isinstance(error, BaseExceptionGroup):
        return _of_group(error)
    if isinstance(error, BaseException):
        return _of_any(error)
    if isinstance(error, str):
        return _diagnosis("html_page")
    raise exceptions.InputError(
        f"A {type(error).__name__} was given: an exception is needed, or the text that came in "
        "the place of a completion."
    )


def settle(error: BaseException) -> Diagnosis:
    """Diagnose an error once, keep the result, and take the key out of the server's words in it.

    An error that is kept loses its traceback, and one that is pickled its request: both tell some.
    """
    if isinstance(error, openai.APIError):
        key = evidence.key_of(error.request).strip()
        error.args = evidence.without(error.args, key)
        vars(error).update(evidence.without(vars(error), key))
    vars(error)["_diagnosis"] = found = diagnose(error)
    return found


def add_advice(error: openai.OpenAIError) -> None:
    """Settle the SDK's error, add a note on what to do, and make it short in a notebook."""
    found = settle(exceptions.brief(error))
    told = "The server says: " not in found.what
    if told and isinstance(error, openai.BadRequestError | openai.NotFoundError):
        error.add_note(found.advice)  # its message has said what happened
    elif isinstance(error, openai.APIConnectionError) or not found.retryable:
        error.add_note(f"{found.what} {found.advice}")


def _diagnosis(kind: str, what: str = "", advice: str = "", **known: Any) -> Diagnosis:
    """A diagnosis as its kind has it, except for what is known better of this error.

    ``wait`` is that of ``wait_asked``; where asking again does not help, waiting does not either.
    """
    usual = {name: getattr(KINDS[kind], name) for name in _OF_KIND}
    told = {"what": what or usual["what"], "advice": advice or usual["advice"], **known}
    wait_s, said_by = told.pop("wait", (None, None))
    found = Diagnosis(kind=kind, wait_s=wait_s, wait_said_by=said_by, **usual | told)
    return found if found.retryable else replace(found, wait_s=None, wait_said_by=None)


# --- a status


def _of_status(error: openai.APIStatusError) -> Diagnosis:
    status, response = error.status_code, error.response
    if response.is_redirect or (response.history and status in (401, 404, 405)):
        return _redirected(response)
    body, page = ErrorBody(error.body), "html" in response.headers.get("content-type", "")
    stated = _kind_of_body(body, status)
    kind = stated or _kind_of_status(status, page)
    if kind == "wrong_key":
        found = _refused_key(error.request)
    elif kind in ("unknown_model", "wrong_path"):
        found = _not_found(error.request, is_model=stated is not None, body=body)
    else:
        found = _refused(error, body, kind)
    if not page:
        return _with_words(found, body, error)
    if status not in (403, 407) and found.kind != "wrong_key":
        return found
    return _diagnosis(
        "proxy_page",
        advice="A firewall or a proxy with a log-in answered instead. Ask its administrator.",
        whose="the network's",
        retryable=False,
        other_model=False,
        may_have_cost=False,
    )


def _refused(error: openai.APIStatusError, body: ErrorBody, kind: str) -> Diagnosis:
    """What a status, or the code beside it, says, and what is known better of this request."""
    status, headers = error.status_code, error.response.headers
    if too_long := _too_long(error, body, kind):
        return too_long
    known: dict[str, Any] = {"wait": wait_asked(headers, body=body)}
    if status == 402:
        known["other_model"] = False
        if kind == "quota" and known["wait"][1] in MANDATORY:
            kind = "rate_limit"  # credit that is set aside for requests in flight
    if kind == "refused_content":
        known["may_have_cost"] = False
    if kind in ("server_error", "timeout_408") and status not in _NOT_TAKEN and not body.objects:
        known["may_have_cost"] = True  # a proxy's word: what became of the request is unknown
    if kind in ("bad_request", "server_error"):
        known["what"] = f"{KINDS[kind].what[:-1]} (status {status})."
    if kind == "bad_request" and _PARAMETER.fullmatch(body.param):
        known["what"] = f"The server can't accept {body.param!r} (status {status})."
    never = headers.get("x-should-retry") == "false" or body.field("retryable") is False
    if never and KINDS[kind].retryable:
        known["retryable"] = False
        known["advice"] = "The server itself says that asking again won't help."
    return _diagnosis(kind, **known)


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
        kind = _kind_of_status(body.status, page=False)
    kind = kind or next((KIND_OF_TYPE[code] for code in body.codes if code in KIND_OF_TYPE), None)
    return _diagnosis(kind or otherwise, wait=wait_asked({}, body=body), may_have_cost=True)


def _with_words(found: Diagnosis, body: ErrorBody, error: openai.APIError) -> Diagnosis:
    """With the server's own words, unless the message of the error shows them."""
    words = body.shown(str(error), error.request)
    return replace(found, what=f"{found.what} The server says: {words!r}.") if words else found


def _too_long(error: openai.APIStatusError, body: ErrorBody, kind: str) -> Diagnosis | None:
    """A prompt that is too long for its model, or for a minute, by our own count of it."""
    status, request = error.status_code, error.request
    stated = error.response.headers.get("x-ratelimit-limit-tokens", "")
    by_tokens = "tokens" in body.codes
    if status in (413, 429) and (by_tokens or "requests" not in body.codes):
        limit = int(stated) if stated.isdecimal() else 0
        if (status == 413 and by_tokens) or (limit and evidence.tokens_of(request) > limit):
            of = f" ({limit:,})" if limit else ""
            return _diagnosis(
                "too_long",
                f"Prompt and answer are more than the tokens of a whole minute{of}.",
                "No waiting helps: shorten the prompt, lower max_tokens, split the text, or take a "
                "plan with more tokens per minute.",
            )
    if status in (400, 403, 422, 500) and kind in ("bad_request", "forbidden", "server_error"):
        model = catalog.find(model_of(request) or "")
        if model and model.context_window and evidence.tokens_of(request) > model.context_window:
            return _diagnosis("too_long")
    return None


def _kind_of_status(status: int, page: bool) -> str:
    """What a status means, but for redirects; ``page``: it came with HTML."""
    of_the_server = "proxy_page" if page else "server_error"
    return KIND_OF_STATUS.get(status, "bad_request" if status < 500 else of_the_server)


def _redirected(response: httpx2.Response) -> Diagnosis:
    """Where a redirect leads, without what may be secret in it; followed or not."""
    if not response.history:
        there = ", and does not say where to"
        with suppress(KeyError, httpx2.InvalidURL):
            there = f" to {evidence.plain(httpx2.URL(response.headers['location']))!r}"
        return _diagnosis("redirect", f"{base_of(response.request)} sends its callers on{there}.")
    asked, last = base_of(response.history[0].request), base_of(response.request)
    return _diagnosis(
        "redirect",
        f"{asked} sent the SDK on to {last}, which refused (status {response.status_code}).",
        "The key does not go to another host. If you trust that address, give it as base_url.",
    )


def _refused_key(request: httpx2.Request) -> Diagnosis:
    """Missing, placeholder, malformed, sent to the wrong host, or simply wrong."""
    key, host = evidence.key_of(request), request.url.host
    if config.is_custom_key(request):
        variable = config.CUSTOM_HEADERS
        return _diagnosis(
            "configuration",
            f"{variable} put another key in the place of the client's, and it was refused.",
            f"unset {variable}, or use hs.connect()'s client, which keeps its key.",
        )
    if unsendable := _unsendable_key(key):
        return unsendable
    own_hosts = [_host_of(url) for url in (catalog.BASE_URL, os.environ.get("HOLYSHEEP_BASE_URL"))]
    makers = [name for name, starts in VENDORS.items() if key.startswith(starts)]
    if makers and host not in makers:
        return _diagnosis("wrong_host", f"A key that {makers[0]} issued was sent to {short(host)}.")
    if host in VENDORS and not makers:
        return _diagnosis(
            "wrong_host",
            f"{host}, another vendor's host, refused the key.",
            f"If the key is this gateway's, give its address, too: base_url={catalog.BASE_URL!r} "
            "(without one, the SDK asks api.openai.com). If it is that vendor's, it is not valid.",
        )
    if key.startswith(config.MOCK_PREFIX) and host == own_hosts[0]:
        return _diagnosis("wrong_host", "A key that a mock issued was sent to the real gateway.")
    if is_loopback(host):
        advice = "A mock takes the keys that it issued alone: hs.connect('mock')."
        return _diagnosis("wrong_key", advice=advice)
    if key == os.environ.get(catalog.KEY_VARIABLE) and host not in own_hosts:
        return _diagnosis(
            "wrong_host", f"The key in {catalog.KEY_VARIABLE} was sent to {short(host)}."
        )
    return _diagnosis("wrong_key")


def _unsendable_key(key: str) -> Diagnosis | None:
    """Why this can't be a key, ``None`` if it can."""
    if not key.strip():
        return _diagnosis("missing_key")
    if config.is_placeholder(key):
        return _diagnosis("placeholder_key")
    fault = config.fault_of_key(key, "the request")
    return _diagnosis("malformed_key", fault) if fault else None


def _host_of(url: str | None) -> str | None:
    try:
        return urlsplit(url or "").hostname
    except ValueError:
        return None


def _not_found(request: httpx2.Request, is_model: bool, body: ErrorBody) -> Diagnosis:
    """A model that is not there, or a path that is not: by the code, else by what was asked for."""
    model = model_of(request)
    known = catalog.find(model) if model else None
    if not is_model and body.field("availability") is None:
        versioned = config.has_version(request.url.path)
        if "unknown_url" in body.codes or model is None or known is not None or not versioned:
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
    # a prompt in the wrong place, or a key, is not shown
    shown = model and _ID.fullmatch(model) and not model.startswith(_STARTS_OF_KEYS)
    shown = shown and model != evidence.key_of(request)
    what = f"The server has no model {model!r} for this key." if shown else ""
    return _diagnosis("unknown_model", what, advice)


# --- no status: a connection, a helper's error, several errors, any other


def _of_connection(error: openai.APIConnectionError) -> Diagnosis:
    kind, base = evidence.connection_kind(error), base_of(error.request)
    if kind == "input":
        return _unsendable_key(evidence.key_of(error.request)) or _diagnosis(
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
    if kind == "bad_json":
        return _diagnosis(
            kind,
            "What came is garbled: it is not compressed in the way that its content-encoding says.",
            "Every reply of this server will be: ask who runs it, or a proxy before it. "
            "extra_headers={'Accept-Encoding': 'identity'} asks for no compression.",
            retryable=False,
            other_model=False,
        )
    if kind == "first_token_timeout":
        waited_s = (error.request.extensions.get("timeout") or {}).get("read")
        silent = f": silence for {waited_s:g} s" if waited_s else ""
        return _diagnosis(kind, f"No answer in time from {base}{silent}.")
    found = _diagnosis(kind, advice=_advice(kind, error))
    if found.may_have_cost:
        return found
    if kind == "dns":  # a name server may be busy just now; a name that it does not know stays so
        causes = evidence.exception_chain(error)
        codes = [cause.errno for cause in causes if isinstance(cause, gaierror)]
        found = replace(found, retryable=EAI_AGAIN in codes)
    return replace(found, what=f"No connection to {base}: {found.what[0].lower()}{found.what[1:]}")


def _advice(kind: str, error: BaseException) -> str:
    """What to do about a certificate that is not trusted; ``""`` for all else."""
    causes = evidence.exception_chain(error)
    if kind == "tls" and any(isinstance(one, ssl.SSLCertVerificationError) for one in causes):
        return config.certificate_advice()
    return ""


def _of_helper(error: exceptions.HolySheepError) -> Diagnosis:
    cause = error.__cause__
    garbled = isinstance(cause, ValueError | RecursionError)
    if isinstance(error, exceptions.UnexpectedReplyError) and (error.page or garbled):
        return _diagnosis("html_page" if error.page else "bad_json")
    if isinstance(error, exceptions.AllFailedError):
        return _of_all(error)
    if isinstance(error, exceptions.ClientClosedError):
        return _closed(error.maybe_sent)
    if isinstance(error, exceptions.GatewayError):
        return _of_body(ErrorBody(error.body), error.kind)  # its message has the words
    found = _diagnosis(error.kind if error.kind in KINDS else "helper")
    if found.kind in ("deadline", "not_asked") and isinstance(cause, Exception):
        why = diagnose(cause)
        return replace(found, what=f"{found.what} Before that, {why.kind}: {why.what}")
    return found


def _of_all(error: exceptions.AllFailedError) -> Diagnosis:
    """As soon as the first of the models may be asked again, so may all."""
    waits: list[tuple[float | None, str | None]] = []
    for one in error.tried:
        if one.why is not None and one.why.retryable:
            waits.append((one.why.wait_s, one.why.wait_said_by))
        elif one.cooling_s is not None:
            waits.append((one.cooling_s, BREAKER))
    wait = min(waits, key=lambda wait: wait[0] or 0.0, default=(None, None))
    return _diagnosis("all_failed", wait=wait, retryable=bool(waits), may_have_cost=error.lost > 0)


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
    what = "" if maybe_sent else "The client is closed. Nothing was sent."
    return _diagnosis("client_closed", what, may_have_cost=maybe_sent)


def _of_any(error: BaseException) -> Diagnosis:
    """An error that is none of the SDK's, nor of these helpers'."""
    if evidence.raised_in_making_a_client(error) and (fault := config.fault()):
        return _diagnosis("configuration", str(fault))
    raiser, in_the_sdk = evidence.raised_by(error), evidence.raised_in(error, "openai")
    if type(error) is RuntimeError:
        if raiser in evidence.CLIENTS:
            return _closed(maybe_sent=False)
        if in_the_sdk and raiser.partition(".")[0] in _LOOPS:
            return _closed(maybe_sent=True)
    kind = _kind_of_any(error, in_the_sdk)
    return _diagnosis(kind, advice=_advice(kind, error))


def _kind_of_any(error: BaseException, in_the_sdk: bool) -> str:
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
    if evidence.package_of(error) in evidence.TRANSPORT or isinstance(
        error, ConnectionError | gaierror | ssl.SSLError | TimeoutError
    ):
        return evidence.connection_kind(error)
    if isinstance(error, UnicodeEncodeError) and str(error.object).startswith("Bearer "):
        return "malformed_key"  # the SDK writes it into a header
    around_the_call = error.__traceback__ is not None and not in_the_sdk
    if around_the_call or not isinstance(error, TypeError | ValueError):
        return "unknown"  # a mistake in the user's code: who knows what was sent before
    return "wrong_form" if isinstance(error, ValidationError) else "input"
