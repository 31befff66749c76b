"""Faults in exact sequences: what the next requests of a key meet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from holysheep_helpers.mock.wire import WireError

KINDS = ("status", "end_early", "disconnect")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. ``after`` is the count of chunks with text that are still sent.

    ``status``: an error with that status instead of a reply; ``end_early``: the stream ends
    cleanly without a finish reason; ``disconnect``: the connection breaks in mid-stream.
    """

    kind: str
    status: int = 500
    after: int = 0
    done: bool = True


def parse_script(body: Any) -> list[Fault | None]:
    """A list of faults, ``None`` for a request that meets none. Raises ``WireError`` (400)."""
    if not isinstance(body, list):
        raise WireError(400, "A script is a list of faults, null for none.", param="script")
    return [None if entry is None else _fault(entry, i) for i, entry in enumerate(body)]


def _fault(entry: Any, index: int) -> Fault:
    where = f"script[{index}]"
    if not isinstance(entry, dict) or entry.get("kind") not in KINDS:
        raise WireError(400, f"{where}: 'kind' is one of {', '.join(KINDS)}.", param=where)
    try:
        fault = Fault(**entry)
    except TypeError:
        known = ", ".join(Fault.__dataclass_fields__)
        raise WireError(400, f"{where}: the fields of a fault are {known}.", param=where) from None
    whole = all(type(value) is int for value in (fault.status, fault.after))
    if (
        not whole
        or not 400 <= fault.status <= 599
        or fault.after < 0
        or type(fault.done) is not bool
    ):
        raise WireError(400, f"{where}: status 400 to 599, after 0 or more, done.", param=where)
    return fault
