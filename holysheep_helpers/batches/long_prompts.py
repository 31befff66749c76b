"""``ask_long()``: a question about a text that is too long for one call, by parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any

import openai
from openai.types import CompletionUsage

from holysheep_helpers import catalog
from holysheep_helpers._checks import check_whole
from holysheep_helpers.batches.batch import batch
from holysheep_helpers.batches.results import BatchResult, run_outside_a_loop
from holysheep_helpers.batches.worker import Money, Path
from holysheep_helpers.catalog.splitting import Counter, check_text, counter_for, split_spans
from holysheep_helpers.catalog.tokens import MESSAGE_FRAME, REPLY_FRAME
from holysheep_helpers.client.chat import CutShortWarning
from holysheep_helpers.client.gateway import Gateway, async_client, is_live
from holysheep_helpers.client.replies import bill
from holysheep_helpers.client.requests import (
    ASSUMED_OUTPUT_TOKENS,
    Reader,
    check_parameters,
    with_extra_body,
)
from holysheep_helpers.client.spend import Budget, Estimate, checked_usd, estimate_items
from holysheep_helpers.diagnosis import display
from holysheep_helpers.exceptions import HolySheepError, InputError, NotAskedError, warn
from holysheep_helpers.pricing.money import most_of

BORDERS = 16
"""Tokens kept free in each prompt: text put together has not quite the sum of its parts."""


MANY = 99_999


@dataclass(frozen=True)
class LongPlan:
    """What ``hs.ask_long`` will send for a text: ``print(plan)``.

    Attributes:
        instruction: what to do with each part.
        combine: what to do with the answers for the parts.
        model: the model's id.
        parts: the parts of the text.
        sizes: the tokens of each part.
        part_tokens: the most tokens that a part may have.
        max_tokens: the longest answer, in tokens.
        group: how many answers fit into one call.
        input_tokens: the most tokens that all prompts have together.
        output_tokens: the most tokens that all answers have together.
        exact: whether tokens were counted by the model's own rule, not estimated.
        counted_by: how tokens were counted.
        rounds: the calls of each round: one for each part, then fewer and fewer.
        calls: the calls of all rounds.
        most_usd: the most that all of it costs, in US dollars, as a ``Decimal``; ``None`` if no
            price was published.

    Example:
        >>> plan = hs.plan_long(gw, "Sum it up.", "A sentence. " * 500, part_tokens=500)
        >>> plan.calls == len(plan.parts) + 1
        True
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
    overhead: Overhead = field(repr=False)

    @property
    def exact(self) -> bool:
        return self.overhead.counter.exact

    @property
    def counted_by(self) -> str:
        return self.overhead.counter.name

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
        unpriced = self.calls if self.most_usd is None else 0
        return Estimate(
            self.calls, self.input_tokens, self.output_tokens, self.most_usd, 0, unpriced,
            self.counted_by,
        )  # fmt: skip

    def prompts(self) -> list[str]:
        """The first round: the instruction with each part."""
        return _prompts(self.instruction, self.parts)

    def combining(self, answers: Sequence[str]) -> list[str]:
        """The next round: prompts that each make one answer of several."""
        groups = [answers[at : at + self.group] for at in range(0, len(answers), self.group)]
        return [_on_answers(self.combine, group) for group in groups]

    def __str__(self) -> str:
        upto = f"up to {self.part_tokens:,} tokens"
        parts = f"1 part: it fits into one call ({upto})"
        if len(self.parts) > 1:
            parts = (
                f"{len(self.parts)} parts of {upto}\n{self.calls} calls "
                f"({' + '.join(map(str, self.rounds))}: parts, then answers combined)"
            )
        price = f"{self.most_usd:f} USD" if self.most_usd is not None else "price unknown"
        tokens = f"at most {self.input_tokens:,} tokens in, {self.output_tokens:,} out"
        how = "" if self.exact else "by estimate "
        return f"{parts}\n{how}{tokens}: {price} ({self.model}, {self.counted_by})"

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
    """Plan what ``hs.ask_long`` would send with the same arguments; nothing is sent.

    Args:
        gateway_or_client: the gateway from ``hs.connect()``, or an ``openai.AsyncOpenAI`` client.
        instruction: what to do with the text.
        text: the text, of any length.
        model: the model's id. Default: the catalogue's default model.
        system: the system prompt, as text. Default: none.
        max_tokens: the longest answer of each call, in tokens. Default: 1,000.
        part_tokens: the longest part, in tokens. Default: what the context window leaves after
            the answer, the instruction and the frame. Where two windows are stated for a model,
            the smaller one counts; where none is, this is needed.
        overlap: how many tokens each part repeats of the one before. Default: 0.
        combine: the instruction for making one answer of several. Default: ``instruction``.

    Returns:
        A ``LongPlan`` with the parts, the calls and the most that they cost.

    Raises:
        InputError: the text is empty, parts are larger than the window, or answers are so long
            that no two of them fit into one call.

    Example:
        >>> print(hs.plan_long(gw, "Sum it up.", "A short text."))
        1 part: it fits into one call (up to ... tokens)
        at most ... tokens in, 1,000 out: 0.00... USD (...)
    """
    given = {"instruction": instruction, "text": text, "system": system, "combine": combine}
    for name, value in given.items():
        if value is not None or name in ("instruction", "text"):
            check_text(value)
            if not str(value).strip():
                raise InputError(f"{name} is empty: nothing was sent.")
    check_parameters({"max_tokens": max_tokens})
    check_whole("part_tokens", part_tokens, optional=True)
    overhead = Overhead.of(gateway_or_client, model, system)
    counter, combine = overhead.counter, combine or instruction
    around_part = BORDERS + overhead.tokens([_on_part(instruction, "", MANY, MANY)])
    around_answers = BORDERS + overhead.tokens([_on_answers(combine, [])])
    answer = max_tokens + counter.at_most(_on_answer("", MANY))
    window = _window(model)
    if window is None and part_tokens is None:
        raise InputError(f"No context window is known for {model}: say part_tokens=...")
    most = (part_tokens or 0) if window is None else window - max_tokens - around_part
    size = most if part_tokens is None else part_tokens
    if not 1 <= size <= most:
        wanted = f", and part_tokens is {part_tokens:,}" if part_tokens else ""
        raise InputError(
            f"Of {model}'s context window, {window or 0:,} tokens, {max(most, 0):,} are left for a "
            f"part beside max_tokens={max_tokens} and the instruction{wanted}. Make them smaller."
        )
    spans = split_spans(text, size, counter.at_most, overlap)
    parts = tuple(part for span in spans if (part := text[span.start : span.end]).strip())
    group = (most + around_part - around_answers) // answer
    if len(parts) > 1 and group < 2:
        room, cure = f"one call to {model}", "Make max_tokens smaller."
        if window is None:
            room = f"a call of part_tokens={part_tokens}: no context window is known for {model}"
            cure = "Make part_tokens larger, or max_tokens smaller."
        raise InputError(
            f"Two answers of max_tokens={max_tokens} don't fit into {room}. So answers can't be "
            f"combined. {cure}"
        )
    group = max(group, 2)
    tokens = overhead.tokens(_prompts(instruction, parts))
    for answers, calls in pairwise(rounds_of(len(parts), group)):
        tokens += answers * answer + calls * around_answers
    sizes = tuple(map(counter.at_most, parts))
    return LongPlan(
        instruction, combine, model, parts, sizes, size, max_tokens, group, tokens, overhead
    )


