"""A mock in this process whose requests are counted as they come, and summed up by prompt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.mock.journal import Entry, Journal
from holysheep_helpers.mock.server import Server
from tests.support.inside import running, tenant_of


class WatchedMock(MockHandle):
    """``asked`` counts its requests, ``stalled`` those that it will never answer, nor end.

    ``when_asked`` calls as soon as it has got so many.
    """

    def __init__(self, base_url: str, server: Server) -> None:
        super().__init__(base_url, "hs-mock-batch")
        self.asked, self.stalled, self._call_at = 0, 0, (0, lambda: None)
        tenant_of(server, self).journal = _Counted(self)

    def when_asked(self, count: int, call: Callable[[], Any]) -> None:
        self._call_at = (count, call)

    def begun(self, entry: Entry) -> None:
        self.asked += 1
        self.stalled += entry.fault == "stall"
        count, call = self._call_at
        if self.asked == count:
            call()

    def paid(self) -> Counter[str]:
        """How many times each request was made, or may have been, by its hash.

        A proxy's page counts: the mock made nothing then, and nobody but the mock can know that.
        """
        return Counter(
            entry["request"]
            for entry in self.entries()
            if entry["paid"] != "no" or entry["fault"] == "html"
        )

    def doubled(self) -> int:
        return sum(times - 1 for times in self.paid().values())


class _Counted(Journal):
    def __init__(self, mock: WatchedMock) -> None:
        super().__init__()
        self._mock = mock

    def begin(self, entry: Entry) -> Entry:
        begun = super().begin(entry)
        self._mock.begun(begun)
        return begun


@contextmanager
def watched(time_scale: float = 0.0) -> Iterator[WatchedMock]:
    """Such a mock for the length of a ``with`` block."""
    with running(time_scale=time_scale) as (handle, server):
        yield WatchedMock(handle.base_url, server)


class NoWait(Random):
    """Back-offs without a wait."""

    def uniform(self, a: float, b: float) -> float:
        return 0.0
