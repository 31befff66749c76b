"""A budget, attacked: calls, streams and failures in any order, on threads and tasks.

The server, in this process, bills what it likes within the bounds of each request. At each moment,
certain and possible together are no less than its bill for calls that have ended, and above the
budget by no more than the calls that were in flight can cost.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from decimal import Decimal
from threading import Barrier, Lock, Thread
from typing import Any

import httpx2
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import holysheep_helpers as hs
from holysheep_helpers.client.spend import Budget
from tests.client.test_possible import (
    CERTAIN,
    DONE,
    ENDINGS,
    NOTHING,
    SSE,
    USAGE,
    WHOLE,
    Server,
    event,
    most,
)
from tests.support.strategies import examples, often

MAX_TOKENS = 40
COST, MOST = most(10), most(MAX_TOKENS)  # what the stated usage costs; what a call can cost
LIMIT = 12 * MOST
TOGETHER = 5
tried = [0]

endings = st.sampled_from([row for row in ENDINGS if row[2] is not KeyboardInterrupt])


class Attack(RuleBasedStateMachine):
    """What a program may do with one gateway."""

    def __init__(self) -> None:
        super().__init__()
        tried[0] += 1
        self.budget = Budget(LIMIT)
        self.server = Server(self._answer, self.budget)
        self.billed, self.open_usd, self.sent = Decimal(0), Decimal(0), 0
        self.refused = False
        self.most_over = MOST  # by one call alone, as each begins below the limit
        self.gate: Barrier | None = None
        self.lock = Lock()
        self.next: tuple[str, str, Any] = ENDINGS[0]
        self.streams: list[Any] = []
        self.http: Any = self.server.client()

    def _answer(self) -> Any:
        _, ending, make = self.next
        with self.lock:
            self.sent += 1
            # A lost call is billed at the most that it can cost: nothing is worse.
            self.billed += {CERTAIN: COST, NOTHING: Decimal(0)}.get(ending, MOST)
        if self.gate is not None:
            self.gate.wait(60)  # all are in flight at once
        return make()

    def _is_spent(self) -> bool:
        spend = self.budget.spend
        return spend.usd + spend.possible_usd >= LIMIT

    def _check(self, error: BaseException | None, was_spent: bool, sent: int) -> None:
        assert isinstance(error, hs.BudgetError) == was_spent
        assert (self.sent == sent) == was_spent

    @rule(ending=endings, stream=st.booleans())
    def call(self, ending: Any, stream: bool) -> None:
        self.next, self.server.error = ending, None
        was_spent, sent = self._is_spent(), self.sent
        self.server.ask(stream=stream, max_tokens=MAX_TOKENS)
        self._check(self.server.error, was_spent, sent)

    @rule(stream=st.booleans())
    def interrupt(self, stream: bool) -> None:
        self.call(("Ctrl-C", "possible", KeyboardInterrupt), stream)

    @rule(ending=endings, stream=st.booleans())
    def call_from_threads(self, ending: Any, stream: bool) -> None:
        self.next, was_spent, sent = ending, self._is_spent(), self.sent
        self.gate = None if was_spent else Barrier(TOGETHER)
        options: Any = {"stream": stream, "max_tokens": MAX_TOKENS}
        threads = [Thread(target=self.server.ask, kwargs=options) for _ in range(TOGETHER)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.gate = None
        self.most_over = max(self.most_over, TOGETHER * MOST)
        assert self.sent - sent == (0 if was_spent else TOGETHER)

    @rule(ending=endings, stream=st.booleans())
    def call_from_tasks(self, ending: Any, stream: bool) -> None:
        self.next, was_spent, sent = ending, self._is_spent(), self.sent

        async def main() -> None:
            options: Any = {"stream": stream, "max_tokens": MAX_TOKENS}
            await asyncio.gather(*(self.server.aask(**options) for _ in range(TOGETHER)))

        asyncio.run(main())
        self.most_over = max(self.most_over, TOGETHER * MOST)
        assert 1 <= self.sent - sent <= TOGETHER or was_spent
        assert not was_spent or self.sent == sent

    @rule()
    @precondition(lambda self: len(self.streams) < TOGETHER and not self._is_spent())
    def open_a_stream(self) -> None:
        def whole() -> httpx2.Response:
            parts = [event(), event("stop"), event(usage=USAGE, choices=[]), DONE]
            return httpx2.Response(200, headers=SSE, stream=Pieces(parts))

        self.next = ("", NOTHING, whole)  # it is billed when it has ended
        stream = self.http.chat.completions.create(
            model=WHOLE["model"], messages=[{"role": "user", "content": "x"}], stream=True,
            max_tokens=MAX_TOKENS,
        )  # fmt: skip
        next(iter(stream))
        self.streams.append(stream)
        self.most_over = max(self.most_over, (len(self.streams) + TOGETHER) * MOST)

    @rule(way=st.sampled_from(["read", "close", "forget"]))
    @precondition(lambda self: self.streams)
    def end_a_stream(self, way: str) -> None:
        stream = self.streams.pop()
        if way == "read":
            for _ in stream:
                pass
        elif way == "close":
            stream.close()
        self.billed += COST if way == "read" else MOST
        del stream
        gc.collect()

    @invariant()
    def what_was_billed_is_counted(self) -> None:
        spend = self.budget.spend
        assert spend.usd + spend.possible_usd >= self.billed

    @invariant()
    def the_budget_is_passed_by_calls_in_flight_alone(self) -> None:
        spend = self.budget.spend
        assert spend.usd + spend.possible_usd < LIMIT + self.most_over

    @rule()
    def look_at_the_frame(self) -> None:
        """It has the same sums. At some moments, for it takes as long as the calls of a step."""
        spend = self.budget.spend
        if spend.calls:
            frame: Any = spend.to_frame()
            assert sum(frame["usd"]) == spend.usd
            assert sum(frame["possible_usd"]) == spend.possible_usd
            assert frame["possible"].sum() == spend.possible

    def teardown(self) -> None:
        self.streams.clear()
        self.http.close()
        gc.collect()


class Pieces(httpx2.SyncByteStream):
    """A body that comes piece after piece."""

    def __init__(self, parts: list[bytes]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        yield from self._parts


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_order_of_calls_passes_the_budget_or_hides_what_was_billed() -> None:
    tried[0], count = 0, examples(100)
    gc.collect()
    gc.freeze()  # each of the collections below looks at what the attack has made, and no further
    try:
        run_state_machine_as_test(
            Attack, settings=settings(often, max_examples=count, stateful_step_count=30)
        )
    finally:
        gc.unfreeze()
    print(f"{tried[0]} sequences of up to 30 steps tried")
    assert tried[0] >= count
