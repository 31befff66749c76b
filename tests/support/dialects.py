"""What real gateways send: streams, whole replies and errors, each with what is true of it.

The shapes are those of public reports and recordings; texts and counts are made up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.answers import stream_of

USAGE = {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}


@dataclass(frozen=True)
class Streamed:
    """A stream: its bytes; the text; whether it is whole; (input, output) tokens; the cost."""

    name: str
    content: bytes
    text: str = "Hello"
    whole: bool = True
    tokens: tuple[int, int] | None = (10, 4)
    reasoning: str = ""
    cost: str | None = None


@dataclass(frozen=True)
class Replied:
    """A whole reply or an error: its kind (``""`` where an answer is due) and what follows.

    ``by_words`` names the kind that only the words of the message tell: the diagnosis can't.
    """

    name: str
    status: int
    body: Any
    kind: str = ""
    again: bool = False
    wait_s: float | None = None
    other_model: bool | None = None
    text: str = ""
    by_words: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def chunk(*choices: dict[str, Any], model: str = "mistral-small-2603", **more: Any) -> dict:
    """A chunk of a stream with these choices."""
    known = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1796000000}
    return {**known, "model": model, "choices": list(choices), **more}


def choice(delta: Any, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish, **more}


def said(text: Any, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return choice({"role": "assistant", "content": text}, finish, **more)


def thinking(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "thinking", "thinking": [{"type": "text", "text": text}], **more}


END = choice({}, "stop")
BUSY = ": OPENROUTER PROCESSING"
ROUTED = {
    **USAGE,
    "cost": 0.0145,
    "is_byok": False,
    "cost_details": {"upstream_inference_cost": 0.00018},
    "prompt_tokens_details": {"cached_tokens": 6, "cache_write_tokens": 2},
    "completion_tokens_details": {"reasoning_tokens": 1},
}
LOST = {"code": 502, "message": "Provider disconnected"}
FLAT = {"object": "error", "message": "out of memory", "type": "X", "param": None, "code": 500}
NO_FINISH = {"index": 0, "delta": {"role": "assistant", "content": "Hel"}}

STREAMS = [
    Streamed(
        "openrouter: the finish reason twice, usage with the second",
        stream_of(
            *[BUSY] * 5, chunk(said("Hel")), chunk(said("lo")), chunk(said("", "stop")),
            chunk(said("", "stop"), usage=ROUTED),
        ),
        cost="0.0145",
    ),
    Streamed(
        "openrouter: an error in mid-stream",
        stream_of(BUSY, chunk(said("Hel")), chunk(said("", "error"), error=LOST), done=False),
        "Hel", whole=False, tokens=None,
    ),
    Streamed(
        "openrouter: usage in the chunk of the error",
        stream_of(
            chunk(said("Hel")), chunk(said("", "length")),
            chunk(said(""), error={"code": 400, "message": "Token limit"}, usage=ROUTED),
        ),
        "Hel", whole=False, cost="0.0145",
    ),
    Streamed(
        "mistral: the last text, the finish reason and usage in one chunk",
        stream_of(chunk(said("")), chunk(said("Hel")), chunk(said("lo", "stop"), usage=USAGE)),
    ),
    Streamed(
        "mistral: thoughts and text as lists of parts",
        stream_of(
            chunk(said("")), chunk(said([thinking("hmm")])),
            chunk(said([thinking(" ok", closed=True)])),
            chunk(said([{"type": "text", "text": "Hel"}])), chunk(said("lo")),
            chunk(said("", "stop"), usage=USAGE),
        ),
        reasoning="hmm ok",
    ),
    Streamed(
        "deepseek: comments, thoughts apart, usage null until the end",
        stream_of(
            *[": keep-alive"] * 3,
            chunk(choice({"role": "assistant", "content": None, "reasoning_content": ""})),
            chunk(choice({"content": None, "reasoning_content": "hmm"}), usage=None),
            chunk(choice({"content": "Hello", "reasoning_content": None}), usage=None),
            chunk(
                choice({"content": "", "reasoning_content": None}, "stop"),
                usage={**USAGE, "prompt_cache_hit_tokens": 6, "prompt_cache_miss_tokens": 4},
            ),
        ),
        reasoning="hmm",
    ),
    Streamed(
        "deepseek: broken off for want of resources",
        stream_of(
            chunk(said("Hel"), usage=None),
            chunk(said("", "insufficient_system_resource"), usage=USAGE),
        ),
        "Hel", whole=False,
    ),
    Streamed(
        "gemini: usage in every chunk, cumulative",
        stream_of(
            chunk(said("Hel"), usage={"prompt_tokens": 10, "completion_tokens": 2}),
            chunk(said("lo", "stop"), usage=USAGE),
        ),
    ),
    Streamed(
        "gemini: thoughts have taken all of max_tokens",
        stream_of(
            chunk(
                choice({"role": "assistant"}, "length"),
                usage={"prompt_tokens": 10, "completion_tokens": 0, "total_tokens": 74},
            ),
        ),
        "", tokens=(10, 64),
    ),
    Streamed(
        "azure: a first chunk without choices, id and model",
        stream_of(
            {"id": "", "object": "", "created": 0, "model": "", "choices": [],
             "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}]},
            chunk(said("")), chunk(said("Hello", content_filter_results={})), chunk(END),
        ),
        tokens=None,
    ),
    Streamed(
        "vllm: aborted, and [DONE] all the same",
        stream_of(chunk(said("")), chunk(said("Hel")), chunk(choice({}, "abort"))),
        "Hel", whole=False, tokens=None,
    ),
    Streamed(
        "vllm: an error, and [DONE] after it",
        stream_of(
            chunk(said("Hel")),
            {"error": {"message": "engine died", "type": "InternalServerError", "code": 500}},
        ),
        "Hel", whole=False, tokens=None,
    ),
    Streamed(
        "older servers: a flat error", stream_of(chunk(said("Hel")), FLAT),
        "Hel", whole=False, tokens=None,
    ),
    Streamed(
        "litellm: no finish reason until the end, usage beside an empty choice",
        stream_of(
            chunk(NO_FINISH), chunk({"index": 0, "delta": {"content": "lo"}}), chunk(END),
            chunk({"index": 0, "delta": {}}, usage={**USAGE, "cost": 0.0}),
        ),
        cost="0.0",
    ),
    Streamed(
        "groq: usage twice in one chunk, times as floats beside it",
        stream_of(
            chunk(choice({"role": "assistant", "content": None, "reasoning": "hmm"})),
            chunk(choice({"content": "Hello"})),
            chunk(END, usage={**USAGE, "queue_time": 0.05}, x_groq={"id": "1", "usage": USAGE}),
        ),
        reasoning="hmm",
    ),
    Streamed(
        "groq: an event named error",
        stream_of(
            chunk(said("Hel")),
            'event: error\ndata: {"error": {"message": "failed", "code": "tool_use_failed"}}',
            done=False,
        ),
        "Hel", whole=False, tokens=None,
    ),
    Streamed(
        "kimi: usage in the choice, and again",
        stream_of(
            chunk(said("")), chunk(said("Hello")), chunk(choice({}, "stop", usage=USAGE)),
            chunk(usage={**USAGE, "cached_tokens": 6}),
        ),
    ),
    Streamed(
        "kimi: usage in the choice alone",
        stream_of(chunk(said("Hello")), chunk(choice({}, "stop", usage=USAGE))),
    ),
    Streamed(
        "z.ai: a network error, with status 200",
        stream_of(chunk(NO_FINISH), chunk(said("", "network_error"), usage=USAGE)),
        "Hel", whole=False,
    ),
    Streamed(
        "ollama: the error is lost, and the stream just ends",
        stream_of(chunk(said("Hel")), chunk(choice({"content": ""}), model=""), done=False),
        "Hel", whole=False, tokens=None,
    ),
    Streamed(
        "xai: thoughts are counted outside of completion_tokens",
        stream_of(
            chunk(said("Hello")), chunk(END),
            chunk(usage={**USAGE, "total_tokens": 64,
                         "completion_tokens_details": {"reasoning_tokens": 50}}),
        ),
        tokens=(10, 54),
    ),
    Streamed(
        "a delta that is null",
        stream_of(chunk(said("Hello")), chunk(choice(None, "stop"))), tokens=None,
    ),
]  # fmt: skip


def whole(message: Any, finish: str | None = "stop", **more: Any) -> dict[str, Any]:
    """A whole reply with this message."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1796000000,
        "model": "mistral-small-2603",
        "choices": [{"index": 0, "message": message, "finish_reason": finish, **more}],
        "usage": USAGE,
    }


