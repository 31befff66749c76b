"""How long a server asks its callers to wait, and in which header it says so."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from random import Random

LEAST_BACK_OFF_S, BACK_OFF_S, LONGEST_BACK_OFF_S = 0.125, 0.5, 30.0


def back_off_s(attempt: int, random: Random) -> float:
    """Exponential back-off with full jitter: 0.125 to 0.5, 1, 2, 4 ... seconds, 30 at most.

    Full jitter, a uniform draw up to the cap, is from M. Brooker, "Exponential Backoff And Jitter",
    AWS Architecture Blog, 2015; the least wait is ours, for a draw of nothing is no back-off.
    """
    return random.uniform(LEAST_BACK_OFF_S, _doubled_s(attempt - 1))


def _doubled_s(times: int) -> float:
    return min(math.ldexp(BACK_OFF_S, min(times, 10)), LONGEST_BACK_OFF_S)


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """The wait in seconds that a server asked for, or ``None``: it wins over any back-off.

    ``retry-after-ms`` is read before ``retry-after``, whole seconds or an HTTP date; a date is
    taken against the reply's own ``date``, so that a clock that is wrong here does not matter.
    """
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name)
        if text is None:
            continue
        try:
            seconds = float(text) * unit_s
        except ValueError:
            seconds = _until_s(text, headers.get("date"), now) if unit_s == 1.0 else math.nan
        if math.isfinite(seconds):
            return max(seconds, 0.0)
    return None


def _until_s(date: str, said: str | None, now: datetime | None) -> float:
    try:
        until = parsedate_to_datetime(date)
        since = parsedate_to_datetime(said) if said else now or datetime.now(UTC)
        return (until - since).total_seconds()
    except (ValueError, TypeError, OverflowError):  # no date, or one without a time zone
        return math.nan


RETRY_AFTER = ("retry-after-ms", "Retry-After")


BREAKER = "the circuit breaker"


OBEYED = (*RETRY_AFTER, BREAKER)
"""Whose word a retry goes by; the other headers only say when a bucket is full again."""


_EPOCH_S = re.compile(r"[0-9]{1,12}")


_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")


def wait_asked(
    headers: Mapping[str, str], now: datetime | None = None
) -> tuple[float | None, str | None]:
    """Seconds to wait and the name of the header that said it; twice ``None`` if none did.

    ``retry-after-ms`` and ``Retry-After`` come first. Without them, the moment when an empty
    bucket is full again, ``x-ratelimit-reset-requests`` or ``-tokens`` (a duration such as
    ``6m0s``): the longest that can be needed. Last a gateway's ``x-ratelimit-reset`` (epoch
    seconds), against the reply's own ``date``.
    """
    found = {name.lower(): text for name, text in headers.items()}
    for name in RETRY_AFTER:
        said = {k: found[k] for k in (name.lower(), "date") if k in found}
        wait_s = retry_after_s(said, now)
        if wait_s is not None:
            return wait_s, name
    for bucket in ("requests", "tokens"):
        name = f"x-ratelimit-reset-{bucket}"
        if found.get(f"x-ratelimit-remaining-{bucket}") == "0":
            wait_s = duration_s(found.get(name, ""))
            if wait_s is not None:
                return wait_s, name
    text = found.get("x-ratelimit-reset", "")
    if _EPOCH_S.fullmatch(text) and found.get("x-ratelimit-remaining") == "0":
        until = {k: found[k] for k in ("date",) if k in found}
        at = datetime.fromtimestamp(min(int(text), 2**33), UTC)
        wait_s = retry_after_s({"retry-after": format_datetime(at, True)} | until, now)
        return wait_s, "x-ratelimit-reset"
    return None, None


def duration_s(text: str) -> float | None:
    """Seconds in ``12ms``, ``1s`` or ``6m0s``; ``None`` if it is no such duration."""
    parts = _DURATION.fullmatch(text)
    if not text or parts is None:
        return None
    hours, minutes, seconds, milliseconds = (float(part or 0) for part in parts.groups())
    total_s = math.fsum((hours * 3600, minutes * 60, seconds, milliseconds / 1000))
    return total_s if math.isfinite(total_s) else None
