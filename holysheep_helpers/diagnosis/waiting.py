"""How long to wait before asking again: a back-off, or what a server asks for in its headers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random

LEAST_BACK_OFF_S, BACK_OFF_S, LONGEST_BACK_OFF_S = 0.125, 0.5, 30.0

RETRY_AFTER = ("retry-after-ms", "Retry-After")
BREAKER = "the circuit breaker"
MANDATORY = (*RETRY_AFTER, BREAKER)
"""A retry keeps to the wait that one of these names; other headers say when a bucket is full."""

_EPOCH_S = re.compile(r"[0-9]{1,12}")
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
    headers: Mapping[str, str], now: datetime | None = None
) -> tuple[float | None, str | None]:
    """Seconds to wait and the name of the header that said it; twice ``None`` if none did.

    ``retry-after-ms`` and ``Retry-After``, whole seconds or an HTTP date, come first. Without them,
    the moment when an empty bucket is full again, ``x-ratelimit-reset-requests`` or ``-tokens`` (a
    duration such as ``6m0s``): the longest that can be needed. Last a gateway's
    ``x-ratelimit-reset`` (epoch seconds). A moment is taken against the reply's own ``date``, so
    that a clock that is wrong here does not matter.
    """
    found = {name.lower(): text for name, text in headers.items()}
    sent = _moment(found.get("date", "")) or now or datetime.now(UTC)
    waits = [
        ("retry-after-ms", _seconds(found.get("retry-after-ms", ""), 0.001)),
        ("Retry-After", _seconds(found.get("retry-after", ""))),
        ("Retry-After", _until_s(_moment(found.get("retry-after", "")), sent)),
    ]
    for bucket in ("requests", "tokens"):
        if found.get(f"x-ratelimit-remaining-{bucket}") == "0":
            name = f"x-ratelimit-reset-{bucket}"
            waits.append((name, _duration_s(found.get(name, ""))))
    epoch = found.get("x-ratelimit-reset", "")
    if _EPOCH_S.fullmatch(epoch) and found.get("x-ratelimit-remaining") == "0":
        moment = datetime.fromtimestamp(min(int(epoch), 2**33), UTC)
        waits.append(("x-ratelimit-reset", _until_s(moment, sent)))
    return next(((wait_s, name) for name, wait_s in waits if wait_s is not None), (None, None))


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


def _until_s(moment: datetime | None, sent: datetime) -> float | None:
    return None if moment is None else max((moment - sent).total_seconds(), 0.0)


def _duration_s(text: str) -> float | None:
    """Seconds in ``12ms``, ``1s`` or ``6m0s``; ``None`` if it is no such duration."""
    parts = _DURATION.fullmatch(text)
    if not text or parts is None:
        return None
    hours, minutes, seconds, milliseconds = (float(part or 0) for part in parts.groups())
    total_s = math.fsum((hours * 3600, minutes * 60, seconds, milliseconds / 1000))
    return total_s if math.isfinite(total_s) else None