def error(message: Any, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


def flat(message: Any, **more: Any) -> dict[str, Any]:
    return {"object": "error", "message": message, "param": None, **more}


def native(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}}


def google(code: int, status: str, message: str, *details: dict[str, Any]) -> list[Any]:
    return [error(message, code=code, status=status, details=list(details))]


ASSISTANT = {"role": "assistant", "content": "Hel"}
PARTS = {"role": "assistant", "content": [thinking("hmm"), {"type": "text", "text": "Hello"}]}
DAILY = {
    "headers": {"X-RateLimit-Limit": "50", "X-RateLimit-Reset": "1791331200000"},
    "limit_source": "openrouter_free_tier_daily",
}
POOL = {"limit_source": "upstream_provider_shared_pool", "retry_after_seconds": 11}
IN_FLIGHT = {"limit_source": "openrouter_in_flight_budget"}
FLAGGED = {"reasons": ["violence"], "flagged_input": "...", "model_slug": "m"}
RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "8s"}
API_KEY = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
FORBIDDEN = {"detail": [{"type": "extra_forbidden", "loc": ["body", "max_completion_tokens"],
                         "msg": "Extra inputs are not permitted", "input": 5}]}  # fmt: skip

REPLIES = [
    Replied("openrouter: 200 with an error 502", 200, error("upstream", code=502),
            "server_error", True, other_model=True),
    Replied("openrouter: 200 with an error 402", 200, error("Insufficient credits", code=402),
            "quota"),
    Replied("openrouter: a choice with an error", 200, whole(ASSISTANT, "error", error=LOST),
            "server_error", True, text="Hel", other_model=True),
    Replied("gemini: choices null", 200, {**whole(None), "choices": None}, "unexpected_reply"),
    Replied("gemini: message null, filtered", 200, whole(None, "content_filter")),
    Replied("mistral: parts", 200, whole(PARTS), text="Hello"),
    Replied("mistral: model_length", 200, whole(ASSISTANT, "model_length"), text="Hel"),
    Replied("deepseek: blank lines alone", 200, "\n\n\n\n", "bad_json", True),
    Replied("openrouter: 402", 402, error("more credits", code=402), "quota"),
    Replied("openrouter: 402 in flight", 402, error("busy", code=402, metadata=IN_FLIGHT),
            "rate_limit", True, 3.0, headers={"retry-after": "3"}),
    Replied("openrouter: 429 for the day", 429, error("per day", code=429, metadata=DAILY),
            "quota"),
    Replied("openrouter: 429 of a provider", 429, error("later", code=429, metadata=POOL),
            "rate_limit", True, 11.0, other_model=True),
    Replied("openrouter: 403 moderation", 403, error("flagged", code=403, metadata=FLAGGED),
            "refused_content"),
    Replied("openrouter: 400 context", 400, error("maximum context length", code=400),
            "bad_request", by_words="too_long"),
    Replied("openrouter: 400 model", 400, error("x is not a valid model ID", code=400),
            "bad_request", by_words="unknown_model"),
    Replied("deepseek: 402", 402, error("no", type="unknown_error", code="invalid_request_error"),
            "quota"),
    Replied("deepseek: context", 400,
            error("maximum context", type="invalid_request_error", code="invalid_request_error"),
            "bad_request", by_words="too_long"),
    Replied("mistral: context", 400, flat("too large", type="invalid_request_prompt", code="3051"),
            "bad_request", by_words="too_long"),
    Replied("mistral: 422, the message an object", 422, flat(FORBIDDEN, type="x", code=None),
            "bad_request"),
    Replied("gemini: 429 with a wait", 429,
            google(429, "RESOURCE_EXHAUSTED", "exhausted", RETRY_INFO), "rate_limit", True, 8.0),
    Replied("gemini: wrong key", 400, google(400, "INVALID_ARGUMENT", "API key", API_KEY),
            "wrong_key"),
    Replied("gemini: wrong key, without a reason", 400,
            google(400, "INVALID_ARGUMENT", "API key"), "bad_request", by_words="wrong_key"),
    Replied("gemini: context", 400, google(400, "INVALID_ARGUMENT", "token count exceeds"),
            "bad_request", by_words="too_long"),
    Replied("anthropic: no credit", 400, native("invalid_request_error", "credit balance"),
            "bad_request", by_words="quota"),
    Replied("anthropic: context", 400, native("invalid_request_error", "prompt is too long"),
            "bad_request", by_words="too_long"),
    Replied("anthropic: overloaded", 529, native("overloaded_error", "Overloaded"),
            "server_error", True, other_model=True),
    Replied("azure: prompt filtered", 400,
            error("filtered", type=None, param="prompt", code="content_filter", status=400),
            "refused_content"),
    Replied("litellm: 429", 429, error("slow down", type="throttling_error", code="429"),
            "rate_limit", True, 7.0, headers={"llm_provider-retry-after": "7"}),
    Replied("litellm: context", 400, error("context window", type=None, code="400"),
            "bad_request", by_words="too_long"),
    Replied("litellm: model", 400, error("Invalid model name", type="None", code="400"),
            "bad_request", by_words="unknown_model"),
    Replied("groq: 413 over the minute's tokens", 413,
            error("Request too large", type="tokens", code="rate_limit_exceeded"), "too_long"),
    Replied("groq: 498", 498, error("capacity", type="x", code="capacity_exceeded"),
            "server_error", True, other_model=True),
    Replied("together: 403 context", 403, error("longer", type="invalid_request_error"),
            "forbidden", by_words="too_long"),
    Replied("kimi: no money", 429, error("recharge", type="exceeded_current_quota_error"),
            "quota"),
    Replied("kimi: overload", 429, error("overloaded", type="engine_overloaded_error"),
            "rate_limit", True),
    Replied("kimi: context", 400, error("token limit", type="invalid_request_error"),
            "bad_request", by_words="too_long"),
    Replied("z.ai: no money", 429, error("recharge", code="1113"), "quota"),
    Replied("z.ai: concurrency", 429, error("High concurrency", code="1302"),
            "rate_limit", True),
    Replied("llama.cpp: context", 400,
            error("too many", code=400, type="exceed_context_size_error", n_ctx=4096,
                  n_prompt_tokens=4390), "too_long"),
    Replied("llama.cpp: 500 context", 500, error("Context size", code=500, type="server_error"),
            "server_error", True, by_words="too_long"),
    Replied("llama.cpp: loading", 503, error("Loading", code=503, type="unavailable_error"),
            "server_error", True),
    Replied("sglang: flat", 400, flat("longer than", type="BadRequestError", code=400),
            "bad_request", by_words="too_long"),
    Replied("cerebras: 413 without a body", 413, "", "too_long"),
    Replied("bedrock: 429", 429, error("Too many tokens, please wait"), "rate_limit", True),
    Replied("openai: quota", 429, error("quota", type="insufficient_quota",
            code="insufficient_quota"), "quota"),
]  # fmt: skip
