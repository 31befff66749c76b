"""The checks of the exercises: a sentence for every answer, and never an exception."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.lessons.exercises import EXERCISES, verdict
from holysheep_helpers.mock.handle import MockHandle
from tests.support.exercises import judge
from tests.support.project import ROOT


class Hostile:
    """An answer that fails at whatever is done with it."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("eq")

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __repr__(self) -> str:
        raise RuntimeError("repr")

    __str__ = __repr__


ODD: list[Any] = [
    None, ..., 0, -1, 1.5, math.nan, True, Decimal("NaN"), "text", "", b"", [], {}, (), (1, 2),
    (None, None), object(), Hostile(), Hostile, print, NotImplemented, ValueError("x"),
    SimpleNamespace(model=7, finish_reason=7, text=7, timeline=7, base_url=7, usage=None),
]  # fmt: skip


@pytest.mark.parametrize("exercise", [*EXERCISES, "99z", "", None, 5, ["01a"]])
def test_check_and_hint_never_raise_and_always_say_something(
    exercise: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    for answer in ODD:
        assert hs.check(exercise, answer) is None
        printed = capsys.readouterr().out
        assert printed.startswith(("Not yet: ", "There is no exercise "))
        assert printed.count("\n") <= 2
    hs.hint(exercise)
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("exercise", list(EXERCISES))
def test_an_empty_answer_says_not_yet_and_what_to_do(exercise: str) -> None:
    for empty in (None, ...):
        right, text = verdict(exercise, empty)
        assert not right
        assert (
            text
            == f"Not yet: the answer is still empty. Fill it in.\nA hint: hs.hint('{exercise}')"
        )


def test_every_exercise_has_its_solution() -> None:
    assert set(EXERCISES) == {f.stem for f in (ROOT / "notebooks" / "solutions").glob("*.py")}


def test_01a_wants_a_gemini_reply(gw: hs.Gateway) -> None:
    reply = hs.ask(gw, "hello")
    judge("01a", reply, right=False, says="this reply came from mistral-small-2603")
    judge("01a", reply.text, right=False, says="hand over the reply itself")
    gemini = hs.ask(gw, "hello", model="gemini-2.5-flash")
    judge("01a", gemini, right=True, says="one id changed")
    as_a_server_may_say_it = replace(gemini, model="google/gemini-2.5-flash-001")
    judge("01a", as_a_server_may_say_it, right=True, says="one id changed")


@pytest.mark.parametrize(
    ("address", "right", "says"),
    [
        (hs.catalog.BASE_URL, True, "address and key"),
        ("http://127.0.0.1:8000/v1", True, "address and key"),
        (None, False, "still talks to api.openai.com"),
        ("http://127.0.0.1:8000", False, "lacks its version"),
    ],
)
def test_01b_wants_the_gateways_address(address: str | None, right: bool, says: str) -> None:
    with openai.OpenAI(base_url=address, api_key="hs-mock-x") as client:
        judge("01b", client, right=right, says=says)


def test_02a_wants_a_whole_list(gw: hs.Gateway) -> None:
    prompt = "Name three things to check before you call an API in production."
    with pytest.warns(hs.CutShortWarning):
        cut = hs.ask(gw, prompt, max_tokens=20)
    judge("02a", cut, right=False, says="cut after 20 tokens")
    judge("02a", hs.ask(gw, "What is the capital of Korea?"), right=False, says="not the list")
    judge("02a", hs.ask(gw, prompt, temperature=0, max_tokens=300), right=True, says="by itself")


@pytest.mark.parametrize(
    ("answer", "right", "says"),
    [
        (Decimal("9425"), True, "exact to the last won"),
        (Decimal("9425.00"), True, "exact to the last won"),
        (9425, True, "exact to the last won"),
        (9425.0, False, "a float has crept in"),
        (Decimal("6.5"), False, "right in US dollars. Now in won"),
        (Decimal("0.09425"), False, "That is one call".lower()),
        (Decimal("9424"), False, "9,424 won is not it"),
        ("9425", False, "as a Decimal"),
    ],
)
def test_02b_wants_exact_won(answer: Any, right: bool, says: str) -> None:
    judge("02b", answer, right=right, says=says)


def test_02c_wants_one_korean_sentence(gw: hs.Gateway) -> None:
    prompt = "Explain what an API gateway is in two sentences."

    def asked(system: str | None) -> hs.Reply:
        return hs.ask(gw, prompt, system=system, temperature=0)

    judge("02c", asked(None), right=False, says="not in Korean")
    judge("02c", asked("Answer in Korean."), right=False, says="2 sentences long")
    judge("02c", asked("Answer in Korean, in one sentence."), right=True, says="decides language")


@pytest.fixture
def stream(gw: hs.Gateway) -> Callable[[int | None], hs.Stream]:
    def read(most: int | None) -> hs.Stream:
        with hs.stream(gw, "Explain step by step how streaming works.") as stream:
            for _ in stream:
                if len(stream.timeline) == most:
                    break
        return stream

    return read


def test_03a_wants_a_stream_that_was_read(
    gw: hs.Gateway, stream: Callable[[int | None], hs.Stream]
) -> None:
    with hs.stream(gw, "hello") as unread:
        judge("03a", unread, right=False, says="nothing was read")
    judge("03a", "the text", right=False, says="hand over the stream itself")
    judge("03a", stream(3), right=False, says="left early")
    judge("03a", stream(None), right=True, says="read to the end")


def test_03b_wants_one_that_was_left(stream: Callable[[int | None], hs.Stream]) -> None:
    judge("03b", stream(None), right=False, says="read to its end")
    judge("03b", stream(9), right=False, says="9 pieces of text were read")
    judge("03b", stream(10), right=True, says="the connection is closed")


def test_03c_wants_the_decode_speed(stream: Callable[[int | None], hs.Stream]) -> None:
    whole = stream(None)
    assert whole.usage is not None
    assert whole.ttft_s is not None
    whole.timeline = [(0.2 + 0.01 * i, text) for i, (_, text) in enumerate(whole.timeline)]
    whole.elapsed_s = whole.timeline[-1][0] + 0.001
    tokens = whole.usage.completion_tokens
    judge("03c", (whole, 100.0), right=True, says="starts its clock at the first one")
    judge("03c", (whole, 97.5), right=True, says="starts its clock")
    judge("03c", (whole, 80.0), right=False, says="80.0 is not it")
    judge("03c", (whole, tokens / whole.elapsed_s), right=False, says="the wait for the first")
    judge("03c", (whole, whole.chunks / whole.elapsed_s), right=False, says="Count tokens")
    judge("03c", (whole, "100"), right=False, says="a number")
    judge("03c", 100.0, right=False, says="hand over both")


@pytest.mark.parametrize(
    ("answer", "right", "says"),
    [
        (24, True, "24 under way"),
        (20 * 1.2, True, "24 under way"),
        (5, False, "5 is not it"),
        (20 / 1.2, False, "Little's law multiplies"),
        ("24", False, "a number is needed"),
    ],
)
def test_04a_wants_littles_law(answer: Any, right: bool, says: str) -> None:
    judge("04a", answer, right=right, says=says)


def test_04b_wants_all_twelve_answered(gw: hs.Gateway, mock: MockHandle) -> None:
    async def both() -> tuple[hs.BatchResult, hs.BatchResult]:
        mock.script([{"kind": "status", "status": 400}, None, None] * 4)
        first = await hs.batch(gw, [f"p{n}" for n in range(12)], progress=False)
        return first, await first.retry_failed()

    first, second = asyncio.run(both())
    judge("04b", first, right=False, says="4 of 12 still have an error")
    judge("04b", first.failed, right=False, says="hand over the BatchResult")
    judge("04b", hs.batch_sync(gw, ["p"], progress=False), right=False, says="1 results came")
    judge("04b", second, right=True, says="only the failed ones")


def test_04c_wants_a_journal(gw: hs.Gateway, tmp_path: Path) -> None:
    def ask(**options: Any) -> hs.BatchResult:
        return hs.batch_sync(gw, ["a", "b"], progress=False, **options)

    file = tmp_path / "run.jsonl"
    judge("04c", ask(), right=False, says="sent 2 requests again")
    judge("04c", ask(journal=file), right=False, says="sent 2 requests again")
    judge("04c", ask(journal=file), right=True, says="in the journal")
    judge("04c", hs.batch_sync(gw, [], progress=False), right=False, says="no answer")
