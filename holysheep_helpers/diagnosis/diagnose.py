"""``diagnose()``: what an exception means, by its type, status, code and causes alone."""

from __future__ import annotations

import json
import re
import ssl
from dataclasses import dataclass, replace
from html import escape
from socket import EAI_AGAIN, gaierror

import openai
from pydantic import ValidationError

from holysheep_helpers import catalog
from holysheep_helpers.diagnosis.evidence import (
    QUOTA,
    REFUSED,
    TRANSPORT,
    base_of,
    causes,
    connection_kind,
    key_of,
    kind_of_status,
    not_found,
    raised_beneath,
    refused_key,
    room,
    sent_elsewhere,
    unsendable_key,
)
from holysheep_helpers.diagnosis.kinds import KINDS, LINES
from holysheep_helpers.diagnosis.waiting import BREAKER, wait_asked
from holysheep_helpers.exceptions import (
    AllFailedError,
    HolySheepError,
    InputError,
    UnexpectedReplyError,
)

_NO_PASSAGE = (
    "A firewall, or a proxy that wants its own log-in, stands in between: ask who runs it."
)


_NO_HEADER = "A header that was to be sent has a character that no header can have."


_LOOK_AT_HEADERS = "Look for a line break in extra_headers, default_headers and the key."


_NO_ADDRESS = "base_url is no address that can be asked."


_EACH = "Look at each: [hs.diagnose(one) for one in error.exceptions]."


