"""The counts of tokens in a reply's usage, whichever server wrote them.

Source of the spellings: public recordings of OpenRouter, Mistral, DeepSeek, Kimi, xAI and litellm.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from openai.types import CompletionUsage
from openai.types.completion_usage import CompletionTokensDetails, PromptTokensDetails
from pydantic import BaseModel, ValidationError

MOST = 10**15
"""No count of tokens is as much."""

_DETAILS = ("prompt_tokens_details", "prompt_token_details")
_CACHED = ("prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens")
_WRITTEN = ("cache_creation_input_tokens", "cache_write_tokens", "cache_creation_tokens")


def read_usage(sent: object) -> CompletionUsage | None:
    """The usage that a server sent, as JSON or as the SDK's object; ``None`` if it counts nothing.

    A count that the SDK can't read as one is ``None``. Where the total is more than prompt and
    answer together, the difference is reasoning, which some servers count beside the answer: it
    belongs to the answer, and is billed with it. Cached tokens stand in ``prompt_tokens_details``
    whatever the server calls them.
    """
    said = fields_of(sent)
    if not said:
        return None
    prompt, answer = said.get("prompt_tokens"), said.get("completion_tokens")
    total = said.get("total_tokens")
    if type(prompt) is int and type(answer) is int and type(total) is int:
        details = said.get("prompt_tokens_details")
        known = fields_of(details).get("cached_tokens") or 0
        is_plain = 0 <= prompt < MOST and 0 <= answer < MOST and total == prompt + answer
        if is_plain and cache_parts(said, prompt)[0] == known:
            if isinstance(sent, CompletionUsage) and isinstance(details, BaseModel | None):
                return sent
            with suppress(ValidationError):
                return CompletionUsage.model_validate(said)
    return _mended(fields_of(_as_the_sdk_does(said)))


def _as_the_sdk_does(said: Mapping[str, Any]) -> CompletionUsage:
    try:
        return CompletionUsage.model_validate(said)
    except ValidationError:
        return CompletionUsage.construct(**said)


def _mended(said: Mapping[str, Any]) -> CompletionUsage | None:
    """``said`` is what the SDK makes of it: a count that came as text is one for all callers."""
    prompt, answer = count(said.get("prompt_tokens")), count(said.get("completion_tokens"))
    total = count(said.get("total_tokens"))
    thoughts = fields_of(said.get("completion_tokens_details"))
    thought = count(thoughts.get("reasoning_tokens"))
    if total is not None:
        if prompt is None and answer is not None:
            prompt = max(total - answer, 0)
        if prompt is not None:
            answer = max(answer or 0, total - prompt)
    elif answer is not None:  # nothing says whether the thoughts are in it
        answer = max(answer, thought or 0)
    if prompt is not None and answer is not None:
        total = prompt + answer
    if prompt is answer is total is None and said.get("cost") is None:
        return None
    fields: dict[str, Any] = {**said, "prompt_tokens_details": None}
    cached, written = cache_parts(said, prompt)
    if (details := fields_of(said.get("prompt_tokens_details"))) or cached or written:
        parts = {**details, "cached_tokens": cached, "cache_write_tokens": written or None}
        fields["prompt_tokens_details"] = PromptTokensDetails.construct(**parts)
    fields["completion_tokens_details"] = None
    if thoughts:
        parts = {**thoughts, "reasoning_tokens": thought}
        fields["completion_tokens_details"] = CompletionTokensDetails.construct(**parts)
    fields |= {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": total}
    return CompletionUsage.construct(**fields)


def cache_parts(usage: object, prompt: int | None) -> tuple[int, int]:
    """The tokens of the prompt that came out of a cache, and those that were written to one.

    What can't be a part of the prompt is 0: then those tokens have the price of the others.
    """
    said = fields_of(usage)
    cached, written = _part(said, _CACHED), _part(said, _WRITTEN)
    cached = cached if cached <= (prompt or 0) else 0
    return cached, written if cached + written <= (prompt or 0) else 0


def _part(said: Mapping[str, Any], names: tuple[str, ...]) -> int:
    found = [fields_of(said[name]) for name in _DETAILS if name in said]
    for place in (*found, said):
        for name in names:
            if name in place and (part := count(place[name])) is not None:
                return part
    return 0


def count(value: Any) -> int | None:
    """A count of tokens; ``None`` for what can't be one."""
    return value if type(value) is int and 0 <= value < MOST else None


def fields_of(value: Any) -> dict[str, Any]:
    """The fields of a JSON object, or of the SDK's object; empty for anything else."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, BaseModel):
        return {}
    return {**vars(value), **(value.__pydantic_extra__ or {})}
