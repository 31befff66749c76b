"""What ``hs.retrying`` tells the calls that it makes: it alone retries, and what time is left."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import openai

from holysheep_helpers.errors import DeadlineError

LEAST_S = 0.001
outer_retries: ContextVar[Callable[[], float | None] | None] = ContextVar(
    "outer_retries", default=None
)
"""Set while ``hs.retrying`` makes a call: how many seconds are left for it, ``None`` for any."""


def left_s() -> float | None:
    """Seconds until the deadline of the ``hs.retrying`` around this; ``None`` if there is none."""
    left = outer_retries.get()
    return None if left is None else left()


def shortened(timeout: Any) -> Any:
    """This time-out of the SDK's, or what is left until the deadline, if that is less."""
    remains_s = left_s()
    if remains_s is None:
        return timeout
    least_s = max(remains_s, LEAST_S)
    if isinstance(timeout, openai.Timeout):
        parts = timeout.as_dict().items()
        return openai.Timeout(
            **{name: least_s if s is None else min(s, least_s) for name, s in parts}
        )
    if timeout is None:
        return least_s
    return min(timeout, least_s) if isinstance(timeout, int | float) else timeout


def check_in_time(characters: int) -> None:
    """Raise ``DeadlineError`` if the deadline has passed while a stream is read."""
    remains_s = left_s()
    if remains_s is not None and remains_s <= 0:
        raise DeadlineError(
            f"The total deadline passed in the middle of the stream: {characters} characters had "
            "come, in the stream's .text. Allow more time, or ask for less."
        )
