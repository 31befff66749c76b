"""The checks of the exercises: a sentence for every answer, and never an exception."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from contextlib import suppress
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


@pytest.mark.parametrize(
    ("model", "right", "says"),
    [
        ("gemini-2.5-flash", True, "a client of your own"),
        ("mistral-small-2603", False, "was for the model mistral-small-2603"),
        ("gemini-3-flash", False, "answered with status 404"),
        (None, False, "saw no request with the key of drill"),
    ],
)
def test_01a_wants_an_answer_of_gemini_that_the_server_saw(
    mock: MockHandle, model: str | None, right: bool, says: str
) -> None:
    if model is None:  # a client with another key than that of drill
        mock = mock.apart("other")
    with openai.OpenAI(base_url=mock.base_url, api_key=mock.api_key, max_retries=0) as client:
        for name in filter(None, [model]):
            with suppress(openai.NotFoundError):
                client.chat.completions.create(
                    model=name, messages=[{"role": "user", "content": "Say hello."}]
                )
    judge("01a", mock.entries(), right=right, says=says)


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


def keeps_the_rules(messages: list[Any], limit: int) -> list[Any]:
    rest = messages[1:]
    while rest[0]["role"] == "assistant" or tokens_of([messages[0], *rest]) > limit:
        rest = rest[1:]
    return [messages[0], *rest]


def forgets_the_rules(messages: list[Any], limit: int) -> list[Any]:
    return keeps_the_rules(messages, limit)[1:]


def begins_with_an_answer(messages: list[Any], limit: int) -> list[Any]:
    rest = messages[1:]
    while tokens_of([messages[0], *rest]) > limit or rest[0]["role"] == "user":
        rest = rest[1:]
    return [messages[0], *rest]


def keeps_the_oldest(messages: list[Any], limit: int) -> list[Any]:
    while tokens_of(messages) > limit:
        messages = messages[:-1]
    return messages


def keeps_one_turn(messages: list[Any], limit: int) -> list[Any]:
    return [messages[0], messages[-1]]


def ignores_the_limit(messages: list[Any], limit: int) -> list[Any]:
    return [*messages]


def changes_the_list(messages: list[Any], limit: int) -> list[Any]:
    while tokens_of(messages) > limit or messages[1]["role"] == "assistant":
        del messages[1]
    return messages


def tokens_of(messages: list[Any]) -> int:
    return sum(hs.count_tokens(message["content"]).tokens for message in messages)


@pytest.mark.parametrize(
    ("fit", "right", "says"),
    [
        (keeps_the_rules, True, "the oldest turns go"),
        (forgets_the_rules, False, "the system prompt is gone"),
        (begins_with_an_answer, False, "is an answer without its question"),
        (keeps_the_oldest, False, "the newest question is gone"),
        (keeps_one_turn, False, "10 messages fit, and your function keeps 2"),
        (ignores_the_limit, False, "your function keeps "),
        (changes_the_list, False, "changes the list"),
        (lambda messages, limit: None, False, "your function returns None, and a list"),
    ],
)
def test_02a_wants_the_rules_and_the_newest_turns(fit: Any, right: bool, says: str) -> None:
    judge("02a", fit, right=right, says=says)


def test_a_function_that_raises_is_not_taken_for_something_else() -> None:
    def broken(messages: list[Any], limit: int) -> list[Any]:
        raise KeyError(f"{len(messages)} messages, limit {limit}")

    judge("02a", broken, right=False, says="your function raises KeyError")
    judge("02a", lambda messages: messages, right=False, says="hand over the function itself")
    judge("02a", [], right=False, says="hand over the function itself")


@pytest.mark.parametrize(
    ("answer", "right", "says"),
    [
        (Decimal("9425"), True, "exact to the last won"),
        (Decimal("9425.00"), True, "exact to the last won"),
        (9425, True, "exact to the last won"),
        (9425.0, False, "your answer is a float"),
        (Decimal("6.5"), False, "right in US dollars. Now in won"),
        (Decimal("0.09425"), False, "That is one call".lower()),
        (Decimal("9424"), False, "9,424 won is not right"),
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
    judge("02c", asked("Answer in Korean."), right=False, says="it has 2 sentences")
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


@pytest.mark.parametrize(
    ("pieces", "right", "says"),
    [
        (10, True, "the server stopped writing"),
        (9, False, "9 pieces of text were read"),
        (500, False, "the server wrote its answer to the end"),
        (0, False, "the server saw no request"),
    ],
)
def test_03b_wants_one_that_was_left(
    gw: hs.Gateway, mock: MockHandle, pieces: int, right: bool, says: str
) -> None:
    if pieces < 100:  # its end can't come before the client leaves
        mock.script([{"kind": "stall", "after": 20}])

    async def opening() -> hs.AsyncStream | None:
        if not pieces:
            return None
        async with await hs.astream(gw, "Explain step by step how streaming works.") as stream:
            async for _ in stream:
                if len(stream.timeline) == pieces:
                    break
        return stream

    judge("03b", (asyncio.run(opening()), mock.entries()), right=right, says=says)


def test_03b_wants_the_stream_and_one_request() -> None:
    left = {"client_left": True}
    judge("03b", (None, [left]), right=False, says="your function returns None")
    judge("03b", (None, [left, left]), right=False, says="the server saw 2 requests")
    judge("03b", None, right=False, says="still empty")


def test_03c_wants_the_decode_speed(stream: Callable[[int | None], hs.Stream]) -> None:
    whole = stream(None)
    assert whole.usage is not None
    assert whole.ttft_s is not None
    whole.timeline = [(0.2 + 0.01 * i, text) for i, (_, text) in enumerate(whole.timeline)]
    whole.elapsed_s = whole.timeline[-1][0] + 0.001
    tokens = whole.usage.completion_tokens
    judge("03c", (whole, 100.0), right=True, says="starts its clock at the first one")
    judge("03c", (whole, 97.5), right=True, says="starts its clock")
    judge("03c", (whole, 80.0), right=False, says="80.0 is not right")
    judge("03c", (whole, tokens / whole.elapsed_s), right=False, says="the wait for the first")
    judge("03c", (whole, whole.chunks / whole.elapsed_s), right=False, says="Count tokens")
    judge("03c", (whole, "100"), right=False, says="a number")
    judge("03c", 100.0, right=False, says="hand over both")


@pytest.mark.parametrize(
    ("answer", "right", "says"),
    [
        (24, True, "24 requests are in flight"),
        (20 * 1.2, True, "24 requests are in flight"),
        (5, False, "5 is not it"),
        (20 / 1.2, False, "Little's law multiplies"),
        ("24", False, "a number is needed"),
    ],
)
def test_04a_wants_littles_law(answer: Any, right: bool, says: str) -> None:
    judge("04a", answer, right=right, says=says)


def usable(item: Any) -> bool:
    return item.error is None and item.finish_reason == "stop" and item.text.startswith("{")


def careful(result: Any) -> tuple[list[Any], list[Any]]:
    rows = [json.loads(item.text) for item in result if usable(item)]
    return rows, [item for item in result if not usable(item)]


def parses_all(result: Any) -> tuple[list[Any], list[Any]]:
    return [json.loads(item.text) for item in result], []


def forgets_cut_ones(result: Any) -> tuple[list[Any], list[Any]]:
    answered = [item for item in result if item.error is None]
    return [json.loads(item.text) for item in answered], [one for one in result if one.error]


def drops_the_rest(result: Any) -> tuple[list[Any], list[Any]]:
    return careful(result)[0], []


def takes_any_json(result: Any) -> tuple[list[Any], list[Any]]:
    rows, rest = careful(result)
    lists = [item for item in rest if item.text == '["return"]']
    return rows + [["return"] for _ in lists], [item for item in rest if item not in lists]


def takes_cut_json(result: Any) -> tuple[list[Any], list[Any]]:
    rows, rest = careful(result)
    cut = [item for item in rest if item.text == '{"topic": "return"}']
    return rows + [{"topic": "return"} for _ in cut], [item for item in rest if item not in cut]


@pytest.mark.parametrize(
    ("parse_all", "right", "says"),
    [
        (careful, True, "every usable row is parsed"),
        (parses_all, False, "an item with an error has no text"),
        (forgets_cut_ones, False, "JSON that was cut raises an exception"),
        (drops_the_rest, False, "of 7 items, 5 are in neither list"),
        (takes_any_json, False, "one of your rows is not a dict"),
        (takes_cut_json, False, "was cut, even if its text is JSON"),
        (lambda result: ([], [*result]), False, "0 answers are parsed, and two can be"),
        (lambda result: None, False, "must return two lists"),
    ],
)
def test_04b_wants_every_row_in_one_of_two_lists(parse_all: Any, right: bool, says: str) -> None:
    judge("04b", parse_all, right=right, says=says)


def test_04c_wants_a_journal(gw: hs.Gateway, tmp_path: Path) -> None:
    def ask(**options: Any) -> hs.BatchResult:
        return hs.batch_sync(gw, ["a", "b"], progress=False, **options)

    file = tmp_path / "run.jsonl"
    judge("04c", ask(), right=False, says="sent 2 requests again")
    judge("04c", ask(journal=file), right=False, says="sent 2 requests again")
    judge("04c", ask(journal=file), right=True, says="in the journal")
    judge("04c", hs.batch_sync(gw, [], progress=False), right=False, says="no answer")
