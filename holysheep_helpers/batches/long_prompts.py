"""``ask_long()``: a question about a text that is too long for one call, by parts."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from html import escape
from itertools import pairwise
from os import PathLike
from typing import Any

import openai
from openai.types import CompletionUsage

from holysheep_helpers import catalog
from holysheep_helpers._checks import check_whole
from holysheep_helpers.batches.batch import Money, batch
from holysheep_helpers.batches.results import BatchItem, BatchResult
from holysheep_helpers.catalog.tokens import (
    MESSAGE_FRAME,
    REPLY_FRAME,
    Counter,
    check_text,
    counter_for,
    split_spans,
)
from holysheep_helpers.client.budget import BudgetError, Estimate, checked_usd, most_usd, unpriced
from holysheep_helpers.client.chat import CutShortWarning
from holysheep_helpers.client.gateway import Gateway, async_client, is_live
from holysheep_helpers.client.requests import ASSUMED_OUTPUT_TOKENS, Reader, check_parameters
from holysheep_helpers.exceptions import HolySheepError, InputError, NotAskedError
from holysheep_helpers.pricing.calls import most_of

BORDERS = 16
"""Tokens kept free in each prompt: text put together has not quite the sum of its parts."""


MANY = 99_999


@dataclass(frozen=True)
class LongPlan:
    """What ``hs.ask_long`` will send for a text: ``print(plan)``.

    ``parts`` of the text have ``sizes`` in tokens, each ``part_tokens`` at most; ``rounds`` has the
    number of calls in each round, one for each part, then fewer and fewer that combine their
    answers; every answer has up to ``max_tokens``, and ``group`` of them fit into one call.
    ``input_tokens`` and ``output_tokens`` are what all calls take at most, ``most_usd`` what that
    costs (``Decimal``, ``None`` if no price was published); ``exact`` and ``counted_by`` tell how
    tokens were counted.
    """

    instruction: str
    combine: str
    model: str
    parts: tuple[str, ...] = field(repr=False)
    sizes: tuple[int, ...]
    part_tokens: int
    max_tokens: int
    group: int
    input_tokens: int
    exact: bool
    counted_by: str

    @property
    def rounds(self) -> tuple[int, ...]:
        return rounds_of(len(self.parts), self.group)

    @property
    def calls(self) -> int:
        return sum(self.rounds)

    @property
    def output_tokens(self) -> int:
        return self.calls * self.max_tokens

    @property
    def most_usd(self) -> Decimal | None:
        return self.usd_of(self.input_tokens, self.calls)

    def usd_of(self, input_tokens: int, calls: int) -> Decimal | None:
        """What so many calls cost at most, with so many tokens in their prompts."""
        return most_of(input_tokens, calls * self.max_tokens, self.model)

    def estimate(self) -> Estimate:
        """What ``hs.estimate(plan)`` says: the calls of all rounds, counted as the plan counted."""
        return Estimate(
            self.calls,
            self.input_tokens,
            self.output_tokens,
            self.most_usd,
            unpriced=self.calls if self.most_usd is None else 0,
            counted_by=self.counted_by,
        )

    def prompts(self) -> list[str]:
        """The first round: the instruction with each part."""
        count = len(self.parts)
        if count == 1:
            return [f"{self.instruction}\n\n{self.parts[0]}"]
        return [
            _on_part(self.instruction, part, number, count)
            for number, part in enumerate(self.parts, 1)
        ]

    def combining(self, answers: Sequence[str]) -> list[str]:
        """The next round: prompts that each make one answer of several."""
        groups = [answers[at : at + self.group] for at in range(0, len(answers), self.group)]
        return [_on_answers(self.combine, group) for group in groups]

    def __str__(self) -> str:
        many = len(self.parts) != 1
        lines = [
            f"{len(self.parts)} parts of up to {self.part_tokens:,} tokens"
            if many
            else f"1 part: it fits into one call (up to {self.part_tokens:,} tokens)"
        ]
        if many:
            counts = " + ".join(str(calls) for calls in self.rounds)
            lines.append(f"{self.calls} calls ({counts}: parts, then answers combined)")
        price = f"{self.most_usd:f} USD" if self.most_usd is not None else "price unknown"
        about = "at most" if self.exact else "by estimate at most"
        lines.append(
            f"{about} {self.input_tokens:,} tokens in, {self.output_tokens:,} out: {price} "
            f"({self.model}, {self.counted_by})"
        )
        return "\n".join(lines)

    __repr__ = __str__


def plan_long(
    gateway_or_client: Gateway | openai.AsyncOpenAI,
    instruction: str,
    text: str,
    *,
    model: str = catalog.DEFAULT_MODEL,
    system: str | None = None,
    max_tokens: int = ASSUMED_OUTPUT_TOKENS,
    part_tokens: int | None = None,
    overlap: int = 0,
    combine: str | None = None,
) -> LongPlan:
    """What ``hs.ask_long`` would send with the same arguments, and what it costs at most.

    Nothing is sent. A part is ``part_tokens`` or, left out, as large as the context window allows
    after the answer, the instruction and the frame are taken off. Where two windows are stated for
    a model, the smaller one counts; where none is, ``part_tokens`` is needed.

    Raises ``InputError`` for arguments that can't be right: a text that is empty, parts that are
    larger than the window, answers so long that no two of them fit into one call.
    """
    _check_texts(instruction, text, system, combine)
    check_parameters({"max_tokens": max_tokens})
    if part_tokens is not None:
        check_whole("part_tokens", part_tokens, 1)
    counter = counter_on(gateway_or_client, model)
    framed = framed_by(counter, system)
    combine = combine or instruction
    frame = framed + BORDERS + counter.at_most(_on_part(instruction, "", MANY, MANY))
    window = _window(model)
    if window is None and part_tokens is None:
        raise InputError(f"No context window is known for {model}: say part_tokens=...")
    most = (window - max_tokens - frame) if window is not None else (part_tokens or 0)
    if most < 1 or (part_tokens or 0) > most:
        wanted = f", and part_tokens is {part_tokens:,}" if part_tokens else ""
        raise InputError(
            f"Of {model}'s context window, {window or 0:,} tokens, {max(most, 0):,} are left for a "
            f"part beside max_tokens={max_tokens} and the instruction{wanted}. Make them smaller."
        )
    size = most if part_tokens is None else part_tokens
    spans = split_spans(text, size, counter.at_most, overlap)
    parts = tuple(part for span in spans if (part := text[span.start : span.end]).strip())
    answer = max_tokens + counter.at_most(_on_answer("", MANY))
    frame_again = framed + BORDERS + counter.at_most(_on_answers(combine, []))
    group = (most + frame - frame_again) // answer
    if len(parts) > 1 and group < 2:
        room, cure = f"one call to {model}", "Make max_tokens smaller."
        if window is None:
            room = f"a call of part_tokens={part_tokens}: no context window is known for {model}"
            cure = "Make part_tokens larger, or max_tokens smaller."
        raise InputError(
            f"Two answers of max_tokens={max_tokens} don't fit into {room}. So answers can't be "
            f"combined. {cure}"
        )
    sizes = tuple(map(counter.at_most, parts))
    plan = LongPlan(
        instruction, combine, model, parts, sizes, size, max_tokens, max(group, 2), 0,
        counter.exact, counter.name,
    )  # fmt: skip
    tokens = sum(counter.at_most(prompt) + framed for prompt in plan.prompts())
    for answers, calls in pairwise(plan.rounds):
        tokens += answers * answer + calls * frame_again
    return replace(plan, input_tokens=tokens)


def counter_on(target: object, model: str) -> Counter:
    """Who counts prompts there: the mock by its own rule."""
    return counter_for(model, by_mock=isinstance(target, Gateway) and target.mock is not None)


def framed_by(counter: Counter, system: str | None) -> int:
    """Tokens of a call beside its prompt and answer."""
    own = counter.at_most(system) + MESSAGE_FRAME if system else 0
    return own + MESSAGE_FRAME + REPLY_FRAME


def _check_texts(instruction: object, text: object, system: object, combine: object) -> None:
    given = {"instruction": instruction, "text": text, "system": system, "combine": combine}
    for name, value in given.items():
        if value is None and name in ("system", "combine"):
            continue
        check_text(value)
        if not str(value).strip():
            raise InputError(f"{name} is empty: nothing was sent.")


def _window(model: str) -> int | None:
    known = catalog.find(model)
    return known.safe_context_window if known else None


def rounds_of(parts: int, group: int) -> tuple[int, ...]:
    """How many calls each round has, until one answer is left."""
    rounds = [parts]
    while rounds[-1] > 1:
        rounds.append(-(-rounds[-1] // group))
    return tuple(rounds)


def _on_part(instruction: str, part: str, number: int, count: int) -> str:
    return (
        f"{instruction}\n\nBelow is part {number} of {count} of a longer text. Answer for this "
        f"part alone.\n\n<part>\n{part}\n</part>"
    )


def _on_answer(answer: str, number: int) -> str:
    return f"<answer {number}>\n{answer}\n</answer>"


def _on_answers(instruction: str, answers: Sequence[str]) -> str:
    listed = "\n\n".join(_on_answer(answer, n) for n, answer in enumerate(answers, 1))
    return (
        f"{instruction}\n\nThe text was too long for one call. Below are the answers for its "
        f"parts, in their order. Make one answer of them.\n\n{listed}"
    )


class LongPromptError(HolySheepError):
    """Some part of a long text has no answer, so the whole has none; its cause is the first error.

    There is no cause where an answer came without a text, or a content filter cut it.
    ``results`` is the round that failed, with the answers that did come (and may have cost);
    ``rounds`` are all until then, ``cost`` what they cost in US dollars.
    """

    def __init__(self, message: str, rounds: tuple[BatchResult, ...]) -> None:
        super().__init__(message)
        self.rounds = rounds

    @property
    def results(self) -> BatchResult:
        return self.rounds[-1]

    @property
    def cost(self) -> Decimal:
        return sum((done.cost for done in self.rounds), Decimal(0))


@dataclass(frozen=True)
class LongReply:
    """The answer for a whole long text, and how it came about.

    ``text`` is the answer; ``plan`` what was meant to be sent, and its cost at most; ``rounds``
    what was: the answers for the parts (``parts``), then those that combined them. ``usage`` and
    ``cost`` (exact US dollars, ``None`` if one is unknown) are sums over all calls.
    """

    text: str
    plan: LongPlan
    rounds: tuple[BatchResult, ...] = field(repr=False)

    @property
    def parts(self) -> BatchResult:
        return self.rounds[0]

    @property
    def model(self) -> str:
        return self.rounds[-1][0].model or self.plan.model

    @property
    def finish_reason(self) -> str | None:
        return self.rounds[-1][0].finish_reason

    @property
    def cut(self) -> int:
        """How many answers, of parts or of the whole, ``max_tokens`` has cut."""
        return sum(item.cut_short for done in self.rounds for item in done)

    @property
    def cut_short(self) -> bool:
        """Whether ``max_tokens`` cut the answer, or one that it rests on."""
        return self.cut > 0

    @property
    def cost(self) -> Decimal | None:
        if any(done.unpriced for done in self.rounds):
            return None
        return sum((done.cost for done in self.rounds), Decimal(0))

    @property
    def usage(self) -> CompletionUsage | None:
        used = [item.usage for done in self.rounds for item in done]
        known = [usage for usage in used if usage is not None]
        if len(known) < len(used):
            return None
        return CompletionUsage(
            prompt_tokens=sum(usage.prompt_tokens for usage in known),
            completion_tokens=sum(usage.completion_tokens for usage in known),
            total_tokens=sum(usage.total_tokens for usage in known),
        )

    @property
    def sent(self) -> int:
        """Requests that were sent, retries among them."""
        return sum(done.sent for done in self.rounds)

    @property
    def possibly_paid_twice(self) -> int:
        return sum(done.possibly_paid_twice for done in self.rounds)

    def summary(self) -> str:
        """Parts, tokens and cost in one line; no time, so that it can repeat."""
        used = self.usage
        tokens = f"{used.prompt_tokens} + {used.completion_tokens} tokens" if used else "no usage"
        cost = "cost unknown" if self.cost is None else f"{self.cost:f} USD"
        calls = " + ".join(str(len(done)) for done in self.rounds)
        calls += " call" if calls == "1" else " calls"
        notes = [f"{self.cut} answers CUT SHORT by max_tokens"] if self.cut else []
        if self.possibly_paid_twice:
            notes.append(f"Note: {self.possibly_paid_twice} possibly paid twice")
        return " · ".join([self.model, calls, tokens, cost, *notes])

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"{self.text}\n— {self.summary()}"

    def _repr_html_(self) -> str:
        return (
            f'<div class="hs-reply"><p style="white-space:pre-wrap">{escape(self.text)}</p>'
            f"<p><small>{escape(self.summary())}</small></p></div>"
        )


async def ask_long(
    gateway_or_client: Gateway | openai.AsyncOpenAI,
    instruction: str,
    text: str,
    *,
    model: str = catalog.DEFAULT_MODEL,
    system: str | None = None,
    max_tokens: int = ASSUMED_OUTPUT_TOKENS,
    part_tokens: int | None = None,
    overlap: int = 0,
    combine: str | None = None,
    max_concurrency: int = 5,
    journal: str | PathLike[str] | None = None,
    budget_usd: Money | None = None,
    progress: bool = True,
    **sdk_parameters: Any,
) -> LongReply:
    """Do what ``instruction`` says with a text of any length: map, then reduce.

    The text is split (``hs.split_prompt``) so that each part fits beside the instruction and
    ``max_tokens``; the instruction goes out with every part, ``max_concurrency`` at once; then one
    call makes one answer of theirs, in several rounds if they are too many. ``combine`` is the
    instruction for that, if another one is needed ("Add the numbers up."). A text that fits goes
    out in one call. ``hs.plan_long`` shows all of it beforehand; live, or with a budget, the plan
    is printed.

    ``part_tokens`` makes parts smaller than the context window would allow, ``overlap`` lets each
    repeat so many tokens of the one before. Retries, ``journal`` and further keywords are as in
    ``hs.batch``: with a journal, the same call after a failure pays for nothing twice that is
    recorded. ``budget_usd`` is for all of it: nothing is sent unless it covers the plan, and
    what is asked again must fit into what is left.

    Warns (``CutShortWarning``) if ``max_tokens`` cut an answer. Raises ``InputError`` or
    ``BudgetError`` before anything is sent, and ``LongPromptError`` if a part stays without an
    answer: then the whole would be wrong. It has the answers that did come.
    """
    if "max_completion_tokens" in sdk_parameters:
        raise InputError("The limit of each answer is max_tokens here. Nothing was sent.")
    if sdk_parameters.get("models") is not None:
        raise InputError(
            "models: parts are counted and priced for one model here, give model=... alone."
        )
    async_client(gateway_or_client)  # raises if it is neither
    plan = plan_long(
        gateway_or_client, instruction, text, model=model, system=system, max_tokens=max_tokens,
        part_tokens=part_tokens, overlap=overlap, combine=combine,
    )  # fmt: skip
    budget = checked_usd(budget_usd)
    if budget is not None:
        _check_budget(plan, budget)
    if progress and (budget is not None or is_live(gateway_or_client)):
        print(plan)
    counter = counter_on(gateway_or_client, model)
    rounds: list[BatchResult] = []
    prompts = plan.prompts()
    while True:
        done = await batch(
            gateway_or_client, prompts, model=model, system=system, max_tokens=max_tokens,
            max_concurrency=max_concurrency, journal=journal, progress=progress,
            budget_usd=_left(budget, rounds, plan, counter, system, prompts), **sdk_parameters,
        )  # fmt: skip
        rounds.append(done)
        if done.failed:
            raise _failed(rounds, journal) from done.failed[0].error
        if empty := [item for item in done if _is_missing(item)]:
            raise LongPromptError(
                f"{len(empty)} of {len(done)} calls were answered without a text, or cut by a "
                "content filter, so there is no answer for the whole. They are in this error's "
                f"results, the first at index {empty[0].index}: see its finish_reason.",
                tuple(rounds),
            )
        if len(done) == 1:
            break
        prompts = plan.combining([item.text or "" for item in done])
    reply = LongReply(rounds[-1][0].text or "", plan, tuple(rounds))
    if reply.cut:
        warnings.warn(
            f"{reply.cut} of {sum(map(len, rounds))} answers were cut by max_tokens={max_tokens}, "
            "and what they left out is missing from the whole: raise it, or ask for less.",
            CutShortWarning,
            stacklevel=2,
        )
    return reply


def ask_long_sync(
    gateway_or_client: Gateway | openai.AsyncOpenAI, instruction: str, text: str, **options: Any
) -> LongReply:
    """``ask_long()`` for a script, where no event loop runs: takes the same, and blocks.

    Raises ``InputError`` in a notebook, whose event loop runs: use ``await hs.ask_long(...)``.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(ask_long(gateway_or_client, instruction, text, **options))
    raise InputError("An event loop runs here already: use `await hs.ask_long(...)`.")