@dataclass(frozen=True)
class Overhead:
    """Counts the tokens of prompts, with what each call has beside its prompt (``per_call``)."""

    counter: Counter
    system: str | None
    per_call: int

    @classmethod
    def of(cls, target: object, model: str, system: str | None) -> Overhead:
        by_mock = isinstance(target, Gateway) and target.mock is not None
        counter = counter_for(model, by_mock=by_mock)  # the mock has a rule of its own
        own = counter.at_most(system) + MESSAGE_FRAME if system else 0
        return cls(counter, system, own + MESSAGE_FRAME + REPLY_FRAME)

    def tokens(self, prompts: Sequence[str]) -> int:
        return sum(map(self.counter.at_most, prompts)) + len(prompts) * self.per_call


def _window(model: str) -> int | None:
    known = catalog.find(model)
    return known.safe_context_window if known else None


def rounds_of(parts: int, group: int) -> tuple[int, ...]:
    """How many calls each round has, until one answer is left."""
    rounds = [parts]
    while rounds[-1] > 1:
        rounds.append(-(-rounds[-1] // group))
    return tuple(rounds)


def _prompts(instruction: str, parts: Sequence[str]) -> list[str]:
    if len(parts) == 1:
        return [f"{instruction}\n\n{parts[0]}"]
    return [_on_part(instruction, part, n, len(parts)) for n, part in enumerate(parts, 1)]


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
    """A part of a long text has no answer, so the whole has none: call again, with a journal.

    Its cause is the first error; there is none where an answer came without a text, or a content
    filter cut it. ``results`` is the round that failed, with the answers that did come (and may
    have cost); ``rounds`` are all until then, ``cost`` what they cost in US dollars.
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

    Attributes:
        text: the answer.
        plan: the ``LongPlan``: what was meant to be sent, and its cost at most.
        rounds: what was sent: the answers for the parts, then those that combined them.
        parts: the first round, a ``BatchResult``.
        model: the model that gave the answer.
        finish_reason: that of the last call.
        cut: how many answers, of parts or of the whole, ``max_tokens`` has cut.
        cut_short: whether there is one.
        usage: the tokens of all calls; ``None`` if one is unknown.
        cost: exact US dollars of all calls as a ``Decimal``; ``None`` if one is unknown.
        sent: requests that were sent, retries among them.
        possibly_paid_twice: payments beyond the first for a call, at most.

    Example:
        >>> reply = await hs.ask_long(gw, "Sum it up.", "A short text.", progress=False)
        >>> len(reply.parts), reply.finish_reason
        (1, 'stop')
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
        if None in used:
            return None
        kinds = ("prompt_tokens", "completion_tokens", "total_tokens")
        total: Any = {kind: sum(getattr(one, kind) for one in used) for kind in kinds}
        return CompletionUsage(**total)

    @property
    def sent(self) -> int:
        """Requests that were sent, retries among them."""
        return sum(done.sent for done in self.rounds)

    @property
    def possibly_paid_twice(self) -> int:
        return sum(done.possibly_paid_twice for done in self.rounds)

    def summary(self) -> str:
        """Parts, tokens and cost in one line; no time, so that it can repeat."""
        calls = " + ".join(str(len(done)) for done in self.rounds)
        calls += " call" if calls == "1" else " calls"
        notes = [f"{self.cut} answers CUT SHORT by max_tokens"] if self.cut else []
        if self.possibly_paid_twice:
            notes.append(f"Note: {self.possibly_paid_twice} possibly paid twice")
        return " · ".join([self.model, calls, bill(self.usage, self.cost), *notes])

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"{self.text}\n— {self.summary()}"

    def _repr_html_(self) -> str:
        return display.answer(self.text, "", self.summary())


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
    journal: Path | None = None,
    budget_usd: Money | None = None,
    progress: bool = True,
    **sdk_parameters: Any,
) -> LongReply:
    """Do what an instruction says with a text of any length: map, then reduce.

    The text is split so that each part fits beside the instruction. The instruction goes out with
    every part; then one call makes one answer of theirs, in several rounds if they are too many. A
    text that fits goes out in one call. ``hs.plan_long`` shows all of it beforehand; live, or with
    a budget, the plan is printed. Failed requests are asked again as in ``hs.batch``.

    Args:
        gateway_or_client: the gateway from ``hs.connect()``, or an ``openai.AsyncOpenAI`` client.
        instruction: what to do with the text.
        text: the text, of any length.
        model: the model's id. Default: the catalogue's default model.
        system: the system prompt, as text. Default: none.
        max_tokens: the longest answer of each call, in tokens. Default: 1,000.
        part_tokens: the longest part, in tokens. Default: what the context window allows.
        overlap: how many tokens each part repeats of the one before. Default: 0.
        combine: the instruction for making one answer of several, for example "Add the numbers up."
            Default: ``instruction``.
        max_concurrency: how many calls are made at once. Default: 5.
        journal: a file, as in ``hs.batch``: the same call after a failure pays for nothing twice
            that is recorded. Default: none.
        budget_usd: US dollars, no float, for all of it: nothing is sent unless it covers the
            plan, and what is asked again must fit into what is left. Default: no limit.
        progress: shows a bar for each round. Default: ``True``.
        **sdk_parameters: any other parameter of ``client.chat.completions.create``.

    Returns:
        A ``LongReply``. A ``CutShortWarning`` says if ``max_tokens`` cut an answer.

    Raises:
        InputError: an argument can't be right. Nothing was sent.
        BudgetError: the budget does not cover the plan. Nothing was sent.
        LongPromptError: a part stays without an answer. It has the answers that did come.

    Example:
        >>> reply = await hs.ask_long(gw, "Sum it up.", "One sentence. " * 300, progress=False,
        ...                           part_tokens=500, max_tokens=200)
        >>> reply.cut_short, len(reply.rounds)
        (False, 2)
    """
    if sdk_parameters.get("models") is not None:
        raise InputError("models: parts are counted for one model here, give model=... alone.")
    planned = {"max_tokens", "model", "max_completion_tokens"}
    for name in with_extra_body(sdk_parameters).keys() & planned:
        raise InputError(f"{name}: the parts are planned by max_tokens=... and model=... alone.")
    async_client(gateway_or_client)  # raises if it is neither
    common: Any = {"model": model, "system": system, "max_tokens": max_tokens}
    split: Any = {"part_tokens": part_tokens, "overlap": overlap, "combine": combine}
    plan = plan_long(gateway_or_client, instruction, text, **common, **split)
    budget = checked_usd(budget_usd)
    Budget(budget).check_covers(
        plan.most_usd, plan.model, f"{plan.calls} calls", "Lower max_tokens, make parts larger"
    )
    if progress and (budget is not None or is_live(gateway_or_client)):
        print(plan)
    rounds: list[BatchResult] = []
    prompts = plan.prompts()
    while True:
        left = _left(budget, rounds, plan, prompts)
        done = await batch(
            gateway_or_client, prompts, max_concurrency=max_concurrency, journal=journal,
            budget_usd=left, progress=progress, **common, **sdk_parameters,
        )  # fmt: skip
        rounds.append(done)
        _check_answers(tuple(rounds), journal)
        texts = [item.text or "" for item in done]
        if len(texts) == 1:
            break
        prompts = plan.combining(texts)
    reply = LongReply(texts[0], plan, tuple(rounds))
    if reply.cut:
        said = f"{reply.cut} of {sum(map(len, rounds))} answers were cut by max_tokens={max_tokens}"
        said += ", and what they left out is missing from the whole: raise it, or ask for less."
        warn(said, CutShortWarning, stacklevel=2)
    return reply


def ask_long_sync(
    gateway_or_client: Gateway | openai.AsyncOpenAI, instruction: str, text: str, **options: Any
) -> LongReply:
    """Do what ``ask_long()`` does, for a script, where no event loop runs.

    Args:
        gateway_or_client: as in ``hs.ask_long``.
        instruction: as in ``hs.ask_long``.
        text: as in ``hs.ask_long``.
        **options: all other arguments of ``hs.ask_long``.

    Returns:
        A ``LongReply``.

    Raises:
        InputError: an event loop runs, as in a notebook: use ``await hs.ask_long(...)`` there.

    Example:
        >>> import threading  # a notebook has an event loop; another thread has none
        >>> work = lambda: print(hs.ask_long_sync(gw, "Sum up.", "Text.", progress=False).cut)
        >>> thread = threading.Thread(target=work); thread.start(); thread.join()
        0
    """
    return run_outside_a_loop(
        lambda: ask_long(gateway_or_client, instruction, text, **options), "await hs.ask_long(...)"
    )


def _left(
    budget: Decimal | None, rounds: list[BatchResult], plan: LongPlan, prompts: list[str]
) -> Decimal | None:
    """The budget of one round: what is left, lost replies taken off at their most.

    The batch counts by rule. By how much that is more, or less, than was planned does not count:
    the batch must not refuse what was planned, nor ask again for what that would leave.
    """
    if budget is None:
        return None
    spent = sum((done.budgeted_usd for done in rounds), Decimal(0))
    system, limit = plan.overhead.system, {"max_tokens": plan.max_tokens}
    items, _ = Reader(plan.model, system, limit).items(prompts)
    by_rule = estimate_items(items).most_usd or Decimal(0)
    planned = plan.usd_of(plan.overhead.tokens(prompts), len(prompts)) or Decimal(0)
    return max(budget - spent + by_rule - planned, Decimal(0))


def _check_answers(rounds: tuple[BatchResult, ...], journal: object) -> None:
    """Raise ``LongPromptError`` if a call of the last round has failed, or gave no text."""
    done = rounds[-1]
    if done.failed:
        # What stopped the batch is why the others were not asked at all.
        causes = [*(item.error for item in done.failed), done.stopped_by]
        known = (error for error in causes if not isinstance(error, NotAskedError | None))
        kinds = ", ".join(sorted({type(error).__name__ for error in known}))
        what = "parts" if len(rounds) == 1 else "calls that combine answers"
        again = "the same call asks for the rest alone."
        if not journal:
            again = "the same call with journal=FILE asks for the rest, and keeps what comes."
        raise LongPromptError(
            f"{len(done.failed)} of {len(done)} {what} have no answer ({kinds}), so there is none "
            f"for the whole. Those that came are in this error's results; {again}",
            rounds,
        ) from done.failed[0].error
    no_text = [i for i in done if i.finish_reason == "content_filter" or not (i.text or "").strip()]
    if no_text:
        raise LongPromptError(
            f"{len(no_text)} of {len(done)} calls were answered without a text, or cut by a "
            "content filter, so there is no answer for the whole. They are in this error's "
            f"results, the first at index {no_text[0].index}: see its finish_reason.",
            rounds,
        )
