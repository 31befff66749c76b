"""The limits of a plan: requests and tokens in a sliding minute, as one key has used them."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from holysheep_helpers.catalog import Plan
from holysheep_helpers.mock.wire import Headers, WireError

WINDOW_S = 60.0


class Limits:
    """The sliding minute of one key; ``scale`` shortens it like every other time.

    A request counts with its prompt's tokens and its ``max_tokens``, before it is answered.
    """

    def __init__(self, plan: Plan, scale: float) -> None:
        self._requests, self._tokens = plan.requests_per_minute, plan.tokens_per_minute
        self._span_s = WINDOW_S * scale
        self._window: deque[tuple[float, int]] = deque()
        self._used_tokens = 0

    def admit(self, model: str, tokens: int, now_s: float, wall: Callable[[], float]) -> Headers:
        """Count a request, and give the headers that tell of the limits.

        Raises ``WireError``: 429 with the wait if the minute is full, and 413 for a request that
        fits into no minute at all, which waiting does not change.
        """
        if self._requests is None and self._tokens is None:
            return ()
        while self._window and self._window[0][0] <= now_s - self._span_s:
            self._used_tokens -= self._window.popleft()[1]
        if self._tokens is not None and tokens > self._tokens:
            raise WireError(
                413,
                f"Request too large for {model} on tokens per min (TPM): Limit {self._tokens}, "
                f"Requested {tokens}. It fits into no minute: shorten the prompt or max_tokens.",
                "tokens",
                code="request_too_large",
                headers=self._headers(now_s, wall),
            )
        if self._requests is not None and len(self._window) >= self._requests:
            used = len(self._window)
            raise self._refusal(model, "requests", self._requests, used, 1, now_s, wall)
        if self._tokens is not None and self._used_tokens + tokens > self._tokens:
            used = self._used_tokens
            raise self._refusal(model, "tokens", self._tokens, used, tokens, now_s, wall)
        self._window.append((now_s, tokens))
        self._used_tokens += tokens
        return self._headers(now_s, wall)

    def _refusal(
        self,
        model: str,
        kind: str,
        limit: int,
        used: int,
        asked: int,
        now_s: float,
        wall: Callable[[], float],
    ) -> WireError:
        wait_s = max(self._fits_at(kind, asked) - now_s, 0.001)
        return rate_limited(
            f"Rate limit reached for {model} on {kind} per min ({kind[0].upper()}PM): "
            f"Limit {limit}, Used {used}, Requested {asked}.",
            kind,
            wait_s,
            self._headers(now_s, wall),
        )

    def _fits_at(self, kind: str, asked: int) -> float:
        """The moment at which enough of the window has passed for this request."""
        if kind == "requests":
            return self._window[0][0] + self._span_s
        free = (self._tokens or 0) - self._used_tokens
        for at_s, tokens in self._window:
            free += tokens
            if free >= asked:
                return at_s + self._span_s
        raise AssertionError("a request within the limit fits once the window is empty")

    def _headers(self, now_s: float, wall: Callable[[], float]) -> Headers:
        """Limit, what remains, and the time until the limit is full again."""
        full_s = self._window[-1][0] + self._span_s - now_s if self._window else 0.0
        rows: list[tuple[str, str]] = []
        for kind, limit, used in (
            ("requests", self._requests, len(self._window)),
            ("tokens", self._tokens, self._used_tokens),
        ):
            if limit is not None:
                rows.append((f"x-ratelimit-limit-{kind}", str(limit)))
                rows.append((f"x-ratelimit-remaining-{kind}", str(limit - used)))
                rows.append((f"x-ratelimit-reset-{kind}", duration(full_s)))
        if self._requests is not None:  # as gateways send it: the reset as a second of the epoch
            rows.append(("x-ratelimit-limit", str(self._requests)))
            rows.append(("x-ratelimit-remaining", str(self._requests - len(self._window))))
            rows.append(("x-ratelimit-reset", str(math.ceil(wall() + full_s))))
        return tuple(rows)


def rate_limited(message: str, kind: str, wait_s: float, headers: Headers = ()) -> WireError:
    """A 429 that says how long to wait, in three ways."""
    return WireError(
        429,
        f"{message} Please try again in {duration(wait_s)}.",
        kind,
        code="rate_limit_exceeded",
        headers=(
            ("retry-after", str(max(1, math.ceil(wait_s)))),
            ("retry-after-ms", str(max(1, math.ceil(wait_s * 1000)))),
            *headers,
        ),
    )


def duration(seconds: float) -> str:
    """``12ms``, ``1s``, ``6m0s``: rounded up, so that who waits that long has waited enough."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(math.ceil(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
