"""A circuit breaker.

A model that keeps failing is left alone for a while; then one request tries it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from threading import Lock
from time import perf_counter
from typing import Literal

from holysheep_helpers._checks import check_number, check_whole
from holysheep_helpers.diagnosis.diagnose import Diagnosis, diagnose
from holysheep_helpers.resilience.decision import asked_wait_s

State = Literal["closed", "open", "half-open"]
What = Literal["answered", "failed", "no verdict", "passed over", "closed", "open", "half-open"]

KEPT_EVENTS = 10_000


@dataclass(frozen=True, slots=True)
class Event:
    """What a circuit breaker saw or did, ``at_s`` on its clock; ``until_s`` is for ``"open"``."""

    at_s: float
    model: str
    what: What
    until_s: float | None = None


@dataclass(slots=True)
class _Circuit:
    failures: int = 0  # in a row
    open_until_s: float = -inf  # then it is closed
    server_said_so: bool = False  # open by the server's own word, not by a count
    trial_s: float = -inf  # since when the one trial of a half-open circuit is in flight
    changes: int = 0  # a verdict on a request from before the last change is out of date


_CLOSED = _Circuit()  # a model that was not asked yet


class CircuitBreaker:
    """Decides whether a model may be asked now, by what became of the requests before.

    A circuit for each model. *Closed*: it may be asked. After ``failures`` in a row, or at once
    where the server itself said so, it is *open*: no request goes out for ``cool_down_s``
    seconds, or for as long as the server said. Then it is *half-open*: one request is let
    through as a trial, and its answer closes the circuit, its failure opens it again. Safe to
    use from many threads.

    Source: the pattern is M. Nygard's ("Release It!", 2007); that a verdict from before the last
    change does not count is from Sony's gobreaker. pybreaker 1.4 and circuitbreaker 2.1 have a
    clock of their own, and no way to tell them of a Retry-After.

    Args:
        failures: failures in a row that open a circuit. Default: 3.
        cool_down_s: seconds for which it stays open. Default: 30.
        clock: gives seconds, and is yours to replace. Default: ``time.perf_counter``.

    Attributes:
        events: what happened, oldest first, the last 10,000.

    Example:
        >>> breaker = hs.CircuitBreaker(failures=2)
        >>> for _ in range(2):
        ...     breaker.permit("gpt-4.1").failed()
        >>> breaker.state("gpt-4.1"), breaker.permit("gpt-4.1")
        ('open', None)
    """

    def __init__(
        self,
        *,
        failures: int = 3,
        cool_down_s: float = 30.0,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        check_whole("failures", failures)
        check_number("cool_down_s", cool_down_s, "seconds", above=0)
        self.failures, self.cool_down_s, self.clock = failures, cool_down_s, clock
        self.events: deque[Event] = deque(maxlen=KEPT_EVENTS)
        self._circuits: dict[str, _Circuit] = {}
        self._lock = Lock()

    def state(self, model: str) -> State:
        """``"closed"``, ``"open"`` or ``"half-open"``."""
        if self._circuits.get(model, _CLOSED).open_until_s == -inf:
            return "closed"
        return "open" if self.cooling_s(model) else "half-open"

    def cooling_s(self, model: str) -> float:
        """Seconds until this model's circuit lets a trial through; 0 if it is not open."""
        return max(self._circuits.get(model, _CLOSED).open_until_s - self.clock(), 0.0)

    def permit(self, model: str, *, insist: bool = False) -> Permit | None:
        """Leave to ask this model once, or ``None``. Tell the permit what became of the request.

        ``insist`` also while the circuit is open or its trial in flight, unless the server's own
        word opened it. A trial without a verdict is forgotten after ``cool_down_s``.
        """
        with self._lock:
            circuit, now_s = self._circuits.setdefault(model, _Circuit()), self.clock()
            if circuit.open_until_s == -inf:
                return Permit(self, model, circuit.changes)
            if now_s < circuit.open_until_s:
                keeps_out = circuit.server_said_so or not insist
            else:
                keeps_out = now_s < circuit.trial_s + self.cool_down_s and not insist
            if keeps_out:
                self._note(model, "passed over")
                return None
            circuit.trial_s = now_s
            circuit.changes += 1
            self._note(model, "half-open")
            return Permit(self, model, circuit.changes)

    def _verdict(
        self, permit: Permit, what: What, wait_s: float = 0.0, server_said_so: bool = False
    ) -> None:
        with self._lock:
            circuit, model = self._circuits[permit.model], permit.model
            self._note(model, what)
            if permit.changes != circuit.changes:
                if server_said_so and circuit.server_said_so:
                    circuit.open_until_s = max(circuit.open_until_s, self.clock() + wait_s)
                return
            if what == "no verdict":  # a trial is forgotten
                circuit.trial_s = -inf
                return
            circuit.failures = circuit.failures + 1 if what == "failed" else 0
            if what == "answered" and circuit.open_until_s > -inf:
                self._circuits[model] = _Circuit(changes=circuit.changes + 1)
                self._note(model, "closed")
            elif server_said_so or circuit.trial_s > -inf or circuit.failures >= self.failures:
                circuit.open_until_s = self.clock() + wait_s
                circuit.trial_s, circuit.server_said_so = -inf, server_said_so
                circuit.changes += 1
                self._note(model, "open", circuit.open_until_s)

    def _note(self, model: str, what: What, until_s: float | None = None) -> None:
        self.events.append(Event(self.clock(), model, what, until_s))

    def __repr__(self) -> str:
        lines = []
        for model, circuit in self._circuits.copy().items():
            line = f"{model}: {self.state(model)}"
            if remains_s := self.cooling_s(model):
                line += f", for {remains_s:.1f} s more"
            elif circuit.failures:
                line += f", {circuit.failures} failures in a row"
            lines.append(line)
        return "\n".join(lines) or "No model was asked yet: all circuits are closed."


@dataclass(slots=True, eq=False)
class Permit:
    """Leave to ask ``model`` once. The circuit breaker is told once what became of the request.

    As a context manager it tells so by itself: ``with permit:`` around all of the request.
    """

    _breaker: CircuitBreaker = field(repr=False)
    model: str
    changes: int = field(repr=False)

    def answered(self) -> None:
        """It was answered: the failures before it are forgotten, and a trial closes the circuit."""
        self._breaker._verdict(self, "answered")

    def failed(self, wait_s: float | None = None, *, for_sure: bool = False) -> None:
        """It failed. The server asked for a wait of ``wait_s`` seconds, or a repeat fails
        ``for_sure`` (there is no such model): then the circuit opens at once."""
        pause_s = wait_s or self._breaker.cool_down_s  # a wait of 0 is none
        self._breaker._verdict(self, "failed", pause_s, bool(wait_s) or for_sure)

    def no_verdict(self) -> None:
        """Nothing is known of the model by it: the request was cancelled, or was itself wrong."""
        self._breaker._verdict(self, "no verdict")

    def judged_by(self, why: Diagnosis) -> None:
        """It failed, as ``why`` explains: the model's fault only if another may succeed."""
        if why.other_model:
            self.failed(asked_wait_s(why), for_sure=not why.retryable)
        else:
            self.no_verdict()

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, Exception):
            self.judged_by(diagnose(error))
        elif isinstance(error, GeneratorExit | None):  # read to its end, or left with text
            self.answered()
        else:  # cancelled, interrupted
            self.no_verdict()
