"""A mock without a network: its clock jumps from one event to the next, in the order of time."""

from __future__ import annotations

import json
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Any

from holysheep_helpers import catalog
from holysheep_helpers.mock.app import App
from holysheep_helpers.mock.exchange import Exchange, Request
from holysheep_helpers.mock.journal import Entry
from holysheep_helpers.mock.state import State
from holysheep_helpers.mock.stated import Stated
from holysheep_helpers.mock.timing import Pacer
from tests.support import raw

KEY = "hs-mock-simulated"


TTFT_S, ITL_S = 0.010, 0.001


class Line:
    """A client's end of one connection: what came, and when."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.transport = self  # which has no socket
        self._clock = clock
        self.came: list[tuple[float, bytes]] = []
        self.closed: tuple[bool, bool] | None = None

    def write(self, data: bytes) -> None:
        self.came.append((self._clock(), data))

    def get_extra_info(self, name: str) -> None:
        assert name == "socket"

    def finished(self, keep: bool, abort: bool) -> None:
        assert self.closed is None
        self.closed = (keep, abort)


def _cancel(timer: Any) -> None:
    timer.clear()


class Simulation:
    """Seconds begin at 0; every model takes ``TTFT_S`` and ``ITL_S``, unless ``scale`` is 0."""

    def __init__(self, slots: int | None = None, *, scale: float = 1.0, plan: str = "unlimited"):
        self.now_s = 0.0
        self._events: list[tuple[float, int, list[Callable[[], None]]]] = []
        self._order = count()
        stated = Stated(TTFT_S, ITL_S) if scale else Stated()
        self.state = State(plan=catalog.plans()[plan], time_scale=scale, stated=stated, slots=slots)
        pacer = Pacer(lambda: self.now_s, self.at, _cancel, lambda: self.now_s)
        self.app = App(self.state, pacer)
        self.tenant = self.state.tenant(KEY)

    def at(self, at_s: float, call: Callable[[], None]) -> list[Callable[[], None]]:
        timer = [call]
        heappush(self._events, (at_s, next(self._order), timer))
        return timer

    def run(self) -> list[Entry]:
        """Let all happen; the requests of the key, in the order of their arrival."""
        while self._events:
            at_s, _, timer = heappop(self._events)
            if timer:
                self.now_s = max(self.now_s, at_s)
                timer[0]()
        return list(self.tenant.journal.entries)

    def ask(
        self,
        at_s: float = 0.0,
        tokens: int = 3,
        *,
        patience_s: float | None = None,
        key: str = KEY,
        **headers: str,
    ) -> Line:
        """A stream of so many tokens is asked for at this moment, and left after ``patience_s``."""
        line = Line(lambda: self.now_s)
        exchange = Exchange(line, keep_alive=True, chunked=True, with_body=True)
        named = {"authorization": f"Bearer {key}", **headers}
        lines = {k.replace("_", "-").encode(): v.encode() for k, v in named.items()}
        body = json.dumps(raw.body("What is an API gateway?", stream=True, max_tokens=tokens))
        request = Request("POST", raw.CHAT, "", lines, 0, body.encode())

        def leave() -> None:
            if not exchange.ended:
                exchange.ended = True
                assert exchange.on_left is not None
                exchange.on_left()

        self.at(at_s, lambda: self.app.handle(request, exchange))
        if patience_s is not None:
            self.at(at_s + patience_s, leave)
        return line


def served_s(tokens: int) -> float:
    """How long a stream of so many tokens is worked on."""
    return TTFT_S + (tokens - 1) * ITL_S


def started_s(entry: Entry) -> float:
    return entry.arrived_s + entry.queued_s
