"""Every fault of the first model x (sync, async) x (whole, streamed), under failover.

``-s`` prints the matrix: who answered or what was raised, the requests that the mock saw, and how
many of them may have been billed although no answer came.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

import holysheep_helpers as hs
from holysheep_helpers.diagnosis.kinds import KINDS
from holysheep_helpers.mock.handle import MockHandle
from tests.support.errors import ANSWERED, SILENT, TABLE, name_of
from tests.support.failing_over import GEMINI, MISTRAL, MODELS, PROMPT, asked

WAYS = tuple((asynchronous, streamed) for asynchronous in (False, True) for streamed in (0, 1))


def call(gw: hs.Gateway, asynchronous: bool, streamed: Any, timeout: float) -> tuple[Any, str]:
    """What came back, if anything did, and who answered or which kind of error was raised."""
    known: dict[str, Any] = {"models": MODELS, "stream": bool(streamed), "timeout": timeout}
    came: list[Any] = []

    async def in_a_loop() -> None:
        answer = await hs.afailover(gw, PROMPT, breaker=hs.CircuitBreaker(), **known)
        came.append(answer)
        if streamed:
            await answer.read()

    try:
        if asynchronous:
            asyncio.run(in_a_loop())
        else:
            came.append(hs.failover(gw, PROMPT, breaker=hs.CircuitBreaker(), **known))
            if streamed:
                came[0].read()
    except Exception as error:  # noqa: BLE001 (which one it is is the question)
        return (came[0] if came else None), hs.diagnose(error).kind
    return came[0], came[0].model


@pytest.mark.parametrize(
    ("fault", "whole", "stream"),
    TABLE,
    ids=[json.dumps(fault).replace('"', "")[:40] for fault, *_ in TABLE],
)
def test_who_answers_how_many_are_asked_and_the_bill(
    mock: MockHandle, gw: hs.Gateway, fault: Any, whole: str, stream: str
) -> None:
    stalls = "stall" in (fault, fault["kind"] if isinstance(fault, dict) else None)
    for asynchronous, streamed in WAYS:
        mock.reset()
        mock.script(fault, every=1, model=MISTRAL)
        before = gw.spend.usd
        kind = stream if streamed else whole
        answer, outcome = call(gw, asynchronous, streamed, 0.5 if stalls else 30.0)
        entries = mock.entries()
        way = f"{'async' if asynchronous else 'sync'}, {'streamed' if streamed else 'whole'}"
        paid = [entry["paid"] for entry in entries]
        print(f"{name_of(fault):<28} {way:<16} {outcome:<20} {len(entries)} requests, bill {paid}")
        begun = bool(streamed and answer and answer.tried[0].answered)
        if kind == ANSWERED:
            assert (outcome, asked(mock)) == (MISTRAL, [MISTRAL]), way
        elif begun or not KINDS[kind].other_model:
            assert (outcome, asked(mock)) == (kind, [MISTRAL]), way
        else:
            assert (outcome, asked(mock)) == (GEMINI, [MISTRAL, GEMINI]), way
            first, second = answer.tried
            assert first.why.kind == kind
            assert (first.cost is None) == first.why.may_have_cost
            assert first.why.may_have_cost == (KINDS[kind].may_have_cost or fault in SILENT)
            assert paid[0] == "no" or first.cost is None
            assert (paid[1], second.answered) == ("yes", True)
        swallowed = fault == {"kind": "reset", "after": 2}  # a reset can lose what was sent
        if streamed and kind != ANSWERED and KINDS[kind].other_model and not swallowed:
            assert begun == bool(entries[0]["sent_s"]), way
        if outcome in MODELS:
            assert gw.spend.usd > before
