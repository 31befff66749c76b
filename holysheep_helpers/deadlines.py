"""What ``hs.retrying`` tells the calls that it makes: it alone retries, and what time is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import openai

from holysheep_helpers.exceptions import DeadlineError

LEAST_S = 0.001


@dataclass
class Attempt:
    """One attempt under way: ``left_s()`` is the seconds that are left for it, ``None`` for any.

    A task that it began and that outlives it finds it ``over``, and is on its own.
    """

    left_s: Callable[[], float | None]
    over: bool = False


_attempt: ContextVar[Attempt | None] = ContextVar("_attempt", default=None)


@contextmanager
def attempt(left_s: Callable[[], float | None]) -> Iterator[None]:
    """What is called in here is retried as a whole, and retries nothing by itself."""
    one = Attempt(left_s)
    token = _attempt.set(one)
    try:
        yield
    finally:
        one.over = True
        _attempt.reset(token)


def is_retried() -> bool:
    """Whether a ``hs.retrying`` around this asks again."""
    one = _attempt.get()
    return one is not None and not one.over


def left_s() -> float | None:
    """Seconds until the deadline of the ``hs.retrying`` around this; ``None`` if there is none."""
    one = _attempt.get()
    return None if one is None or one.over else one.left_s()


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


def in_time(
    client: openai.OpenAI | openai.AsyncOpenAI, arguments: dict[str, Any]
) -> dict[str, Any]:
    """The arguments of a request, whose time-out is what is left for it at most.

    Raises ``DeadlineError`` if nothing is: what nobody can wait for any more is not sent.
    """
    remains_s = left_s()
    if remains_s is None:
        return arguments
    if remains_s <= 0:
        raise DeadlineError("The total deadline had passed before this request. It was not sent.")
    timeout = arguments.get("timeout", openai.NOT_GIVEN)
    if isinstance(timeout, openai.NotGiven | openai.Omit):
        timeout = client.timeout
    return arguments | {"timeout": shortened(timeout)}


def check_in_time(characters: int) -> None:
    """Raise ``DeadlineError`` if the deadline has passed while a stream is read."""
    remains_s = left_s()
    if remains_s is not None and remains_s <= 0:
        raise DeadlineError(
            f"The total deadline passed in the middle of the stream: {characters} characters had "
            "come, in the stream's .text. Allow more time, or ask for less."
        )
