"""One question, one answer: whole (``ask``) or as it comes (``stream``, ``astream``)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from time import perf_counter
from typing import Any, Self, TypeVar

import anyio
import httpx2
import openai
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion

from holysheep_helpers import catalog
from holysheep_helpers.client import replies
from holysheep_helpers.client.gateway import Gateway, SdkClient, async_client, in_time, sync_client
from holysheep_helpers.client.replies import ParsedReply
from holysheep_helpers.client.requests import request_arguments, stream_arguments
from holysheep_helpers.client.streams import Reading, came_before, lost_connections
from holysheep_helpers.diagnosis import display
from holysheep_helpers.diagnosis.diagnose import add_advice
from holysheep_helpers.diagnosis.evidence import raised_by
from holysheep_helpers.exceptions import InputError, UnexpectedReplyError, warn
from holysheep_helpers.pricing.money import cost_or_none, warn_if_assumed

Made = TypeVar("Made")


class CutShortWarning(UserWarning):
    """A reply is not the whole answer, or may not be.

    If ``max_tokens`` has cut the answer, give more tokens, or ask for less. If the finish reason is
    unknown, read the answer before you rely on it.
    """


@dataclass(frozen=True)
class Reply:
    """One whole reply.

    Attributes:
        text: the answer; the first one, if ``n`` asked for several.
        usage: the server's count of tokens, as the SDK's ``CompletionUsage``, or ``None``; a count
            that can't be read is ``None``, and reasoning that the server counts apart is in
            ``completion_tokens``.
        cost: exact US dollars as a ``Decimal``, or ``None`` where no price was published.
        finish_reason: ``"stop"``, or ``"length"`` if ``max_tokens`` cut the answer; ``None`` if
            the server states none.
        model: the model's id, as the server states it; ``None`` if it states none.
        request_id: the server's id of this request, or ``None``.
        elapsed_s: seconds that the SDK's call took, its retries included.
        completion: the SDK's own ``ChatCompletion``, with all the answers.
        reasoning: the model's thoughts, as far as the server shows them; else empty.
        refusal: the model's words where it refuses to answer; else empty.
        cut_short: whether the answer was cut off, by ``max_tokens`` or by the model's window.

    Example:
        >>> reply = hs.ask(gw, "Say hello in Korean.")
        >>> reply.usage.completion_tokens > 0 and reply.cost > 0
        True
    """

    text: str
    usage: CompletionUsage | None
    cost: Decimal | None
    finish_reason: str | None
    model: str | None
    request_id: str | None
    elapsed_s: float
    completion: ChatCompletion = field(repr=False, compare=False)
    reasoning: str = field(default="", repr=False)
    refusal: str = field(default="", repr=False)

    @property
    def cut_short(self) -> bool:
        """Whether the answer was cut off, by ``max_tokens`` or by the model's window."""
        return replies.ending(self.finish_reason) == "cut"

    def summary(self) -> str:
        """Tokens, cost and finish reason in one line; no time, so that it can repeat."""
        model = self.model or "model not stated"
        bill = replies.bill(self.usage, self.cost)
        return f"{model} · {bill} · finish_reason {self.finish_reason}"

    def _note(self) -> str:
        """What to know of an answer that is not the whole one, in a sentence; else empty."""
        note = replies.ending_note(self.finish_reason, self.refusal)
        if not self.cut_short:
            return f"{note[:1].upper()}{note[1:]}." if note else ""
        tokens = f" after {self.usage.completion_tokens} tokens" if self.usage else ""
        return f"CUT SHORT{tokens} {note.removeprefix('cut ')}: this is not the whole answer."

    def __str__(self) -> str:
        return f"{self.text}\n{note}" if (note := self._note()) else self.text

    def __repr__(self) -> str:
        return f"{self}\n— {self.summary()}"

    def _repr_html_(self) -> str:
        return display.answer(self.text, self._note(), self.summary())


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

    A reply that ``max_tokens`` cut off warns (``CutShortWarning``) and says so whenever it is
    shown.

    Args:
        gateway_or_client: the gateway from ``hs.connect()``, or an ``openai.OpenAI`` client.
        prompt: the question, as text.
        system: the system prompt, as text. Default: none.
        model: the model's id. Default: the catalogue's default model.
        preset: the name of one of ``hs.catalog.presets()``, which sets ``temperature``,
            ``max_tokens`` (in tokens) and ``top_p``. Default: ``"general"``.
        **sdk_parameters: any other parameter of ``client.chat.completions.create``; it wins over
            the preset.

    Returns:
        A ``Reply`` with the text, its tokens, its cost and the time it took.

    Raises:
        InputError: the prompt is empty, the preset is unknown, or ``max_tokens`` is below 1.
            Nothing was sent.
        BudgetError: the gateway's budget is spent. Nothing was sent.
        openai.OpenAIError: the SDK's own errors, with a note on what to do.
        GatewayError: the reply is an error, or the server broke off, though the status is 200.
        UnexpectedReplyError: the server sent something else than a chat completion.

    Example:
        >>> reply = hs.ask(gw, "Say hello in Korean.")
        >>> reply.finish_reason
        'stop'
    """
    client = sync_client(gateway_or_client, "hs.astream, whose read() gives the whole answer")
    return answer(client, request_arguments(prompt, system, model, preset, sdk_parameters))


def answer(client: openai.OpenAI, arguments: dict[str, Any]) -> Reply:
    """``ask`` for helpers whose arguments are checked; warns the caller's caller of a cut reply."""
    start_s = perf_counter()
    with _with_advice():
        completion = client.chat.completions.create(**in_time(client, arguments))
    return _reply(completion, client, arguments, perf_counter() - start_s)


