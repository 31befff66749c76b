"""One thing done when the knobs rest, for what many changes ask for: the latest wins."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Soon:
    """Calls ``do`` once, ``after_s`` seconds after the last ``ask()``.

    Where no loop runs (plain Python) it is done at once: nobody moves a slider there faster than
    it can be followed.
    """

    def __init__(self, do: Callable[[], None], after_s: float = 0.15) -> None:
        self.after_s = after_s
        self._do = do
        self._timer: asyncio.TimerHandle | None = None

    def ask(self) -> None:
        """Do it soon, and forget what was asked for before."""
        self.forget()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._do()
        else:
            self._timer = loop.call_later(self.after_s, self.now)

    def now(self) -> None:
        """Do at once what is due; nothing if nothing is."""
        if self._timer is not None:
            self.forget()
            self._do()

    def forget(self) -> None:
        """Leave what is due undone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
