"""``ask()``: one question, one whole reply, with everything that came with it."""

from __future__ import annotations

import warnings
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from html import escape
from json import JSONDecodeError
from time import perf_counter
from types import TracebackType
from typing import Any, Self, TypeVar

import openai
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from holysheep_helpers import catalog
from holysheep_helpers.client.gateway import (
    Gateway,
    async_client,
    check_in_time,
    in_time,
    sync_client,
)
from holysheep_helpers.client.requests import request_arguments, stream_arguments
from holysheep_helpers.diagnosis.diagnose import add_advice
from holysheep_helpers.exceptions import IncompleteStreamError, InputError, UnexpectedReplyError
from holysheep_helpers.pricing.calls import cost_or_none


class CutShortWarning(UserWarning):
    """A reply was cut by ``max_tokens``: it is not the whole answer."""


@dataclass(frozen=True)
class Reply:
    """One whole reply.

    ``text`` is the answer (the first, if ``n`` asked for several); ``usage`` the server's count of
    tokens; ``cost`` exact US dollars as a ``Decimal``, or ``None`` where no price was published;
    ``finish_reason`` ``"stop"`` or ``"length"`` (cut by ``max_tokens``); ``model`` and
    ``request_id`` as the server states them; ``elapsed_s`` the seconds that the SDK's call took,
    its retries included; ``completion`` the SDK's own object, with all the answers.
    """

    text: str
    usage: CompletionUsage | None
    cost: Decimal | None
    finish_reason: str
    model: str
    request_id: str | None
    elapsed_s: float
    completion: ChatCompletion = field(repr=False, compare=False)

    @property
    def cut_short(self) -> bool:
        """Whether ``max_tokens`` cut the answer off."""
        return self.finish_reason == "length"

    def __str__(self) -> str:
        return f"{self.text}\n{self._cut_note()}" if self.cut_short else self.text

    def _cut_note(self) -> str:
        tokens = f" after {self.usage.completion_tokens} tokens" if self.usage else ""
        return f"CUT SHORT{tokens} by max_tokens: this is not the whole answer."

    def summary(self) -> str:
        """Tokens, cost and finish reason in one line; no time, so that it can repeat."""
        used = self.usage
        tokens = f"{used.prompt_tokens} + {used.completion_tokens} tokens" if used else "no usage"
        cost = "cost unknown" if self.cost is None else f"{self.cost:f} USD"
        return f"{self.model} · {tokens} · {cost} · finish_reason {self.finish_reason}"

    def __repr__(self) -> str:
        return f"{self}\n— {self.summary()}"

    def _repr_html_(self) -> str:
        note = f"<p><strong>{escape(self._cut_note())}</strong></p>" if self.cut_short else ""
        lines = escape(self.summary()).replace("\n", "<br>")
        return (
            f'<div class="hs-reply"><p style="white-space:pre-wrap">{escape(self.text)}</p>{note}'
            f"<p><small>{lines}</small></p></div>"
        )


def ask(
    gateway_or_client: Gateway | openai.OpenAI,
    prompt: str,
    *,
    system: str | None = None,
    model: str = catalog.DEFAULT_MODEL,
    preset: str = "general",
    **sdk_parameters: Any,
) -> Reply:
    """Ask one question and wait for the whole reply.

    ``preset`` sets temperature, max_tokens and top_p (``hs.catalog.presets()``); any parameter of
    the SDK's ``chat.completions.create`` may be given and wins over it. A reply that
    ``max_tokens`` cut warns (``CutShortWarning``) and says so whenever it is shown.

    Raises ``InputError`` before anything is sent (empty prompt, unknown preset, negative
    max_tokens), ``BudgetError`` if the gateway's budget is spent, the SDK's own errors as they
    are, with a note on what to do, and ``UnexpectedReplyError`` if what came is no completion.
    """
    client = sync_client(gateway_or_client)
    return answer(client, request_arguments(prompt, system, model, preset, sdk_parameters))


def answer(client: openai.OpenAI, arguments: dict[str, Any]) -> Reply:
    """``ask`` for helpers whose arguments are checked; warns the caller's caller of a cut reply."""
    start_s = perf_counter()
    try:
        completion = client.chat.completions.create(**in_time(client, arguments))
    except openai.OpenAIError as error:
        add_advice(error)
        raise
    return _reply(completion, client, arguments, perf_counter() - start_s)


