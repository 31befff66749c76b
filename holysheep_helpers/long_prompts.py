"""``ask_long()``: a question about a text that is too long for one call, by parts."""

from __future__ import annotations

import asyncio
import warnings
from dataclasses import dataclass, field
from decimal import Decimal
from html import escape
from os import PathLike
from typing import Any

import openai
from openai.types import CompletionUsage

from holysheep_helpers import catalog
from holysheep_helpers.batch_result import BatchItem, BatchResult
from holysheep_helpers.batching import Money, batch
from holysheep_helpers.catalog.tokens import Counter
from holysheep_helpers.client.budget import BudgetError, checked_usd, most_usd, unpriced
from holysheep_helpers.client.chat import CutShortWarning
from holysheep_helpers.client.gateway import Gateway, async_client, is_live
from holysheep_helpers.client.requests import ASSUMED_OUTPUT_TOKENS, Reader
from holysheep_helpers.exceptions import HolySheepError, InputError, NotAskedError
from holysheep_helpers.long_plan import LongPlan, counter_on, framed_by, plan_long


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
