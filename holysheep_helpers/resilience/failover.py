"""``failover()``: where one model fails, and only then, the next one is asked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterator, Sequence
from contextlib import ExitStack, aclosing, closing, contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from time import perf_counter
from typing import Any, Literal, Self, overload
from weakref import WeakKeyDictionary

import openai

from holysheep_helpers._checks import shown
from holysheep_helpers.client import chat
from holysheep_helpers.client.chat import AsyncStream, Reply, Stream, StreamedReply
from holysheep_helpers.client.gateway import Gateway, async_client, left_s, sync_client
from holysheep_helpers.client.requests import checked_models, request_arguments, stream_arguments
from holysheep_helpers.diagnosis.diagnose import Diagnosis, settle
from holysheep_helpers.exceptions import AllFailedError, InputError, Portable
from holysheep_helpers.resilience.circuit_breaker import CircuitBreaker
from holysheep_helpers.resilience.decision import decide

_breakers: WeakKeyDictionary[Any, CircuitBreaker] = WeakKeyDictionary()

Sync = Gateway | openai.OpenAI
Async = Gateway | openai.AsyncOpenAI
Models = Sequence[str]
Whole = Literal[False]
Streamed = Literal[True]


@dataclass(frozen=True)
class Tried:
    """What became of one model's turn.

    It answered; or it failed, with ``error``, which ``why`` explains; or its circuit was open for
    ``cooling_s`` seconds more, and nothing was sent. ``elapsed_s`` is what its turn took, in
    seconds (of a stream: until its first text). ``cost`` is exact US dollars: 0 where nothing can
    have been billed, ``None`` where that is unknown.
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
        """What is pickled: the error without its request."""
        return vars(self) | {"error": self.error and Portable(self.error)}

    def __str__(self) -> str:
        if self.cooling_s is not None:
            return f"{self.model} left alone"
        if self.why is None:
            return f"{self.model} answered"
        return f"{self.model} {self.why.kind}{' (may have cost)' if self.cost is None else ''}"


def _paid_before(answer: FailoverReply | _StreamWithTurns) -> int:
    """How many requests before the answer may have been billed, too."""
    return sum(one.cost is None for one in answer.tried[:-1])


def breaker_of(target: object) -> CircuitBreaker:
    """The circuit breaker that all calls through this gateway or client share, unless given one."""
    return _breakers.get(target) or _breakers.setdefault(target, CircuitBreaker())


