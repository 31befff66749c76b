"""Spend by model and by label, and costs that the gateway itself states, over a real socket."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

import holysheep_helpers as hs
from holysheep_helpers.mock.handle import MockHandle

MODEL = hs.catalog.DEFAULT_MODEL


Live = Callable[..., hs.Gateway]


PRECISE = "0.00012345678901234567890123"


def stating(cost: str, cached: int = 0) -> dict[str, Any]:
    return {"kind": "usage", "cost": cost, "cached": cached}


def test_each_call_counts_for_its_label_and_its_model(gw: hs.Gateway) -> None:
    hs.ask(gw, "hello")
    with gw.spend.of("lesson 12"):
        hs.ask(gw, "hello")
        hs.ask(gw, "hello", model="deepseek-v3.2")
        with gw.spend.of("exercise"):
            hs.ask(gw, "hello")
        hs.ask(gw, "hello")
    frame = gw.spend.to_frame()
    assert {key: row["calls"] for key, row in frame.iterrows()} == {
        ("", MODEL): 1,
        ("exercise", MODEL): 1,
        ("lesson 12", "deepseek-v3.2"): 1,
        ("lesson 12", MODEL): 2,
    }
    assert list(gw.spend.by_label) == ["", "lesson 12", "exercise"]
    assert list(frame.columns) == [
        "calls", "unpriced", "stated", "possible", "prompt_tokens", "cached_tokens",
        "completion_tokens", "usd", "possible_usd",
    ]  # fmt: skip


def test_the_sum_of_the_parts_is_the_whole(gw: hs.Gateway, mock: MockHandle) -> None:
    mock.script([stating("0.1"), None, stating("0.25", cached=3), None], every=1)
    for number in range(8):
        with gw.spend.of(f"part {number % 3}"):
            hs.ask(gw, f"Number {number}", model=(MODEL, "gpt-4.1")[number % 2])
    spend = gw.spend
    frame: Any = spend.to_frame()
    assert sum(frame["usd"]) == sum(spend.by_label.values()) == sum(spend.by_model.values())
    assert sum(frame["usd"]) == spend.usd
    assert frame["calls"].sum() == spend.calls == 8
    assert frame["stated"].sum() == 4
    assert frame["cached_tokens"].sum() == 2 * 3
    assert frame["prompt_tokens"].sum() == spend.prompt_tokens


def test_a_label_is_for_one_gateway_alone(live: Live) -> None:
    one, other = live(budget_usd=1), live(budget_usd=1)
    with one.spend.of("mine"):
        hs.ask(other, "hello")
    assert list(other.spend.by_label) == [""]


def test_a_label_ends_with_its_block_also_after_an_error(gw: hs.Gateway) -> None:
    with pytest.raises(hs.InputError), gw.spend.of("broken"):
        hs.ask(gw, "")
    hs.ask(gw, "hello")
    assert list(gw.spend.by_label) == [""]


def test_tasks_side_by_side_keep_their_labels_apart(gw: hs.Gateway) -> None:
    async def ask(label: str, count: int) -> None:
        with gw.spend.of(label):
            for _ in range(count):
                async with await hs.astream(gw, "hello") as stream:
                    await stream.read()

    async def main() -> None:
        await asyncio.gather(ask("a", 1), ask("b", 2), ask("c", 3))

    asyncio.run(main())
    frame: Any = gw.spend.to_frame()
    assert [frame["calls"][label, MODEL] for label in "abc"] == [1, 2, 3]


def test_a_batch_has_the_label_of_the_place_it_began_in(gw: hs.Gateway) -> None:
    with gw.spend.of("batch"):
        result = hs.batch_sync(gw, ["one", "two", "three"], progress=False)
    assert gw.spend.by_label == {"batch": result.cost}


def test_threads_keep_their_labels_apart_and_a_copied_context_carries_one(gw: hs.Gateway) -> None:
    gw.client()  # one for all

    def ask(label: str) -> None:
        with gw.spend.of(label):
            hs.ask(gw, "hello")

    threads = [threading.Thread(target=ask, args=(f"t{number}",)) for number in range(4)]
    with gw.spend.of("outer"):
        context = contextvars.copy_context()
        threads.append(threading.Thread(target=context.run, args=(hs.ask, gw, "hello")))
        threads.append(threading.Thread(target=hs.ask, args=(gw, "hello")))  # without one
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join()
    assert {label for label, _ in gw.spend.to_frame().index} == {
        "", "outer", "t0", "t1", "t2", "t3",
    }  # fmt: skip


def test_a_stream_counts_where_it_was_opened(gw: hs.Gateway) -> None:
    with gw.spend.of("opened"):
        stream = hs.stream(gw, "hello")
    with gw.spend.of("read"):
        stream.read()
    assert list(gw.spend.by_label) == ["opened"]


def test_a_call_without_usage_is_in_the_frame_as_possible_for_the_model_asked(
    gw: hs.Gateway,
) -> None:
    with gw.spend.of("left early"), hs.stream(gw, "Explain step by step.") as stream:
        next(iter(stream))
    frame: Any = gw.spend.to_frame()
    row = frame.loc[("left early", MODEL)]
    assert (row["calls"], row["unpriced"], row["possible"], row["usd"]) == (1, 1, 1, 0)
    assert row["possible_usd"] == gw.spend.possible_usd > 0


def test_nothing_spent_is_an_empty_frame(gw: hs.Gateway) -> None:
    assert gw.spend.to_frame().empty
    assert list(gw.spend.to_frame().index.names) == ["label", "model"]


@pytest.mark.parametrize("bad", ["", " ", None, 9])
def test_a_label_is_a_text(gw: hs.Gateway, bad: Any) -> None:
    with pytest.raises(hs.InputError, match="The label is "), gw.spend.of(bad):
        pass


# ---- what the gateway states itself -------------------------------------------------------------
def test_a_stated_cost_wins_for_a_reply_a_stream_a_batch_and_the_session(
    gw: hs.Gateway, mock: MockHandle
) -> None:
    mock.script([stating("0.00042")], every=1)
    assert hs.ask(gw, "hello").cost == Decimal("0.00042")
    with hs.stream(gw, "hello") as stream:
        stream.read()
    assert stream.cost == Decimal("0.00042")
    result = hs.batch_sync(gw, ["one", "two"], progress=False)
    assert result.cost == Decimal("0.00084")
    assert gw.spend.usd == Decimal("0.00168")
    assert hs.failover(gw, "hello", models=[MODEL, "gpt-4.1"]).cost == Decimal("0.00042")


def test_a_session_reads_it_digit_by_digit_where_a_float_would_not(
    gw: hs.Gateway, mock: MockHandle
) -> None:
    mock.script([stating(PRECISE)], every=1)
    reply = hs.ask(gw, "hello")
    assert gw.spend.usd == Decimal(PRECISE)
    assert reply.cost == Decimal(repr(float(PRECISE))) != Decimal(PRECISE)
    with hs.stream(gw, "hello") as stream:
        stream.read()
    assert gw.spend.usd == 2 * Decimal(PRECISE)


def test_it_prices_a_model_whose_price_was_not_published(live: Live, mock: MockHandle) -> None:
    mock.script([stating("0.02")])
    gateway = live()
    with pytest.warns(UserWarning, match="No price was published for 'gpt-4o'"):
        reply = hs.ask(gateway, "hello", model="gpt-4o")
    assert reply.cost == gateway.spend.usd == Decimal("0.02")
    assert gateway.spend.unpriced == 0


def test_a_stated_cost_counts_against_the_budget(live: Live, mock: MockHandle) -> None:
    mock.script([stating("0.75")])
    gateway = live(budget_usd="0.50")
    hs.ask(gateway, "hello")
    with pytest.raises(hs.BudgetError, match=r"0\.75 USD is spent"):
        hs.ask(gateway, "hello")


@pytest.mark.parametrize("odd", ["-1", "1e99"])
def test_an_odd_one_is_passed_over_and_the_published_price_taken(
    gw: hs.Gateway, mock: MockHandle, odd: str
) -> None:
    plain = hs.ask(gw, "hello", seed=1).cost
    mock.script([stating(odd)])
    assert hs.ask(gw, "hello", seed=1).cost == plain
    assert gw.spend.usd == 2 * (plain or 0) > 0
    assert list(gw.spend.to_frame()["stated"]) == [0]


def test_cached_tokens_come_through_and_cost_what_the_others_cost(
    gw: hs.Gateway, mock: MockHandle
) -> None:
    plain = hs.ask(gw, "hello", seed=1)
    mock.script([{"kind": "usage", "cached": 2}])
    cached = hs.ask(gw, "hello", seed=1)
    assert cached.usage is not None
    assert cached.usage.prompt_tokens_details is not None
    assert cached.usage.prompt_tokens_details.cached_tokens == 2
    assert cached.cost == plain.cost
    direct = [hs.cost_of(r.usage, MODEL, prices="direct") for r in (plain, cached) if r.usage]
    assert direct[1] < direct[0]
