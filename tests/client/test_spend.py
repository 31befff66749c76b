"""What was spent is counted where the bytes pass, and a budget is kept before they do."""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx2
import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.client.spend import Meter, Spend, UnpricedWarning
from holysheep_helpers.mock.handle import MockHandle

Live = Callable[..., hs.Gateway]


MODEL = hs.catalog.DEFAULT_MODEL


CALL: dict[str, Any] = {
    "model": MODEL,
    "messages": [{"role": "user", "content": "Say hello in Korean and in English."}],
    "temperature": 0,
}


def test_a_plain_sdk_call_counts(gw: hs.Gateway) -> None:
    completion = gw.client().chat.completions.create(**CALL)
    assert completion.usage is not None
    assert gw.spend.usd == hs.cost_of(completion.usage, MODEL) > 0
    assert (gw.spend.calls, gw.spend.priced, gw.spend.unpriced) == (1, 1, 0)
    assert gw.spend.by_model == {MODEL: gw.spend.usd}
    assert gw.spend.prompt_tokens == completion.usage.prompt_tokens


def test_helper_and_sdk_count_the_same(gw: hs.Gateway) -> None:
    reply = hs.ask(gw, "Say hello in Korean and in English.", temperature=0)
    assert gw.spend.usd == reply.cost


def test_async_calls_count(gw: hs.Gateway) -> None:
    async def call() -> None:
        async with gw.async_client() as client:
            await asyncio.gather(*(client.chat.completions.create(**CALL) for _ in range(5)))

    asyncio.run(call())
    single = gw.spend.usd / 5
    assert gw.spend.calls == gw.spend.priced == 5
    gw.client().chat.completions.create(**CALL)
    assert gw.spend.usd == 6 * single


@pytest.mark.parametrize("asked", [True, False])
def test_a_stream_counts_with_usage_and_is_unpriced_without(gw: hs.Gateway, asked: bool) -> None:
    options: dict[str, Any] = {"stream_options": {"include_usage": True}} if asked else {}
    for _ in gw.client().chat.completions.create(**CALL, stream=True, **options):
        pass
    assert (gw.spend.calls, gw.spend.unpriced) == (1, 0 if asked else 1)
    assert (gw.spend.usd > 0) is asked


def test_an_async_stream_counts(gw: hs.Gateway) -> None:
    async def read() -> Decimal | None:
        async with await hs.astream(gw, "Say hello in Korean and in English.") as stream:
            await stream.read()
            return stream.cost

    assert asyncio.run(read()) == gw.spend.usd > 0


def test_a_stream_left_early_is_one_unpriced_call(gw: hs.Gateway) -> None:
    with hs.stream(gw, "Explain step by step how streaming works.") as stream:
        next(iter(stream))
    assert (gw.spend.calls, gw.spend.unpriced, gw.spend.usd) == (1, 1, 0)


def test_raw_and_streaming_responses_count_too(gw: hs.Gateway) -> None:
    gw.client().chat.completions.with_raw_response.create(**CALL)
    with gw.client().chat.completions.with_streaming_response.create(**CALL) as response:
        response.read()
    assert (gw.spend.calls, gw.spend.priced) == (2, 2)


def test_refused_calls_and_other_requests_cost_nothing(gw: hs.Gateway) -> None:
    gw.client().models.list()
    with pytest.raises(openai.BadRequestError):
        gw.client().chat.completions.create(**{**CALL, "temperature": 3})
    assert str(gw.spend) == "0 USD in 0 calls"


def test_a_retry_that_succeeds_is_one_paid_call(gw: hs.Gateway, mock: MockHandle) -> None:
    mock.script([{"kind": "status", "status": 503, "headers": {"retry-after-ms": "1"}}])
    client = gw.client(max_retries=1)
    client.chat.completions.create(**CALL)
    assert len(mock.entries()) == 2
    assert gw.spend.calls == gw.spend.priced == 1


