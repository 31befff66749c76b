"""One prompt of a batch, asked until it is answered, has failed permanently, or is out of time.

``Setup`` has the settings of the whole batch. ``Asker.ask`` is the way of one prompt, from the top
down: ``_ask_until_done`` asks again as ``resilience.decision`` says, ``_ask_once`` is one request
with its budget and its turn, and ``_send`` is what goes over the line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from math import inf
from os import PathLike
from random import Random
from time import perf_counter
from typing import Any

import httpx2
import openai

from holysheep_helpers import catalog, exceptions
from holysheep_helpers._checks import check_number, check_whole
from holysheep_helpers.batches.journal import Journal
from holysheep_helpers.batches.pacing import Gate, Limit
from holysheep_helpers.batches.results import Attempt, BatchItem, recorded
from holysheep_helpers.client.gateway import Gateway, async_client
from holysheep_helpers.client.replies import read_whole, readable_head
from holysheep_helpers.client.requests import Item, Reader, Way, checked_models
from holysheep_helpers.client.spend import Budget, BudgetError, checked_usd
from holysheep_helpers.diagnosis.diagnose import Diagnosis, add_advice
from holysheep_helpers.diagnosis.waiting import back_off_s
from holysheep_helpers.pricing.money import cost_or_none, warn_if_assumed
from holysheep_helpers.resilience.circuit_breaker import CircuitBreaker, Permit
from holysheep_helpers.resilience.decision import Decision, Failure, asked_wait_s, decide

MAX_ATTEMPTS = 6
"""Requests for one prompt that may fail for a reason of their own; 429s are not counted."""

PATIENCE_S = 600.0
"""The longest Retry-After that is waited for, and how long only 429s may come; then it stops."""

FATAL = {
    *("missing_key", "placeholder_key", "malformed_key", "wrong_key", "wrong_host", "forbidden"),
    *("unknown_model", "wrong_path", "redirect", "quota", "configuration", "client_closed"),
}
"""Kinds of error that every other request of the batch would meet, too."""

_OF_A_REQUEST = (openai.OpenAIError, exceptions.HolySheepError, TypeError, ValueError, RuntimeError)
"""Errors of one request: they never end a batch without its result.

A ``RuntimeError`` is one if the client is closed, or its event loop has ended.
"""

_OPTIONS = {"extra_headers": "headers", "extra_query": "params", "timeout": "timeout"}


Path = str | PathLike[str]
Money = Decimal | str | int
Deadline = asyncio.Timeout | None


@dataclass
class Setup:
    """The settings of ``batch`` and ``batch_iter``, checked.

    ``reader`` makes requests of prompts. ``in_turn`` has the models to ask one after the other; it
    is empty where each prompt has the one that it names. The pace may come from the plan.
    """

    target: Gateway | openai.AsyncOpenAI
    model: str
    models: Sequence[str] | None
    system: str | None
    max_concurrency: int
    requests_per_minute: float | None
    tokens_per_minute: float | None
    journal: Path | None
    budget_usd: Money | None
    deadline_s: float | None
    progress: bool
    sdk_parameters: dict[str, Any]

    def __post_init__(self) -> None:
        """Raises ``InputError`` or ``ConfigurationError`` for what can't be right."""
        client = async_client(self.target)  # raises if it is neither
        first, self.in_turn = self.model, ()
        if self.models is not None:
            first, *_ = self.in_turn = checked_models(self.models)
            if self.model not in (catalog.DEFAULT_MODEL, first):
                raise exceptions.InputError(
                    f"Both model={self.model!r} and models were given: leave one of them out."
                )
        way = None if self.journal is None else Way(client)
        self.reader = Reader(first, self.system, self.sdk_parameters, way)
        check_whole("max_concurrency", self.max_concurrency)
        check_number("requests_per_minute", self.requests_per_minute, above=0, optional=True)
        check_number("tokens_per_minute", self.tokens_per_minute, above=0, optional=True)
        check_number("deadline_s", self.deadline_s, "seconds", above=0, optional=True)
        self.limit_usd = checked_usd(self.budget_usd)
        gateway = self.target
        if isinstance(gateway, Gateway) and gateway.plan is not None and gateway.time_scale:
            # A mock played faster has shorter minutes; tokens are limited by the mock alone.
            rpm, tpm = gateway.plan.requests_per_minute, gateway.plan.tokens_per_minute
            if self.requests_per_minute is None and rpm:
                self.requests_per_minute = rpm / gateway.time_scale
            if self.tokens_per_minute is None and tpm and gateway.mock:
                self.tokens_per_minute = tpm / gateway.time_scale

    def keys_of(self, item: Item) -> list[str]:
        """Those of a journal for this prompt: one for each model that may be asked."""
        return [one.key for one in item.in_turn(self.in_turn)]


