"""How a long text will be asked about, and what that may cost: worked out before it is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import pairwise

import openai

from holysheep_helpers import catalog
from holysheep_helpers._checks import check_size
from holysheep_helpers.catalog.tokens import (
    MESSAGE_FRAME,
    REPLY_FRAME,
    Counter,
    check_text,
    counter_for,
    split_spans,
)
from holysheep_helpers.client.budget import Estimate
from holysheep_helpers.client.gateway import Gateway
from holysheep_helpers.client.requests import ASSUMED_OUTPUT_TOKENS, check_parameters
from holysheep_helpers.exceptions import InputError
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
        check_size("part_tokens", part_tokens, 1)
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
