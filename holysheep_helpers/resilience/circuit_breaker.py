"""A circuit breaker: a model that keeps failing is left alone for a while, then tried by one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from time import perf_counter
from typing import Literal

from holysheep_helpers.exceptions import InputError

State = Literal["closed", "open", "half-open"]


What = Literal[
    "answered", "failed", "no verdict", "passed over", "closed", "open", "half-open"
]  # fmt: skip


KEPT = 10_000


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
    open_until_s: float | None = None  # None: closed
    told: bool = False  # open by the server's own word, not by a count
    trial_s: float | None = None  # since when the one trial of a half-open circuit is under way
    changes: int = 0  # a verdict on a request from before the last change is out of date


class CircuitBreaker:
    """Whether a model may be asked now, by what became of the requests before.

    A circuit for each model. *Closed*: it may be asked. After ``failures`` in a row, or at once
    where the server itself said so, it is *open*: nobody asks for ``cool_down_s`` seconds, or for
    as long as the server said. Then it is *half-open*: one request is let through as a trial, and
    its answer closes the circuit, its failure opens it again.

    ``clock`` gives seconds, and is yours to replace. ``events`` has what happened, oldest first,
    the last 10,000. Safe to use from many threads, and for many calls.

    The pattern is M. Nygard's ("Release It!", 2007); that a verdict from before the last change
    does not count is from Sony's gobreaker. pybreaker 1.4 and circuitbreaker 2.1 have a clock of
    their own, and no way to tell them of a Retry-After.
    """

    def __init__(
        self,
        *,
        failures: int = 3,
        cool_down_s: float = 30.0,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        if isinstance(failures, bool) or not isinstance(failures, int) or failures < 1:
            raise InputError(f"failures is {failures!r}: a whole number, 1 or more, is needed.")
        number = isinstance(cool_down_s, int | float) and not isinstance(cool_down_s, bool)
        if not number or not 0 < cool_down_s < float("inf"):
            raise InputError(f"cool_down_s is {cool_down_s!r}: seconds, more than 0, are needed.")
        self.failures, self.cool_down_s, self.clock = failures, cool_down_s, clock
        self.events: deque[Event] = deque(maxlen=KEPT)
        self._circuits: dict[str, _Circuit] = {}
        self._lock = Lock()

    def state(self, model: str) -> State:
        """``"closed"``, ``"open"`` or ``"half-open"``."""
        circuit = self._circuits.get(model)
        if circuit is None or circuit.open_until_s is None:
            return "closed"
        return "open" if self.clock() < circuit.open_until_s else "half-open"

    def cooling_s(self, model: str) -> float:
        """Seconds until this model's circuit lets a trial through; 0 if it is not open."""
        circuit = self._circuits.get(model)
        if circuit is None or circuit.open_until_s is None:
            return 0.0
        return max(circuit.open_until_s - self.clock(), 0.0)

    def permit(self, model: str, *, insist: bool = False) -> Permit | None:
        """Leave to ask this model once, or ``None``. Tell the permit what became of the request.

        ``insist`` also while the circuit is open or its trial under way, unless the server's own
        word opened it. A trial without a verdict is forgotten after ``cool_down_s``.
        """
        with self._lock:
            circuit, now_s = self._circuits.setdefault(model, _Circuit()), self.clock()
            if circuit.open_until_s is not None:
                waiting = now_s < circuit.open_until_s
                tried = circuit.trial_s is not None and now_s < circuit.trial_s + self.cool_down_s
                if (circuit.told or not insist) if waiting else (tried and not insist):
                    self._note(model, "passed over")
                    return None
                circuit.trial_s = now_s
                circuit.changes += 1
                self._note(model, "half-open")
            return Permit(self, model, circuit.changes)

    def _verdict(self, permit: Permit, what: What, wait_s: float, told: bool) -> None:
        with self._lock:
            circuit, model = self._circuits[permit.model], permit.model
            self._note(model, what)
            if permit.changes != circuit.changes:
                if told and circuit.told and circuit.open_until_s is not None:
                    circuit.open_until_s = max(circuit.open_until_s, self.clock() + wait_s)
                return
            circuit.failures = circuit.failures + 1 if what == "failed" else 0
            if what == "answered" and circuit.open_until_s is not None:
                self._circuits[model] = _Circuit(changes=circuit.changes + 1)
                self._note(model, "closed")
            elif told or circuit.trial_s is not None or circuit.failures >= self.failures:
                circuit.open_until_s = self.clock() + wait_s
                circuit.trial_s, circuit.told = None, told
                circuit.changes += 1
                self._note(model, "open", circuit.open_until_s)

    def _forget_trial(self, permit: Permit) -> None:
        with self._lock:
            self._note(permit.model, "no verdict")
            if permit.changes == self._circuits[permit.model].changes:
                self._circuits[permit.model].trial_s = None

    def _note(self, model: str, what: What, until_s: float | None = None) -> None:
        self.events.append(Event(self.clock(), model, what, until_s))

    def __repr__(self) -> str:
        lines = [f"{model}: {self._told(model)}" for model in list(self._circuits)]
        return "\n".join(lines) or "No model was asked yet: all circuits are closed."

    def _told(self, model: str) -> str:
        state, failures = self.state(model), self._circuits[model].failures
        if state == "open":
            return f"open, for {self.cooling_s(model):.1f} s more"
        return f"{state}, {failures} failures in a row" if failures else state


@dataclass(slots=True, eq=False)
class Permit:
    """Leave to ask ``model`` once. One of its methods is called once the request is over."""

    _breaker: CircuitBreaker = field(repr=False)
    model: str
    changes: int = field(repr=False)

    def answered(self) -> None:
        """It was answered: the failures before it are forgotten, and a trial closes the circuit."""
        self._breaker._verdict(self, "answered", 0.0, told=False)

    def failed(self, wait_s: float | None = None, *, for_sure: bool = False) -> None:
        """It failed. The server asked for a wait of ``wait_s`` seconds, or a repeat fails
        ``for_sure`` (there is no such model): then the circuit opens at once."""
        pause_s = wait_s or self._breaker.cool_down_s  # a wait of 0 is none
        self._breaker._verdict(self, "failed", pause_s, told=bool(wait_s) or for_sure)

    def no_verdict(self) -> None:
        """Nothing is known of the model by it: the request was cancelled, or was itself wrong."""
        self._breaker._forget_trial(self)
