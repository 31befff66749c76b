"""The bodies and headers that an OpenAI-compatible server sends."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from json.encoder import encode_basestring
from reprlib import Repr
from typing import Any

from holysheep_helpers import catalog
from holysheep_helpers.catalog import Model

CREATED = 1_767_225_600  # 2026-01-01 00:00:00 UTC: the base of all times that the mock states
Headers = tuple[tuple[str, str], ...]


_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 80


def shown(value: Any) -> str:
    """A value that a client sent, as an error repeats it: cut where it is long or deep."""
    return _SHORT.repr(value)


@dataclass(eq=False)  # not frozen: on its way up an exception gets its traceback
class WireError(Exception):
    """An answer with an error in it: ``{"error": {"message", "type", "param", "code"}}``."""

    status: int
    message: str
    type: str = "invalid_request_error"
    param: str | None = None
    code: str | None = None
    headers: Headers = ()

    def body(self) -> dict[str, Any]:
        return {
            "error": {
                "message": self.message,
                "type": self.type,
                "param": self.param,
                "code": self.code,
            }
        }


def model_body(model: Model, name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": model.owned_by}


def models_body() -> dict[str, Any]:
    return {"object": "list", "data": [model_body(m, m.id) for m in catalog.models()]}


def usage(
    prompt: int, completion: int, reasoning: int = 0, cached: int = 0, cost: str | None = None
) -> str:
    """Counts of tokens, as JSON; those of the reasoning are among the completion's.

    Cached ones are among the prompt's. ``cost`` in USD is stated by some gateways, not by OpenAI.
    """
    stated = "" if cost is None else f',"cost":{cost}'
    return (
        f'{{"prompt_tokens":{prompt},"completion_tokens":{completion},'
        f'"total_tokens":{prompt + completion},'
        f'"prompt_tokens_details":{{"cached_tokens":{cached},"audio_tokens":0}},'
        f'"completion_tokens_details":{{"reasoning_tokens":{reasoning},"audio_tokens":0,'
        f'"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}{stated}}}'
    )


class Frames:
    """The events of one stream. What all of them share is put together once."""

    def __init__(self, name: str, created: int, model: str, with_usage: bool) -> None:
        self._begin = (
            f'data: {{"id":"{name}","object":"chat.completion.chunk","created":{created},'
            f'"model":"{model}","service_tier":"default","choices":['
        ).encode()
        self._end = b'],"usage":null}\n\n' if with_usage else b"]}\n\n"

    def delta(self, index: int, delta: bytes, finish: str | None = None) -> bytes:
        """One choice's ``delta``, which is JSON already."""
        reason = b'"%b"' % finish.encode("ascii") if finish else b"null"
        return (
            b'%b{"index":%d,"delta":%b,"logprobs":null,"finish_reason":%b}%b'
            % (self._begin, index, delta, reason, self._end)
        )  # fmt: skip

    def texts(self, index: int, pieces: tuple[bytes, ...]) -> list[bytes]:
        """A frame for each piece of text, which is a JSON string already."""
        begin = b'%b{"index":%d,"delta":{"content":' % (self._begin, index)
        end = b'},"logprobs":null,"finish_reason":null}%b' % self._end
        return [b"%b%b%b" % (begin, piece, end) for piece in pieces]

    def bare(self, used: str | None = None) -> bytes:
        """A chunk without choices, with the usage if there is any."""
        if used is None:
            return self._begin + self._end
        return b'%b],"usage":%b}\n\n' % (self._begin, used.encode("ascii"))


ROLE = b'{"role":"assistant","content":"","refusal":null}'
DONE = b"data: [DONE]\n\n"
REMEMBERED = 250


def encoded(pieces: tuple[str, ...]) -> tuple[bytes, ...]:
    """Each piece of text as a JSON string. Those of short texts, which come again, are kept."""
    return _encode_again(pieces) if len(pieces) <= REMEMBERED else _encode(pieces)


def _encode(pieces: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(encode_basestring(piece).encode("utf-8") for piece in pieces)


_encode_again = lru_cache(maxsize=256)(_encode)


def choice(index: int, text: str, finish: str, reasoning: str = "") -> str:
    """One choice of a whole reply."""
    thought = f',"reasoning_content":{encode_basestring(reasoning)}' if reasoning else ""
    return (
        f'{{"index":{index},"message":{{"role":"assistant","content":{encode_basestring(text)},'
        f'"refusal":null,"annotations":[]{thought}}},"logprobs":null,"finish_reason":"{finish}"}}'
    )


def completion(name: str, created: int, model: str, choices: list[str], used: str) -> bytes:
    """A whole reply. Its parts are JSON already: this is most of what a request costs."""
    return (
        f'{{"id":"{name}","object":"chat.completion","created":{created},"model":"{model}",'
        f'"choices":[{",".join(choices)}],"usage":{used},"service_tier":"default"}}'
    ).encode()
