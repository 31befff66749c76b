"""Slots: how many requests of a key are worked on at once, while the others wait in a queue."""

from __future__ import annotations

import reprlib
from collections import OrderedDict
from typing import Any, Protocol

from holysheep_helpers.exceptions import InputError

MOST = 10_000


def checked(count: Any) -> int | None:
    """``count`` if there can be so many slots, ``None`` for no limit. Raises ``InputError``."""
    if count is None or (type(count) is int and 1 <= count <= MOST):
        return count
    raise InputError(
        f"slots is {reprlib.repr(count)}: a whole number from 1 to {MOST} is needed, or None for "
        "no limit."
    )


class Work(Protocol):
    """What takes a slot."""

    def begin(self) -> None:
        """It had to wait, and has a slot now."""
        ...


class Slots:
    """At most ``count`` at once, first come, first served; without a limit if it is ``None``."""

    def __init__(self, count: int | None = None) -> None:
        self.count = count
        self.taken = 0
        self._queue: OrderedDict[Work, None] = OrderedDict()
        self._admitting = False

    def take(self, work: Work) -> bool:
        """Whether it has a slot now; otherwise it waits until its ``begin`` is called."""
        if self.count is None or self.taken < self.count:
            self.taken += 1
            return True
        self._queue[work] = None
        return False

    def give_back(self, work: Work) -> None:
        """It has ended and frees its slot, or no longer waits for one."""
        if work in self._queue:
            del self._queue[work]
            return
        self.taken -= 1
        if self._queue:
            self._admit()

    def resize(self, count: int | None) -> None:
        """So many from now on. Who has a slot keeps it; who may begin now does."""
        self.count = count
        self._admit()

    def _admit(self) -> None:
        if self._admitting:  # one that began has ended at once: the loop below goes on
            return
        self._admitting = True
        try:
            while self._queue and (self.count is None or self.taken < self.count):
                work, _ = self._queue.popitem(last=False)
                self.taken += 1
                work.begin()
        finally:
            self._admitting = False
