"""What the bytes of a streamed reply say, and when each piece of it was in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from holysheep_helpers.timed_stream import Text

_LINE_END = re.compile(rb"\r\n|\r|\n")


def read_events(reads: Sequence[tuple[float, bytes]]) -> Iterator[tuple[float, dict[str, Any]]]:
    """The events of a reply that came in these pieces: (when its last byte was in, its JSON).

    What is no event with a JSON object (comments, an error's body) is passed over; ``[DONE]`` ends
    it, as it does for the SDK.
    """
    import httptools

    body = _Body()
    parser = httptools.HttpResponseParser(body)
    data: list[bytes] = []
    rest, half_end = b"", False
    for at_s, piece in reads:
        with suppress(httptools.HttpParserError):  # a reply broken off, or followed by rubbish
            parser.feed_data(piece)
        came = body.take()
        *lines, rest = _LINE_END.split(rest + (came.removeprefix(b"\n") if half_end else came))
        if came:
            half_end = came.endswith(b"\r")  # a line feed may follow, and is no line of its own
        for line in lines:
            if line.startswith(b"data:"):
                data.append(line[5:])
            elif not line and data:
                text = b"\n".join(data)
                data.clear()
                if text.strip() == b"[DONE]":
                    return
                event = _json(text)
                if isinstance(event, dict):
                    yield at_s, event


class _Body:
    """What httptools calls with a reply's content, its framing taken off."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def facts_of(reads: Sequence[tuple[float, bytes]], began_s: float) -> dict[str, Any]:
    """What the reply's bytes say, as keywords for ``TimedStream``; moments since ``began_s``."""
    texts: list[Text] = []
    facts: dict[str, Any] = {"chunks": 0}
    for at_s, event in read_events(reads):
        facts["chunks"] += 1
        facts["id"] = event.get("id") or facts.get("id")
        facts |= _usage(event.get("usage"))
        for choice in listed(event.get("choices")):
            if not isinstance(choice, Mapping):
                continue
            facts["finish_reason"] = choice.get("finish_reason") or facts.get("finish_reason")
            text, kind = text_of(choice.get("delta"))
            if text:
                texts.append(Text(at_s - began_s, len(text), kind))
    return facts | {"texts": tuple(texts)}


def listed(value: Any) -> list[Any]:
    """A list as it is, and nothing of what is none: servers send both as ``choices``."""
    return value if isinstance(value, list) else []


def text_of(delta: Any) -> tuple[str, str]:
    """The text of a delta, and its kind, ``answer`` or ``reasoning``.

    Gateways call reasoning by two names; Mistral's own models send it as a part of the content.
    """
    if not isinstance(delta, Mapping):
        return "", ""
    content = delta.get("content")
    parts = [part for part in listed(content) if isinstance(part, Mapping)]
    said = content if isinstance(content, str) else _joined([part.get("text") for part in parts])
    if said:
        return said, "answer"
    thoughts = [delta.get("reasoning_content"), delta.get("reasoning")]
    thought = next((text for text in thoughts if isinstance(text, str) and text), "")
    return thought or _joined([part.get("thinking") for part in parts]), "reasoning"


def _joined(value: Any) -> str:
    if isinstance(value, Mapping):
        value = value.get("text")
    return value if isinstance(value, str) else "".join(map(_joined, listed(value)))


def _usage(usage: Any) -> dict[str, int]:
    """The counts of tokens that are counts."""
    if not isinstance(usage, Mapping):
        return {}
    details = usage.get("completion_tokens_details")
    reasoning = details.get("reasoning_tokens") if isinstance(details, Mapping) else None
    found = {
        "prompt_tokens": usage.get("prompt_tokens"),
        "output_tokens": usage.get("completion_tokens"),
        "reasoning_tokens": reasoning,
    }
    return {name: value for name, value in found.items() if type(value) is int and value >= 0}