async def aanswer(client: openai.AsyncOpenAI, arguments: dict[str, Any]) -> Reply:
    """``answer`` for asynchronous code."""
    start_s = perf_counter()
    try:
        completion = await client.chat.completions.create(**in_time(client, arguments))
    except openai.OpenAIError as error:
        add_advice(error)
        raise
    return _reply(completion, client, arguments, perf_counter() - start_s)


def _reply(
    completion: object,
    client: openai.OpenAI | openai.AsyncOpenAI,
    arguments: Mapping[str, Any],
    elapsed_s: float,
) -> Reply:
    if not isinstance(completion, ChatCompletion) or not completion.choices:
        raise UnexpectedReplyError(
            f"{client.base_url} answered with status 200, but not with a chat completion (a "
            f"{type(completion).__name__} came). A proxy's page, or a wrong address? Check it.",
            page=isinstance(completion, str),
        )
    choice = completion.choices[0]
    reply = Reply(
        text=choice.message.content or "",
        usage=completion.usage,
        cost=cost_or_none(completion.usage, completion.model),
        finish_reason=choice.finish_reason,
        model=completion.model,
        request_id=completion._request_id,
        elapsed_s=elapsed_s,
        completion=completion,
    )
    if reply.cut_short:
        warnings.warn(
            f"The reply was cut by max_tokens ({arguments.get('max_tokens', 'the default')}): "
            "raise it, or ask for a shorter answer.",
            CutShortWarning,
            stacklevel=4,
        )
    return reply


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


def is_event_stream(raw: openai.Stream[Any] | openai.AsyncStream[Any]) -> bool:
    """Whether the server answered with an event stream: the SDK takes a page for an empty one."""
    return "text/event-stream" in raw.response.headers.get("content-type", "")


def _no_stream(client: openai.OpenAI | openai.AsyncOpenAI) -> UnexpectedReplyError:
    return UnexpectedReplyError(
        f"{client.base_url} answered with status 200, but not with an event stream. A proxy's "
        "page, or a wrong address? Check it.",
        page=True,
    )


class _Reading:
    """What both kinds of stream gather while they are read. All times are seconds.

    ``text`` so far; ``usage``, ``cost``, ``finish_reason``, ``model``, ``request_id`` once they
    are known; ``ttft_s`` from the call to the first text, as the application sees it;
    ``elapsed_s`` from the call to the end, or to the moment it was left; ``timeline`` a list of
    (seconds since the call, text that came); ``chunks`` the count of chunks of any kind.
    """

    def __init__(self, arguments: dict[str, Any], start_s: float) -> None:
        self.usage: CompletionUsage | None = None
        self.finish_reason: str | None = None
        self.model: str = arguments["model"]
        self.request_id: str | None = None
        self.elapsed_s: float | None = None
        self.timeline: list[tuple[float, str]] = []
        self.chunks = 0
        self._start_s = start_s
        self._begun = False

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.timeline)

    @property
    def ttft_s(self) -> float | None:
        return self.timeline[0][0] if self.timeline else None

    @property
    def cost(self) -> Decimal | None:
        return cost_or_none(self.usage, self.model)

    @property
    def complete(self) -> bool:
        """Whether the server itself said that it had finished."""
        return self.finish_reason is not None

    @property
    def cut_short(self) -> bool:
        """Whether ``max_tokens`` cut the answer off."""
        return self.finish_reason == "length"

    def _begin(self) -> None:
        if self._begun:
            raise InputError(
                "This stream was read already, and can be read once. Its text so far is in .text; "
                "to ask again, call hs.stream() again (that is a new, paid request)."
            )
        self._begun = True

    def _take(self, chunk: ChatCompletionChunk) -> str:
        self.chunks += 1
        self.model = chunk.model or self.model
        self.usage = chunk.usage or self.usage
        if not self.complete:
            check_in_time(len(self.text))
        if not chunk.choices:
            return ""
        choice = chunk.choices[0]
        self.finish_reason = choice.finish_reason or self.finish_reason
        text = choice.delta.content or ""
        if text:
            self.timeline.append((perf_counter() - self._start_s, text))
        return text

    def _stop_clock(self) -> None:
        if self.elapsed_s is None:
            self.elapsed_s = perf_counter() - self._start_s

    @contextmanager
    def _telling_what_came(self) -> Iterator[None]:
        """Say with an error in mid-stream how much came before it, and where that is."""
        came = "{} characters had come, in the stream's .text; asking again is a new, paid request."
        try:
            yield
        except JSONDecodeError as error:
            raise UnexpectedReplyError(
                "A line of the stream is no JSON. " + came.format(len(self.text))
            ) from error
        except openai.OpenAIError as error:
            error.add_note(came.format(len(self.text)))
            raise

    def _check_whole(self) -> None:
        if not self.complete:
            raise IncompleteStreamError(
                f"The stream ended without a finish reason after {self.chunks} chunks: what came "
                "is not the whole answer. It is in this error's partial_text; asking again is a "
                "new, paid request.",
                self.text,
            )

    def __repr__(self) -> str:
        state = self.finish_reason or ("left early" if self.elapsed_s is not None else "open")
        return f"<{type(self).__name__} {self.model}: {len(self.text)} characters, {state}>"


