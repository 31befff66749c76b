"""Every fault, met sync and async, whole and streamed, without retries, with the SDK's, with ours.

``-s`` prints the matrix: what came of it, the requests that the mock saw, and how many of them may
have been billed although no answer came.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import httpx2
import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.client.replies import ParsedReply, check_answer
from holysheep_helpers.diagnosis.kinds import KINDS
from holysheep_helpers.diagnosis.waiting import back_off_s
from holysheep_helpers.exceptions import UnexpectedReplyError
from holysheep_helpers.mock.faults import KINDS as FAULTS
from holysheep_helpers.mock.handle import MockHandle
from tests.support.clock import Clock
from tests.support.errors import ANSWERED, SILENT, TABLE, name_of

SDK_RETRIES = {
    *("timeout_408", "conflict", "rate_limit", "quota", "server_error", "gateway_timeout"),
    *("proxy_page", "first_token_timeout", "cut_connection"),
}


BEGUN = {"stalled_stream", "cut_stream", "ended_early", "error_in_stream", "bad_json"}


MODES, SHAPES = ("sync", "async"), ("whole", "streamed")


POLICIES = ("none", "SDK", "ours", "ours, streams anew")


def requests_of(fault: Any, kind: str, policy: str, streamed: bool) -> int:
    """How many requests two faults in a row lead to, with up to three at hand."""
    if policy == "none" or kind == ANSWERED:
        again = False
    elif policy == "SDK":  # it looks at the status, not at the code
        again = kind in SDK_RETRIES and fault != 402 and fault not in SILENT
    else:
        begun = streamed and (kind in BEGUN or "broken_off" in name_of(fault))
        again = KINDS[kind].retryable and (not begun or "anew" in policy)
    return 3 if again else 1


def checked(reply: Any) -> None:
    """What a caller of the plain SDK has to look at for itself."""
    if isinstance(reply, str):
        raise UnexpectedReplyError("no completion", page=True)
    check_answer(
        ParsedReply(reply),
        "the mock",
        "a chat completion",
        lambda: httpx2.Request("POST", "http://127.0.0.1"),
    )


ASKED: Any = {
    "model": hs.catalog.DEFAULT_MODEL,
    "messages": [{"role": "user", "content": "hello"}],
}


class Cell:
    """One field of the matrix."""

    def __init__(self, mock: MockHandle, fault: Any, streamed: bool, policy: str) -> None:
        mock.reset()
        mock.script([fault, fault])
        self.streamed, self.clock = streamed, Clock()
        stalls = "stall" in (fault, fault["kind"] if isinstance(fault, dict) else None)
        self.options: dict[str, Any] = {
            "timeout": 0.15 if stalls else 30.0,
            "max_retries": 2 if policy == "SDK" else 0,
        }
        self.retrying: Callable[[Any], Any] = lambda call: call
        if policy.startswith("ours"):
            self.retrying = partial(
                self.clock.retrying,
                attempts=3,
                on_retry=self._note,
                restart_streams="anew" in policy,
            )

    def _note(self, retry: hs.Retry) -> None:
        self.diagnosis = retry.diagnosis
        self.asked_s = retry.diagnosis.wait_s or 0.0

    asked_s = 0.0
    diagnosis: hs.Diagnosis | None = None

    def sync(self, gateway: hs.Gateway) -> str:
        client = gateway.client().with_options(**self.options)

        def call() -> None:
            if self.streamed:
                hs.stream(client, "hello").read()
            else:
                hs.ask(client, "hello")

        try:
            self.retrying(call)()
        except Exception as error:  # noqa: BLE001 (which one it is is the question)
            return self._named(error)
        return ANSWERED

    def _named(self, error: Exception) -> str:
        self.diagnosis = hs.diagnose(error)
        return self.diagnosis.kind

    def asynchronous(self, gateway: hs.Gateway) -> str:
        async def main() -> None:
            async with gateway.async_client(**self.options) as client:

                async def call() -> None:
                    if self.streamed:
                        await (await hs.astream(client, "hello")).read()
                    else:
                        checked(await client.chat.completions.create(**ASKED))

                await self.retrying(call)()

        try:
            asyncio.run(main())
        except Exception as error:  # noqa: BLE001
            return self._named(error)
        return ANSWERED


def test_the_table_has_every_kind_of_fault() -> None:
    kinds = {f["kind"] if isinstance(f, dict) else "status" if isinstance(f, int) else f
             for f, *_ in TABLE}  # fmt: skip
    assert kinds == set(FAULTS)


@pytest.fixture
def no_waits_of_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every failure came with ``retry-after-ms: 1``, which broken connections can't."""
    monkeypatch.setattr(
        openai._base_client.BaseClient, "_calculate_retry_timeout", lambda *_, **__: 0.001
    )


@pytest.mark.usefixtures("no_waits_of_the_sdk")
@pytest.mark.parametrize(
    ("fault", "whole", "stream"),
    TABLE,
    ids=[json.dumps(fault).replace('"', "")[:40] for fault, *_ in TABLE],
)
def test_outcome_requests_waits_and_bill(
    mock: MockHandle, gw: hs.Gateway, fault: Any, whole: str, stream: str
) -> None:
    for streamed, kind in ((False, whole), (True, stream)):
        for asynchronous in (False, True):
            for policy in POLICIES:
                cell = Cell(mock, fault, streamed, policy)
                before = gw.spend.usd
                outcome = cell.asynchronous(gw) if asynchronous else cell.sync(gw)
                entries = mock.entries()
                where = ", ".join((MODES[asynchronous], SHAPES[streamed]))
                paid = [entry["paid"] for entry in entries]
                print(
                    f"{name_of(fault):<28} {where:<15} {policy:<18} {outcome:<20} "
                    f"{len(entries)} requests, bill {paid}"
                )
                # --- outcome and requests
                count = requests_of(fault, kind, policy, streamed)
                assert (outcome, len(entries)) == (ANSWERED if count == 3 else kind, count), where
                # --- waits: what was asked for, and a draw on top of it
                draw = Random(1)
                expected = [cell.asked_s + back_off_s(n, draw) for n in range(1, count)]
                assert cell.clock.waits == (expected if policy.startswith("ours") else [])
                # --- the bill: what may have cost was said to; what was answered is counted
                failed = paid if outcome != ANSWERED else paid[:-1]
                if set(failed) & {"maybe", "yes"}:
                    assert (cell.diagnosis or KINDS[kind]).may_have_cost, where
                if outcome == ANSWERED:
                    assert paid[-1] == "yes"
                    assert gw.spend.usd > before
