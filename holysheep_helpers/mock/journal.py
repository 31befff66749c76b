"""The journal: what was asked, what was answered, and when each chunk was due and left."""

from __future__ import annotations

import json
import sys
from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Literal

JOURNAL_LENGTH = 10_000
Outcome = Literal["open", "delivered", "error", "truncated", "broken", "left"]


def moments(values: Sequence[int]) -> array[int]:
    """Rising moments in whole microseconds: four bytes each, for there are many; eight beyond an
    hour."""
    return array("Q" if values and values[-1] >= 2**32 else "I", values)


@dataclass(slots=True)
class Entry:
    """One chat request.

    ``arrived_s`` and ``ended_s`` are on the clock ``time.perf_counter()``; ``due_us`` and
    ``sent_us`` are microseconds since the arrival, one for each chunk with text (``as_dict`` gives
    seconds). ``waiting``: it has no slot yet, and nothing of the reply is made; ``queued_s`` is how
    long it waited for one. ``key`` is a hash, as are ``same``, which all repeats of a request
    share, and ``own``, which stands for this one alone: bytes, since there are many.
    """

    arrived_s: float
    own: bytes = b""
    key: str = ""
    same: bytes = b""
    model: str = ""
    attempt: int = 0
    status: int = 200
    stream: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0
    fault: str | None = None
    error: str | None = None
    retry_after_s: float | None = None
    finish_reason: str | None = None
    outcome: Outcome = "open"
    waiting: bool = False
    queued_s: float = 0.0
    ended_s: float | None = None
    due_us: Sequence[int] = ()
    sent_us: array[int] = field(default_factory=lambda: array("I"))

    def sent(self, at_us: int) -> None:
        """A chunk has left, so long after the arrival."""
        try:
            self.sent_us.append(at_us)
        except OverflowError:
            self.sent_us = moments((*self.sent_us, at_us))

    @property
    def id(self) -> str:
        """The id that the reply carries."""
        return f"chatcmpl-{self.own.hex()}"

    @property
    def paid(self) -> str:
        """``yes``, ``no`` or ``maybe``: a reply that was made but not delivered may be charged."""
        if self.outcome == "delivered":
            return "yes"
        return "no" if self.outcome == "error" or self.waiting else "maybe"

    def as_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "key": self.key,
            "request": self.same.hex()[:16],
            "model": self.model,
            "attempt": self.attempt,
            "status": 0 if self.waiting else self.status,
            "stream": self.stream,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "fault": self.fault,
            "error": self.error,
            "finish_reason": self.finish_reason,
            "outcome": self.outcome,
            "paid": self.paid,
            "client_left": self.outcome == "left",
            "retry_after_s": self.retry_after_s,
            "arrived_s": round(self.arrived_s, 6),
            "ended_s": None if self.ended_s is None else round(self.ended_s, 6),
            "queued_s": round(self.queued_s, 6),
            "due_s": [] if self.waiting else [at / 1e6 for at in self.due_us],
            "sent_s": [at / 1e6 for at in self.sent_us],
        }


class Journal:
    """The last entries, oldest first; ``file`` gets each as a line of JSON when it has ended."""

    def __init__(self, file: IO[str] | None = None, length: int = JOURNAL_LENGTH) -> None:
        self.entries: deque[Entry] = deque(maxlen=length)
        self._file = file

    def begin(self, entry: Entry) -> Entry:
        self.entries.append(entry)
        return entry

    def end(self, entry: Entry, outcome: Outcome, now_s: float) -> None:
        if entry.outcome != "open":
            return
        entry.outcome, entry.ended_s = outcome, now_s
        if len(entry.sent_us) > 1:
            entry.sent_us = entry.sent_us[:]  # without the room to grow
        if self._file is not None:
            try:
                self._file.write(json.dumps(entry.as_dict(), ensure_ascii=False) + "\n")
                self._file.flush()
            except OSError as error:  # a full disk: the replies go on
                print(f"The journal's file can't be written any more: {error}", file=sys.stderr)
                self._file = None


def as_dicts(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """The entries as plain data, by their arrival."""
    return [entry.as_dict() for entry in sorted(entries, key=lambda entry: entry.arrived_s)]
