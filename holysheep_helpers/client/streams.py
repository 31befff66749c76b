"""Reading a stream, piece after piece: what it says, how it ends, and whether that is all of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import Any

import anyio
import httpx2
import openai
from openai.types import CompletionUsage

from holysheep_helpers.client import replies
from holysheep_helpers.client.gateway import check_in_time
from holysheep_helpers.client.replies import EventStream, ParsedReply
from holysheep_helpers.diagnosis.evidence import TRANSPORT, package_of
from holysheep_helpers.exceptions import (
    HolySheepError,
    IncompleteStreamError,
    UnexpectedReplyError,
    brief,
)

LONGEST_DRAIN_S = 0.1
"""How long the end of the body is waited for after ``[DONE]``, in seconds; the SDK's figure."""

_IN_STREAM = "An error occurred during streaming"  # as the SDK has it


class Reading:
    """What a stream has said until now; its texts are passed on as they come.

    A usage that comes later replaces an earlier one, and none is added up.
    ``first_s`` is the moment of the ``clock`` at which the first text or thought had been read.
    """

    def __init__(
        self, response: httpx2.Response, clock: Callable[[], float] = perf_counter
    ) -> None:
        self.first_s: float | None = None
        self.usage: CompletionUsage | None = None
        self.finish_reason: str | None = None
        self.model: str | None = None
        self.refusal = ""
        self.has_failed = False  # as an error in the stream says
        self.thoughts: list[str] = []
        self.texts: list[str] = []
        self.chunks = 0
        self._response, self._clock = response, clock
        self._events = EventStream()
        self._is_whole = False  # a whole answer came in the place of a stream

    def texts_of(self) -> Iterator[str]:
        """Read to the end; raises where the answer is not whole."""
        with self._to_the_end():
            for piece in self._response.iter_bytes():
                yield from self._take_all(self._events.feed(piece))
                if self._events.done:
                    break
            yield from self._take_rest()

    async def texts_of_async(self) -> AsyncIterator[str]:
        """``texts_of`` for asynchronous code."""
        with self._to_the_end():
            pieces = self._response.aiter_bytes()
            async for piece in pieces:
                for text in self._take_all(self._events.feed(piece)):
                    yield text
                if self._events.done:
                    with anyio.move_on_after(LONGEST_DRAIN_S):
                        async for _ in pieces:  # to its end, so that the connection is used again
                            pass
                    break
            for text in self._take_rest():
                yield text

    @contextmanager
    def _to_the_end(self) -> Iterator[None]:
        """A line that breaks after the finish reason has taken nothing away."""
        with lost_connections(self._response, but=lambda: bool(self.finish_reason)):
            yield
        self._check_end()

    def _take_all(self, events: list[bytes]) -> Iterator[str]:
        for event in events:
            if text := self._take(event):
                yield text

    def _take_rest(self) -> Iterator[str]:
        rest = self._events.take_rest()
        if rest.strip() and (body := replies.parse_json(rest)) is not None:
            self._is_whole = self._events.is_json and ParsedReply(body).is_answer
            if text := self._take(rest):
                yield text

    def _take(self, event: bytes) -> str:
        """Keep what this event says, and return its text."""
        try:
            body = replies.load_json(event)
        except (ValueError, RecursionError) as error:
            if self.finish_reason or not event.strip():
                return ""
            raise UnexpectedReplyError(
                f"A line of the stream is no JSON. {came_before(self.texts)}"
            ) from error
        said = ParsedReply(body)
        self.chunks += 1
        self.model = said.model or self.model
        self.usage = said.usage or self.usage
        error, is_json = said.error, self._events.is_json
        self.has_failed = error is not None
        if isinstance(body, dict) and body.get("error") and not is_json:
            raise self._error(error)
        if self.finish_reason is None:
            check_in_time(self.texts)
            self.finish_reason = said.finish_reason
        if thought := said.reasoning:
            self.thoughts.append(thought)
        self.refusal += said.refusal
        text = said.text
        if text:
            self.texts.append(text)
        if self.first_s is None and (text or thought):
            self.first_s = self._clock()
        if error is not None:
            request, text = self._response.request, "".join(self.texts)
            where = "with status 200" if is_json else "in the stream"
            what = f"The server reported an error {where}"
            raise replies.gateway_error(what, error, text, request, streamed=not is_json)
        return text

    def _error(self, error: Any) -> openai.APIError:
        """What the SDK raises for it."""
        words = error.get("message") if isinstance(error, dict) else None
        message = words if words and isinstance(words, str) else _IN_STREAM
        return openai.APIError(message, self._response.request, body=error)

    def _check_end(self) -> None:
        reason, text = self.finish_reason, "".join(self.texts)
        if replies.ending(reason) == "broken":
            raise replies.broken_off(reason, text, streamed=True)
        if self.chunks == 0 and not replies.is_event_stream(self._response):
            url = self._response.request.url
            raise replies.unexpected_reply(url, "an event stream", page=not self._events.is_json)
        if reason is None and not self._is_whole:
            raise IncompleteStreamError(
                f"The stream ended without a finish reason after {self.chunks} chunks: what came "
                "is not the whole answer. It is in this error's partial_text; asking again is a "
                "new, paid request.",
                text,
            )


def came_before(texts: Sequence[str]) -> str:
    """How much had come before an error, in a sentence."""
    came = f"{sum(map(len, texts))} characters had come, in the stream's .text"
    return f"{came}; asking again is a new, paid request."


@contextmanager
def lost_connections(
    response: httpx2.Response, but: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """Read inside: errors of the transport become the SDK's own, or end it where ``but`` says so.

    Which errors are meant is told by their package: a client may use ``httpx`` or ``httpx2``.
    """
    try:
        yield
    except Exception as error:
        is_system_s = isinstance(error, OSError) and not isinstance(error, HolySheepError)
        if package_of(error) not in {*TRANSPORT, "anyio"} and not is_system_s:
            raise
        if but():
            return
        if "TimeoutException" in {kind.__name__ for kind in type(error).__mro__}:
            raise brief(openai.APITimeoutError(request=response.request)) from error
        raise brief(openai.APIConnectionError(request=response.request)) from error
