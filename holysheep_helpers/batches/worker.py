"""One prompt of a batch, asked until it is answered, has failed for good, or is out of time.

``Asker.ask`` is the way of one prompt, from the top down: ``_ask_until_done`` asks again as
``resilience.decision`` says, ``_ask_once`` is one request with its budget and its turn, and
``_send`` is what goes over the line, with what the journal has to know of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from math import inf
from random import Random
from time import perf_counter
from typing import Any

import httpx2
import openai

from holysheep_helpers.batches.journal import Journal
from holysheep_helpers.batches.pacing import Gate, Limit
from holysheep_helpers.batches.results import Attempt, BatchItem, recorded
from holysheep_helpers.client.replies import read_whole, readable_head
from holysheep_helpers.client.requests import Item
from holysheep_helpers.client.spend import Budget, BudgetError
from holysheep_helpers.diagnosis.diagnose import Diagnosis, add_advice
from holysheep_helpers.diagnosis.waiting import back_off_s
from holysheep_helpers.exceptions import (
    ClientClosedError,
    DeadlineError,
    GatewayError,
    JournalError,
    NotAskedError,
    UnexpectedReplyError,
)
from holysheep_helpers.pricing.money import cost_or_none, warn_if_assumed
from holysheep_helpers.resilience.circuit_breaker import CircuitBreaker, Permit
from holysheep_helpers.resilience.decision import Decision, Failure, asked_wait_s, decide

MAX_ATTEMPTS = 6
"""Requests for one prompt that may fail for a reason of their own; 429s are not counted."""

PATIENCE_S = 600.0
"""The longest Retry-After that is waited for, and how long only 429s may come; then it stops."""

FATAL = {
    *("missing_key", "placeholder_key", "malformed_key", "wrong_key", "wrong_host", "forbidden"),
    *("unknown_model", "wrong_path", "redirect", "quota", "configuration"),
    "client_closed",
}
"""Kinds of error that every other request of the batch would meet, too."""

_OF_A_REQUEST = (
    *(openai.OpenAIError, UnexpectedReplyError, GatewayError, TypeError, ValueError),
    RuntimeError,  # a closed client, or one of an event loop that has ended
)
"""Errors of one request: they never end a batch without its result."""

_OPTIONS = {"extra_headers": "headers", "extra_query": "params", "timeout": "timeout"}


@dataclass(frozen=True)
class Limits:
    """What the caller allows; ``None`` a minute where the plan or the headers shall tell.

    ``models`` are the ones to ask in turn; none where each prompt has the one that it names.
    """

    requests_per_minute: float | None
    tokens_per_minute: float | None
    max_concurrency: int
    deadline_s: float | None
    models: tuple[str, ...] = ()


@dataclass(slots=True)
class Record:
    """What has become of one prompt until now.

    ``item`` is the request that was sent last, or is sent next; ``lost`` counts the requests that
    may have been paid for although no reply came; ``failure`` is the last one.
    """

    index: int
    item: Item
    lost: int
    timeline: list[Attempt] = field(default_factory=list)
    failure: Failure | None = None

    def result(self, **found: Any) -> BatchItem:
        """The prompt's result, with the times of its requests."""
        timeline = tuple(self.timeline)
        elapsed_s = timeline[-1].end_s - timeline[0].start_s if timeline else 0.0
        common = {"attempts": len(timeline), "elapsed_s": elapsed_s, "timeline": timeline}
        return BatchItem(self.index, self.item.prompt, lost=self.lost, **common, **found)

    def failed(self, error: Exception) -> BatchItem:
        bare = error.with_traceback(None)  # or its frames would keep everything alive
        return self.result(error=bare, model=self.item.model)

    def not_asked(self, why: BaseException | None) -> BatchItem:
        """The result of a prompt whose turn never came, or that was interrupted."""
        reason = type(why).__name__ if why else "interrupted"
        error = NotAskedError(
            f"No answer: the batch was stopped first ({reason}). result.retry_failed() asks again, "
            "and so does the same call, if it has a journal."
        )
        error.__cause__ = why
        return self.result(error=error)


