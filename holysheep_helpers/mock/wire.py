"""The bodies and headers that an OpenAI-compatible server sends."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from holysheep_helpers import catalog
from holysheep_helpers.catalog import Model

CREATED = 1_767_225_600  # 2026-01-01 00:00:00 UTC: the base of all times that the mock states


@dataclass(eq=False)  # not frozen: on its way up an exception gets its traceback
class WireError(Exception):
    """An answer with an error in it: ``{"error": {"message", "type", "param", "code"}}``."""

    status: int
    message: str
    type: str = "invalid_request_error"
    param: str | None = None
    code: str | None = None
    headers: tuple[tuple[str, str], ...] = ()

    def body(self) -> dict[str, Any]:
        return {
            "error": {
                "message": self.message,
                "type": self.type,
                "param": self.param,
                "code": self.code,
            }
        }


def dump(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def model_body(model: Model, name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": model.owned_by}


def models_body() -> dict[str, Any]:
    return {"object": "list", "data": [model_body(m, m.id) for m in catalog.models()]}


def usage(prompt: int, completion: int) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


@dataclass(frozen=True, slots=True)
class Frame:
    """What all chunks of one stream share."""

    id: str
    created: int
    model: str
    with_usage: bool

    def chunk(self, choices: list[dict[str, Any]], used: dict[str, Any] | None = None) -> bytes:
        body: dict[str, Any] = {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "service_tier": "default",
            "choices": choices,
        }
        if self.with_usage:
            body["usage"] = used
        return b"data: " + dump(body) + b"\n\n"

    def delta(self, index: int, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        return self.chunk([choice])


DONE = b"data: [DONE]\n\n"


def completion_body(
    frame: Frame, texts: list[tuple[str, str]], used: dict[str, Any]
) -> dict[str, Any]:
    """A whole reply; ``texts`` are (content, finish reason), a pair for each choice."""
    return {
        "id": frame.id,
        "object": "chat.completion",
        "created": frame.created,
        "model": frame.model,
        "choices": [
            {
                "index": index,
                "message": {
                    "role": "assistant",
                    "content": text,
                    "refusal": None,
                    "annotations": [],
                },
                "logprobs": None,
                "finish_reason": finish,
            }
            for index, (text, finish) in enumerate(texts)
        ],
        "usage": used,
        "service_tier": "default",
    }