_NAME = re.compile(r"[A-Za-z_][\w.\[\]]{0,40}")


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """What an error means; ``print()`` it.

    ``kind`` is one of ``hs.errors_table()``'s; ``what`` happened, in a sentence; ``whose`` fault
    it is (``"yours"``, ``"the gateway's"``, ``"the line's"``, ``"nobody knows whose"``);
    ``retryable``: the same request may succeed later; ``other_model``: another model may fare
    better; ``wait_s`` the seconds that the server asked for, and ``wait_said_by`` the header in
    which it did; ``may_have_cost``: it may have been answered and billed; ``advice`` what to do
    now. The key and the prompt are never in it.
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
        rows = "".join(
            f'<tr><th scope="row" style="text-align:left">{escape(name)}</th>'
            f'<td style="text-align:left">{escape(value)}</td></tr>'
            for name, value in self._rows().items()
        )
        return (
            f'<div class="hs-diagnosis"><strong><code>{escape(self.kind)}</code></strong> '
            f"{escape(self.what)}<table>{rows}</table></div>"
        )


def diagnose(error: object) -> Diagnosis:
    """What went wrong, whose fault it is, whether to ask again, and what to do now.

    ``error`` is an exception of the SDK, of its transport or of these helpers; any other is of the
    kind ``"unknown"``. Where the SDK raises nothing, hand over what came instead: the ``str`` that
    stands for a page with status 200. Raises ``InputError`` for anything else.
    """
    if isinstance(error, openai.APIStatusError):
        return _of_status(error)
    if isinstance(error, openai.APIConnectionError):
        return _of_connection(error)
    if isinstance(error, HolySheepError):
        return _of_helper(error)
    if isinstance(error, openai.APIError):
        kind = "error_in_stream"
        if isinstance(error, openai.APIResponseValidationError):
            kind = "unexpected_reply"
        elif QUOTA in (error.code, error.type):
            kind = "quota"
        elif _word(error.code) in REFUSED:
            kind = "refused_content"
        return _as(kind, cost=True)
    if isinstance(error, str):
        return _as("html_page")
    if not isinstance(error, BaseException):
        raise InputError(
            f"A {type(error).__name__} was given: an exception is needed, or the text that came in "
            "the place of a completion."
        )
    if isinstance(error, BaseExceptionGroup):
        return _of_group(error)
    return _as(_kind_of(error))


def _of_group(group: BaseExceptionGroup[BaseException]) -> Diagnosis:
    """Of one error it is that one's (a ``TaskGroup`` wraps it); of several, none's alone."""
    found = [diagnose(error) for error in group.exceptions]
    if len(found) == 1:
        return found[0]
    kinds = ", ".join(one.kind for one in found)
    cost = any(one.may_have_cost for one in found)
    return _as("unknown", f"Several errors came together: {kinds}.", _EACH, cost=cost)


def _word(value: object) -> str | None:
    """A code or parameter as the server sent it, if it is text: some send numbers, or objects."""
    return value if isinstance(value, str) else None


def _kind_of(error: BaseException) -> str:
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
    if isinstance(error, ConnectionError | gaierror | ssl.SSLError | TimeoutError):
        return connection_kind(error)
    if room(error) in TRANSPORT:
        return connection_kind(error)
    if isinstance(error, UnicodeEncodeError) and str(error.object).startswith("Bearer "):
        return "malformed_key"  # the SDK writes it into a header
    if not isinstance(error, TypeError | ValueError):
        return "unknown"
    if error.__traceback__ is not None and not raised_beneath(error, "openai"):
        return "unknown"  # of the code around the call: who knows what was sent before
    return "wrong_form" if isinstance(error, ValidationError) else "input"


def _of_status(error: openai.APIStatusError) -> Diagnosis:
    status, headers, param = error.status_code, error.response.headers, _word(error.param)
    code = QUOTA if error.type == QUOTA else _word(error.code)
    if error.response.is_redirect or (error.response.history and status in (401, 404, 405)):
        return _as(*sent_elsewhere(error.response))
    page = "html" in headers.get("content-type", "")
    refused = refused_key(error.request) if status == 401 else None
    if page and (status in (403, 407) or (refused and refused[0] == "wrong_key")):
        found = _as("proxy_page", None, _NO_PASSAGE, cost=False)
        return replace(found, whose=LINES, retryable=False, other_model=False)
    if refused:
        return _as(*refused)
    if status in (404, 405):
        return _as(*not_found(error.request, code, param))
    kind = kind_of_status(status, code, page)
    found = _as(kind, cost=False if kind == "refused_content" else None)
    if found.kind == "bad_request" and param and _NAME.fullmatch(param):
        found = replace(found, what=f"The server can't accept {param!r} (status {status}).")
    elif found.kind in ("bad_request", "server_error"):
        found = replace(found, what=f"{found.what[:-1]} (status {status}).")
    if not found.retryable:
        return found
    if headers.get("x-should-retry") == "false":
        advice = "The server itself says that asking again won't help (x-should-retry)."
        return replace(found, retryable=False, advice=advice)
    wait_s, said_by = wait_asked(headers)
    return replace(found, wait_s=wait_s, wait_said_by=said_by)


def _of_connection(error: openai.APIConnectionError) -> Diagnosis:
    kind, base = connection_kind(error), base_of(error.request)
    if kind == "input":
        key = key_of(error.request)
        off = unsendable_key(key) if key.strip() else ("missing_key", None, None)
        return _as(*(off or (kind, _NO_HEADER, _LOOK_AT_HEADERS)))
    if kind == "configuration" or not error.request.url.host:
        return _as("configuration", _NO_ADDRESS, f"Give a base_url like {catalog.BASE_URL!r}.")
    if kind == "redirect":
        return _as("redirect", f"{base} sends its callers on and on.")
    if kind == "first_token_timeout":
        waited_s = (error.request.extensions.get("timeout") or {}).get("read")
        silent = f": silence for {waited_s:g} s" if waited_s else ""
        return _as(kind, f"No answer in time from {base}{silent}.")
    found = _as(kind)
    if found.may_have_cost:
        return found
    if kind == "dns" and not _may_pass(error):
        found = replace(found, retryable=False)
    return replace(found, what=f"No connection to {base}: {found.what[0].lower()}{found.what[1:]}")


def _may_pass(error: BaseException) -> bool:
    """Whether a host name could not be looked up just now, rather than not found."""
    unknown = [cause for cause in causes(error) if isinstance(cause, gaierror)]
    return any(cause.errno == EAI_AGAIN for cause in unknown)


def _of_helper(error: HolySheepError) -> Diagnosis:
    if isinstance(error, UnexpectedReplyError):
        if isinstance(error.__cause__, json.JSONDecodeError):
            return _as("bad_json")
        return _as("html_page" if error.page else "unexpected_reply")
    found = _as(error.kind if error.kind in KINDS else "helper")
    if isinstance(error, AllFailedError):
        return _of_all(found, error)
    cause = error.__cause__
    if found.kind in ("deadline", "not_asked") and isinstance(cause, Exception):
        why = diagnose(cause)
        return replace(found, what=f"{found.what} Before that, {why.kind}: {why.what}")
    return found


def _of_all(found: Diagnosis, error: AllFailedError) -> Diagnosis:
    """As soon as the most hopeful of the models may be asked again, so may all."""
    hopes: list[tuple[float, str | None]] = []
    for one in error.tried:
        if one.why is not None and one.why.retryable:
            hopes.append((one.why.wait_s or 0.0, one.why.wait_said_by))
        elif one.cooling_s is not None:
            hopes.append((one.cooling_s, BREAKER))
    wait_s, said_by = min(hopes, key=lambda hope: hope[0], default=(0.0, None))
    return replace(
        found,
        retryable=bool(hopes),
        wait_s=wait_s or None,
        wait_said_by=said_by if wait_s else None,
        may_have_cost=any(one.cost is None for one in error.tried),
    )


def _as(
    kind: str, what: str | None = None, advice: str | None = None, *, cost: bool | None = None
) -> Diagnosis:
    """A diagnosis as its kind has it, except for what is known better here."""
    known = KINDS[kind]
    return Diagnosis(
        kind=kind,
        what=what or known.what,
        whose=known.whose,
        retryable=known.retryable,
        other_model=known.other_model,
        wait_s=None,
        wait_said_by=None,
        may_have_cost=known.may_have_cost if cost is None else cost,
        advice=advice or known.advice,
    )


def add_advice(error: openai.OpenAIError) -> None:
    """Attach to the SDK's error, as a note below it, what to do about it."""
    found = diagnose(error)
    if isinstance(error, openai.BadRequestError | openai.NotFoundError):
        error.add_note(found.advice)  # its message has said what happened
    elif isinstance(error, openai.APIConnectionError) or not found.retryable:
        error.add_note(f"{found.what} {found.advice}")