@dataclass
class Asker:
    """Asks prompt after prompt; what holds one of them back may hold back all (``gate``).

    ``stopped_by`` is the fatal error after which nothing more is sent; ``left`` has what was under
    way when the batch was interrupted, by index.
    """

    client: openai.AsyncOpenAI
    limits: Limits
    budget: Budget = field(default_factory=lambda: Budget(None))
    journal: Journal | None = None
    clock: Callable[[], float] = perf_counter
    random: Random = field(default_factory=Random)
    stopped_by: Exception | None = None
    left: dict[int, BatchItem] = field(default_factory=dict)

    def __post_init__(self) -> None:
        limits = self.limits
        self.began_s = self.clock()
        self._url, self._base_url = chat_url(self.client), self.client.base_url
        self._stop = asyncio.Event()
        self._limited_since_s: float | None = None  # only 429s have come since then
        self._breaker = CircuitBreaker(clock=self.clock) if limits.models else None
        requests, tokens = Limit(limits.requests_per_minute), Limit(limits.tokens_per_minute)
        herd, sleep = limits.max_concurrency, self._pause
        self.gate = Gate(requests, tokens, herd, self.clock, sleep, self.random)

    def stop(self, why: Exception) -> None:
        """Send nothing more; what is under way may end."""
        self.stopped_by = self.stopped_by or why
        self._stop.set()

    def _is_stopped(self) -> bool:
        return self.stopped_by is not None

    async def _pause(self, wait_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._stop.wait()

    async def ask(self, index: int, item: Item, lost: int = 0) -> BatchItem:
        """Never raises for what the server did; the error is then in the result."""
        record = Record(index, item, lost)
        try:
            if self.limits.deadline_s is None:
                return await self._ask_until_done(record, None)
            async with asyncio.timeout(None) as deadline:  # it begins with the first request
                return await self._ask_until_done(record, deadline)
        except TimeoutError:
            return self._too_late(record)
        except (BudgetError, JournalError) as error:  # without a line of intent nothing is sent
            self.stop(error)
            return record.not_asked(self.stopped_by)
        except asyncio.CancelledError:
            self.left[index] = record.not_asked(self.stopped_by)
            raise

    async def _ask_until_done(self, record: Record, deadline: asyncio.Timeout | None) -> BatchItem:
        """Ask, and after each failure do what ``decide`` says of it."""
        turns, tries = Turns(record.item.in_turn(self.limits.models), self._breaker), 0
        try:
            while True:
                record.item = await self._next_item(turns) or record.item
                result = await self._ask_once(record, deadline)
                if isinstance(result, BatchItem):
                    if result.ok:
                        turns.answered()
                    return result
                tries += not is_limited(result.why)
                another = turns.failed(result) and tries < max(MAX_ATTEMPTS, len(turns.items))
                failure = result if another else turns.end_round(result)
                decision = self._decide(record, failure, tries, another)
                if decision.next == "give up":
                    return self._given_up(record, failure, tries, decision)
                if decision.next == "ask again" and not is_limited(failure.why):
                    await self._pause(decision.wait_s)  # after a 429 all wait at the gate
        finally:
            turns.no_verdict()

    async def _next_item(self, turns: Turns) -> Item | None:
        """Wait until a model may be asked; ``None`` if the batch was stopped meanwhile."""
        while (item := turns.next_item()) is None and not self._is_stopped():
            await self._pause(turns.cooling_s(turns.items))
        return item

    async def _ask_once(
        self, record: Record, deadline: asyncio.Timeout | None
    ) -> BatchItem | Failure:
        """One request when its turn has come, within the budget. A result, or why it failed."""
        item = record.item
        tokens = item.input_tokens + item.output_tokens if self.gate.counts_tokens else 0
        # Before its turn: who waits for the budget after it would break the pace.
        reserved = await self.budget.reserve(item)
        cost = Decimal(0)
        try:
            note = await self.gate.turn(tokens, self._is_stopped)
            if self._is_stopped():
                return record.not_asked(self.stopped_by)
            if deadline is not None and not record.timeline:
                now_s = asyncio.get_running_loop().time()
                deadline.reschedule(now_s + (self.limits.deadline_s or 0))
            if self.journal is not None:
                self.journal.ask(item.key)
            cost = reserved  # it may be billed, unless more is known
            found = await self._send(record, deadline)
            if isinstance(found, Failure):
                cost = reserved if found.why.may_have_cost else Decimal(0)
                self._note_failure(item, found)
                return found
            cost = reserved if found.cost is None else found.cost
            if note is not None and found.usage is not None and found.usage.total_tokens:
                self.gate.tokens.correct(note, found.usage.total_tokens)
            if self.journal is not None:
                self._keep(self.journal, item, found)
            return found
        except BudgetError:  # the gateway's own budget refused it, before it was sent
            cost = Decimal(0)
            if self.journal is not None:
                self.journal.fail(item.key, "budget")
            raise
        finally:
            self.budget.settle(reserved, cost)

    async def _send(self, record: Record, deadline: asyncio.Timeout | None) -> BatchItem | Failure:
        """Send the request and read the reply; the timeline tells what became of it."""
        start_s = self.clock() - self.began_s

        def ended(outcome: str, *, maybe_paid: bool = False) -> None:
            end_s = self.clock() - self.began_s
            record.timeline.append(Attempt(start_s, end_s, outcome, record.item.model))
            record.lost += maybe_paid

        try:
            response = await send(self.client, self._url, record.item)
            reply = read_whole(response, self._base_url)
        except BudgetError:
            raise
        except asyncio.CancelledError:
            is_late = deadline is not None and deadline.expired()
            ended("time-out" if is_late else "interrupted", maybe_paid=True)
            raise
        except _OF_A_REQUEST as error:
            failure = record.failure = _failure_of(error)
            if type(failure.error) is RuntimeError:  # a mistake in the code, no word of a server
                raise
            ended(outcome_of(failure), maybe_paid=failure.why.may_have_cost)
            return failure
        ended("ok")
        if self.gate.learning:
            self.gate.learn(response.headers, done=True)
        self.gate.went_well()
        self._limited_since_s = None
        usage, asked = reply.usage, record.item.model
        warn_if_assumed(usage, reply.model, asked)
        return record.result(
            text=reply.text,
            usage=usage,
            cost=cost_or_none(usage, reply.model, asked),
            finish_reason=reply.finish_reason,
            model=reply.model,
            refusal=reply.refusal,
            request_id=response.headers.get("x-request-id"),
        )

    def _note_failure(self, item: Item, failure: Failure) -> None:
        if is_limited(failure.why) and isinstance(failure.error, openai.APIStatusError):
            self.gate.learn(failure.error.response.headers, done=False)
        if self.journal is not None and not failure.why.may_have_cost:
            self.journal.fail(item.key, outcome_of(failure))

    def _keep(self, journal: Journal, item: Item, result: BatchItem) -> None:
        try:
            journal.answer(item.key, recorded(result))
        except JournalError as error:  # the answer is kept here; nothing more is asked
            self.stop(error)

    def _decide(self, record: Record, failure: Failure, tries: int, another: bool) -> Decision:
        why, left_s, limited_s = failure.why, None, 0.0
        if self.limits.deadline_s is not None:
            since_s = self.clock() - self.began_s - record.timeline[0].start_s
            left_s = self.limits.deadline_s - since_s
        if is_limited(why) and not another:
            now_s = self.clock()
            if self._limited_since_s is None:
                self._limited_since_s = now_s
            limited_s = now_s - self._limited_since_s

        def wait_s() -> float:
            if is_limited(why):
                return self.gate.hold(asked_wait_s(why), self.began_s + record.timeline[-1].start_s)
            return max(asked_wait_s(why) or 0.0, back_off_s(tries, self.random))

        return decide(
            why,
            another_model=another,
            tries=tries,
            attempts=MAX_ATTEMPTS,
            waited_s=limited_s,
            longest_wait_s=PATIENCE_S,
            left_s=left_s,
            wait_s=wait_s,
        )

    def _given_up(
        self, record: Record, failure: Failure, tries: int, decision: Decision
    ) -> BatchItem:
        if decision.because == "deadline":
            return self._too_late(record)
        error = failure.error
        if isinstance(error, openai.OpenAIError):
            add_advice(error)
        if decision.because == "attempts":
            error.add_note(f"Given up after {tries} requests.")
        if is_fatal(failure.why) or is_limited(failure.why) or decision.because == "patience":
            self.stop(error)
        return record.failed(error)

    def _too_late(self, record: Record) -> BatchItem:
        error = DeadlineError(
            f"No answer within deadline_s={self.limits.deadline_s} after {len(record.timeline)} "
            f"requests (the last: {record.timeline[-1].outcome}). Allow more time, or ask for less."
        )
        if record.failure is not None:
            error.__cause__ = record.failure.error.with_traceback(None)
        return record.failed(error)


class Turns:
    """Which model one prompt asks next: in a round each of its models once at most.

    ``items`` are its requests, and ``failures`` those of this round, by model. Where there is one
    model alone, it is always its turn.
    """

    def __init__(self, items: Iterable[Item], breaker: CircuitBreaker | None) -> None:
        self.items = {item.model: item for item in items}
        self.failures: dict[str, Failure] = {}
        self._breaker = breaker if len(self.items) > 1 else None
        self._permit: Permit | None = None

    def next_item(self) -> Item | None:
        """The request to send; ``None`` where the server itself said how long to wait for each.

        Where all are left alone for their failures, one is asked all the same.
        """
        if self._breaker is None:
            return next(iter(self.items.values()))
        left = self._left()
        for models, insist in ((left, False), (left, True), (self.items, True)):
            for model in models:
                self._permit = self._breaker.permit(model, insist=insist)
                if self._permit is not None:
                    return self.items[model]
        return None

    def cooling_s(self, models: Iterable[str]) -> float:
        """Seconds until one of these may be asked; infinite if there is none."""
        assert self._breaker is not None
        return min(map(self._breaker.cooling_s, models), default=inf)

    def answered(self) -> None:
        if (permit := self._release()) is not None:
            permit.answered()

    def failed(self, failure: Failure) -> bool:
        """Note it; whether another model can be asked at once."""
        if (permit := self._release()) is None:
            return False
        permit.judged_by(failure.why)
        if not failure.why.other_model:
            self.failures.clear()
            return False
        self.failures[permit.model] = failure
        return self.cooling_s(self._left()) == 0

    def end_round(self, last: Failure) -> Failure:
        """Of this round's failures the one with the least to wait, ``last`` if none may pass."""
        failures, self.failures = self.failures, {}
        hopes = [failure for failure in failures.values() if failure.why.retryable]
        return min(hopes, key=lambda failure: asked_wait_s(failure.why) or 0.0, default=last)

    def no_verdict(self) -> None:
        """No word on the model will come of what was under way."""
        if (permit := self._release()) is not None:
            permit.no_verdict()

    def _release(self) -> Permit | None:
        permit, self._permit = self._permit, None
        return permit

    def _left(self) -> list[str]:
        return [model for model in self.items if model not in self.failures]


def is_limited(why: Diagnosis) -> bool:
    """Whether this is a 429 that passes: then all requests of the batch must wait."""
    return why.kind == "rate_limit" and why.retryable


def is_fatal(why: Diagnosis) -> bool:
    """Whether every other request of the batch would meet this, too."""
    return why.kind in FATAL or (why.kind == "proxy_page" and not why.retryable)


def _failure_of(error: Exception) -> Failure:
    """What is known of an error, for good: only its traceback, which no item keeps, tells some."""
    failure = Failure.of(error)
    if failure.why.kind != "client_closed":
        return failure
    why = failure.why
    closed = ClientClosedError(f"{why.what} {why.advice}", maybe_sent=why.may_have_cost)
    return Failure(closed, why)


def outcome_of(failure: Failure) -> str:
    """A failed request in one word, as ``Attempt.outcome`` has it."""
    error = failure.error
    if isinstance(error, openai.APIStatusError):
        return str(error.status_code)
    if isinstance(error, UnexpectedReplyError | GatewayError):
        return "reply"
    if not isinstance(error, openai.APIConnectionError | ClientClosedError):
        return "not sendable"
    if not failure.why.may_have_cost:
        return "no connection"
    return "time-out" if isinstance(error, openai.APITimeoutError) else "connection"


def chat_url(client: openai.AsyncOpenAI) -> str:
    """Where to send: in full, which spares the SDK from joining it anew for each request.

    A client of another class (Azure's) makes an address of its own, from the path alone.
    """
    if type(client) is openai.AsyncOpenAI and not client.base_url.query:
        return f"{client.base_url}chat/completions"
    return "/chat/completions"


async def send(client: openai.AsyncOpenAI, url: str, item: Item) -> httpx2.Response:
    """Send it once, the SDK's own retries off, and hand back the reply with its headers."""
    options: Any = {"max_retries": 0}
    for name, value in item.options.items():
        options[_OPTIONS[name]] = value
    with readable_head():
        return await client.post(url, body=item.body, cast_to=httpx2.Response, options=options)
