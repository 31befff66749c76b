"""A reply as a timeline: which bytes leave when, and how it ends. A fault rewrites it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from holysheep_helpers.mock import wire
from holysheep_helpers.mock.exchange import dump
from holysheep_helpers.mock.faults import Fault
from holysheep_helpers.mock.journal import Outcome

End = Literal["end", "cut", "reset", "hang"]
KEEP_ALIVE = b": keep-alive\n\n"


@dataclass(slots=True)
class Step:
    """``data`` leaves ``at_s`` seconds after the request's arrival; ``tokens`` are in it."""

    at_s: float
    data: bytes
    tokens: int = 0


@dataclass(slots=True)
class Timeline:
    """Status, headers, and the steps of the body.

    ``length`` is the content length that is stated, ``None`` for a body in chunks; ``head_at_s``
    the moment of the headers, which is the first step's unless they are to come early; ``end`` how
    it ends: properly, cut off, reset, or never; ``outcome`` what that makes of it, ``error`` the
    code of an error, ``finish_reason`` the one that leaves with it. Without steps no headers leave
    either.
    """

    status: int
    headers: list[tuple[str, str]]
    steps: list[Step]
    length: int | None = None
    head_at_s: float = 0.0
    end: End = "end"
    outcome: Outcome = "delivered"
    error: str | None = None
    finish_reason: str | None = None
    texts_end: int | None = None
    """The place behind the last step with text, ``None`` for a reply that is no stream."""

    def after(self, count: int | None) -> int:
        """The place in ``steps`` behind ``count`` steps with text, or behind all that there are."""
        wanted = count or 0
        for at, step in enumerate(self.steps):
            if step.tokens:
                if not wanted:
                    return at
                wanted -= 1
        return len(self.steps) if self.texts_end is None else self.texts_end

    def end_at(self, place: int, end: End, outcome: Outcome = "broken") -> None:
        del self.steps[place:]
        self.end, self.outcome, self.finish_reason = end, outcome, None

    def insert(self, place: int, data: bytes) -> None:
        """Put ``data`` before the step at ``place``, at the moment of that step."""
        at_s = self.steps[min(place, len(self.steps) - 1)].at_s if self.steps else self.head_at_s
        self.steps.insert(place, Step(at_s, data))

    def delay(self, place: int, seconds: float) -> None:
        for step in self.steps[place:]:
            step.at_s += seconds


def whole(
    status: int,
    headers: wire.Headers,
    body: bytes,
    at_s: float,
    kind: str = "application/json",
    tokens: int = 0,
    outcome: Outcome = "error",
) -> Timeline:
    """A reply that leaves in one piece; ``kind`` is its content type."""
    steps = [Step(at_s, body, tokens)]
    return Timeline(
        status, [("content-type", kind), *headers], steps, len(body), at_s, outcome=outcome
    )


def of_error(error: wire.WireError, at_s: float) -> Timeline:
    line = whole(error.status, error.headers, dump(error.body()), at_s)
    line.error = error.code or error.type
    return line


def of_status(fault: Fault, at_s: float, usual: wire.Headers) -> Timeline:
    """An error with any status and body, and with the headers that were asked for.

    The request's id comes without being asked for; a 429's wait does not, so that it is bare.
    """
    status = fault.status or 500
    body = fault.body
    if body is None:
        kind = "server_error" if status >= 500 else _TYPES.get(status, "invalid_request_error")
        error = wire.WireError(status, "A fault that was asked for.", kind, headers=usual[:1])
        if status == 429:
            error.code = "rate_limit_exceeded"
        line = of_error(error, at_s)
    elif isinstance(body, str):
        line = whole(status, usual[:1], body.encode("utf-8"), at_s, "text/plain")
    else:
        line = whole(status, usual[:1], dump(body), at_s)
    named = {name.lower() for name in fault.headers}
    line.headers = [row for row in line.headers if row[0] not in named]
    line.headers += fault.headers.items()
    return line


_TYPES = {408: "timeout", 429: "requests"}


def rewrite(line: Timeline, fault: Fault, frames: wire.Frames | None, scale: float) -> None:
    """Let the fault strike. ``frames`` are the stream's, ``None`` for a whole reply.

    ``bundle`` and ``reasoning`` have happened already, when the reply was put together; so has
    ``broken_off``, and what is left is what that makes of it.
    """
    place = line.after(fault.after) if frames else 0
    delay_s = (fault.delay_s or 0.0) * scale
    match fault.kind:
        case "slow_first":
            line.delay(0, delay_s)
            line.head_at_s += delay_s
        case "slow":
            _stretch(line, place, fault.factor)
        case "stall" if fault.delay_s is None:
            line.end_at(place, "hang")
        case "stall":
            line.delay(place, delay_s)
            if not place:
                line.head_at_s += delay_s
        case "reset":
            line.end_at(0 if fault.after is None else place, "reset")
        case "broken_off":
            line.outcome = "truncated"
        case "content_type":
            line.headers[0] = ("content-type", fault.value)
        case _ if frames is None:
            _rewrite_whole(line, fault)
        case _:
            _rewrite_stream(line, fault, place, frames)


def _stretch(line: Timeline, place: int, factor: float) -> None:
    if place >= len(line.steps):
        return
    start_s = line.steps[max(place - 1, 0)].at_s
    for step in line.steps[place:]:
        step.at_s = start_s + (step.at_s - start_s) * factor


def _rewrite_whole(line: Timeline, fault: Fault) -> None:
    (step,) = line.steps
    if fault.kind in ("disconnect", "cut_body"):
        step.data = step.data[: len(step.data) // 2]  # of the length that was stated
        line.end, line.outcome = "cut", "broken"
    elif fault.kind == "bad_json":
        step.data = step.data[: len(step.data) // 2]
        line.length, line.outcome = len(step.data), "broken"
    elif fault.kind == "no_choices":
        begin, _, rest = step.data.partition(b'"choices":[')
        step.data = begin + b'"choices":[],' + rest[rest.rindex(b'"usage"') :]
        line.length, line.outcome = len(step.data), "broken"


def _rewrite_stream(line: Timeline, fault: Fault, place: int, frames: wire.Frames) -> None:
    match fault.kind:
        case "disconnect":
            line.end_at(place, "cut")
        case "cut_body":
            half = line.steps[place].data if place < len(line.steps) else wire.DONE
            line.insert(place, half[: len(half) // 2])
            line.end_at(place + 1, "cut")
        case "end_early":
            line.end_at(place, "end", "truncated")
            if fault.done:
                line.steps.append(Step(line.steps[-1].at_s, wire.DONE))
        case "no_done":
            line.steps = [step for step in line.steps if step.data != wire.DONE]
        case "error_in_stream":  # the status was 200: the frame carries none
            error = wire.WireError(500, "A fault that was asked for.", "server_error")
            line.insert(place, b"data: " + dump(error.body()) + b"\n\n")
            line.end_at(place + 1, "end")
        case "bad_json":
            half = line.steps[place].data if place < len(line.steps) else frames.bare()
            line.insert(place, half[: len(half) // 2] + b"\n\n")
            line.outcome = "broken"
        case "comments":
            for step in line.steps:
                step.data = KEEP_ALIVE + step.data
        case "no_choices":
            line.insert(place, frames.bare())