class Stream(_Reading):
    """An answer that is still coming: iterate for its text, or ``read()`` it to the end.

    The request is sent when the object is made. Leaving the loop early, ``close()`` or the end of
    a ``with`` block closes the connection, which stops the server. Raises
    ``IncompleteStreamError`` at the end if the server never said that it had finished.
    """

    def __init__(self, raw: openai.Stream[ChatCompletionChunk], **known: Any) -> None:
        super().__init__(**known)
        self._raw = raw
        self.request_id = raw.response.headers.get("x-request-id")

    def __iter__(self) -> Iterator[str]:
        self._begin()
        return self._texts()

    def _texts(self) -> Generator[str]:
        try:
            with self._telling_what_came():
                for chunk in self._raw:
                    if text := self._take(chunk):
                        yield text
            self._stop_clock()
            self._check_whole()
        finally:
            self.close()

    def read(self) -> str:
        """Read to the end and return the whole text."""
        for _ in self:
            pass
        return self.text

    def close(self) -> None:
        """Close the connection; what has come stays readable. Closing twice is fine."""
        self._stop_clock()
        self._raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()


class AsyncStream(_Reading):
    """``Stream``'s asynchronous twin: ``async for``, ``await read()``, ``async with``."""

    def __init__(self, raw: openai.AsyncStream[ChatCompletionChunk], **known: Any) -> None:
        super().__init__(**known)
        self._raw = raw
        self.request_id = raw.response.headers.get("x-request-id")

    def __aiter__(self) -> AsyncIterator[str]:
        self._begin()
        return self._texts()

    async def _texts(self) -> AsyncGenerator[str]:
        try:
            with self._telling_what_came():
                async for chunk in self._raw:
                    if text := self._take(chunk):
                        yield text
            self._stop_clock()
            self._check_whole()
        finally:
            await self.close()

    async def read(self) -> str:
        """Read to the end and return the whole text."""
        async for _ in self:
            pass
        return self.text

    async def close(self) -> None:
        """Close the connection; what has come stays readable. Closing twice is fine."""
        self._stop_clock()
        await self._raw.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self.close()


def stream(
    gateway_or_client: Gateway | openai.OpenAI,
    prompt: str,
    *,
    system: str | None = None,
    model: str = catalog.DEFAULT_MODEL,
    preset: str = "general",
    **sdk_parameters: Any,
) -> Stream:
    """Ask, and hand the answer on as it comes: ``for text in hs.stream(gw, "..."): ...``.

    Takes what ``hs.ask`` takes. The request is sent at once, not at the first iteration, and asks
    for the usage at the end (``stream_options``) unless you say otherwise. Once the stream has
    begun nothing is retried. Raises what ``hs.ask`` raises, and while it is read the SDK's errors
    (with a note on what had come), ``IncompleteStreamError``, and ``UnexpectedReplyError`` for a
    line that is no JSON.
    """
    client = sync_client(gateway_or_client)
    arguments = stream_arguments(prompt, system, model, preset, sdk_parameters)
    return begin(client, arguments, Stream)


async def astream(
    gateway_or_client: Gateway | openai.AsyncOpenAI,
    prompt: str,
    *,
    system: str | None = None,
    model: str = catalog.DEFAULT_MODEL,
    preset: str = "general",
    **sdk_parameters: Any,
) -> AsyncStream:
    """``stream()`` for asynchronous code: ``async for text in await hs.astream(gw, "..."): ...``.

    Leave early inside ``async with await hs.astream(...) as answer:`` so that the connection is
    closed at once; a bare ``break`` leaves that to the event loop, a moment later.
    """
    client = async_client(gateway_or_client)
    arguments = stream_arguments(prompt, system, model, preset, sdk_parameters)
    return await abegin(client, arguments, AsyncStream)
