"""The models' turns in one call: who may be asked, who failed, whether the next one may help."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from time import perf_counter
from typing import Any, cast
from weakref import WeakKeyDictionary

from holysheep_helpers.circuit import CircuitBreaker, Permit
from holysheep_helpers.client.gateway import left_s
from holysheep_helpers.diagnosis.diagnose import Diagnosis, diagnose
from holysheep_helpers.diagnosis.waiting import RETRY_AFTER
from holysheep_helpers.exceptions import AllFailedError, HolySheepError, InputError

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
