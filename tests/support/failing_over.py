"""What the tests of failover share: two models, a question, and who was asked."""

from __future__ import annotations

from typing import Any

from holysheep_helpers.mock.handle import MockHandle

MISTRAL, GEMINI = MODELS = ("mistral-small-2603", "gemini-2.5-flash")


PROMPT = "What is the capital of Korea?"


WAITS_S = 1.0
"""A time-out for those who wait for nothing: long enough for an answer on a busy computer."""


def asked(mock: MockHandle) -> list[str]:
    """The models that the server was asked for, in order; of an unknown one it knows none."""
    return [entry["model"] for entry in mock.entries()]


def limited(seconds: int) -> dict[str, Any]:
    """A 429 with a Retry-After that no faster clock shortens."""
    return {"kind": "status", "status": 429, "headers": {"retry-after": str(seconds)}}
