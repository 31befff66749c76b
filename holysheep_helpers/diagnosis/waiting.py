"""How long to wait before asking again: a back-off, or what a server asks for."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random

from holysheep_helpers.diagnosis.evidence import ErrorBody

LEAST_BACK_OFF_S, BACK_OFF_S, LONGEST_BACK_OFF_S = 0.125, 0.5, 30.0

BREAKER = "the circuit breaker"
_RETRY_AFTER = ("Retry-After", "llm_provider-retry-after")
_FIELDS = ("retryDelay", "retry_after_seconds", "retry_after")
"""Fields in the body of an error: Gemini's, and two of OpenRouter's."""

MANDATORY = ("retry-after-ms", *_RETRY_AFTER, *_FIELDS, BREAKER)
"""A retry keeps to the wait that one of these names; other headers say when a bucket is full."""

_FIRST_EPOCH_S, _FIRST_EPOCH_MS, _LAST_EPOCH_MS = 1.5e9, 1e11, 1e14
"""From 2017 on a number is a moment, in seconds or milliseconds since 1970, and no duration."""

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")


def back_off_s(attempt: int, random: Random) -> float:
    """Exponential back-off with full jitter: 0.125 to 0.5, 1, 2, 4 ... seconds, 30 at most.

    Full jitter, a uniform draw up to the cap, is from M. Brooker, "Exponential Backoff And Jitter",
    AWS Architecture Blog, 2015; the least wait is ours, for a draw of nothing is no back-off.
    """
    return random.uniform(LEAST_BACK_OFF_S, back_off_cap_s(attempt - 1))


def back_off_cap_s(doublings: int) -> float:
    """The longest back-off after so many doublings, in seconds."""
    return min(math.ldexp(BACK_OFF_S, min(doublings, 10)), LONGEST_BACK_OFF_S)


def wait_asked(
    headers: Mapping[str, str], now: datetime | None = None, body: ErrorBody | None = None
) -> tuple[float | None, str | None]:
    """Seconds to wait and the name of what said it; twice ``None`` if nothing did.

    ``retry-after-ms`` and ``Retry-After`` come first, then the name that litellm gives to an
    upstream's, then the fields of the body. Without them, the moment when an empty bucket is full
    again, ``x-ratelimit-reset-requests`` or ``-tokens``: the longest that can be needed. Last a
    gateway's ``x-ratelimit-reset``. Each may be seconds, a duration such as ``6m0s``, an HTTP date,
    or seconds or milliseconds since 1970. A moment is taken against the reply's own ``date``, so
    that a clock that is wrong here does not matter.
    """
    inner = body.field("headers") if body else None
    given = {**inner, **headers} if isinstance(inner, Mapping) else headers
    found = {name.lower(): str(text) for name, text in given.items()}
    sent = _moment(found.get("date", "")) or now or datetime.now(UTC)
    waits = [("retry-after-ms", _seconds(found.get("retry-after-ms", ""), 0.001))]
    waits += [(name, _wait_s(found.get(name.lower(), ""), sent)) for name in _RETRY_AFTER]
    if body is not None:
        waits += [(name, _wait_s(str(body.field(name)), sent)) for name in _FIELDS]
    for bucket, unstated in (("-requests", ""), ("-tokens", ""), ("", "0")):
        if found.get(f"x-ratelimit-remaining{bucket}", unstated) == "0":
            name = f"x-ratelimit-reset{bucket}"
            waits.append((name, _wait_s(found.get(name, ""), sent)))
    return next(((wait_s, name) for name, wait_s in waits if wait_s is not None), (None, None))


def _wait_s(text: str, sent: datetime) -> float | None:
    """Seconds from ``sent`` on; ``None`` if the text says neither a duration nor a moment."""
    if (number := _seconds(text)) is None:
        if moment := _moment(text):
            return max((moment - sent).total_seconds(), 0.0)
        return _duration_s(text.strip())
    if number < _FIRST_EPOCH_S:
        return number
    if number >= _LAST_EPOCH_MS:
        return None
    epoch_s = number / 1000 if number >= _FIRST_EPOCH_MS else number
    return max(epoch_s - sent.timestamp(), 0.0)


def _seconds(text: str, unit_s: float = 1.0) -> float | None:
    try:
        seconds = float(text) * unit_s
    except ValueError:
        return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _moment(date: str) -> datetime | None:
    """An HTTP date; ``None`` if it is none, or has no time zone."""
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else None


def _duration_s(text: str) -> float | None:
    """Seconds in ``12ms``, ``1s`` or ``6m0s``; ``None`` if it is no such duration."""
    if not text or (parts := _DURATION.fullmatch(text)) is None:
        return None
    hours, minutes, seconds, milliseconds = (float(part or 0) for part in parts.groups())
    total_s = math.fsum((hours * 3600, minutes * 60, seconds, milliseconds / 1000))
    return total_s if math.isfinite(total_s) else None