def test_an_unpublished_price_is_unpriced_not_zero(live: Live) -> None:
    gateway = live()
    with pytest.warns(UnpricedWarning, match="No price was published for 'gpt-4o'"):
        reply = hs.ask(gateway, "hello", model="gpt-4o")
    assert reply.cost is None
    assert reply.usage is not None
    assert (gateway.spend.calls, gateway.spend.unpriced) == (1, 1)
    assert "1 of them unpriced" in str(gateway.spend)
    with warnings.catch_warnings():  # one warning a model is enough
        warnings.simplefilter("error")
        hs.ask(gateway, "hello", model="gpt-4o")


def test_with_a_budget_of_ones_own_an_unknown_price_is_refused_before_it_is_sent(
    live: Live, mock: MockHandle
) -> None:
    gateway = live(budget_usd="1.00")
    with pytest.raises(hs.BudgetError, match=r"Not sent: no price was published for 'gpt-4o'"):
        hs.ask(gateway, "hello", model="gpt-4o")
    assert mock.entries() == []


def test_what_is_no_chat_is_refused_or_warned_of_like_an_unknown_price(
    live: Live, mock: MockHandle
) -> None:
    embed: dict[str, Any] = {"model": MODEL, "input": "hello"}
    with pytest.raises(hs.BudgetError, match="no price was published for a POST to /v1/embeddings"):
        live(budget_usd="1.00").client().embeddings.create(**embed)
    with pytest.warns(UnpricedWarning, match="/v1/embeddings"), pytest.raises(openai.NotFoundError):
        live().client().embeddings.create(**embed)  # the mock has none, and says so


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/responses"])
def test_an_answered_call_that_is_no_chat_counts_as_unpriced(path: str) -> None:
    spend = Spend()
    meter = Meter(spend, lambda _: None)
    request = httpx2.Request("POST", f"http://127.0.0.1{path}", json={"model": MODEL})
    usage = {"prompt_tokens": 5, "completion_tokens": 0, "total_tokens": 5}
    meter.on_response(httpx2.Response(200, json={"model": MODEL, "usage": usage}, request=request))
    assert (spend.calls, spend.unpriced, spend.usd) == (1, 1, 0)


def test_an_id_that_the_catalogue_does_not_know_goes_through_to_the_server(live: Live) -> None:
    gateway = live()
    with pytest.warns(UnpricedWarning), pytest.raises(openai.NotFoundError):
        hs.ask(gateway, "hello", model="brand-new-model")


def test_a_spent_budget_refuses_before_sending_and_is_not_retried(
    live: Live, mock: MockHandle
) -> None:
    gateway = live(budget_usd=Decimal("0.000001"))
    hs.ask(gateway, "hello")
    for _ in range(2):
        with pytest.raises(hs.BudgetError, match=r"Not sent: .* the budget is 0\.000001 USD"):
            hs.ask(gateway, "hello")
    assert len(mock.entries()) == 1


def test_a_budget_of_nothing_sends_nothing(live: Live, mock: MockHandle) -> None:
    with pytest.raises(hs.BudgetError):
        hs.ask(live(budget_usd=0), "hello")
    assert mock.entries() == []


def test_an_async_call_over_budget_is_refused_too(live: Live, mock: MockHandle) -> None:
    gateway = live(budget_usd=0)

    async def call() -> None:
        async with gateway.async_client() as client:
            await client.chat.completions.create(**CALL)

    with pytest.raises(hs.BudgetError):
        asyncio.run(call())
    assert mock.entries() == []


def test_many_threads_lose_no_call(gw: hs.Gateway) -> None:
    client = gw.client()

    def ask() -> None:
        for _ in range(10):
            client.chat.completions.create(**CALL)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one = gw.spend.usd / 80
    assert gw.spend.calls == gw.spend.priced == 80
    client.chat.completions.create(**CALL)
    assert gw.spend.usd == 81 * one


def test_the_sum_is_exact(gw: hs.Gateway) -> None:
    client = gw.client()
    total = Decimal(0)
    for _ in range(20):
        completion = client.chat.completions.create(**CALL)
        assert completion.usage is not None
        total += hs.cost_of(completion.usage, MODEL)
    assert gw.spend.usd == total
