"""What the mock remembers, apart for each key: counters, script, window, journal."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from random import Random
from typing import Any

from holysheep_helpers.catalog import Plan
from holysheep_helpers.mock.faults import Fault
from holysheep_helpers.mock.wire import WireError

JOURNAL_LENGTH = 10_000
WINDOW_S = 60.0


@dataclass(slots=True)
class Entry:
    """One chat request in the journal; times are seconds since it arrived."""

    id: str
    model: str = ""
    attempt: int = 0
    status: int = 0
    stream: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0
    fault: str | None = None
    due_s: list[float] = field(default_factory=list)
    sent_s: list[float] = field(default_factory=list)
    client_left: bool = False

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Tenant:
    """Everything about one key."""

    def __init__(self) -> None:
        self.asked: Counter[bytes] = Counter()
        self.script: deque[Fault | None] = deque()
        self.journal: deque[Entry] = deque(maxlen=JOURNAL_LENGTH)
        self.window: deque[float] = deque()
        self.idle = asyncio.Event()
        self.idle.set()
        self._open = 0

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Around one chat request: ``idle`` is set while none is being answered."""
        self._open += 1
        self.idle.clear()
        try:
            yield
        finally:
            self._open -= 1
            if not self._open:
                self.idle.set()

    def admit(self, plan: Plan, now_s: float, scale: float) -> tuple[tuple[str, str], ...]:
        """Count a request against the plan's sliding minute; the headers that tell of it.

        Raises ``WireError`` (429 with Retry-After) if the minute is full.
        """
        limit = plan.requests_per_minute
        if limit is None:
            return ()
        span_s = WINDOW_S * scale
        while self.window and self.window[0] <= now_s - span_s:
            self.window.popleft()
        used = len(self.window)
        reset_s = self.window[-1] + span_s - now_s if self.window else 0.0
        if used >= limit:
            wait_s = max(self.window[0] + span_s - now_s, 0.001)
            headers = (
                ("retry-after", str(max(1, -int(-wait_s // 1)))),
                ("retry-after-ms", str(-int(-wait_s * 1000 // 1))),
                *_limit_headers(limit, 0, reset_s),
            )
            raise WireError(
                429,
                f"Rate limit reached on requests per min (RPM): Limit {limit}, Used {used}, "
                f"Requested 1. Please try again in {_duration(wait_s)}.",
                "requests",
                code="rate_limit_exceeded",
                headers=headers,
            )
        self.window.append(now_s)
        return _limit_headers(limit, limit - used - 1, span_s)


def _limit_headers(limit: int, remaining: int, reset_s: float) -> tuple[tuple[str, str], ...]:
    return (
        ("x-ratelimit-limit-requests", str(limit)),
        ("x-ratelimit-remaining-requests", str(remaining)),
        ("x-ratelimit-reset-requests", _duration(reset_s)),
    )


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{max(1, round(seconds * 1000))}ms"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


class State:
    """All keys of one mock."""

    def __init__(
        self,
        *,
        seed: int = 0,
        time_scale: float = 1.0,
        plan: Plan,
        keys: frozenset[str] | None = None,
    ) -> None:
        self.seed = seed
        self.time_scale = time_scale
        self.plan = plan
        self.keys = keys
        self._tenants: dict[str, Tenant] = {}

    def tenant(self, key: str) -> Tenant:
        return self._tenants.setdefault(key, Tenant())

    def forget(self, key: str) -> None:
        self._tenants.pop(key, None)

    def draw(self, key: str, canonical: str) -> tuple[int, str, Random]:
        """How-manieth this same request of this key is, its id, and its own randomness.

        All three come from seed, key, request and how-manieth alone, so that neither other
        requests nor their order nor the clock can change them.
        """
        same = _digest(str(self.seed), key, canonical)
        asked = self.tenant(key).asked
        if len(asked) > JOURNAL_LENGTH:
            asked.clear()
        nth = asked[same]
        asked[same] += 1
        own = _digest(same.hex(), str(nth))
        return nth, own.hex(), Random(int.from_bytes(own, "big"))


def _digest(*parts: str) -> bytes:
    return blake2b("\x00".join(parts).encode("utf-8"), digest_size=12).digest()
