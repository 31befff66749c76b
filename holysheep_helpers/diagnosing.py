"""``diagnose()``: what an exception means, by its type, status, code and causes alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from typing import Any

import openai

from holysheep_helpers.budget import BudgetError
from holysheep_helpers.causes import connection_kind, was_sent
from holysheep_helpers.errors import (
    ConfigurationError,
    HolySheepError,
    IncompleteStreamError,
    InputError,
    UnexpectedReplyError,
)
from holysheep_helpers.kinds import KINDS


@dataclass(frozen=True)
class Diagnosis:
    """What an error means.

    ``kind`` is one of ``hs.errors_table()``'s; ``what`` one sentence on what happened; ``whose``
    fault it is (``"yours"``, ``"the gateway's"``, ``"the line's"``, ``"nobody knows"``);
    ``retryable``: the same request may succeed later; ``other_model``: another model may fare
    better; ``wait_s`` the seconds that were asked for and ``wait_said_by`` the header that did;
    ``may_have_cost``: it may have been answered and billed; ``advice`` what to do now. Neither the
    key nor the prompt is ever in it.
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

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}\n{self.advice}"

    def _repr_html_(self) -> str:
        return f"<p><strong>{escape(self.kind)}</strong>: {escape(self.what)}</p>"


def diagnose(error: BaseException) -> Diagnosis:
    """What happened, whose fault it is, whether to ask again, and what to do now."""
    kind, what, facts = _told_apart(error)
    known = KINDS[kind]
    said: dict[str, Any] = {
        "whose": known.whose,
        "retryable": known.retryable,
        "other_model": known.other_model,
        "wait_s": None,
        "wait_said_by": None,
        "may_have_cost": known.may_have_cost,
        "advice": known.advice,
    }
    return Diagnosis(kind=kind, what=what or known.what, **(said | facts))


def _told_apart(error: BaseException) -> tuple[str, str, dict[str, Any]]:
    if isinstance(error, openai.APIStatusError):
        return _status(error)
    if isinstance(error, openai.APIConnectionError):
        return connection_kind(error), "", {"may_have_cost": was_sent(error)}
    if isinstance(error, json.JSONDecodeError):
        return "bad_json", "", {}
    if isinstance(error, openai.ContentFilterFinishReasonError):
        return "refused_content", "", {}
    if isinstance(error, openai.APIError):
        return "error_in_stream", "", {}
    for types, kind in (
        (BudgetError, "budget"),
        (InputError, "input"),
        (ConfigurationError, "configuration"),
        (IncompleteStreamError, "ended_early"),
        (UnexpectedReplyError, "html_page"),
    ):
        if isinstance(error, types):
            return kind, "", {}
    return ("helper" if isinstance(error, HolySheepError) else "unknown"), "", {}


def _status(error: openai.APIStatusError) -> tuple[str, str, dict[str, Any]]:
    status, headers = error.status_code, error.response.headers
    if status == 401:
        return "wrong_key", "", {}
    if status == 404:
        return ("unknown_model" if error.code == "model_not_found" else "wrong_path"), "", {}
    if status == 402 or error.code == "insufficient_quota":
        return "quota", "", {}
    if status == 408:
        return "timeout_408", "", {}
    if status == 429:
        said = headers.get("retry-after")
        wait_s = float(said) if said and said.isdecimal() else None
        by = "Retry-After" if wait_s is not None else None
        return "rate_limit", "", {"wait_s": wait_s, "wait_said_by": by}
    if status >= 500:
        page = "html" in headers.get("content-type", "")
        return ("proxy_page" if page else "server_error"), "", {}
    return "bad_request", "", {}
