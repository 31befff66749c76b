"""Many prompts at once: in order, each with its answer or its error, nothing asked in vain."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import httpx2
import pandas as pd
import pytest

import holysheep_helpers as hs
from holysheep_helpers.batches import batch
from tests.support import virtual
from tests.support.virtual import Server, ask, completion, error, names

QUIET: dict[str, Any] = {"progress": False}


@pytest.fixture(autouse=True)
def virtual_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "Asker", virtual.asker_in_virtual_time())


# --- order, concurrency, what a result holds


def test_results_are_in_order_whoever_is_ready_first() -> None:
    server = Server(p0=[9.0], p3=[5.0], p4=[1.5])
    result = ask(server, names(12), max_concurrency=4)
    assert result.texts == [f"P{n}" for n in range(12)]
    assert [item.index for item in result] == list(range(12))
    ends = [item.timeline[0].end_s for item in result]
    assert ends != sorted(ends)
    assert server.most_at_once == 4


@pytest.mark.parametrize(("cap", "seconds"), [(1, 12), (3, 4), (12, 1), (50, 1)])
def test_the_cap_on_concurrency_is_kept_and_used(cap: int, seconds: float) -> None:
    server = Server()
    result = ask(server, names(12), max_concurrency=cap)
    assert server.most_at_once == min(cap, 12)
    assert max(item.timeline[-1].end_s for item in result) == pytest.approx(seconds)


def test_a_result_has_all_that_came_with_the_reply() -> None:
    server = Server(p1=[httpx2.Response(503), 0.5])
    server.headers = {"x-request-id": "req_7"}
    result = ask(server, names(2))
    item = result[1]
    assert item.ok
    assert (item.text, item.finish_reason, item.model) == ("P1", "stop", "mistral-small-2603")
    assert item.request_id == "req_7"
    assert item.usage is not None
    assert item.usage.total_tokens == 15
    assert item.cost == hs.cost_of(item.usage, "mistral-small-2603") == Decimal("0.000005")
    assert result.cost == result.spent_usd == 2 * Decimal("0.000005")
    assert item.attempts == 2
    assert [attempt.outcome for attempt in item.timeline] == ["503", "ok"]
    first, second = item.timeline
    assert first.end_s - first.start_s == pytest.approx(1.0)
    assert second.end_s - second.start_s == pytest.approx(1.5)
    assert item.elapsed_s == second.end_s - first.start_s
    assert result.sent == 3
    assert not item.restored
    assert item.lost == result.possibly_paid_twice == 0


def test_every_kind_of_prompt_and_what_is_sent_for_it() -> None:
    sent: list[dict[str, Any]] = []

    async def answer(request: httpx2.Request) -> httpx2.Response:
        if request.method == "POST":
            sent.append({"headers": request.headers, "url": request.url, **_json(request)})
        return httpx2.Response(200, json=completion("yes"))

    async def main() -> None:
        client = await virtual.client_of(answer)
        await hs.batch(
            client,
            [
                "plain",
                [{"role": "user", "content": "a list"}],
                {"prompt": "a dict", "model": "gpt-4.1", "system": "Own.", "temperature": 1},
                {"messages": [{"role": "user", "content": "messages"}], "system": None},
            ],
            system="Common.",
            temperature=0,
            max_concurrency=1,
            extra_headers={"x-own": "1"},
            extra_query={"q": "2"},
            extra_body={"top_k": 3},
            **QUIET,
        )

    virtual.run(main())
    common, user = {"role": "system", "content": "Common."}, "user"
    assert [body["messages"] for body in sent] == [
        [common, {"role": user, "content": "plain"}],
        [common, {"role": user, "content": "a list"}],
        [{"role": "system", "content": "Own."}, {"role": user, "content": "a dict"}],
        [{"role": user, "content": "messages"}],
    ]
    assert [body["model"] for body in sent] == [
        *("mistral-small-2603", "mistral-small-2603", "gpt-4.1", "mistral-small-2603")
    ]
    assert [body["temperature"] for body in sent] == [0, 0, 1, 0]
    assert {body["headers"]["x-own"] + str(body["top_k"]) for body in sent} == {"13"}
    assert {str(body["url"])[-5:] for body in sent} == {"s?q=2"}
    assert {body["headers"]["x-stainless-retry-count"] for body in sent} == {"0"}


def _json(request: httpx2.Request) -> dict[str, Any]:
    import json

    return json.loads(request.content)


def test_a_data_frame_in_and_a_data_frame_out() -> None:
    frame = pd.DataFrame({"text": ["가", "나", "다"]}, index=["x", "y", "z"])
    server = Server(나=[error(400)])
    result = ask(server, frame["text"])
    out = frame.join(result.to_frame().rename(columns={"text": "answer"}))
    assert list(out.index) == ["x", "y", "z"]
    assert list(out["answer"])[::2] == ["가", "다"]
    assert str(out.loc["y", "error"]).startswith("BadRequestError: ")
    assert (out.loc["y", "error_kind"], out.loc["y", "retryable"]) == ("bad_request", False)
    assert out.loc[["x", "z"], ["error", "error_kind", "retryable"]].isna().all(axis=None)
    assert list(out["prompt_tokens"].dropna()) == [10, 10]
    assert out.loc["x", "cost"] == Decimal("0.000005")
    assert len(ask(Server(), []).to_frame()) == 0


def test_an_empty_list_is_an_empty_result() -> None:
    result = ask(Server(), [])
    assert (len(result), result.cost, result.ok, result.failed) == (0, 0, [], [])
    assert result.summary().startswith("0 prompts: 0 answered, 0 failed")


# --- asking again


def test_retry_failed_asks_only_those_and_keeps_the_order() -> None:
    server = Server(p1=[error(400)], p3=[error(400), error(400)])

    async def main() -> tuple[hs.BatchResult, hs.BatchResult]:
        client = await virtual.client_of(server)
        result = await hs.batch(client, names(4), **QUIET)
        return result, await result.retry_failed()

    first, second = virtual.run(main())
    assert server.prompts()[4:] == ["p1", "p3"]
    assert second.texts == ["P0", "P1", "P2", None]
    assert second[0] is first[0]
    assert len(first.failed) == 2
    assert hs.last_batch() is second


def test_retry_failed_remembers_what_was_lost() -> None:
    async def main() -> hs.BatchResult:
        client = await virtual.client_of(Server(2.0, p0=[9.0]))
        result = await hs.batch(client, names(1), deadline_s=4, **QUIET)
        assert result.possibly_paid_twice == 0
        return await result.retry_failed()

    assert virtual.run(main()).possibly_paid_twice == 1


# --- interrupted


def test_a_cancelled_batch_leaves_what_it_had() -> None:
    server = Server(1.0)

    async def main() -> None:
        client = await virtual.client_of(server)
        async with asyncio.timeout(3.5):
            await hs.batch(client, names(40), max_concurrency=4, **QUIET)

    with pytest.raises(TimeoutError):
        virtual.run(main())
    result = hs.last_batch()
    assert result is not None
    assert len(result) == 40
    assert result.texts[:12] == [f"P{n}" for n in range(12)]
    assert [item.lost for item in result[12:17]] == [1, 1, 1, 1, 0]
    assert isinstance(result[12].error, hs.NotAskedError)
    assert server.at_once == 0  # what was under way is not left running


def test_an_error_that_nobody_foresaw_ends_the_batch_and_is_raised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a mistake in the helpers")

    monkeypatch.setattr("holysheep_helpers.batches.worker.read_whole", broken)
    with pytest.raises(RuntimeError, match="a mistake in the helpers"):
        virtual.ask(Server(), names(5), **QUIET)


def test_retry_failed_sync_says_what_to_do_where_a_loop_runs() -> None:
    result = ask(Server(p0=[error(400)]), names(1))

    async def in_a_notebook() -> None:
        result.retry_failed_sync()

    with pytest.raises(hs.InputError, match="use `await"):
        asyncio.run(in_a_notebook())
