"""One prompt of a batch, asked until it is answered, has failed for good, or is out of time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from time import perf_counter
from typing import Any

import httpx2
import openai
from openai.types import CompletionUsage
from pydantic import BaseModel, Field, ValidationError

from holysheep_helpers.batches.journal import Journal
from holysheep_helpers.batches.pacing import Gate, Limit
from holysheep_helpers.batches.results import Attempt, BatchItem, not_asked, recorded
from holysheep_helpers.client.budget import BudgetError, Purse
from holysheep_helpers.client.requests import Item
from holysheep_helpers.diagnosis.diagnose import Diagnosis, add_advice, diagnose
from holysheep_helpers.diagnosis.waiting import RETRY_AFTER, back_off_s
from holysheep_helpers.exceptions import DeadlineError, JournalError, UnexpectedReplyError
from holysheep_helpers.pricing.calls import cost_or_none
from holysheep_helpers.resilience.circuit_breaker import CircuitBreaker, Permit

_OPTIONS = {"extra_headers": "headers", "extra_query": "params", "timeout": "timeout"}


class _Message(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str


class Completion(BaseModel):
    """What a batch reads of a chat completion: checked, and a third of the work of all of it."""

    model: str
    choices: list[_Choice] = Field(min_length=1)
    usage: CompletionUsage | None = None

    @property
    def text(self) -> str:
        return self.choices[0].message.content or ""

    @property
    def finish_reason(self) -> str:
        return self.choices[0].finish_reason


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
    return await client.post(url, body=item.body, cast_to=httpx2.Response, options=options)


def read(response: httpx2.Response, url: object) -> Completion:
    """Raises ``UnexpectedReplyError`` if status 200 came with something else than a completion."""
    try:
        return Completion.model_validate_json(response.content)
    except ValidationError as error:
        kind = response.headers.get("content-type", "no content type")
        raise UnexpectedReplyError(
            f"{url} answered with status 200, but not with a whole chat completion ({kind}: "
            f"{error.error_count()} things are off). A proxy's page, or a wrong address? Check it.",
            page="json" not in kind,
        ) from None


@dataclass(frozen=True, slots=True)
class Failure:
    """What a failed request means for what comes next.

    ``fatal``: no other request can fare better; ``retry``: asking again may help; ``limited``: a
    429, all must wait; ``wait_s``: the seconds that the server asked for; ``maybe_paid``: the
    request went out and no verdict came back, so that it may have been answered and billed.
    """

    error: Exception
    label: str
    fatal: bool = False
    retry: bool = False
    limited: bool = False
    wait_s: float | None = None
    maybe_paid: bool = False


FATAL = {
    *("missing_key", "placeholder_key", "malformed_key", "wrong_key", "wrong_host", "forbidden"),
    *("unknown_model", "wrong_path", "redirect", "quota", "configuration"),
}
"""Kinds of error that every other request of the batch would meet, too."""


def judge(error: Exception) -> Failure:
    """What ``diagnose`` says of it, in a batch's terms."""
    found = diagnose(error)
    return Failure(
        error,
        _label(error, found),
        fatal=found.kind in FATAL or (found.kind == "proxy_page" and not found.retryable),
        retry=found.retryable,
        limited=found.kind == "rate_limit" and found.retryable,
        wait_s=found.wait_s if found.wait_said_by in RETRY_AFTER else None,
        maybe_paid=found.may_have_cost,
    )


def _label(error: Exception, found: Diagnosis) -> str:
    if isinstance(error, openai.APIStatusError):
        return str(error.status_code)
    if not isinstance(error, openai.APIConnectionError):
        return "reply" if isinstance(error, UnexpectedReplyError) else "not sendable"
    if not found.may_have_cost:
        return "no connection"
    return "time-out" if isinstance(error, openai.APITimeoutError) else "connection"


