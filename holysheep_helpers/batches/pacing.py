"""When the next request may go: a smooth pace, and one hold-back for all after a 429.

Times are seconds of the clock that is handed in; nothing here waits by itself except through the
``sleep`` that is handed in, so that a test needs no time at all.
"""

from __future__ import annotations

import math
from asyncio import Lock
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from holysheep_helpers.diagnosis.waiting import back_off_cap_s

MINUTE_S = 60.0

SLOWER = 1.01
"""The pace stays 1% below a limit: what leaves evenly does not arrive quite evenly."""

LEAST_GAP_S = 0.03
"""Between two requests of a herd after a 429: some 33 a second, 2,000 a minute, is twice what the
largest published plan allows. However short a wait the server asked for, more would be refused."""

LONGEST_GAP_S = 5.0
"""The slowest pace after several 429s, so that a batch never seems to stand still."""

LOOK_AGAIN_S = 1.0
"""Who waits at the gate looks again after this time: what is known may change meanwhile."""


class Limit:
    """A limit per minute, kept by an even pace: no sliding minute sees more, not even the first.

    ``per_minute`` counts requests, or tokens; ``None`` is no limit (yet): then ``take`` only
    remembers, so that a limit that is learnt from the first reply knows what went before it.
    """

    def __init__(self, per_minute: float | None) -> None:
        self.per_minute = per_minute
        self.is_learnt = per_minute is None  # from the headers of a reply
        self._next_s = -math.inf
        self._minute: deque[list[float]] = deque()  # [when, how much], oldest first
        self._used = 0.0

    def learn(self, per_minute: float) -> None:
        """Keep to this limit from now on; what was already sent is paid back in waiting."""
        self.per_minute = per_minute
        if self._minute:
            self._next_s = self._minute[0][0] + self._used * self._gap_s

    @property
    def _gap_s(self) -> float:
        return MINUTE_S * SLOWER / self.per_minute if self.per_minute else 0.0

    def wait_s(self, now_s: float, amount: float) -> float:
        """Seconds until this amount may go; 0 is now. More than a minute's worth goes alone."""
        while self._minute and self._minute[0][0] <= now_s - MINUTE_S:
            self._used -= self._minute.popleft()[1]
        if self.per_minute is None:
            return 0.0
        wait_s = self._next_s - now_s
        excess = self._used + min(amount, self.per_minute) - self.per_minute
        for at_s, used in self._minute:
            if excess <= 0:
                break
            excess -= used
            wait_s = max(wait_s, at_s + MINUTE_S - now_s)
        return max(wait_s, 0.0)

    def take(self, now_s: float, amount: float) -> list[float]:
        """Note that this amount goes now; the note is for ``correct``."""
        note = [now_s, amount]
        self._minute.append(note)
        self._used += amount
        step_s = amount * self._gap_s
        may_be_late_s = min(step_s / 2, 1.0)  # so much is made up, or it would add up
        in_time = self._next_s > now_s - may_be_late_s
        self._next_s = (self._next_s if in_time else now_s) + step_s
        return note

    def correct(self, note: list[float], amount: float) -> None:
        """The amount is known better now: what it was more or less moves the next turn."""
        more = amount - note[1]
        note[1] = amount
        self._next_s += more * self._gap_s
        self._used += more


@dataclass
class Gate:
    """What every request passes before it is sent: first come, first served.

    ``herd`` is how many may wait here at once; after a 429 they are let through one by one, over
    about as long as the wait was, and more slowly if the next one meets a 429 again.
    """

    requests: Limit
    tokens: Limit
    herd: int
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    random: Random
    learning: bool = True  # until the first reply
    _lock: Lock = field(default_factory=Lock)
    _opens_s: float = -math.inf
    _held_until_s: float = -math.inf
    _gap_s: float = 0.0
    _holds: int = 0
    _still_held: int = 0  # of the herd that the last hold-back stopped

    @property
    def _open(self) -> bool:
        held = self._gap_s or self._still_held or self._lock.locked() or self.learning
        limited = self.requests.per_minute or self.tokens.per_minute
        return not (held or limited or self._opens_s > self.clock())

    @property
    def counts_tokens(self) -> bool:
        """Whether the tokens of a request matter."""
        return bool(self.tokens.per_minute or (self.tokens.is_learnt and self.learning))

    async def turn(self, tokens: float, given_up: Callable[[], bool]) -> list[float] | None:
        """Wait for this request's turn, unless ``given_up()``; the note for ``settle``."""
        if self._open:
            return None
        async with self._lock:
            while (wait_s := self._wait_s(tokens)) > 0 and not given_up():
                await self.sleep(min(wait_s, LOOK_AGAIN_S))  # what is known may change meanwhile
            now_s = self.clock()
            if self._gap_s or self._still_held:
                gap_s = max(self._gap_s, LEAST_GAP_S if self._still_held else 0.0)
                self._opens_s = now_s + gap_s * self.random.uniform(0.5, 1.5)
                self._still_held = max(self._still_held - 1, 0)
            self.requests.take(now_s, 1)
            return self.tokens.take(now_s, tokens)

    def _wait_s(self, tokens: float) -> float:
        now_s = self.clock()
        paced_s = max(self.requests.wait_s(now_s, 1), self.tokens.wait_s(now_s, tokens))
        return max(self._opens_s - now_s, paced_s)

    def hold(self, wait_s: float | None, sent_s: float) -> float:
        """A request that went out at ``sent_s`` met a 429: no worker sends for ``wait_s`` seconds.

        Without a ``wait_s`` from the server, or with 0, it doubles from 429 to 429. Returns it.
        """
        now_s = self.clock()
        fresh = sent_s >= self._held_until_s  # not one of those that the last hold spoke for
        self._holds += fresh
        if not wait_s:  # "retry-after: 0" is no wait: a herd would ask again without an end
            longest_s = back_off_cap_s(self._holds)
            wait_s = self.random.uniform(longest_s / 2, longest_s)
        if fresh:
            self._still_held = self.herd
            self._gap_s = min(max(2 * self._gap_s, wait_s / self.herd), LONGEST_GAP_S)
        self._opens_s = max(self._opens_s, now_s + wait_s)
        self._held_until_s = max(self._held_until_s, now_s + wait_s)
        return wait_s

    def learn(self, headers: Mapping[str, str], *, done: bool) -> None:
        """Take the limits that were not given from a reply's headers; ``done``: look no further."""
        for name, limit in (("requests", self.requests), ("tokens", self.tokens)):
            text = headers.get(f"x-ratelimit-limit-{name}", "")
            if limit.is_learnt and text.isdecimal() and int(text) > 0:
                limit.learn(float(text))
        self.learning = self.learning and not done

    def went_well(self) -> None:
        """A request was answered: after a hold-back the pace quickens again."""
        if self._gap_s:
            self._holds = 0
            self._gap_s = self._gap_s * 0.9 if self._gap_s > 0.001 else 0.0
