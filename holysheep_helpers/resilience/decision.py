"""What to do after a failed request: ask again, ask the next model, or give up.

``hs.retrying``, ``hs.failover`` and ``hs.batch`` all ask ``decide``. Each says what it allows:
attempts, a deadline, the longest wait, another model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Literal, NamedTuple

from holysheep_helpers.diagnosis.diagnose import Diagnosis, settle
from holysheep_helpers.diagnosis.waiting import MANDATORY


class Decision(NamedTuple):
    """What comes next, after ``wait_s`` seconds; ``because`` tells why nothing does."""

    next: Literal["ask again", "next model", "give up"]
    wait_s: float = 0.0
    because: Literal["", "final", "patience", "attempts", "deadline"] = ""


def decide(
    why: Diagnosis,
    *,
    another_model: bool = False,
    tries: int = 1,
    attempts: int = 1,
    waited_s: float = 0.0,
    longest_wait_s: float = inf,
    left_s: float = inf,
    wait_s: Callable[[], float] = lambda: 0.0,
) -> Decision:
    """Decide what to do after the failure that ``why`` explains.

    Args:
        why: what ``hs.diagnose`` says of the error.
        another_model: whether another model can be asked at once.
        tries: requests until now; ``attempts`` is the most that are allowed.
        waited_s: how long the server has refused everything; neither that nor the wait that it
            asks for may be more than ``longest_wait_s``.
        left_s: seconds until the deadline; ``inf`` if there is none.
        wait_s: gives the seconds to wait. It is called only if the same request may be sent again.
    """
    if another_model and why.other_model:
        return Decision("next model")
    if not why.retryable:
        return Decision("give up", because="final")
    if max(asked_wait_s(why) or 0.0, waited_s) > longest_wait_s:
        return Decision("give up", because="patience")
    if tries >= attempts:
        return Decision("give up", because="attempts")
    pause_s = wait_s()
    if pause_s >= left_s:
        return Decision("give up", pause_s, "deadline")
    return Decision("ask again", pause_s)


def asked_wait_s(why: Diagnosis) -> float | None:
    """The seconds that the server, or the circuit breaker, asked for; ``None`` if it did not."""
    return why.wait_s if why.wait_said_by in MANDATORY else None


@dataclass(frozen=True, slots=True)
class Failure:
    """The error of a request, and what ``hs.diagnose`` says of it."""

    error: Exception
    why: Diagnosis

    @classmethod
    def of(cls, error: Exception) -> Failure:
        return cls(error, settle(error))
