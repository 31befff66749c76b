"""What a piece of work may cost, said before it is sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from holysheep_helpers import catalog
from holysheep_helpers.batch_prompts import Reader
from holysheep_helpers.estimates import Estimate, of_items
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.long_plan import LongPlan
from holysheep_helpers.pricing.decimals import exactly


def estimate(
    work: Any,
    *,
    model: str | None = None,
    runs: int = 1,
    max_tokens: int | None = None,
    system: str | None = None,
    **sdk_parameters: Any,
) -> Estimate:
    """What a batch, a measurement or a long text may cost, before anything is sent.

    ``work`` is one prompt, a list or column of prompts as ``hs.batch`` takes them, or a plan of
    ``hs.plan_long``; ``runs`` is how often all of it is asked (a measurement's runs and warm-up
    together). ``model``, ``max_tokens``, ``system``, ``sdk_parameters`` as in ``hs.batch``.

    The assumption, which ``print(estimate)`` states: each answer takes all of ``max_tokens``, or
    1,000 tokens where that is not given. Prompts are counted by rule (within 15% on Korean and
    English prose), those of a plan as the plan counted them.

    Raises ``InputError`` for what can't be asked. An unknown price is no error: ``unpriced``.
    """
    if isinstance(runs, bool) or not isinstance(runs, int) or runs < 1:
        raise InputError(f"runs is {runs!r}: a whole number, 1 or more, is needed.")
    if isinstance(work, LongPlan):
        if model is not None or max_tokens is not None or system is not None or sdk_parameters:
            raise InputError("A plan has its model and settings: give them to hs.plan_long().")
        return _times(_of_plan(work), runs)
    if max_tokens is not None:
        sdk_parameters["max_tokens"] = max_tokens
    reader = Reader(model or catalog.DEFAULT_MODEL, system, sdk_parameters, hashed=False)
    items, _ = reader.items([work] if isinstance(work, str) else work)
    return _times(of_items(items), runs)


def _of_plan(plan: LongPlan) -> Estimate:
    unpriced = plan.calls if plan.most_usd is None else 0
    return Estimate(
        plan.calls,
        plan.input_tokens,
        plan.output_tokens,
        plan.most_usd,
        unpriced=unpriced,
        counted_by=plan.counted_by,
    )


def _times(one: Estimate, runs: int) -> Estimate:
    with exactly():
        return replace(
            one,
            calls=one.calls * runs,
            input_tokens=one.input_tokens * runs,
            output_tokens=one.output_tokens * runs,
            most_usd=None if one.most_usd is None else one.most_usd * runs,
            uncapped=one.uncapped * runs,
            unpriced=one.unpriced * runs,
        )
