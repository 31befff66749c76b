"""What is off in an answer to an exercise of lesson 9: a sentence, or ``None``."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from holysheep_helpers import catalog
from holysheep_helpers.costs.months import monthly_cost
from holysheep_helpers.pricing.calls import to_krw
from holysheep_helpers.pricing.decimals import exactly, usd_text

CLAIMED_USD, CLAIMED_TOKENS, CLAIMED_MODEL = Decimal(60), 10_000_000, "claude-sonnet-4-5"
"""09a: a claim that only one mix can make true."""
TOKENS, INPUT_SHARE, BASELINE = 30_000_000, Decimal("0.8"), "gpt-4.1"
"""09b: a month of the move to the running example."""
ONE_OFF_USD, SAVING_USD = 600, 90
"""09c: what the move costs once, and saves each month."""


def input_share(answer: Any) -> str | None:
    given = _number(answer)
    if given is None:
        return "a share from 0 to 1 is needed."
    costs = [
        monthly_cost(CLAIMED_MODEL, CLAIMED_TOKENS, input_share=str(end)).usd for end in (0, 1)
    ]
    right = (costs[0] - CLAIMED_USD) / (costs[0] - costs[1])
    if given == right:
        return None
    if given == 1 - right:
        return "that is the output's share: more of it costs more. Turn it around."
    if given == 100 * right:
        return "as a share, from 0 to 1."
    if not 0 <= given <= 1:
        return f"{given:g} is no share: it goes from 0 to 1."
    usd = monthly_cost(CLAIMED_MODEL, CLAIMED_TOKENS, input_share=given).usd
    return f"at {given:.0%} input they cost {usd_text(usd)} USD."


def year_in_won(answer: Any) -> str | None:
    if isinstance(answer, float):
        return "a float has crept in: keep money Decimal from the price to the screen."
    if isinstance(answer, bool) or not isinstance(answer, Decimal | int):
        return "an amount in won is needed, as a Decimal."
    month, half = _saving(INPUT_SHARE), _saving(Decimal("0.5"))
    published = next(s.usd for s in catalog.published_savings() if s.model == catalog.DEFAULT_MODEL)
    rate = catalog.published_rate()
    right = to_krw(12 * month, rate)
    known = {
        12 * month: "that is right in US dollars. Now in won.",
        to_krw(month, rate): "that is one month. A year has twelve.",
        to_krw(12 * published, rate): "that is the published saving: of 100M tokens, at 50/50.",
        to_krw(
            12 * published / 10, rate
        ): "that is of 10M tokens, at 50/50. Here it is 30M, at 80/20.",
        to_krw(12 * half, rate): "that is at 50/50: 80% of these tokens are input.",
        to_krw(12 * _saving(1 - INPUT_SHARE), rate): "80% are input, not output.",
    }
    if answer == right:
        return None
    return known.get(
        Decimal(answer), f"{answer:,} won is not it. What do both models cost, and the difference?"
    )


def most_running(answer: Any) -> str | None:
    given = _number(answer)
    if given is None:
        return "an amount in US dollars is needed."
    needed = Decimal(ONE_OFF_USD) / 12
    if given == SAVING_USD - needed:
        return None
    if given == needed:
        return "that much has to be left over each month. What may be spent, then?"
    if given >= SAVING_USD:
        return "then nothing is left each month, and it never pays back."
    if given < 0:
        return "a cost is 0 or more."
    months = ONE_OFF_USD / (SAVING_USD - given)
    return f"with {given:g} USD a month it pays back after {months:.1f} months."


def _saving(share: Decimal) -> Decimal:
    there, here = (
        monthly_cost(model, TOKENS, input_share=share).usd
        for model in (BASELINE, catalog.DEFAULT_MODEL)
    )
    with exactly():
        return there - here


def _number(answer: Any) -> Decimal | None:
    """An exact number out of whatever is one; ``None`` for anything else."""
    if isinstance(answer, bool) or not isinstance(answer, Decimal | int | float | str):
        return None
    try:
        value = Decimal(str(answer))
    except InvalidOperation:
        return None
    return value if value.is_finite() else None