class Call:
    """One call of ``failover``: the models' turns, and what became of each.

    It is the same for ``failover`` and ``afailover``, for whole replies and streams: both go
    through ``turns()``, ask inside ``turn()``, and raise ``all_failed()`` after the last one.
    """

    def __init__(
        self,
        target: object,
        prompt: str,
        models: Sequence[str],
        system: str | None,
        preset: str,
        breaker: CircuitBreaker | None,
        stream: bool,
        sdk_parameters: dict[str, Any],
    ) -> None:
        checked = checked_models(models, sdk_parameters)
        make = stream_arguments if stream else request_arguments
        self._arguments = {
            model: make(prompt, system, model, preset, sdk_parameters) for model in checked
        }
        if breaker is not None and not isinstance(breaker, CircuitBreaker):
            raise InputError(
                f"breaker is {shown(breaker)}: an hs.CircuitBreaker is needed, or None."
            )
        self._models, self._breaker = checked, breaker or breaker_of(target)
        self.verdict = ExitStack()  # at its end the circuit breaker learns how a turn ended
        self._tried: list[Tried] = []
        self.start_s = perf_counter()

    def turns(self) -> Iterator[dict[str, Any]]:
        """The arguments of a request to each model that may be asked, while there is time."""
        for model in self._models:
            if self._tried and left_s() <= 0:
                return
            if (permit := self._breaker.permit(model)) is None:
                self._tried.append(Tried(model, cooling_s=self._breaker.cooling_s(model)))
            else:
                self._model = model
                self.verdict.push(permit)
                yield self._arguments[model]

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Ask inside: an error that another model may be spared ends here, any other goes on."""
        start_s = perf_counter()
        try:
            with self.verdict:
                yield
        except Exception as error:
            why = settle(error)
            if decide(why, another_model=True).next != "next model":
                self._say_why_it_ends(error, why)
                raise
            bare = error.with_traceback(None)  # or its frames would keep everything alive
            cost = None if why.may_have_cost else Decimal(0)
            self._tried.append(Tried(self._model, bare, why, None, perf_counter() - start_s, cost))

    def until_answered(self, cost: Decimal | None) -> tuple[Tried, ...]:
        """All turns, the last of which was answered just now, at this cost."""
        began_s = self.start_s + sum(one.elapsed_s for one in self._tried)
        return (*self._tried, Tried(self._model, elapsed_s=perf_counter() - began_s, cost=cost))

    def reply(self, reply: Reply) -> FailoverReply:
        """The reply, and how it was come by."""
        tried = self.until_answered(reply.cost)
        whole = {"elapsed_s": sum(one.elapsed_s for one in tried), "tried": tried}
        return FailoverReply(**vars(reply) | whole)

    def _say_why_it_ends(self, error: Exception, why: Diagnosis) -> None:
        if self._tried:
            error.add_note(f"Before it: {' → '.join(map(str, self._tried))}.")
        if left := ", ".join(self._models[len(self._tried) + 1 :]):
            error.add_note(f"Not asked: {left}. Another model can't help ({why.kind}).")

    def all_failed(self) -> AllFailedError:
        """What to raise once no model is left."""
        turns = "; ".join(
            f"{one.model}: {one.why.kind}" if one.why else
            f"{one.model}: left alone for {one.cooling_s:.1f} s more" for one in self._tried
        )  # fmt: skip
        left = ", ".join(self._models[len(self._tried) :])
        late = f"; no time was left for {left}" if left else ""
        error = AllFailedError(
            f"None of {len(self._models)} models answered ({turns}{late}). Each one's error is in "
            ".tried; hs.diagnose() of this error says whether, and when, to ask again.",
            tuple(self._tried),
        )
        error.__cause__ = error.errors[-1] if error.errors else None
        return error


class _StreamWithTurns(StreamedReply):
    """A stream whose first text has come, and what became of the models before it."""

    def __init__(self, call: Call, raw: Any, arguments: dict[str, Any], _: float) -> None:
        super().__init__(raw, arguments, call.start_s)
        self._call, self._verdict = call, ExitStack()

    def _begun_with(self, first: str) -> Self:
        """The first text is there: how it goes on, the reader of the stream tells."""
        self._first, self._turns = first, self._call.until_answered(None)
        self._verdict = self._call.verdict.pop_all()
        return self

    def _stop_clock(self) -> None:
        self._verdict.close()  # closed before anybody has begun to read: its first text had come
        super()._stop_clock()

    @property
    def tried(self) -> tuple[Tried, ...]:
        return (*self._turns[:-1], replace(self._turns[-1], cost=self.cost))

    possibly_paid_twice = property(_paid_before)


class FailoverStream(_StreamWithTurns, Stream):
    """A stream whose first text is there; otherwise as ``hs.stream`` gives it.

    Once the first text is there, an error is raised: another model's answer would begin again below
    what is shown. What becomes of it then is told to the circuit breaker: broken off is failed.

    Attributes:
        tried: each model's turn until the first text. The last one's cost is ``None`` until the
            stream has told its usage, at its end.
        possibly_paid_twice: how many requests before the answer may have been billed, too.
        ttft_s: seconds from the call to the first text, the failed turns included.
        elapsed_s: seconds from the call to the end, the failed turns included.

    Example:
        >>> models = ["mistral-small-2603", "gemini-2.5-flash"]
        >>> stream = hs.failover(gw, "Say hello.", models=models, stream=True)
        >>> text = stream.read()
        >>> print(*stream.tried)
        mistral-small-2603 answered
    """

    _coming: Generator[str]

    def _wait_for_first(self) -> Self:
        """Wait for its first text; raises what comes in its place."""
        self._coming = super()._texts()
        return self._begun_with(next(self._coming, ""))

    def _texts(self) -> Generator[str]:
        with closing(self._coming), self._verdict.pop_all():
            if self._first:
                yield self._first
            yield from self._coming


class AsyncFailoverStream(_StreamWithTurns, AsyncStream):
    """What ``FailoverStream`` is, for asynchronous code: ``async for``, ``await read()``.

    Attributes:
        tried: each model's turn until the first text.
        possibly_paid_twice: how many requests before the answer may have been billed, too.

    Example:
        >>> models = ["mistral-small-2603", "gemini-2.5-flash"]
        >>> stream = await hs.afailover(gw, "Say hello.", models=models, stream=True)
        >>> text = await stream.read()
        >>> print(*stream.tried)
        mistral-small-2603 answered
    """

    _coming: AsyncGenerator[str]

    async def _wait_for_first(self) -> Self:
        """Wait for its first text; raises what comes in its place."""
        self._coming = super()._texts()
        return self._begun_with(await anext(self._coming, ""))

    async def _texts(self) -> AsyncGenerator[str]:
        async with aclosing(self._coming):
            with self._verdict.pop_all():
                if self._first:
                    yield self._first
                async for text in self._coming:
                    yield text


@dataclass(frozen=True, repr=False)
class FailoverReply(Reply):
    """A reply, as ``hs.ask`` gives it, and which models were asked for it.

    Attributes:
        tried: a turn for each model until one answered.
        model: the model that answered.
        cost: what its answer cost.
        elapsed_s: seconds from the call to the answer, the failed turns included.
        possibly_paid_twice: how many requests before the answer may have been billed, too.

    Example:
        >>> reply = hs.failover(gw, "Say hello.", models=["gpt-4.1", "gemini-2.5-flash"])
        >>> [str(one) for one in reply.tried], reply.possibly_paid_twice
        (['gpt-4.1 answered'], 0)
    """

    tried: tuple[Tried, ...] = ()

    possibly_paid_twice = property(_paid_before)

    def summary(self) -> str:
        """The reply in one line, and all turns in a second one if there were several."""
        if len(self.tried) < 2:
            return super().summary()
        return f"{super().summary()}\ntried: {' → '.join(map(str, self.tried))}"


@overload
def failover(
    gateway_or_client: Sync, prompt: str, *, models: Models, stream: Whole = False, **options: Any
) -> FailoverReply: ...
@overload
def failover(
    gateway_or_client: Sync, prompt: str, *, models: Models, stream: Streamed, **options: Any
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
    """Ask the first of several models; where it fails and another may succeed, the next.

    Each is asked once, with the SDK's own retries off. ``hs.diagnose(error).other_model`` decides:
    an unknown model, 408, 429, 5xx, time-outs and broken connections go to the next one. A wrong
    key, a request that is itself wrong, content that was refused and a connection that can't be
    made are raised at once, with a note on who was not asked.

    Args:
        gateway_or_client: the gateway from ``hs.connect()``, or an ``openai.OpenAI`` client.
        prompt: the question, as text.
        models: ids of models, the best one first.
        system: the system prompt, as text. Default: none.
        preset: temperature, max_tokens and top_p by name, as in ``hs.ask``. Default: "general".
        breaker: a ``CircuitBreaker``, which leaves a model alone that keeps failing. Default: the
            one that all calls through this gateway or client share. A stream that breaks off
            after its first text counts as failed, one that is left as answered.
        stream: whether to give the answer as ``hs.stream`` does, once its first text has come:
            until then the next model takes over, after it none does. Default: ``False``.
        **sdk_parameters: any other parameter of ``client.chat.completions.create``. ``timeout``
            (seconds, between bytes) is for each request; inside ``hs.retrying`` the deadline is
            for all.

    Returns:
        A ``FailoverReply``, or a ``FailoverStream``; both have each model's turn in ``tried``.

    Raises:
        AllFailedError: no model answered. It carries every cause.
        InputError: an argument can't be right. Nothing was sent.
        BudgetError: the gateway's budget is spent. Nothing was sent.

    Example:
        >>> reply = hs.failover(gw, "Say hello.", models=["gpt-4.1", "gemini-2.5-flash"])
        >>> reply.model
        'gpt-4.1'
    """
    sync_client(gateway_or_client, "hs.afailover")  # raises if it is neither
    call = Call(gateway_or_client, prompt, models, system, preset, breaker, stream, sdk_parameters)
    for arguments in call.turns():
        client = sync_client(gateway_or_client).with_options(max_retries=0)  # its time may run out
        with call.turn():
            if stream:
                made = chat.begin(client, arguments, partial(FailoverStream, call))
                return made._wait_for_first()
            return call.reply(chat.answer(client, arguments))
    raise call.all_failed()


@overload
async def afailover(
    gateway_or_client: Async, prompt: str, *, models: Models, stream: Whole = False, **options: Any
) -> FailoverReply: ...
@overload
async def afailover(
    gateway_or_client: Async, prompt: str, *, models: Models, stream: Streamed, **options: Any
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
    """Do what ``hs.failover`` does, for asynchronous code.

    Args:
        gateway_or_client: the gateway from ``hs.connect()``, or an ``openai.AsyncOpenAI`` client.
        prompt: the question, as text.
        models: ids of models, the best one first.
        system: as in ``hs.failover``.
        preset: as in ``hs.failover``.
        breaker: as in ``hs.failover``.
        stream: whether to give the answer as ``hs.astream`` does. Default: ``False``.
        **sdk_parameters: any other parameter of ``client.chat.completions.create``.

    Returns:
        A ``FailoverReply``, or an ``AsyncFailoverStream``.

    Raises:
        AllFailedError: no model answered. It carries every cause.
        InputError: an argument can't be right. Nothing was sent.
        BudgetError: the gateway's budget is spent. Nothing was sent.

    Example:
        >>> models = ["gpt-4.1", "gemini-2.5-flash"]
        >>> reply = await hs.afailover(gw, "Say hello.", models=models)
        >>> reply.model
        'gpt-4.1'
    """
    async_client(gateway_or_client, "hs.failover")  # raises if it is neither
    call = Call(gateway_or_client, prompt, models, system, preset, breaker, stream, sdk_parameters)
    for arguments in call.turns():
        client = async_client(gateway_or_client).with_options(max_retries=0)
        with call.turn():
            if stream:
                made = await chat.abegin(client, arguments, partial(AsyncFailoverStream, call))
                return await made._wait_for_first()
            return call.reply(await chat.aanswer(client, arguments))
    raise call.all_failed()