class Route:
    """One prompt's way through the models, round after round until one has answered.

    In a round each model is asked once at most. ``item`` is the request to send next; its place in
    a journal is the same for all models.
    """

    def __init__(self, item: Item, models: Sequence[str], breaker: CircuitBreaker) -> None:
        self._items = item.in_turn(models)
        self._breaker = breaker
        self._failures: dict[str, Failure] = {}  # of this round
        self._permit: Permit | None = None
        self.item = item

    def choose(self) -> float:
        """Set ``item`` and return 0, or the seconds until a model may be asked.

        Where all are left alone, one is asked all the same, and the batch's own back-off is the
        protection; unless the server itself said how long to wait.
        """
        if len(self._items) == 1:
            return 0.0
        left = [item for item in self._items if item.model not in self._failures]
        for insist, items in ((False, left), (True, left), (True, self._items)):
            for item in items:
                self._permit = self._breaker.permit(item.model, insist=insist)
                if self._permit is not None:
                    self.item = item
                    return 0.0
        return min(self._breaker.cooling_s(item.model) for item in self._items)

    def answered(self) -> None:
        if self._permit is not None:
            self._permit.answered()
            self._permit = None

    def failed(self, failure: Failure) -> bool:
        """Whether another model is to be asked at once; if not, ``counted`` says what counts."""
        if self._permit is None:
            return False
        why = diagnose(failure.error)
        if not why.other_model:
            self._failures = {}
            self.release()
            return False
        self._permit.failed(failure.wait_s, for_sure=not why.retryable)
        self._permit = None
        self._failures[self.item.model] = failure
        left = (item.model for item in self._items if item.model not in self._failures)
        return any(self._breaker.cooling_s(model) == 0 for model in left)

    def counted(self, last: Failure) -> Failure:
        """Of this round's failures the one with the least to wait, ``last`` if none may pass."""
        failures, self._failures = self._failures.values(), {}
        hopes = (failure for failure in failures if failure.retry)
        return min(hopes, key=lambda failure: failure.wait_s or 0.0, default=last)

    def release(self) -> None:
        """No word on the model will come of what was under way."""
        if self._permit is not None:
            self._permit.no_verdict()
            self._permit = None


MAX_ATTEMPTS = 6
"""Requests for one prompt that may fail for a reason of their own; 429s are not counted."""


PATIENCE_S = 600.0
"""The longest Retry-After that is waited for, and how long only 429s may come; then it stops."""


@dataclass
class Limits:
    """What the caller said: so many a minute; ``None`` where the plan or headers shall tell.

    ``models`` are the ones to ask in turn; none where each prompt has the one that it names.
    """

    requests_per_minute: float | None
    tokens_per_minute: float | None
    max_concurrency: int
    deadline_s: float | None
    models: tuple[str, ...] = ()


class _Work:
    """What is known about one prompt while it is asked."""

    def __init__(self, index: int, route: Route, lost: int) -> None:
        self.index, self.route, self.lost = index, route, lost
        self.timeline: list[Attempt] = []
        self.sent_s: float | None = None  # of the request that is under way
        self.reserved = Decimal(0)
        self.failure: Failure | None = None

    @property
    def item(self) -> Item:
        """The request to send next, or the one that was sent last."""
        return self.route.item

    def failed(self, error: Exception) -> BatchItem:
        return BatchItem(
            index=self.index,
            prompt=self.item.prompt,
            error=error.with_traceback(None),  # or its frames would keep everything alive
            model=self.item.model,
            lost=self.lost,
            **self._times(),
        )

    def answered(self, reply: Completion, request_id: str | None) -> BatchItem:
        return BatchItem(
            index=self.index,
            prompt=self.item.prompt,
            text=reply.text,
            usage=reply.usage,
            cost=cost_or_none(reply.usage, reply.model),
            finish_reason=reply.finish_reason,
            model=reply.model,
            request_id=request_id,
            lost=self.lost,
            **self._times(),
        )

    def _times(self) -> dict:
        first, last = self.timeline[0], self.timeline[-1]
        return {
            "attempts": len(self.timeline),
            "elapsed_s": last.end_s - first.start_s,
            "timeline": tuple(self.timeline),
        }


