"""A text too long for one call: planned, asked by parts, combined; and what may go wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.batches import worker
from holysheep_helpers.catalog import tokens
from holysheep_helpers.mock.handle import MockHandle
from tests.support.texts import DO, SMALL, TEXT
from tests.support.virtual import client_of, completion


@pytest.fixture(scope="module")
def drill() -> Iterator[hs.Gateway]:
    """A gateway of the learner's kind, whose mock counts by its own rule."""
    gateway = hs.connect("mock", time_scale=0)
    yield gateway
    assert gateway.mock is not None
    gateway.mock.stop()


def ask(gateway: hs.Gateway, text: str = TEXT, **options: Any) -> hs.LongReply:
    options = {**SMALL, "progress": False, **options}
    return hs.ask_long_sync(gateway, DO, text, **options)


def test_every_part_is_asked_with_the_instruction_and_the_answers_are_combined(
    gw: hs.Gateway, mock: MockHandle
) -> None:
    reply = ask(gw)
    count = len(reply.parts)
    assert count > 5
    assert reply.sent == len(mock.journal()) == count + 1
    for number, item in enumerate(reply.parts, 1):  # the mock repeats how its prompt begins
        assert item.text is not None
        assert f"{DO} Below is part {number} of {count}" in item.text
    assert f"{DO} The text was too long" in reply.text
    assert reply.text == reply.rounds[1][0].text
    assert [len(done) for done in reply.rounds] == [*reply.plan.rounds] == [count, 1]
    assert not reply.cut_short


def test_cost_and_usage_are_those_of_all_calls(gw: hs.Gateway, mock: MockHandle) -> None:
    reply = ask(gw)
    seen = mock.journal()
    assert reply.usage is not None
    assert reply.usage.prompt_tokens == seen["prompt_tokens"].sum()
    assert reply.usage.completion_tokens == seen["completion_tokens"].sum()
    assert reply.cost == hs.cost_of(reply.usage, reply.model) == gw.spend.usd
    assert f"{reply.cost:f} USD" in reply.summary()
    assert f"{len(reply.parts)} + 1 calls" in repr(reply)
    assert " · 1 call · " in ask(gw, text="Message 1: in time.").summary()


def test_on_the_mock_the_plan_counts_the_parts_to_the_token(drill: hs.Gateway) -> None:
    reply = ask(drill)
    plan = reply.plan
    assert plan.counted_by == "the mock's rule"
    used = sum(item.usage.prompt_tokens for item in reply.parts if item.usage)
    assert used == sum(tokens.count_messages([prompt]) for prompt in plan.prompts())
    assert reply.usage is not None
    assert used <= reply.usage.prompt_tokens <= plan.input_tokens
    assert reply.cost is not None
    assert plan.most_usd is not None
    assert reply.cost <= plan.most_usd


def test_a_text_that_fits_is_one_plain_call(gw: hs.Gateway, mock: MockHandle) -> None:
    reply = ask(gw, "One message.", part_tokens=None)
    assert reply.plan.prompts() == [f"{DO}\n\nOne message."]
    assert reply.plan.rounds == (1,)
    assert len(mock.journal()) == 1
    assert "1 part: it fits into one call" in str(reply.plan)


def test_many_answers_are_combined_in_rounds(gw: hs.Gateway, mock: MockHandle) -> None:
    options = {"part_tokens": 20, "max_tokens": 25_000}
    reply = ask(gw, TEXT[:3000], **options)
    assert reply.plan.group == 4
    assert len(reply.rounds) > 2
    assert [len(done) for done in reply.rounds] == [*reply.plan.rounds]
    assert len(mock.journal()) == reply.plan.calls


def test_another_instruction_can_combine(gw: hs.Gateway) -> None:
    reply = ask(gw, combine="Add the numbers up.")
    assert "Add the numbers up. The text was too long" in reply.text
    assert DO not in reply.text


def test_an_answer_that_was_cut_is_said(gw: hs.Gateway) -> None:
    with pytest.warns(hs.CutShortWarning, match="answers were cut by max_tokens=10"):
        reply = ask(gw, max_tokens=10)
    assert reply.cut == len(reply.parts) + 1
    assert reply.cut_short
    assert "CUT SHORT" in repr(reply)


