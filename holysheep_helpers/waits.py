"""How long a server asks its callers to wait, and in which header it says so."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime

from holysheep_helpers.pacing import retry_after_s

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
