"""Streams of a failover: they begin with the model whose first text came."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any, Protocol, Self

import openai

from holysheep_helpers.circuit import Permit
from holysheep_helpers.client.chat import AsyncStream, Stream, abegin, begin
from holysheep_helpers.fallback_turns import Tried, Turns, judge, possibly_paid


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
