"""``failover()``: where one model fails, and only then, the next one is asked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from time import perf_counter
from typing import Any, Literal, Protocol, Self, cast, overload
from weakref import WeakKeyDictionary

import openai

from holysheep_helpers.client.chat import AsyncStream, Reply, Stream, aanswer, abegin, answer, begin
from holysheep_helpers.client.gateway import Gateway, async_client, left_s, sync_client
from holysheep_helpers.client.requests import checked_models, request_arguments, stream_arguments
from holysheep_helpers.diagnosis.diagnose import Diagnosis, diagnose
from holysheep_helpers.diagnosis.waiting import RETRY_AFTER
from holysheep_helpers.exceptions import AllFailedError, HolySheepError, InputError
from holysheep_helpers.resilience.circuit_breaker import CircuitBreaker, Permit

_breakers: WeakKeyDictionary[Any, CircuitBreaker] = WeakKeyDictionary()


@dataclass(frozen=True)
class Tried:
    """What became of one model's turn.

    It answered; or it failed, with ``error``, which ``why`` explains; or its circuit was open for
    ``cooling_s`` seconds more, and nothing was sent. ``elapsed_s`` is what its turn took, in
    seconds (of a stream: until its first text). ``cost`` is exact US dollars: 0 where nothing can
    have been billed, ``None`` where nobody knows.
    """

    model: str
    error: Exception | None = field(default=None, repr=False)
    why: Diagnosis | None = None
    cooling_s: float | None = None
    elapsed_s: float = 0.0
    cost: Decimal | None = Decimal(0)

    @property
    def answered(self) -> bool:
        return self.error is None and self.cooling_s is None

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled. An SDK's error can't be read back, and has the request, with its key, in
        it: what it says goes along instead."""
        error, state = self.error, dict(vars(self))
        if error is not None and not isinstance(error, HolySheepError) and not _is_built_in(error):
            state["error"] = HolySheepError(f"{type(error).__name__}: {error}")
        return state

    def __str__(self) -> str:
        if self.cooling_s is not None:
            return f"{self.model} left alone"
        if self.why is None:
            return f"{self.model} answered"
        return f"{self.model} {self.why.kind}{' (may have cost)' if self.cost is None else ''}"


def _is_built_in(error: Exception) -> bool:
    return type(error).__module__ == "builtins"


def possibly_paid(tried: Sequence[Tried]) -> int:
    """How many of these may have been billed, as far as anyone can know."""
    return sum(one.cost is None for one in tried)


def breaker_of(target: object) -> CircuitBreaker:
    """The circuit breaker that all calls through this gateway or client share, unless given one."""
    return _breakers.setdefault(target, CircuitBreaker())


def judge(permit: Permit, error: Exception) -> Diagnosis:
    """Tell a permit what this error says of its model, and give the diagnosis."""
    why = diagnose(error)
    if why.other_model:
        told_s = why.wait_s if why.wait_said_by in RETRY_AFTER else None
        permit.failed(told_s, for_sure=not why.retryable)
    else:
        permit.no_verdict()
    return why


