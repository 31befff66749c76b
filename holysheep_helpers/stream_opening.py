"""How a stream begins: its arguments, its request, and whether what came is a stream at all."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any, TypeVar

import openai

from holysheep_helpers.chat import request_arguments
from holysheep_helpers.deadlines import in_time
from holysheep_helpers.diagnosis.diagnose import add_advice
from holysheep_helpers.exceptions import InputError, UnexpectedReplyError

Made = TypeVar("Made")


def begin(client: openai.OpenAI, arguments: dict[str, Any], make: Callable[..., Made]) -> Made:
    """Send the request, and make a stream of the reply: ``make(raw, arguments=, start_s=)``."""
    start_s = perf_counter()
    try:
        raw = client.chat.completions.create(**in_time(client, arguments))
    except openai.OpenAIError as error:
        add_advice(error)
        raise
    if not isinstance(raw, openai.Stream) or not is_event_stream(raw):
        raise _no_stream(client)
    return make(raw, arguments=arguments, start_s=start_s)


async def abegin(
    client: openai.AsyncOpenAI, arguments: dict[str, Any], make: Callable[..., Made]
) -> Made:
    """``begin`` for asynchronous code."""
    start_s = perf_counter()
    try:
        raw = await client.chat.completions.create(**in_time(client, arguments))
    except openai.OpenAIError as error:
        add_advice(error)
        raise
    if not isinstance(raw, openai.AsyncStream) or not is_event_stream(raw):
        raise _no_stream(client)
    return make(raw, arguments=arguments, start_s=start_s)


def stream_arguments(
    prompt: object, system: object, model: object, preset: object, given: dict[str, Any]
) -> dict[str, Any]:
    """``chat.request_arguments`` for a stream, which asks for its usage."""
    if given.get("n") not in (None, 1):
        raise InputError(f"n is {given['n']!r}: one answer at a time can be streamed here.")
    arguments = request_arguments(prompt, system, model, preset, given)
    return {"stream_options": {"include_usage": True}, **arguments, "stream": True}


def is_event_stream(raw: openai.Stream[Any] | openai.AsyncStream[Any]) -> bool:
    """Whether the server answered with an event stream: the SDK takes a page for an empty one."""
    return "text/event-stream" in raw.response.headers.get("content-type", "")


def _no_stream(client: openai.OpenAI | openai.AsyncOpenAI) -> UnexpectedReplyError:
    return UnexpectedReplyError(
        f"{client.base_url} answered with status 200, but not with an event stream. A proxy's "
        "page, or a wrong address? Check it.",
        page=True,
    )
