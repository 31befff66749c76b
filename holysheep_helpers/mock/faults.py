"""Faults: what can be asked for, checked when it is asked for, not when it happens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from hashlib import blake2b
from types import MappingProxyType
from typing import Any

from holysheep_helpers import catalog
from holysheep_helpers.mock.strict_json import parse_json
from holysheep_helpers.mock.wire import WireError, shown

# Each kind, the fields that it takes, and what it does. Times are seconds before scaling.
KINDS: dict[str, tuple[frozenset[str], str]] = {
    name: (frozenset(takes.split()), does)
    for name, takes, does in (
        (
            "status",
            "status body headers",
            "an error with this status (200 needs a body), any headers",
        ),
        ("rate_limit", "delay_s", "a 429 with Retry-After of delay_s seconds (1 unless given)"),
        ("quota", "", "a 429 that waiting does not end: insufficient_quota"),
        ("html", "status", "a proxy's HTML page, with any status, 200 too"),
        ("content_type", "value", "the right body under a wrong content type"),
        ("slow_first", "delay_s", "the first token comes so much later"),
        ("slow", "factor after", "the gaps between tokens are so many times as long"),
        ("stall", "after delay_s", "a pause after so many chunks; without delay_s, for ever"),
        ("reset", "after", "the connection is reset: before the headers, or after so many chunks"),
        ("disconnect", "after", "the connection closes after so many chunks, without an end"),
        ("cut_body", "after", "the connection closes in the middle of a body or of a frame"),
        ("end_early", "after done", "a stream ends cleanly, but without a finish reason"),
        ("no_done", "", "a stream ends without [DONE]"),
        ("broken_off", "after reason", "the server gives up after so many tokens, and says so"),
        ("error_in_stream", "after", "an error frame comes in a stream, and ends it"),
        ("bad_json", "after", "a frame (or a whole body) is broken JSON"),
        ("comments", "", "a comment line comes before each chunk of a stream"),
        ("bundle", "tokens", "each chunk of a stream carries so many tokens"),
        ("no_choices", "after", "a chunk (or a whole reply) has an empty list of choices"),
        ("reasoning", "tokens", "so many tokens of reasoning come before the answer"),
        ("usage", "cached cost", "the usage states so many cached tokens, a cost in USD, or both"),
    )
}
NO_BODY = (204, 205, 304)
FRAMING = ("connection", "content-length", "transfer-encoding")
"""Headers that say where a body ends: faults such as ``cut_body`` break that, no header does."""
LONGEST = 10_000
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,15})(?:\.\d{1,40})?(?:[eE][+-]?\d{1,2})?", re.ASCII)
_HTML = (
    "<html><head><title>{status}</title></head><body><h1>{status}</h1><p>The proxy could not "
    "reach the server behind it.</p></body></html>"
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. ``after`` is the count of chunks with text that are still sent before it.

    ``cost`` goes into the JSON as it is written, digit by digit; of ``cached`` tokens no more than
    the prompt has. ``delay_s`` is in seconds before scaling; ``reason`` is a finish reason:
    OpenRouter and Mistral say ``error`` where they broke off, vLLM and SGLang ``abort``. Which
    fields a kind takes is in ``KINDS``.
    """

    kind: str
    after: int | None = None
    status: int | None = None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    value: str = "text/plain; charset=utf-8"
    delay_s: float | None = None
    factor: float = 10.0
    tokens: int = 4
    done: bool = True
    reason: str = "error"
    cached: int = 0
    cost: str | None = None

    @property
    def page(self) -> str:
        """The HTML of a proxy's error page."""
        return _HTML.format(status=self.status or 502)


def parse_fault(entry: Any, where: str) -> Fault:
    """The fault that this JSON asks for. Raises ``WireError`` (400) that names what is wrong."""
    if type(entry) is int:  # a status alone
        entry = {"kind": "status", "status": entry}
    if isinstance(entry, str):  # a kind alone
        entry = {"kind": entry}
    kind = entry.get("kind") if isinstance(entry, dict) else entry
    if not isinstance(kind, str) or kind not in KINDS:
        raise _off(where, f"there is no kind {shown(kind)}; there are {', '.join(KINDS)}")
    takes = KINDS[kind][0]
    for name in entry:
        if name not in takes | {"kind"}:
            allowed = ", ".join(sorted(takes)) or "none"
            raise _off(f"{where}.{name}", f"{kind!r} takes no {shown(name)} (it takes {allowed})")
    for name, value in entry.items():
        wrong = None if value is None else _CHECKS.get(name, lambda _: None)(value)
        if wrong:
            raise _off(f"{where}.{name}", f"{shown(value)} given, {wrong} needed")
    if kind == "html" and entry.get("status") in NO_BODY:
        raise _off(f"{where}.status", f"a reply with status {entry['status']} has no page")
    if kind == "status" and entry.get("status") is None:
        raise _off(f"{where}.status", "a status from 400 to 599 needed")
    if kind == "status" and entry["status"] == 200 and entry.get("body") is None:
        raise _off(f"{where}.body", "the body that is an error, needed with status 200")
    if kind == "status" and entry["status"] != 200 and not 400 <= entry["status"] <= 599:
        raise _off(f"{where}.status", f"{entry['status']!r} given, 200 or 400 to 599 needed")
    given = {name: value for name, value in entry.items() if value is not None}
    return Fault(**given)