async def aanswer(client: openai.AsyncOpenAI, arguments: dict[str, Any]) -> Reply:
    """``answer`` for asynchronous code."""
    start_s = perf_counter()
    with _with_advice():
        completion = await client.chat.completions.create(**in_time(client, arguments))
    return _reply(completion, client, arguments, perf_counter() - start_s)


@contextmanager
def _with_advice() -> Iterator[None]:
    """Send a request inside: the SDK's error gets a note on what to do."""
    try:
        with replies.readable_head():
            yield
    except openai.OpenAIError as error:
        add_advice(error)
        raise
    except (ValueError, RecursionError) as error:
        if raised_by(error) not in ("json", "json.decoder"):
            raise
        raise UnexpectedReplyError(
            "The server answered with status 200, but with broken JSON."
        ) from error


def _reply(
    completion: object, client: SdkClient, arguments: dict[str, Any], elapsed_s: float
) -> Reply:
    if isinstance(completion, str):  # the SDK reads no JSON without its content type
        if not isinstance(body := replies.parse_json(completion.encode()), dict):
            raise replies.unexpected_reply(client.base_url, "a chat completion", page=True)
        completion = ChatCompletion.construct(**body)
    said = ParsedReply(completion)
    url, needed = client.base_url, "a chat completion"
    replies.check_answer(said, url, needed, lambda: _request(client, arguments))
    if not isinstance(completion, ChatCompletion):
        raise replies.unexpected_reply(client.base_url, "a chat completion", page=False)
    asked = arguments["model"]
    facts = said.facts("text", "usage", "finish_reason", "model", "reasoning", "refusal")
    facts["cost"] = cost_or_none(said.usage, said.model, asked)
    facts["request_id"] = getattr(completion, "_request_id", None)
    reply = Reply(**facts, elapsed_s=elapsed_s, completion=completion)
    warn_if_assumed(said.usage, said.model, asked, stacklevel=4)
    if replies.ending(said.finish_reason) in ("cut", "unknown"):
        _warn_of_end(reply.finish_reason, arguments)
    return reply


def _request(client: SdkClient, arguments: dict[str, Any]) -> httpx2.Request:
    """What was sent, as far as an error must not show it: the key and the messages."""
    asked = {"messages": arguments["messages"]}
    return httpx2.Request("POST", client.base_url, headers=client.auth_headers, json=asked)


def _warn_of_end(reason: str | None, arguments: dict[str, Any]) -> None:
    note = replies.ending_note(reason)
    if reason == "length":
        said = f"The reply was cut by max_tokens ({arguments.get('max_tokens', 'the default')}). "
        said += "Raise max_tokens, or ask for a shorter answer."
    elif replies.ending(reason) == "cut":
        said = f"The reply was {note}. Ask for a shorter answer, or split the text."
    else:
        said = f"The reply is {note}. Read the reply before you rely on it."
    warn(said, CutShortWarning, stacklevel=5)


def begin(client: openai.OpenAI, arguments: dict[str, Any], make: Callable[..., Made]) -> Made:
    """Send the request, and make a stream of the reply: ``make(raw, arguments, start_s)``."""
    start_s = perf_counter()
    with _with_advice():
        raw: Any = client.chat.completions.create(**in_time(client, arguments))
    if _is_json(raw, client):
        with lost_connections(raw.response):
            body = raw.response.read()
        _check_whole(body, raw.response, client)
    return make(raw, arguments, start_s)