def _is_missing(item: BatchItem) -> bool:
    """Whether what came is no answer, although nothing failed."""
    return item.finish_reason == "content_filter" or not (item.text or "").strip()


def _check_budget(plan: LongPlan, budget: Decimal) -> None:
    if plan.most_usd is None:
        raise unpriced(plan.model, budget)
    if plan.most_usd > budget:
        raise BudgetError(
            f"Not sent: {plan.calls} calls may cost {plan.most_usd:f} USD, and budget_usd is "
            f"{budget} USD. Lower max_tokens, make parts larger, or raise it."
        )


def _left(
    budget: Decimal | None,
    rounds: list[BatchResult],
    plan: LongPlan,
    counter: Counter,
    system: str | None,
    prompts: list[str],
) -> Decimal | None:
    """The budget of one round: what is left, lost replies taken off at their most.

    The batch counts by rule. By how much that is more, or less, than was planned does not count:
    the batch must not refuse what was planned, nor ask again for what that would leave.
    """
    if budget is None:
        return None
    spent = sum((done.budgeted_usd for done in rounds), Decimal(0))
    reader = Reader(plan.model, system, {"max_tokens": plan.max_tokens}, hashed=False)
    by_rule = sum((most_usd(reader.item(prompt)) or Decimal(0) for prompt in prompts), Decimal(0))
    tokens = sum(map(counter.at_most, prompts)) + len(prompts) * framed_by(counter, system)
    planned = plan.usd_of(tokens, len(prompts)) or Decimal(0)
    return max(budget - spent + by_rule - planned, Decimal(0))


def _failed(rounds: list[BatchResult], journal: object) -> LongPromptError:
    done = rounds[-1]
    again = "the same call" if journal else "the same call with journal=FILE"
    errors: list[Any] = [
        item.error for item in done.failed if not isinstance(item.error, NotAskedError)
    ]
    if done.stopped_by is not None:
        errors.append(done.stopped_by)  # why the others were not asked at all
    kinds = ", ".join(sorted({type(error).__name__ for error in errors}))
    what = "parts" if len(rounds) == 1 else "calls that combine answers"
    return LongPromptError(
        f"{len(done.failed)} of {len(done)} {what} have no answer ({kinds}), so there is none for "
        f"the whole. Those that came are in this error's results; {again} asks for the rest"
        + (" alone." if journal else ", and keeps what comes."),
        tuple(rounds),
    )