def _off(where: str, what: str) -> WireError:
    return WireError(400, f"{where}: {what}.", param=where)


def _whole(low: int, high: int) -> Any:
    def wrong(value: Any) -> str | None:
        good = type(value) is int and low <= value <= high
        return None if good else f"a whole number from {low} to {high}"

    return wrong


def _number(low: float, high: float) -> Any:
    def wrong(value: Any) -> str | None:
        good = type(value) in (int, float) and low <= value <= high  # nor is NaN
        return None if good else f"a number from {low:g} to {high:g}"

    return wrong


def _text(value: Any) -> str | None:
    good = isinstance(value, str) and value.isascii() and value.isprintable()
    return None if good else "plain text"


def _reason(value: Any) -> str | None:
    good = isinstance(value, str) and re.fullmatch(r"[A-Za-z_]{1,40}", value)
    return None if good else "a finish reason: letters and _"


def _json_number(value: Any) -> str | None:
    good = isinstance(value, str) and _NUMBER.fullmatch(value)
    return None if good else "a number as JSON writes it, in quotes"


def _headers(value: Any) -> str | None:
    good = isinstance(value, dict) and all(
        name.lower() not in FRAMING
        and name.replace("-", "").isalnum()
        and _text(name) is None
        and _text(text) is None
        for name, text in value.items()
    )
    return None if good else f"an object of header names (none of {FRAMING}) and plain texts"


_CHECKS: dict[str, Any] = {
    "after": _whole(0, 100_000),
    "status": _whole(200, 599),
    "headers": _headers,
    "value": _text,
    "reason": _reason,
    "delay_s": _number(0, 3600),
    "factor": _number(0, 1000),
    "tokens": _whole(1, 10_000),
    "cached": _whole(0, 10_000_000),
    "cost": _json_number,
    "done": lambda value: None if isinstance(value, bool) else "true or false",
}
assert {name for takes, _ in KINDS.values() for name in takes} <= {f.name for f in fields(Fault)}


def from_header(text: str) -> Fault:
    """The fault that a request carries for itself: a kind alone, or a JSON object."""
    text = text.strip()
    try:
        entry = parse_json(text.encode("latin-1")) if text.startswith("{") else text
    except WireError:
        raise _off("x-mock-fault", "no JSON object, and no kind of fault either") from None
    return parse_fault(entry, "x-mock-fault")


@dataclass(slots=True)
class Script:
    """What the next requests of a key meet.

    Without a rule the faults come one after the other, in the order in which requests arrive, then
    no more. ``every`` n: each n-th request meets one, in turn. ``probability``: each request meets
    one with this probability, drawn from the request itself and its how-manieth, so that a crowd
    meets the same ones as requests one by one. ``model``: only its requests count, under any of its
    names.
    """

    faults: tuple[Fault | None, ...] = ()
    every: int | None = None
    probability: float | None = None
    model: str | None = None
    seen: int = 0

    def next(self, own: str, model: str) -> Fault | None:
        """The fault that the next request meets; ``own`` names that request and no other."""
        if self.model is not None and catalog.find(model) != catalog.find(self.model):
            return None
        number, self.seen = self.seen, self.seen + 1
        if not self.faults:
            return None
        if self.every is not None:
            turn, rest = divmod(number + 1, self.every)
            return None if rest else self.faults[(turn - 1) % len(self.faults)]
        if self.probability is not None:
            drawn = blake2b(f"{own} fault".encode(), digest_size=16).digest()
            if int.from_bytes(drawn[:8], "big") >= self.probability * 2**64:
                return None
            return self.faults[int.from_bytes(drawn[8:], "big") % len(self.faults)]
        return self.faults[number] if number < len(self.faults) else None


def parse_script(body: Any) -> Script:
    """The script that this JSON asks for. Raises ``WireError`` (400) that names what is wrong.

    ``{"faults": [...], "every": 5}`` or ``{"faults": [...], "probability": 0.2}``, each with a
    ``"model"`` if it is for that alone, or a bare list; ``null`` in a list stands for a request
    that meets no fault.
    """
    asked = {"faults": body} if isinstance(body, list) else body
    if not isinstance(asked, dict) or not isinstance(asked.get("faults"), list):
        raise _off("script", "a list of faults needed, null for none")
    if len(asked["faults"]) > LONGEST:
        raise _off("script.faults", f"no more than {LONGEST} faults at a time")
    for name in asked:
        if name not in ("faults", "every", "probability", "model"):
            raise _off(f"script.{name}", "a script has faults, every, probability and model")
    every: Any = asked.get("every")
    probability: Any = asked.get("probability")
    model: Any = asked.get("model")
    if every is not None and probability is not None:
        raise _off("script.every", "every and probability exclude each other")
    if every is not None and (type(every) is not int or every < 1):
        raise _off("script.every", f"{shown(every)} given, a whole number, 1 or more, needed")
    if probability is not None and _number(0, 1)(probability):
        raise _off("script.probability", f"{shown(probability)} given, a number from 0 to 1 needed")
    if model is not None and (not isinstance(model, str) or catalog.find(model) is None):
        raise _off("script.model", f"{shown(model)} given, the id of a known model needed")
    faults = tuple(
        None if entry is None else parse_fault(entry, f"script[{index}]")
        for index, entry in enumerate(asked["faults"])
    )
    return Script(faults, every, probability, model)