class Turns:
    """The models' turns in one call: iterate for those that may be asked, and ask in ``turn()``."""

    def __init__(
        self, models: Sequence[str], breaker: CircuitBreaker | None, target: object
    ) -> None:
        if breaker is not None and not isinstance(breaker, CircuitBreaker):
            raise InputError(f"breaker is {breaker!r}: an hs.CircuitBreaker is needed, or None.")
        self.start_s = perf_counter()
        self._models = models
        self._breaker = breaker or breaker_of(target)
        self._tried: list[Tried] = []
        self._permit: Permit | None = None
        self._handed_on = False

    def __iter__(self) -> Iterator[str]:
        for model in self._models:
            remains_s = left_s() if self._tried else None
            if remains_s is not None and remains_s <= 0:
                return
            self._permit = self._breaker.permit(model)
            if self._permit is None:
                cooling_s = self._breaker.cooling_s(model)
                self._tried.append(Tried(model, cooling_s=cooling_s))
            else:
                yield model

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Ask inside: an error that another model may be spared ends here, any other goes on."""
        permit, start_s = cast(Permit, self._permit), perf_counter()
        try:
            yield
        except Exception as error:
            why = judge(permit, error)
            if not why.other_model:
                self._say_why_it_ends(error, why)
                raise
            bare = error.with_traceback(None)  # or its frames would keep everything alive
            cost = None if why.may_have_cost else Decimal(0)
            self._tried.append(
                Tried(permit.model, bare, why, elapsed_s=perf_counter() - start_s, cost=cost)
            )
        except BaseException:  # cancelled, interrupted: no word on the model
            permit.no_verdict()
            raise
        else:
            if not self._handed_on:
                permit.answered()

    def hand_on_permit(self) -> Permit:
        """The permit of the turn under way, for a stream: whoever reads it tells how it ended."""
        self._handed_on = True
        return cast(Permit, self._permit)

    def until(self, model: str, cost: Decimal | None) -> tuple[Tried, ...]:
        """All turns, the last of which this model answered just now, at this cost."""
        before_s = sum(one.elapsed_s for one in self._tried)
        elapsed_s = perf_counter() - self.start_s - before_s
        return (*self._tried, Tried(model, elapsed_s=elapsed_s, cost=cost))

    def _say_why_it_ends(self, error: Exception, why: Diagnosis) -> None:
        if self._tried:
            error.add_note(f"Before it: {' → '.join(map(str, self._tried))}.")
        asked = len(self._tried) + 1
        if asked < len(self._models):
            left = ", ".join(self._models[asked:])
            error.add_note(f"Not asked: {left}. Another model can't help ({why.kind}).")

    def all_failed(self) -> AllFailedError:
        """What to raise once no model is left."""
        turns = "; ".join(
            f"{one.model}: {one.why.kind}" if one.why else
            f"{one.model}: left alone for {one.cooling_s:.1f} s more" for one in self._tried
        )  # fmt: skip
        left = self._models[len(self._tried) :]
        late = f"; no time was left for {', '.join(left)}" if left else ""
        error = AllFailedError(
            f"None of {len(self._models)} models answered ({turns}{late}). Each one's error is in "
            ".tried; hs.diagnose() of this error says whether, and when, to ask again.",
            tuple(self._tried),
        )
        error.__cause__ = error.errors[-1] if error.errors else None
        return error


class _Costing(Protocol):
    _turns: tuple[Tried, ...]

    @property
    def cost(self) -> Decimal | None: ...


class _WithTurns:
    """What became of the models before the first text came."""

    _turns: tuple[Tried, ...] = ()
    _permit: Permit | None = None

    @contextmanager
    def _judged(self) -> Iterator[None]:
        """Read the stream inside: then the circuit breaker learns how it ended."""
        permit, self._permit = self._permit, None
        if permit is None:  # it was closed before
            yield
            return
        try:
            yield
        except Exception as error:
            judge(permit, error)
            raise
        except GeneratorExit:  # left by its reader, who had text
            permit.answered()
            raise
        except BaseException:  # cancelled, interrupted
            permit.no_verdict()
            raise
        else:
            permit.answered()

    def _left(self) -> None:
        """Closed by somebody who has not begun to read: its first text had come."""
        permit, self._permit = self._permit, None
        if permit is not None:
            permit.answered()

    @property
    def tried(self: _Costing) -> tuple[Tried, ...]:
        return (*self._turns[:-1], *(replace(one, cost=self.cost) for one in self._turns[-1:]))

    @property
    def possibly_paid_twice(self) -> int:
        """How many requests before the answer may have been billed, too."""
        return possibly_paid(self._turns[:-1])


class FailoverStream(_WithTurns, Stream):
    """A stream whose first text is there; ``tried`` has each model's turn until then.

    The last one's cost is ``None`` until the stream has told its usage, at its end. What becomes
    of it after its first text is told to the circuit breaker: broken off is failed.

    ``ttft_s`` and ``elapsed_s`` are from the call, the failed turns included. Once the first text
    is there, an error is raised: another model's answer would begin anew below what is shown.
    """

    _coming: Generator[str]
    _first = ""

    @classmethod
    def begin(cls, client: openai.OpenAI, arguments: dict[str, Any], turns: Turns) -> Self:
        """Send the request and wait for its first text; raises what comes in its place."""
        stream = begin(client, arguments, cls)
        stream._start_s = turns.start_s
        stream._coming = super(cls, stream)._texts()
        stream._first = next(stream._coming, "")
        stream._turns = turns.until(arguments["model"], None)
        stream._permit = turns.hand_on_permit()
        return stream

    def _texts(self) -> Generator[str]:
        try:
            with self._judged():
                if self._first:
                    yield self._first
                yield from self._coming
        finally:
            self._coming.close()
            self.close()

    def close(self) -> None:
        self._left()
        super().close()


class AsyncFailoverStream(_WithTurns, AsyncStream):
    """``FailoverStream``'s asynchronous twin."""

    _coming: AsyncGenerator[str]
    _first = ""

    @classmethod
    async def begin(
        cls, client: openai.AsyncOpenAI, arguments: dict[str, Any], turns: Turns
    ) -> Self:
        """Send the request and wait for its first text; raises what comes in its place."""
        stream = await abegin(client, arguments, cls)
        stream._start_s = turns.start_s
        stream._coming = super(cls, stream)._texts()
        stream._first = await anext(stream._coming, "")
        stream._turns = turns.until(arguments["model"], None)
        stream._permit = turns.hand_on_permit()
        return stream

    async def _texts(self) -> AsyncGenerator[str]:
        try:
            with self._judged():
                if self._first:
                    yield self._first
                async for text in self._coming:
                    yield text
        finally:
            await self._coming.aclose()
            await self.close()

    async def close(self) -> None:
        self._left()
        await super().close()