def test_a_part_without_an_answer_means_none_for_the_whole(
    gw: hs.Gateway, mock: MockHandle
) -> None:
    mock.script([None, 400])
    with pytest.raises(hs.LongPromptError, match=r"1 of \d+ parts have no answer") as caught:
        ask(gw, max_concurrency=1)
    error = caught.value
    assert isinstance(error.__cause__, openai.BadRequestError)
    assert len(error.results.ok) == len(error.results) - 1
    assert error.cost == gw.spend.usd > 0
    assert len(mock.journal()) == len(error.results)  # nothing was combined
    assert "journal=FILE" in str(error)


def test_with_a_journal_the_same_call_pays_only_for_the_rest(
    gw: hs.Gateway, mock: MockHandle, tmp_path: Path
) -> None:
    file = tmp_path / "long.jsonl"
    mock.script([None, 400])
    with pytest.raises(hs.LongPromptError, match="asks for the rest alone"):
        ask(gw, max_concurrency=1, journal=file)
    before = len(mock.journal())
    reply = ask(gw, max_concurrency=1, journal=file)
    assert len(mock.journal()) - before == 2  # the part that failed, and the answer for all
    assert reply.sent == 2
    assert len(ask(gw, journal=file).text) == len(reply.text)
    assert len(mock.journal()) - before == 2


def test_a_combining_call_that_fails_keeps_the_parts(gw: hs.Gateway, mock: MockHandle) -> None:
    count = len(hs.plan_long(gw, DO, TEXT, **SMALL).parts)
    mock.script([None] * count + [400])
    with pytest.raises(hs.LongPromptError, match="1 of 1 calls that combine answers") as caught:
        ask(gw)
    assert len(caught.value.rounds[0].ok) == count


def test_what_passes_is_asked_again(gw: hs.Gateway, mock: MockHandle) -> None:
    mock.script([503])
    reply = ask(gw, max_concurrency=1)
    assert reply.sent == reply.plan.calls + 1


@pytest.mark.parametrize("budget", ["0.000001", 0])
def test_a_budget_that_does_not_cover_the_plan_sends_nothing(
    gw: hs.Gateway, mock: MockHandle, budget: Any
) -> None:
    with pytest.raises(hs.BudgetError, match="calls may cost"):
        ask(gw, budget_usd=budget)
    with pytest.raises(hs.BudgetError, match="no price was published for 'gpt-4o'"):
        ask(gw, budget_usd=1, model="gpt-4o")
    assert len(mock.journal()) == 0


def test_a_budget_that_just_covers_the_plan_is_kept(drill: hs.Gateway, gw: hs.Gateway) -> None:
    whole: dict[str, Any] = {**SMALL, "part_tokens": None}
    by_vocabulary = hs.plan_long(gw, DO, TEXT, **whole)
    assert by_vocabulary.exact
    assert ask(gw, budget_usd=by_vocabulary.most_usd, **whole).text  # though the rule counts more
    plan = hs.plan_long(drill, DO, TEXT, **SMALL)
    assert plan.most_usd is not None
    assert Decimal(0) < (ask(drill, budget_usd=plan.most_usd).cost or 0) < plan.most_usd


def test_what_is_asked_again_must_fit_into_what_is_left(
    drill: hs.Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "back_off_s", lambda tries, random: 0.0)
    assert drill.mock is not None
    plan = hs.plan_long(drill, DO, TEXT, **SMALL)
    drill.mock.script(["reset"] * 50)  # each of these may have been answered, and billed
    with (
        pytest.warns(hs.BatchStoppedWarning, match="budget_usd is"),
        pytest.raises(hs.LongPromptError, match=r"\(APITimeoutError, BudgetError\)") as caught,
    ):
        ask(drill, budget_usd=plan.most_usd, max_concurrency=1)
    drill.mock.script([])
    assert isinstance(caught.value.results.stopped_by, hs.BudgetError)


