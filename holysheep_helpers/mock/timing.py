"""How long a reply takes: truncated log-normal times, drawn from the request itself."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from random import Random
from statistics import NormalDist
from typing import Any

from holysheep_helpers import catalog

NEW_CONNECTION_S = 0.060
"""Added to the first token on a connection's first request. Invented: it stands for TCP and TLS."""
SHORT_PROMPT = 64
PER_PROMPT_TOKEN_S = 0.00002
"""Reading the prompt: 20 ms for each thousand tokens beyond the first 64, which are in the
published times. Invented."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Times in seconds: mean, least and most of the time to first token, and mean per token."""

    ttft_s: float
    ttft_low_s: float
    ttft_high_s: float
    per_token_s: float
    source: str

    def due_s(self, pieces: int, draw: Random, prompt_tokens: int = 0) -> list[float]:
        """When each of ``pieces`` tokens is due, in seconds from the request's arrival."""
        first = _log_normal(draw, self.ttft_s, 0.12, self.ttft_low_s, self.ttft_high_s)
        due = [first + max(0, prompt_tokens - SHORT_PROMPT) * PER_PROMPT_TOKEN_S]
        for _ in range(pieces - 1):
            low, high = self.per_token_s * 0.4, self.per_token_s * 2.5
            due.append(due[-1] + _log_normal(draw, self.per_token_s, 0.25, low, high))
        return due


def _log_normal(draw: Random, mean: float, sigma: float, low: float, high: float) -> float:
    """A log-normal value, drawn again while it is out of bounds; ``mean`` is that of what stays."""
    mu = location(mean, sigma, low, high)
    while True:
        value = math.exp(mu + sigma * _normal(draw))
        if low <= value <= high:
            return value


@cache
def location(mean: float, sigma: float, low: float, high: float) -> float:
    """The ``mu`` with which a log-normal truncated to ``low`` .. ``high`` has this mean.

    Found by halving an interval, and rounded so that it is the same number on every system. The
    mean is ``exp(mu + s²/2) (Φ(b - s) - Φ(a - s)) / (Φ(b) - Φ(a))`` with ``a, b`` the bounds as
    ``(log(bound) - mu) / s`` (Johnson, Kotz and Balakrishnan, Continuous Univariate
    Distributions 1, 1994, chapter 14).
    """
    phi = NormalDist().cdf
    below, above = math.log(low), math.log(high)
    while above - below > 1e-10:
        mu = (below + above) / 2
        a, b = (math.log(low) - mu) / sigma, (math.log(high) - mu) / sigma
        share = (phi(b - sigma) - phi(a - sigma)) / (phi(b) - phi(a))
        if math.exp(mu + sigma * sigma / 2) * share < mean:
            below = mu
        else:
            above = mu
    return round(below, 9)


def _normal(draw: Random) -> float:
    """Box and Muller's transform of two uniform draws: the same on every Python."""
    radius = math.sqrt(-2 * math.log(1 - draw.random()))
    return radius * math.cos(2 * math.pi * draw.random())


PUBLISHED = Profile(
    0.142, 0.118, 0.198, 0.010,
    "as published by the gateway, January 2026: mean, least and most of ten runs",
)  # fmt: skip
INVENTED = {
    "GPT": Profile(0.310, 0.220, 0.520, 0.014, "invented"),
    "Claude": Profile(0.420, 0.300, 0.700, 0.016, "invented"),
    "Gemini": Profile(0.230, 0.160, 0.400, 0.007, "invented"),
    "Mistral": Profile(0.200, 0.150, 0.320, 0.012, "invented"),
    "DeepSeek": Profile(0.380, 0.260, 0.650, 0.020, "invented"),
}


def profile(model: str) -> Profile:
    """The profile of a known model: published for the running example, invented for the rest."""
    known = catalog.find(model)
    if known is not None and known.id == catalog.DEFAULT_MODEL:
        return PUBLISHED
    return INVENTED[known.family] if known else PUBLISHED


def _call_at(at_s: float, call: Callable[[], None]) -> asyncio.TimerHandle:
    """Call at this moment of ``time.perf_counter()`` or just after, never before.

    uvloop rounds to whole milliseconds; half of one more keeps it from being early.
    """
    loop = asyncio.get_running_loop()
    return loop.call_later(max(0.0, at_s - time.perf_counter()) + 0.0005, call)


def _cancel(timer: Any) -> None:
    timer.cancel()


@dataclass(frozen=True, slots=True)
class Pacer:
    """A clock, and calls at absolute moments of it, so that delays never add up.

    All are injectable: ``clock`` in seconds, ``call_at`` takes such a moment and gives a timer,
    which ``cancel`` takes; ``wall`` is the time of day in seconds since the epoch.
    """

    clock: Callable[[], float] = time.perf_counter
    call_at: Callable[[float, Callable[[], None]], object] = _call_at
    cancel: Callable[[object], None] = _cancel
    wall: Callable[[], float] = time.time