@dataclass
class Asker:
    """Asks prompt after prompt; what holds one of them back may hold back all (``gate``).

    ``stopped_by`` is the fatal error after which nothing more is sent; ``left`` has what was under
    way when the batch was interrupted, by index.
    """

    client: openai.AsyncOpenAI
    limits: Limits
    purse: Purse | None = None
    journal: Journal | None = None
    clock: Callable[[], float] = perf_counter
    random: Random = field(default_factory=Random)
    stopped_by: Exception | None = None
    left: dict[int, BatchItem] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.began_s = self.clock()
        self._url = chat_url(self.client)
        self._stop = asyncio.Event()
        self._limited_since_s: float | None = None
        self._breaker = CircuitBreaker(clock=self.clock)
        said = self.limits
        self.gate = Gate(
            requests=Limit(said.requests_per_minute),
            tokens=Limit(said.tokens_per_minute),
            herd=said.max_concurrency,
            clock=self.clock,
            sleep=self._pause,
            random=self.random,
            learns_requests=said.requests_per_minute is None,
            learns_tokens=said.tokens_per_minute is None,
        )

    def stop(self, why: Exception) -> None:
        """Send nothing more; what is under way may end."""
        self.stopped_by = self.stopped_by or why
        self._stop.set()

    async def _pause(self, wait_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._stop.wait()

    async def ask(self, index: int, item: Item, lost: int = 0) -> BatchItem:
        """Never raises for what the server did; the error is then in the result."""
        work = _Work(index, Route(item, self.limits.models, self._breaker), lost)
        try:
            if self.limits.deadline_s is None:
                return await self._ask(work, None)
            async with asyncio.timeout(None) as deadline:
                return await self._ask(work, deadline)
        except TimeoutError:
            return self._too_late(work, under_way=True)
        except (BudgetError, JournalError) as error:  # without a line of intent nothing is sent
            self.stop(error)
            self._settle(work, Decimal(0))
            return self._left_off(work)
        except asyncio.CancelledError:
            self._lose(work, "interrupted")
            self.left[index] = self._left_off(work)
            raise
        finally:
            work.route.release()

    async def _ask(self, work: _Work, deadline: asyncio.Timeout | None) -> BatchItem:
        tries = 0
        while True:
            while (cooling_s := work.route.choose()) > 0 and self.stopped_by is None:
                await self._pause(cooling_s)
            item = work.item
            tokens = item.input_tokens + item.output_tokens if self.gate.counts_tokens else 0
            if self.purse is not None:  # before its turn: who waits after it would break the pace
                work.reserved = await self.purse.reserve(item)
            note = await self.gate.turn(tokens, lambda: self.stopped_by is not None)
            if self.stopped_by is not None:
                self._settle(work, Decimal(0))
                return self._left_off(work)
            if deadline is not None and not work.timeline:
                loop = asyncio.get_running_loop()
                deadline.reschedule(loop.time() + (self.limits.deadline_s or 0))
            result = await self._once(work, note)
            if isinstance(result, BatchItem):
                return result
            tries += not result.limited
            if work.route.failed(result) and tries < max(MAX_ATTEMPTS, len(self.limits.models)):
                continue
            result = work.route.counted(result)
            wait_s = self._wait_s(work, result, tries)
            if wait_s is None:
                return self._give_up(work, result, tries)
            if deadline is not None and self._passes(work, wait_s):
                return self._too_late(work)
            if not result.limited:
                await self._pause(wait_s)

    async def _once(self, work: _Work, note: list[float] | None) -> BatchItem | Failure:
        item = work.item
        if self.journal is not None:
            self.journal.ask(item.key)
        work.sent_s = self.clock()
        try:
            response = await send(self.client, self._url, item)
            reply = read(response, self.client.base_url)
        except BudgetError:  # the gateway's own budget refused it, before it was sent
            work.sent_s = None
            self._unpaid(work, "budget")
            raise
        except (openai.OpenAIError, UnexpectedReplyError, TypeError, ValueError) as error:
            return self._failed(work, judge(error))
        self._ended(work, "ok")
        work.route.answered()
        if self.gate.learning:
            self.gate.learn(response.headers, done=True)
        self.gate.went_well()
        self._limited_since_s = None
        if note is not None and reply.usage is not None:
            self.gate.tokens.correct(note, reply.usage.total_tokens)
        result = work.answered(reply, response.headers.get("x-request-id"))
        self._settle(work, work.reserved if result.cost is None else result.cost)
        if self.journal is not None:
            try:
                self.journal.answer(item.key, recorded(result))
            except JournalError as error:  # the answer is kept here; nothing more is asked
                self.stop(error)
        return result

    def _failed(self, work: _Work, failure: Failure) -> Failure:
        work.failure = failure
        if failure.limited and isinstance(failure.error, openai.APIStatusError):
            self.gate.learn(failure.error.response.headers, done=False)
        if failure.maybe_paid:
            self._lose(work, failure.label)
            return failure
        self._ended(work, failure.label)
        self._unpaid(work, failure.label)
        return failure

    def _unpaid(self, work: _Work, why: str) -> None:
        self._settle(work, Decimal(0))
        if self.journal is not None:
            self.journal.fail(work.item.key, why)

    def _wait_s(self, work: _Work, failure: Failure, tries: int) -> float | None:
        """Seconds until this prompt may be asked again; ``None`` if it may not."""
        too_long = (failure.wait_s or 0.0) > PATIENCE_S
        if failure.fatal or not failure.retry or tries >= MAX_ATTEMPTS or too_long:
            return None
        if not failure.limited:
            return max(failure.wait_s or 0.0, back_off_s(tries, self.random))
        now_s = self.clock()
        if self._limited_since_s is None:
            self._limited_since_s = now_s
        if max(failure.wait_s or 0.0, now_s - self._limited_since_s) > PATIENCE_S:
            return None
        return self.gate.hold(failure.wait_s, self.began_s + work.timeline[-1].start_s)

    def _give_up(self, work: _Work, failure: Failure, tries: int) -> BatchItem:
        error = failure.error
        if isinstance(error, openai.OpenAIError):
            add_advice(error)
        if tries >= MAX_ATTEMPTS and failure.retry:
            error.add_note(f"Given up after {tries} requests.")
        if failure.fatal or failure.limited or (failure.wait_s or 0.0) > PATIENCE_S:
            self.stop(error)
        return work.failed(error)

    def _passes(self, work: _Work, wait_s: float) -> bool:
        since_s = self.clock() - self.began_s - work.timeline[0].start_s
        return since_s + wait_s >= (self.limits.deadline_s or 0)

    def _too_late(self, work: _Work, under_way: bool = False) -> BatchItem:
        if under_way:
            self._lose(work, "time-out")
            self._settle(work, Decimal(0))  # what was set aside for a turn that did not come
        error = DeadlineError(
            f"No answer within deadline_s={self.limits.deadline_s} after {len(work.timeline)} "
            f"requests (the last: {work.timeline[-1].outcome}). Allow more time, or ask for less."
        )
        error.__cause__ = work.failure.error.with_traceback(None) if work.failure else None
        return work.failed(error)

    def _left_off(self, work: _Work) -> BatchItem:
        return not_asked(
            work.index, work.item.prompt, self.stopped_by, work.lost, tuple(work.timeline)
        )

    def _lose(self, work: _Work, outcome: str) -> None:
        """The request that is under way, if any, may be answered and billed without us."""
        if work.sent_s is not None:
            work.lost += 1
            self._ended(work, outcome)
            self._settle(work, work.reserved)

    def _ended(self, work: _Work, outcome: str) -> None:
        start_s = (work.sent_s or 0) - self.began_s
        end_s = self.clock() - self.began_s
        work.timeline.append(Attempt(start_s, end_s, outcome, work.item.model))
        work.sent_s = None

    def _settle(self, work: _Work, cost: Decimal) -> None:
        if self.purse is not None:
            self.purse.settle(work.reserved, cost)
            work.reserved = Decimal(0)
