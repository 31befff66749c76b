"""The load of a measurement: who asks when, in a closed or an open loop, and one stream asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from statistics import median
from typing import Any

import openai
from openai.types.chat.chat_completion_chunk import ChoiceDelta

from holysheep_helpers._checks import is_loopback
from holysheep_helpers.client.budget import BudgetError
from holysheep_helpers.client.chat import is_event_stream
from holysheep_helpers.client.gateway import Gateway
from holysheep_helpers.diagnosis.evidence import causes
from holysheep_helpers.exceptions import IncompleteStreamError, InputError, UnexpectedReplyError
from holysheep_helpers.latency.data import TimedStream
from holysheep_helpers.latency.wire import Probe, facts_of, listed, probe, text_of
from holysheep_helpers.pricing.calls import cost_or_none

FIRST_STAGGER_S = 0.1
"""Between two starts where no warm-up has told how long a stream takes."""


LONGEST_STAGGER_S = 1.0


FATAL = (400, 401, 402, 403, 404, 422)
"""Statuses that every further run would meet, too."""


Clock = Callable[[], float]


@dataclass(slots=True)
class Taken:
    """A run as it was taken. Its bytes are read later: that would delay the stamps of others.

    ``due_s`` is ``None`` in a closed loop, where it is the moment of the call.
    """

    index: int
    model: str
    due_s: float | None
    called_s: float = 0.0
    probe: Probe = field(default_factory=Probe, repr=False)
    handed_on_s: float | None = None
    done_s: float = 0.0
    cost_usd: Decimal | None = None
    error: Exception | None = None

    def read(self, began_s: float) -> TimedStream:
        """The run with all that its bytes say; moments in seconds since ``began_s``."""
        due_s = self.called_s if self.due_s is None else self.due_s
        marks = {"sent_s": self.probe.sent_s, "handed_on_s": self.handed_on_s}
        return TimedStream(
            index=self.index,
            model=self.model,
            due_s=due_s - began_s,
            called_s=self.called_s - began_s,
            done_s=self.done_s - began_s,
            connect_s=self.probe.connect_s,
            new_connection=self.probe.new_connection,
            cost_usd=self.cost_usd,
            error=label_of(self.error),
            **{name: None if at is None else at - began_s for name, at in marks.items()},
            **facts_of(self.probe.reads, began_s),
        )


def label_of(error: Exception | None) -> str | None:
    """A status or the error's type: its message may hold what belongs into no file.

    On aiohttp a refused, unknown or closed connection comes out as a time-out, too: it is one only
    if a time-out lies beneath.
    """
    if isinstance(error, openai.APIStatusError):
        return str(error.status_code)
    if isinstance(error, openai.APITimeoutError) and not any(
        isinstance(cause, TimeoutError) for cause in causes(error)
    ):
        return openai.APIConnectionError.__name__
    return None if error is None else type(error).__name__


async def take(client: openai.AsyncOpenAI, taken: Taken, clock: Clock, **arguments: Any) -> None:
    """Ask once through the SDK and read to the end; what goes wrong is in ``taken.error``.

    Raises ``BudgetError``: then nothing was sent.
    """
    probe.set(taken.probe)  # of this task and those that it starts
    taken.called_s = clock()
    try:
        await _read(client, taken, clock, arguments)
    except BudgetError:
        raise
    except (openai.OpenAIError, UnexpectedReplyError, TypeError, ValueError) as error:
        taken.error = error
    finally:
        taken.done_s = clock()


async def _read(
    client: openai.AsyncOpenAI, taken: Taken, clock: Clock, arguments: dict[str, Any]
) -> None:
    stream = await client.chat.completions.create(**arguments)
    if not isinstance(stream, openai.AsyncStream):
        raise UnexpectedReplyError("Status 200, but no stream.")
    finished = False
    async with stream:
        if not is_event_stream(stream):
            raise UnexpectedReplyError("Status 200, but no event stream.")
        async for chunk in stream:
            choices = listed(getattr(chunk, "choices", None))  # the SDK checks no shapes
            if taken.handed_on_s is None and any(map(_has_text, choices)):
                taken.handed_on_s = clock()
            finished = finished or any(getattr(one, "finish_reason", None) for one in choices)
            usage, model = getattr(chunk, "usage", None), getattr(chunk, "model", None)
            if usage is not None:
                taken.cost_usd = cost_or_none(usage, str(model))
    if not finished:
        taken.error = IncompleteStreamError("The stream ended without a finish reason.", "")


def _has_text(choice: object) -> bool:
    delta = getattr(choice, "delta", None)
    return isinstance(delta, ChoiceDelta) and text_of(dict(delta))[0] != ""


@dataclass
class Load:
    """Asks again and again with ``ask(index, due_s)``, which gives a ``Taken``.

    ``runs`` has what was taken, in the order of its end, ``warm`` the warm-up. After a fatal error
    (``stopped_by``), or one that nobody foresaw, nothing more is asked; what is under way is read
    to its end.
    """

    ask: Callable[[int, float | None], Awaitable[Taken]]
    clock: Clock
    on_end: Callable[[Taken], None] = lambda taken: None
    runs: list[Taken] = field(default_factory=list)
    warm: list[Taken] = field(default_factory=list)
    stopped_by: Exception | None = None
    began_s: float = 0.0
    busy: float = 0.0
    _worked_s: float = 0.0

    async def warm_up(self, count: int, concurrency: int) -> None:
        """At least ``count`` runs, ``concurrency`` at once, so that each has its connection."""
        for first in range(0, count, concurrency):
            if self.stopped_by is not None:
                return
            async with asyncio.TaskGroup() as group:
                for index in range(first, first + concurrency):
                    group.create_task(self._one(index, None, self.warm))

    async def closed(
        self, count: int, concurrency: int, stagger_s: float, ramp: bool = False
    ) -> None:
        """``concurrency`` askers, each asking anew as soon as it has its answer.

        Their first starts are ``stagger_s`` seconds apart. With ``ramp``, all but the last ask once
        for the warm-up before: the load is not whole yet. Only once, for the cost's sake: who has
        an answer at once, a 429 say, waits for the last to start.
        """
        askers, warm = min(concurrency, count), len(self.warm)
        todo, whole = iter(range(count)), asyncio.Event()

        async def asker(number: int) -> None:
            await asyncio.sleep(number * stagger_s)
            if ramp and number == askers - 1:
                self._begin()
                whole.set()
            elif ramp and self.stopped_by is None:
                await self._one(warm + number, None, self.warm)
                await whole.wait()
            for index in todo:
                if self.stopped_by is not None:
                    return
                await self._one(index, None, self.runs)

        with self._measuring():
            async with asyncio.TaskGroup() as group:
                for number in range(askers):
                    group.create_task(asker(number))

    async def opened(self, count: int, rate_per_s: float, draw: Random) -> None:
        """Starts at the moments of a Poisson process, whether or not answers have come."""
        with self._measuring():
            due_s = self.began_s
            async with asyncio.TaskGroup() as group:
                for index in range(count):
                    due_s += draw.expovariate(rate_per_s)
                    await asyncio.sleep(max(0.0, due_s - self.clock()))
                    if self.stopped_by is not None:
                        return
                    group.create_task(self._one(index, due_s, self.runs))

    def _begin(self) -> None:
        self.began_s, self._worked_s = self.clock(), time.thread_time()

    @contextmanager
    def _measuring(self) -> Iterator[None]:
        self._begin()
        try:
            yield
        finally:
            elapsed_s = max(self.clock() - self.began_s, 1e-9)
            self.busy = min((time.thread_time() - self._worked_s) / elapsed_s, 1.0)

    async def _one(self, index: int, due_s: float | None, into: list[Taken]) -> None:
        try:
            taken = await self.ask(index, due_s)
        except Exception as error:  # noqa: BLE001  # a spent budget, say: what was taken is kept
            self.stopped_by = self.stopped_by or error
            return
        if isinstance(taken.error, openai.APIStatusError) and taken.error.status_code in FATAL:
            self.stopped_by = self.stopped_by or taken.error
        into.append(taken)
        if into is self.runs:
            self.on_end(taken)


def stagger_s(warm: Sequence[Taken], concurrency: int) -> float:
    """Seconds between the first starts: the time of a stream, shared out among the askers."""
    took = [taken.done_s - taken.called_s for taken in warm if taken.error is None]
    return min(median(took) / concurrency, LONGEST_STAGGER_S) if took else FIRST_STAGGER_S


_MADE_BY_THE_SDK = {"SyncHttpxClientWrapper", "AsyncHttpxClientWrapper"}


def check_can_be_copied(target: object) -> None:
    """Raise ``InputError`` for what is no gateway and no client, or can't be copied whole.

    A bare client that was given an HTTP client of its own has settings (a proxy, certificates) that
    nothing can read back; a measurement without them would take another way than its calls.
    """
    if isinstance(target, Gateway):
        return
    if type(target) not in (openai.OpenAI, openai.AsyncOpenAI):  # Azure's ask in another way
        raise InputError(
            f"A {type(target).__name__} was given: hs.connect()'s gateway, an openai.AsyncOpenAI "
            "or an openai.OpenAI client is needed."
        )
    assert isinstance(target, openai.OpenAI | openai.AsyncOpenAI)
    http = type(target._client)
    if http.__name__ not in _MADE_BY_THE_SDK:
        raise InputError(
            f"This client has an http_client of its own (a {http.__name__}), whose settings can't "
            "be copied, and a measurement opens connections of its own. Give a client without one, "
            "or hs.connect()'s gateway; proxies are taken from the environment."
        )
    if not target.api_key and isinstance(target, openai.OpenAI):
        raise InputError(
            "This client's key comes from a function, which no event loop can ask: give "
            "an openai.AsyncOpenAI with an asynchronous one, or hs.connect()'s gateway."
        )


def measuring_client(target: Any) -> openai.AsyncOpenAI:
    """An asynchronous client like ``target``, for the running event loop: no retries, for each
    failure counts; yours to close."""
    if isinstance(target, Gateway):
        return target.async_client(max_retries=0)
    proxied = target.base_url.scheme == "https" or not is_loopback(target.base_url.host)
    http = openai.DefaultAioHttpClient(trust_env=proxied)
    plain = {"Accept-Encoding": "identity"}  # the bytes are read as they come
    if isinstance(target, openai.AsyncOpenAI):
        return target.copy(http_client=http, max_retries=0, default_headers=plain)
    client = openai.AsyncOpenAI(
        api_key=target.api_key,
        base_url=target.base_url,
        organization=target.organization,
        project=target.project,
        timeout=target.timeout,
        default_query=target.default_query,
        max_retries=0,
        http_client=http,
    )
    with openai.OpenAI(api_key=target.api_key, base_url=target.base_url) as bare:
        usual = bare.default_headers
    own = {
        name: value for name, value in target.default_headers.items() if usual.get(name) != value
    }
    return client.copy(default_headers={**own, **plain})