@dataclass(frozen=True, repr=False)
class FailoverReply(Reply):
    """A reply, and how it was come by: ``tried`` has a turn for each model until one answered.

    ``model`` is the one that answered, and ``cost`` its bill; ``elapsed_s`` is from the call to the
    answer, the failed turns included.
    """

    tried: tuple[Tried, ...] = ()

    @property
    def possibly_paid_twice(self) -> int:
        """How many requests before the answer may have been billed, too."""
        return possibly_paid(self.tried[:-1])

    def summary(self) -> str:
        """The reply in one line, and all turns in a second one if there were several."""
        if len(self.tried) < 2:
            return super().summary()
        return f"{super().summary()}\ntried: {' → '.join(map(str, self.tried))}"


@overload
def failover(
    gateway_or_client: Gateway | openai.OpenAI,
    prompt: str,
    *,
    models: Sequence[str],
    stream: Literal[False] = False,
    **as_in_ask: Any,
) -> FailoverReply: ...


@overload
def failover(
    gateway_or_client: Gateway | openai.OpenAI,
    prompt: str,
    *,
    models: Sequence[str],
    stream: Literal[True],
    **as_in_ask: Any,
) -> FailoverStream: ...


def failover(
    gateway_or_client: Gateway | openai.OpenAI,
    prompt: str,
    *,
    models: Sequence[str],
    system: str | None = None,
    preset: str = "general",
    breaker: CircuitBreaker | None = None,
    stream: bool = False,
    **sdk_parameters: Any,
) -> FailoverReply | FailoverStream:
    """Ask the first of ``models``; where it fails and another may fare better, the next one.

    Takes what ``hs.ask`` takes, with ``models`` in the place of ``model``: ids, the best one first.
    Each is asked once, with the SDK's own retries off. ``hs.diagnose(error).other_model`` decides:
    an unknown model, 408, 429, 5xx, time-outs and broken connections go to the next one. A wrong
    key, a request that is itself wrong, content that was refused and a connection that can't be
    made are raised at once, with a note on who was not asked. ``timeout`` (seconds, between bytes)
    is for each request, not for all; inside ``hs.retrying`` its deadline is for all.

    A model that keeps failing is left alone for a while: ``breaker`` decides. Calls through one
    gateway or client share theirs, unless they are given one. A stream that breaks off after its
    first text counts as failed, one that is read to its end or left as answered.

    ``stream=True`` gives the answer as ``hs.stream`` does, once its first text has come: until
    then the next model takes over, after it none does, for half an answer is on the screen.

    Raises ``AllFailedError``, which carries every cause, if none answered; and what ``hs.ask``
    raises.
    """
    sync_client(gateway_or_client)  # raises if it is neither
    checked = checked_models(models, sdk_parameters)
    make = stream_arguments if stream else request_arguments
    arguments = make(prompt, system, checked[0], preset, sdk_parameters)
    turns = Turns(checked, breaker, gateway_or_client)
    for model in turns:
        client = sync_client(gateway_or_client).with_options(max_retries=0)  # its time may run out
        with turns.turn():
            if stream:
                return FailoverStream.begin(client, arguments | {"model": model}, turns)
            return _reply(answer(client, arguments | {"model": model}), turns, model)
    raise turns.all_failed()


@overload
async def afailover(
    gateway_or_client: Gateway | openai.AsyncOpenAI,
    prompt: str,
    *,
    models: Sequence[str],
    stream: Literal[False] = False,
    **as_in_ask: Any,
) -> FailoverReply: ...


@overload
async def afailover(
    gateway_or_client: Gateway | openai.AsyncOpenAI,
    prompt: str,
    *,
    models: Sequence[str],
    stream: Literal[True],
    **as_in_ask: Any,
) -> AsyncFailoverStream: ...


async def afailover(
    gateway_or_client: Gateway | openai.AsyncOpenAI,
    prompt: str,
    *,
    models: Sequence[str],
    system: str | None = None,
    preset: str = "general",
    breaker: CircuitBreaker | None = None,
    stream: bool = False,
    **sdk_parameters: Any,
) -> FailoverReply | AsyncFailoverStream:
    """``failover()`` for asynchronous code: ``await hs.afailover(gw, "...", models=[...])``.

    With ``stream=True`` it gives what ``hs.astream`` gives.
    """
    async_client(gateway_or_client)  # raises if it is neither
    checked = checked_models(models, sdk_parameters)
    make = stream_arguments if stream else request_arguments
    arguments = make(prompt, system, checked[0], preset, sdk_parameters)
    turns = Turns(checked, breaker, gateway_or_client)
    for model in turns:
        client = async_client(gateway_or_client).with_options(max_retries=0)
        with turns.turn():
            if stream:
                return await AsyncFailoverStream.begin(client, arguments | {"model": model}, turns)
            return _reply(await aanswer(client, arguments | {"model": model}), turns, model)
    raise turns.all_failed()


def _reply(reply: Reply, turns: Turns, model: str) -> FailoverReply:
    tried = turns.until(model, reply.cost)
    elapsed_s = sum(one.elapsed_s for one in tried)
    return FailoverReply(**vars(replace(reply, elapsed_s=elapsed_s)), tried=tried)
