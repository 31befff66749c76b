"""A clock that moves on by what is waited, and ``hs.retrying`` on it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import openai

from holysheep_helpers.resilience.retry import Policy


class Clock:
    """Its time in seconds is ``now_s``; ``waits`` are those that were waited."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, wait_s: float) -> None:
        self.waits.append(wait_s)
        self.now_s += wait_s

    async def sleep_async(self, wait_s: float) -> None:
        self.sleep(wait_s)

    def retrying(self, call: Callable[..., Any], seed: int = 1, **options: Any) -> Any:
        """What ``hs.retrying`` gives back, which waits by this clock."""
        policy = Policy(
            **options,
            clock=self,
            sleep=self.sleep,
            sleep_async=self.sleep_async,
            random=Random(seed),
        )
        return policy.around(call)


def virtual_429() -> openai.RateLimitError:
    import httpx2

    request = httpx2.Request("POST", "http://127.0.0.1:9/v1/chat/completions")
    response = httpx2.Response(429, headers={"retry-after": "1"}, request=request)
    return openai.RateLimitError("Error code: 429", response=response, body=None)
