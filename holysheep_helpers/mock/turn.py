"""One chat request: its reply is put together as a timeline, then played to the client."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from math import isfinite
from random import Random

from holysheep_helpers import catalog
from holysheep_helpers.catalog import tokens
from holysheep_helpers.mock import timeline, wire
from holysheep_helpers.mock.exchange import Exchange, dump
from holysheep_helpers.mock.faults import Fault
from holysheep_helpers.mock.journal import Entry, Outcome, moments
from holysheep_helpers.mock.limits import rate_limited
from holysheep_helpers.mock.prompt_cache import PromptCache
from holysheep_helpers.mock.replies import Answer
from holysheep_helpers.mock.requests import ChatRequest
from holysheep_helpers.mock.slots import Slots
from holysheep_helpers.mock.state import Tenant
from holysheep_helpers.mock.stated import Stated
from holysheep_helpers.mock.timeline import Step, Timeline
from holysheep_helpers.mock.timing import NEW_CONNECTION_S, Pacer, profile

THOUGHTS = "The prompt asks for something; I think about it first, word by word. "


@dataclass(slots=True)
class Reply:
    """All that a reply is made of; ``own`` are the bytes from which its times are drawn."""

    request: ChatRequest
    answers: list[Answer]
    id: str
    created: int
    headers: wire.Headers
    scale: float
    stated: Stated
    own: bytes
    new_connection: bool
    prompts: PromptCache

    def timeline(self, fault: Fault | None) -> Timeline:
        """The reply as it will leave, with the fault in it."""
        if fault is not None and (refusal := self._refusal(fault)) is not None:
            return refusal
        if fault is not None and fault.kind == "broken_off":
            after, reason = fault.after or 0, fault.reason
            self.answers = [answer.broken_off(after, reason) for answer in self.answers]
        thoughts: tuple[str, ...] = ()
        if fault is not None and fault.kind == "reasoning":
            words = tuple(tokens.split(THOUGHTS))
            thoughts = (words * (fault.tokens // len(words) + 1))[: fault.tokens]
        lengths = [len(answer.pieces) for answer in self.answers]
        cached, prompt = self.prompts.cached_tokens(self.request), self.request.prompt_tokens
        due = self._due_s(len(thoughts) + max(1, *lengths), prompt - cached)
        used = sum(lengths) + len(thoughts)
        cost = fault.cost if fault is not None else None
        if fault is not None and fault.cached:
            cached = min(fault.cached, prompt)
        usage = wire.usage(prompt, used, len(thoughts), cached, cost)
        frames = None
        if self.request.stream:
            frames = wire.Frames(
                self.id, self.created, self.request.model, self.request.include_usage
            )
            bundle = fault.tokens if fault is not None and fault.kind == "bundle" else 1
            steps = self._steps(frames, due, thoughts, bundle, usage)
            kind = ("content-type", "text/event-stream; charset=utf-8")
            line = Timeline(200, [kind, *self.headers], steps, head_at_s=due[0])
            line.texts_end = len(steps) - len(self.answers) - self.request.include_usage - 1
        else:
            line = self._whole(due[-1], thoughts, used, usage)
        line.finish_reason = self.answers[0].finish
        if fault is not None:
            timeline.rewrite(line, fault, frames, self.scale)
        return line

    def _due_s(self, count: int, read: int) -> list[float]:
        """When each of ``count`` tokens is due, in seconds since the arrival.

        ``read`` is how many tokens of the prompt are read first: cached ones are not.
        """
        if not self.scale or self.stated.whole:
            return self.stated.over([0.0] * count)
        draw = Random(int.from_bytes(self.own, "big"))
        due = profile(self.request.model).due_s(count, draw, read)
        extra_s = NEW_CONNECTION_S if self.new_connection else 0.0
        return self.stated.over([(at_s + extra_s) * self.scale for at_s in due])

    def _refusal(self, fault: Fault) -> Timeline | None:
        """The reply to a request that is refused, ``None`` if this fault refuses nothing."""
        if fault.kind not in ("status", "html", "rate_limit", "quota"):
            return None
        at_s = self._due_s(1, self.request.prompt_tokens)[0]
        if fault.kind == "status":
            return timeline.of_status(fault, at_s, self.headers)
        if fault.kind == "html":
            page = fault.page.encode("utf-8")
            return timeline.whole(fault.status or 502, (), page, at_s, "text/html; charset=utf-8")
        if fault.kind == "quota":
            message = "You exceeded your current quota: check your plan and your payment."
            error = wire.WireError(429, message, fault.kind, code="insufficient_quota")
            error.type, error.headers = "insufficient_quota", self.headers
            return timeline.of_error(error, at_s)
        wait_s = (1.0 if fault.delay_s is None else fault.delay_s) * self.scale
        limit = catalog.plans()["free"].requests_per_minute
        message = (
            f"Rate limit reached for {self.request.model} on requests per min (RPM): "
            f"Limit {limit}, Used {limit}, Requested 1."
        )
        return timeline.of_error(rate_limited(message, "requests", wait_s, self.headers), at_s)

    def _whole(self, at_s: float, thoughts: tuple[str, ...], used: int, usage: str) -> Timeline:
        thought = "".join(thoughts)
        choices = [
            wire.choice(index, answer.text, answer.finish, thought)
            for index, answer in enumerate(self.answers)
        ]
        body = wire.completion(self.id, self.created, self.request.model, choices, usage)
        return timeline.whole(200, self.headers, body, at_s, tokens=used, outcome="delivered")

    def _steps(
        self,
        frames: wire.Frames,
        due: list[float],
        thoughts: tuple[str, ...],
        bundle: int,
        usage: str,
    ) -> list[Step]:
        """The events of a stream: roles, texts side by side, finish reasons, usage, [DONE]."""
        every = range(len(self.answers))
        steps = [Step(due[0], frames.delta(index, wire.ROLE)) for index in every]
        for at_s, word in zip(due, thoughts, strict=False):
            steps.append(Step(at_s, frames.delta(0, dump({"reasoning_content": word})), 1))
        written: list[Step] = []
        for index, answer in enumerate(self.answers):
            written += _texts(frames, index, answer.pieces, due[len(thoughts) :], bundle)
        if len(self.answers) > 1:
            written.sort(key=lambda step: step.at_s)  # stable: choice by choice at each moment
        steps += written
        last_s = due[-1]
        for index, answer in enumerate(self.answers):
            steps.append(Step(last_s, frames.delta(index, b"{}", answer.finish)))
        if self.request.include_usage:
            steps.append(Step(last_s, frames.bare(usage)))
        steps.append(Step(last_s, wire.DONE))
        return steps


def _texts(
    frames: wire.Frames, index: int, pieces: tuple[str, ...], due: list[float], bundle: int
) -> list[Step]:
    """A step for each ``bundle`` tokens of one choice, due with the last of them."""
    if bundle == 1:
        ready = zip(due, frames.texts(index, wire.encoded(pieces)), strict=False)
        return [Step(at_s, data, 1) for at_s, data in ready]
    groups = [pieces[at : at + bundle] for at in range(0, len(pieces), bundle)]
    texts = frames.texts(index, wire.encoded(tuple("".join(group) for group in groups)))
    ends = [min((at + 1) * bundle, len(pieces)) - 1 for at in range(len(groups))]
    return [
        Step(due[end], data, len(group))
        for end, data, group in zip(ends, texts, groups, strict=True)
    ]


class Turn:
    """A timeline that is being played: each step leaves at its moment, none before."""

    def __init__(
        self, pacer: Pacer, exchange: Exchange, entry: Entry, line: Timeline, tenant: Tenant
    ) -> None:
        self._pacer, self._exchange, self._entry = pacer, exchange, entry
        self._line, self._tenant = line, tenant
        self._next = 0
        self._started = False
        self._timer: object = None
        self._slots: Slots | None = None
        entry.status = line.status if line.steps else 0  # no status where nothing is sent
        entry.error = line.error
        if line.status >= 400:
            entry.retry_after_s = told_to_wait_s(line.headers)
        self._note_due()
        exchange.on_left = self._left
        tenant.opened()

    def work(self) -> None:
        """Play as soon as the key has a slot for it."""
        self._slots = self._tenant.slots
        if self._slots.take(self):
            self.play()
        else:
            self._entry.waiting = True

    def begin(self) -> None:
        """There is a slot at last: all moments are counted from now."""
        entry, line = self._entry, self._line
        entry.waiting = False
        entry.queued_s = self._pacer.clock() - entry.arrived_s
        line.delay(0, entry.queued_s)
        line.head_at_s += entry.queued_s
        self._note_due()
        self.play()

    def _note_due(self) -> None:
        steps = self._line.steps
        self._entry.due_us = moments([round(step.at_s * 1e6) for step in steps if step.tokens])

    def play(self) -> None:
        """Write all that is due, then wait for the next moment, or end."""
        self._timer = None
        now_s, arrived_s = self._pacer.clock(), self._entry.arrived_s
        since_s = now_s - arrived_s
        line, steps, out = self._line, self._line.steps, []
        if steps and not self._started and arrived_s + line.head_at_s <= now_s:
            self._started = True
            spent = ("openai-processing-ms", str(round(since_s * 1000)))
            out.append(self._exchange.head(line.status, (*line.headers, spent), line.length))
        while self._started and self._next < len(steps):
            if arrived_s + steps[self._next].at_s > now_s:
                break
            step = steps[self._next]
            self._next += 1
            out.append(self._exchange.framed(step.data))
            if step.tokens:
                self._entry.completion_tokens += step.tokens
                self._entry.sent(round(since_s * 1e6))
        if out:
            self._exchange.write(b"".join(out))
        if self._next < len(steps):
            at_s = steps[self._next].at_s if self._started else line.head_at_s
        elif not steps and now_s < arrived_s + line.head_at_s:
            at_s = line.head_at_s
        else:
            self._end()
            return
        self._timer = self._pacer.call_at(arrived_s + at_s, self.play)

    def _end(self) -> None:
        end = self._line.end
        if end == "hang":  # until the client leaves
            return
        self._close(self._line.outcome)
        if end == "end":
            self._exchange.end()
        elif end == "cut":
            self._exchange.cut()
        else:
            self._exchange.reset()
        self._free()

    def _left(self) -> None:
        if self._timer is not None:
            self._pacer.cancel(self._timer)
        if self._entry.waiting:
            self._entry.queued_s = self._pacer.clock() - self._entry.arrived_s
        self._close("left")
        self._free()

    def _free(self) -> None:
        if self._slots is not None:
            self._slots.give_back(self)

    def _close(self, outcome: Outcome) -> None:
        if outcome in ("delivered", "truncated"):
            self._entry.finish_reason = self._line.finish_reason
        self._tenant.journal.end(self._entry, outcome, self._pacer.clock())
        self._tenant.closed()


def told_to_wait_s(headers: list[tuple[str, str]]) -> float | None:
    """The seconds that these headers tell a client to wait, ``None`` if they tell none."""
    said = {name.lower(): value for name, value in headers}
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        with suppress(KeyError, ValueError):  # a date, or any text that a script asked for
            wait_s = float(said[name]) / unit
            if isfinite(wait_s):
                return wait_s
    return None
