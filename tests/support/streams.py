"""Streams made by hand: their events, the bytes that carry them, and what is read from those."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from holysheep_helpers.latency.data import Text, TimedStream
from holysheep_helpers.latency.wire import facts_of

MODEL = "mistral-small-2603"


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


END = b"0\r\n\r\n"


DONE = b"data: [DONE]\n\n"


COMMENT = b": keep-alive\n\n"


def event(**fields: Any) -> bytes:
    """An event of a stream, with the id ``x``."""
    shared = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": MODEL}
    return b"data: " + json.dumps(shared | fields).encode() + b"\n\n"


def delta(finish: str | None = None, **fields: Any) -> bytes:
    """An event with one choice, whose delta has these fields."""
    return event(choices=[{"index": 0, "delta": fields, "finish_reason": finish}])


def said(text: str) -> bytes:
    return delta(content=text)


def usage(output: Any, reasoning: Any = None, prompt: Any = 7) -> bytes:
    counts: dict[str, Any] = {"prompt_tokens": prompt, "completion_tokens": output}
    if reasoning is not None:
        counts["completion_tokens_details"] = {"reasoning_tokens": reasoning}
    return event(choices=[], usage=counts)


ROLE = delta(role="assistant", content="")


STOP = delta(finish="stop")


def framed(data: bytes) -> bytes:
    """A chunk of HTTP's chunked framing."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def arrived(*events: bytes, step_s: float = 0.1) -> list[tuple[float, bytes]]:
    """The reads of a reply whose events come ``step_s`` apart, the headers with the first."""
    reads = [((n + 1) * step_s, framed(data)) for n, data in enumerate(events)]
    last_s = reads[-1][0] if reads else step_s
    return [(reads[0][0] if reads else step_s, HEAD), *reads, (last_s, END)]


def read(*events: bytes, step_s: float = 0.1, **known: Any) -> TimedStream:
    """The stream of these events, sent at 0."""
    reads = arrived(*events, step_s=step_s)
    return made(**{"done_s": reads[-1][0], **facts_of(reads, 0.0), **known})


def made(**known: Any) -> TimedStream:
    """A stream with these facts; what is not given is as plain as can be."""
    plain = {"index": 0, "model": MODEL, "due_s": 0.0, "called_s": 0.0, "done_s": 1.0}
    return TimedStream(**{**plain, "sent_s": 0.0, **known})


def texts(moments: Sequence[float], kind: str = "answer") -> tuple[Text, ...]:
    return tuple(Text(at_s, 4, kind) for at_s in moments)