@dataclass(slots=True)
class Record:
    """What has become of one prompt until now.

    ``item`` is the request that was sent last, or is sent next; ``lost`` counts the requests that
    may have been paid for although no reply came; ``failure`` is the last one.
    """

    index: int
    item: Item
    lost: int = 0
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
        error = exceptions.NotAskedError(
            f"No answer: the batch was stopped first ({reason}). result.retry_failed() asks again, "
            "and so does the same call, if it has a journal."
        )
        error.__cause__ = why
        return self.result(error=error)


@dataclass
class Asker:
    """Asks prompt after prompt; what holds one of them back may hold back all (``gate``).

    ``stopped_by`` is the fatal error after which nothing more is sent. Its times are seconds since
    the batch began. ``close()`` closes the journal.
    """

    setup: Setup
    clock: Callable[[], float] = perf_counter
    random: Random = field(default_factory=Random)

    def __post_init__(self) -> None:
        setup = self.setup
        self.client, self.budget = async_client(setup.target), Budget(setup.limit_usd)
        self.journal = None if setup.journal is None else Journal(setup.journal)
        self.stopped_by: Exception | None = None
        self._stop = asyncio.Event()
        self._began_s = self.clock()
        self._limited_since_s = inf  # only 429s have come since then
        self._url, self._base_url = chat_url(self.client), self.client.base_url
        self._breaker = CircuitBreaker(clock=self.now_s) if setup.in_turn else None
        pace = Limit(setup.requests_per_minute), Limit(setup.tokens_per_minute)
        self.gate = Gate(*pace, setup.max_concurrency, self.now_s, self._pause, self.random)

    def close(self) -> None:
        if self.journal is not None:
            self.journal.close()

    def now_s(self) -> float:
        return self.clock() - self._began_s

    def stop(self, why: Exception) -> None:
        """Send nothing more; what is in flight may end."""
        self.stopped_by = self.stopped_by or why
        self._stop.set()

    async def _pause(self, wait_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._stop.wait()

    async def ask(self, record: Record) -> BatchItem:
        """Never raises for what the server did; the error is then in the result."""
        try:
            if self.setup.deadline_s is None:
                return await self._ask_until_done(record, None)
            async with asyncio.timeout(None) as deadline:  # it begins with the first request
                return await self._ask_until_done(record, deadline)
        except TimeoutError:
            return self._too_late(record)
        except (BudgetError, exceptions.JournalError) as error:
            self.stop(error)  # without a line of intent nothing is sent
            return record.not_asked(self.stopped_by)

    async def _ask_until_done(self, record: Record, deadline: Deadline) -> BatchItem:
        """Ask, and after each failure do what ``decide`` says of it."""
        turns, tries = Turns(record.item.in_turn(self.setup.in_turn), self._breaker), 0
        try:
            while True:
                while (item := turns.next_item()) is None and self.stopped_by is None:
                    await self._pause(turns.cooling_s(turns.items))
                record.item = item or record.item
                result = await self._ask_once(record, deadline)
                turns.judge(result)
                if isinstance(result, BatchItem):
                    return result
                tries += not is_limited(result.why)
                another = turns.another() and tries < max(MAX_ATTEMPTS, len(turns.items))
                failure = result if another else turns.end_round(result)
                decision = self._decide(record, failure, tries, another)
                if decision.next == "give up":
                    return self._given_up(record, failure, tries, decision.because)
                if decision.next == "ask again" and not is_limited(failure.why):
                    await self._pause(decision.wait_s)  # after a 429 all wait at the gate
        finally:
            turns.judge(None)

    async def _ask_once(self, record: Record, deadline: Deadline) -> BatchItem | Failure:
        """One request when its turn has come, within the budget. A result, or why it failed."""
        item, journal = record.item, self.journal
        tokens = item.input_tokens + item.output_tokens if self.gate.counts_tokens else 0
        # Before its turn: who waits for the budget after it would break the pace.
        reserved, cost = await self.budget.reserve(item), Decimal(0)
        try:
            note = await self.gate.turn(tokens, self._stop.is_set)
            if self.stopped_by is not None:
                return record.not_asked(self.stopped_by)
            if deadline is not None and not record.timeline:
                now_s = asyncio.get_running_loop().time()
                deadline.reschedule(now_s + (self.setup.deadline_s or 0))
            if journal is not None:
                journal.ask(item.key)
            cost = reserved  # it may be billed, unless more is known
            found = await self._send(record, deadline)
            if isinstance(found, Failure):
                if not found.why.may_have_cost:
                    cost = Decimal(0)
                    if journal is not None:
                        journal.fail(item.key, outcome_of(found))
                return found
            cost = reserved if found.cost is None else found.cost
            if note is not None and found.usage is not None and found.usage.total_tokens:
                self.gate.tokens.correct(note, found.usage.total_tokens)
            try:
                if journal is not None:
                    journal.answer(item.key, recorded(found))
            except exceptions.JournalError as error:
                self.stop(error)  # the answer is kept here; nothing more is asked
            return found
        except BudgetError:  # the gateway's own budget refused it, before it was sent
            cost = Decimal(0)
            if journal is not None:
                journal.fail(item.key, "budget")
            raise
        finally:
            self.budget.settle(reserved, cost)

    async def _send(self, record: Record, deadline: Deadline) -> BatchItem | Failure:
        """Send the request and read the reply; the timeline tells what became of it."""
        start_s = self.now_s()

        def ended(outcome: str, *, maybe_paid: bool = False) -> None:
            record.timeline.append(Attempt(start_s, self.now_s(), outcome, record.item.model))
            record.lost += maybe_paid

        try:
            response = await send(self.client, self._url, record.item)
            reply = read_whole(response, self._base_url)
        except asyncio.CancelledError:
            is_late = deadline is not None and deadline.expired()
            ended("time-out" if is_late else "interrupted", maybe_paid=True)
            raise
        except _OF_A_REQUEST as error:
            failure = _failure_of(error)
            # The gateway's own budget refused it, or a mistake in the code: no word of a server.
            if isinstance(error, BudgetError) or type(failure.error) is RuntimeError:
                raise
            record.failure = failure
            ended(outcome_of(failure), maybe_paid=failure.why.may_have_cost)
            if is_limited(failure.why) and isinstance(failure.error, openai.APIStatusError):
                self.gate.learn(failure.error.response.headers, done=False)
            return failure
        ended("ok")
        if self.gate.learning:
            self.gate.learn(response.headers, done=True)
        self.gate.went_well()
        self._limited_since_s = inf
        usage, asked = reply.usage, record.item.model
        warn_if_assumed(usage, reply.model, asked)
        cost = cost_or_none(usage, reply.model, asked)
        facts = reply.facts("text", "usage", "finish_reason", "model", "refusal")
        return record.result(**facts, cost=cost, request_id=response.headers.get("x-request-id"))

    def _decide(self, record: Record, failure: Failure, tries: int, another: bool) -> Decision:
        why, now_s, left_s, limited_s = failure.why, self.now_s(), inf, 0.0
        if self.setup.deadline_s is not None:
            left_s = record.timeline[0].start_s + self.setup.deadline_s - now_s
        if is_limited(why) and not another:
            self._limited_since_s = min(self._limited_since_s, now_s)
            limited_s = now_s - self._limited_since_s

        def wait_s() -> float:
            if is_limited(why):
                return self.gate.hold(asked_wait_s(why), record.timeline[-1].start_s)
            return max(asked_wait_s(why) or 0.0, back_off_s(tries, self.random))

        return decide(
            why, another_model=another, tries=tries, attempts=MAX_ATTEMPTS, waited_s=limited_s,
            longest_wait_s=PATIENCE_S, left_s=left_s, wait_s=wait_s,
        )  # fmt: skip

    def _given_up(self, record: Record, failure: Failure, tries: int, because: str) -> BatchItem:
        if because == "deadline":
            return self._too_late(record)
        error = failure.error
        if isinstance(error, openai.OpenAIError):
            add_advice(error)
        if because == "attempts":
            error.add_note(f"Given up after {tries} requests.")
        if is_fatal(failure.why) or is_limited(failure.why) or because == "patience":
            self.stop(error)
        return record.failed(error)

    def _too_late(self, record: Record) -> BatchItem:
        error = exceptions.DeadlineError(
            f"No answer within deadline_s={self.setup.deadline_s} after {len(record.timeline)} "
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

    def judge(self, found: BatchItem | Failure | None) -> None:
        """Tell the circuit breaker, once, what became of the request; ``None``: unknown."""
        permit, self._permit = self._permit, None
        if permit is None:
            return
        if isinstance(found, Failure):
            permit.judged_by(found.why)
            if found.why.other_model:
                self.failures[permit.model] = found
            else:
                self.failures.clear()
        elif found is not None and found.ok:
            permit.answered()
        else:
            permit.no_verdict()

    def another(self) -> bool:
        """Whether another model can be asked at once, after the failures of this round."""
        return bool(self.failures) and self.cooling_s(self._left()) == 0

    def end_round(self, last: Failure) -> Failure:
        """Of this round's failures the one with the least to wait, ``last`` if none may pass."""
        failures, self.failures = self.failures, {}
        hopes = [failure for failure in failures.values() if failure.why.retryable]
        return min(hopes, key=lambda failure: asked_wait_s(failure.why) or 0.0, default=last)

    def _left(self) -> list[str]:
        return [model for model in self.items if model not in self.failures]


def is_limited(why: Diagnosis) -> bool:
    """Whether this is a 429 that passes: then all requests of the batch must wait."""
    return why.kind == "rate_limit" and why.retryable


def is_fatal(why: Diagnosis) -> bool:
    """Whether every other request of the batch would meet this, too."""
    return why.kind in FATAL or (why.kind == "proxy_page" and not why.retryable)


def _failure_of(error: Exception) -> Failure:
    """All that is known of an error: its traceback tells some of it, and no item keeps that."""
    failure = Failure.of(error)
    if (why := failure.why).kind != "client_closed":
        return failure
    closed = exceptions.ClientClosedError(f"{why.what} {why.advice}", maybe_sent=why.may_have_cost)
    return Failure(closed, why)


def outcome_of(failure: Failure) -> str:
    """A failed request in one word, as ``Attempt.outcome`` has it."""
    error = failure.error
    if isinstance(error, openai.APIStatusError):
        return str(error.status_code)
    if isinstance(error, exceptions.UnexpectedReplyError | exceptions.GatewayError):
        return "reply"
    if not failure.why.may_have_cost:
        no_line = isinstance(error, openai.APIConnectionError | exceptions.ClientClosedError)
        return "no connection" if no_line else "not sendable"
    return "time-out" if isinstance(error, openai.APITimeoutError) else "connection"


def chat_url(client: openai.AsyncOpenAI) -> str:
    """Where to send: in full, which spares the SDK from joining it again for each request.

    A client of another class (Azure's) makes an address of its own, from the path alone.
    """
    if type(client) is openai.AsyncOpenAI and not client.base_url.query:
        return f"{client.base_url}chat/completions"
    return "/chat/completions"


async def send(client: openai.AsyncOpenAI, url: str, item: Item) -> httpx2.Response:
    """Send it once, the SDK's own retries off, and hand back the reply with its headers."""
    options: Any = {_OPTIONS[name]: value for name, value in item.options.items()}
    options["max_retries"] = 0
    with readable_head():
        return await client.post(url, body=item.body, cast_to=httpx2.Response, options=options)