async def abegin(
    client: openai.AsyncOpenAI, arguments: dict[str, Any], make: Callable[..., Made]
) -> Made:
    """``begin`` for asynchronous code."""
    start_s = perf_counter()
    with _with_advice():
        raw: Any = await client.chat.completions.create(**in_time(client, arguments))
    if _is_json(raw, client):
        with lost_connections(raw.response):
            body = await raw.response.aread()
        _check_whole(body, raw.response, client)
    return make(raw, arguments, start_s)


def _check_whole(body: bytes, response: httpx2.Response, client: SdkClient) -> None:
    """Check a whole answer before the stream is handed out; some send events under this type."""
    if body.lstrip()[:1] in b"{[":  # or nothing came
        said = ParsedReply(replies.parse_json(body))
        replies.check_answer(said, client.base_url, "an event stream", lambda: response.request)


def _is_json(raw: Any, client: SdkClient) -> bool:
    """Whether JSON came in the place of a stream; raises for a page."""
    is_stream = isinstance(raw, openai.Stream | openai.AsyncStream)
    kind = raw.response.headers.get("content-type", "") if is_stream else "html"
    if "html" in kind:
        raise replies.unexpected_reply(client.base_url, "an event stream", page=True)
    return "json" in kind


class StreamedReply:
    """What both kinds of stream gather while they are read."""

    def __init__(self, raw: Any, arguments: dict[str, Any], start_s: float) -> None:
        self.request_id: str | None = raw.response.headers.get("x-request-id")
        self.elapsed_s: float | None = None
        self.timeline: list[tuple[float, str]] = []
        self._raw = raw
        self._reading = Reading(raw.response)
        self._arguments = arguments
        self._start_s = start_s
        self._begun = False

    @property
    def text(self) -> str:
        return "".join(self._reading.texts)

    @property
    def reasoning(self) -> str:
        return "".join(self._reading.thoughts)

    @property
    def refusal(self) -> str:
        return self._reading.refusal

    @property
    def usage(self) -> CompletionUsage | None:
        return self._reading.usage

    @property
    def finish_reason(self) -> str | None:
        return self._reading.finish_reason

    @property
    def model(self) -> str:
        return self._reading.model or self._arguments["model"]

    @property
    def chunks(self) -> int:
        return self._reading.chunks

    @property
    def ttft_s(self) -> float | None:
        return self.timeline[0][0] if self.timeline else None

    @property
    def cost(self) -> Decimal | None:
        return cost_or_none(self.usage, self.model, self._arguments["model"])

    @property
    def complete(self) -> bool:
        """Whether the server itself said that it had finished, and did not break off."""
        is_said = replies.ending(self.finish_reason) in ("whole", "cut", "filtered")
        return is_said and not self._reading.has_failed

    @property
    def cut_short(self) -> bool:
        """Whether the answer was cut off, by ``max_tokens`` or by the model's window."""
        return replies.ending(self.finish_reason) == "cut"

    def _begin(self) -> None:
        if self._begun:
            raise InputError(
                "This stream was read already, and can be read once. Its text so far is in .text; "
                "to ask again, call hs.stream() again (that is a new, paid request)."
            )
        self._begun = True

    @contextmanager
    def _read_to_the_end(self) -> Iterator[None]:
        """Read all chunks inside: an error says how much came before it, and so does a bad end."""
        try:
            yield
        except openai.OpenAIError as error:
            error.add_note(came_before(self._reading.texts))
            raise
        finally:
            self._stop_clock()
        asked = self._arguments["model"]
        warn_if_assumed(self.usage, self._reading.model, asked, stacklevel=4)
        if replies.ending(self.finish_reason) == "unknown":
            _warn_of_end(self.finish_reason, self._arguments)

    def _came(self, text: str) -> None:
        """Note when this text came."""
        self.timeline.append((perf_counter() - self._start_s, text))

    def _stop_clock(self) -> None:
        if self.elapsed_s is None:
            self.elapsed_s = perf_counter() - self._start_s

    def __repr__(self) -> str:
        state = self.finish_reason or ("left early" if self.elapsed_s is not None else "open")
        return f"<{type(self).__name__} {self.model}: {len(self.text)} characters, {state}>"


