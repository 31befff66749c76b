"""A usage object as the SDK has it."""

from __future__ import annotations

from typing import Any

from openai.types import CompletionUsage


def usage(prompt: int, completion: int, cached: int = 0, **more: Any) -> CompletionUsage:
    return CompletionUsage.model_validate({
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
        **more,
    })  # fmt: skip