def test_the_plan_is_printed_where_it_costs(
    gw: hs.Gateway, drill: hs.Gateway, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(gw, progress=True)
    plan = str(hs.plan_long(gw, DO, TEXT, **SMALL))
    assert plan in capsys.readouterr().out
    assert "tokens in" in plan
    assert "USD (mistral-small-2603, Mistral's tekken vocabulary)" in plan
    ask(drill, progress=True)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"instruction": " "}, "instruction is empty"),
        ({"text": "\n\n \n"}, "text is empty"),
        ({"text": None}, "text is needed"),
        ({"combine": ""}, "combine is empty"),
        ({"system": "\ud83d"}, "half a character"),
        ({"max_tokens": 0}, "max_tokens is 0"),
        ({"part_tokens": 0}, "part_tokens is 0"),
        ({"part_tokens": "9"}, "part_tokens is .9."),
        ({"part_tokens": 200_000}, "and part_tokens is 200,000. Make"),
        ({"max_tokens": 200_000, "part_tokens": None}, "and the instruction. Make them smaller"),
        ({"max_tokens": 120_000}, "don't fit into one call to mistral-small-2603"),
        ({"model": "gemini-2.5-pro", "max_tokens": 300}, "no context window is known for gemini"),
        ({"overlap": 400}, "at most half of it"),
        ({"model": "gemini-2.5-pro", "part_tokens": None}, "No context window is known"),
        ({"max_completion_tokens": 5}, "max_completion_tokens: the parts are planned"),
        ({"stream": True}, "leave 'stream' out"),
        ({"models": ["gpt-4.1", "gemini-2.5-flash"]}, "give model=... alone"),
    ],
)
def test_what_cant_be_right_is_said_before_anything_is_sent(
    gw: hs.Gateway, mock: MockHandle, given: dict[str, Any], says: str
) -> None:
    options = {"instruction": DO, "text": TEXT, **SMALL, "progress": False, **given}
    with pytest.raises(hs.InputError, match=says.replace("'", ".")):
        hs.ask_long_sync(gw, **options)
    assert len(mock.journal()) == 0


def test_it_takes_a_gateway_or_an_async_client_alone(gw: hs.Gateway) -> None:
    with pytest.raises(hs.InputError, match="client is needed"):
        hs.ask_long_sync(gw.client(), DO, TEXT)  # pyright: ignore[reportArgumentType]

    async def bare() -> hs.LongReply:
        return await hs.ask_long(gw.async_client(), DO, TEXT, progress=False, **SMALL)

    assert asyncio.run(bare()).plan.exact


def test_in_a_running_loop_the_blocking_one_says_what_to_use(gw: hs.Gateway) -> None:
    async def inside() -> None:
        hs.ask_long_sync(gw, DO, TEXT)

    with pytest.raises(hs.InputError, match="use `await"):
        asyncio.run(inside())


def test_what_was_lost_in_one_round_is_missing_in_the_next(
    drill: hs.Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "back_off_s", lambda tries, random: 0.0)
    assert drill.mock is not None
    plan = hs.plan_long(drill, DO, TEXT, **SMALL)
    assert plan.most_usd is not None
    budget = plan.most_usd + Decimal("0.0001")  # less than a part costs
    drill.mock.script(["reset"])  # it may have been answered, and billed
    with (
        pytest.warns(hs.BatchStoppedWarning, match="budget_usd is"),
        pytest.raises(hs.LongPromptError, match="1 of 1 calls that combine") as caught,
    ):
        ask(drill, budget_usd=budget, max_concurrency=1)
    parts, combined = caught.value.rounds
    assert parts.possibly_paid_twice == 1
    assert len(parts.ok) == len(parts)
    assert parts.budgeted_usd > parts.cost == parts.spent_usd
    assert combined.sent == 0


@pytest.mark.parametrize(
    ("text", "reason"), [("", "stop"), (" \n", "stop"), ("It", "content_filter")]
)
def test_an_answer_that_is_none_means_none_for_the_whole(text: str, reason: str) -> None:
    async def server(request: httpx2.Request) -> httpx2.Response:
        body = completion("three were late" if "part 1" in str(request.content) else text)
        body["choices"][0]["finish_reason"] = "stop" if "part 1" in str(request.content) else reason
        return httpx2.Response(200, json=body)

    async def main() -> hs.LongReply:
        client = await client_of(server)
        return await hs.ask_long(client, DO, TEXT, progress=False, **SMALL)

    with pytest.raises(hs.LongPromptError, match="5 of 6 calls were answered without") as caught:
        asyncio.run(main())
    assert [item.index for item in caught.value.results] == [*range(6)]
    assert caught.value.cost > 0