class Stream(StreamedReply):
    """An answer that is still coming: iterate for its text, or ``read()`` it to the end.

    The request is sent when the object is made. Leaving the loop early, ``close()`` or the end of
    a ``with`` block closes the connection, which stops the server. Reading raises
    ``IncompleteStreamError`` at the end if the server never said that it had finished, and
    ``GatewayError`` if it said that it had broken off. A line that breaks after the finish reason
    has taken nothing away.

    Attributes:
        text: the text that has come so far.
        usage: the server's count of tokens, which comes at the end; ``None`` until then.
        cost: exact US dollars as a ``Decimal``; ``None`` until the usage is known.
        finish_reason: ``"stop"``, or ``"length"`` if ``max_tokens`` cut it; ``None`` until then.
        complete: whether the server said that it had finished.
        cut_short: whether the answer was cut off, by ``max_tokens`` or by the model's window.
        reasoning: the model's thoughts so far, as far as the server shows them.
        refusal: the model's words where it refuses to answer; else empty.
        model: the model's id, as the server states it.
        request_id: the server's id of this request, or ``None``.
        ttft_s: seconds from the call to the first text, as the application sees it.
        elapsed_s: seconds from the call to the end, or to the moment the stream was left.
        timeline: a list of (seconds since the call, text that came).
        chunks: how many chunks came, of any kind.

    Example:
        >>> with hs.stream(gw, "Count to three.") as answer:
        ...     text = "".join(answer)
        >>> answer.complete
        True
    """

    def __iter__(self) -> Iterator[str]:
        self._begin()
        return self._texts()

    def _texts(self) -> Generator[str]:
        try:
            with self._read_to_the_end():
                for text in self._reading.texts_of():
                    self._came(text)
                    yield text
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

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncStream(StreamedReply):
    """The asynchronous twin of ``Stream``: ``async for``, ``await read()``, ``async with``.

    Attributes:
        text: the text that has come so far; this and all others are those of ``Stream``.

    Example:
        >>> answer = await hs.astream(gw, "Count to three.")
        >>> text = await answer.read()
        >>> answer.complete
        True
    """

    def __aiter__(self) -> AsyncIterator[str]:
        self._begin()
        return self._texts()

    async def _texts(self) -> AsyncGenerator[str]:
        try:
            with self._read_to_the_end():
                async for text in self._reading.texts_of_async():
                    self._came(text)
                    yield text
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
        await anyio.sleep(0)  # aiohttp closes its socket in the loop's next turn

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
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

    The request is sent at once, not at the first iteration, and asks for the usage at its end
    (``stream_options``) unless you say otherwise. Once the stream has begun nothing is retried.

    Args:
        gateway_or_client: the gateway from ``hs.connect()``, or an ``openai.OpenAI`` client.
        prompt: the question, as text.
        system: the system prompt, as text. Default: none.
        model: the model's id. Default: the catalogue's default model.
        preset: the name of one of ``hs.catalog.presets()``. Default: ``"general"``.
        **sdk_parameters: any other parameter of ``client.chat.completions.create``; it wins over
            the preset.

    Returns:
        A ``Stream``: iterate over it for the text, or ``read()`` it to the end.

    Raises:
        InputError: as in ``hs.ask``, or ``n`` is more than 1. Nothing was sent.
        BudgetError: the gateway's budget is spent. Nothing was sent.
        openai.OpenAIError: the SDK's own errors, also while the stream is read, with a note.
        GatewayError: the server said, with status 200, that it has failed or broken off.
        UnexpectedReplyError: the server sent no event stream, or a line that is no JSON.
        IncompleteStreamError: the stream ended without a finish reason.

    Example:
        >>> for text in hs.stream(gw, "Count to three."):
        ...     print(text, end="")
        [canned reply] ...
    """
    client = sync_client(gateway_or_client, "hs.astream")
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
    """Ask in asynchronous code: ``async for text in await hs.astream(gw, "..."): ...``.

    Leave early inside ``async with await hs.astream(...) as answer:`` so that the connection is
    closed at once; a bare ``break`` leaves that to the event loop, a moment later.

    Args:
        gateway_or_client: the gateway from ``hs.connect()``, or an ``openai.AsyncOpenAI`` client.
        prompt: the question, as text.
        system: the system prompt, as text. Default: none.
        model: the model's id. Default: the catalogue's default model.
        preset: the name of one of ``hs.catalog.presets()``. Default: ``"general"``.
        **sdk_parameters: any other parameter of ``client.chat.completions.create``; it wins over
            the preset.

    Returns:
        An ``AsyncStream``, ``Stream``'s asynchronous twin.

    Raises:
        InputError, BudgetError, openai.OpenAIError, GatewayError, UnexpectedReplyError,
            IncompleteStreamError: as in ``hs.stream``.

    Example:
        >>> async with await hs.astream(gw, "Count to three.") as answer:
        ...     text = await answer.read()
        >>> text.startswith("[canned reply]")
        True
    """
    client = async_client(gateway_or_client, "hs.stream")
    arguments = stream_arguments(prompt, system, model, preset, sdk_parameters)
    return await abegin(client, arguments, AsyncStream)
