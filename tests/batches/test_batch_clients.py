"""The gateway, bare clients, other event loops, scripts: the same batch with all of them."""

from __future__ import annotations

import asyncio
import gc
import inspect
import pickle
import time
from collections.abc import Callable
from typing import Any

import httpx2
import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.batches import batch
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.mock.process import MockProcess
from tests.support import virtual
from tests.support.virtual import Server, ask, names

QUIET: dict[str, Any] = {"progress": False}


def test_the_gateway_counts_what_a_batch_spends(gw: hs.Gateway, mock: MockHandle) -> None:
    result = hs.batch_sync(gw, [f"Tell me about {n}." for n in range(30)], **QUIET)
    assert gw.spend.calls == len(mock.entries()) == 30
    assert gw.spend.usd == result.cost > 0
    assert [item.usage and item.usage.completion_tokens for item in result] == [
        item.usage.completion_tokens for item in result if item.usage
    ]


TRANSPORTS = {"aiohttp": openai.DefaultAioHttpClient, "httpx2": lambda: None}


@pytest.mark.parametrize("transport", TRANSPORTS.values(), ids=TRANSPORTS)
def test_a_bare_client_of_any_transport_will_do(
    mock: MockHandle, transport: Callable[[], Any]
) -> None:
    async def main() -> hs.BatchResult:
        async with openai.AsyncOpenAI(
            base_url=mock.base_url, api_key=mock.api_key, http_client=transport()
        ) as client:
            return await hs.batch(client, names(20), temperature=0, **QUIET)

    result = asyncio.run(main())
    assert len(result.ok) == 20
    assert all(item.request_id for item in result)


@pytest.mark.process
def test_4000_prompts_through_the_mock_leave_nothing_behind_in_memory() -> None:
    """Counted in objects that the garbage collector knows, which no allocator can blur."""
    mock = MockProcess.start(time_scale=0)

    async def main() -> list[int]:
        objects = []
        prompts = (f"p{n}" for n in range(4_000))
        async with openai.AsyncOpenAI(
            base_url=mock.base_url,
            api_key=mock.api_key,
            http_client=openai.DefaultAioHttpClient(trust_env=False),
        ) as client:
            items = hs.batch_iter(client, prompts, max_concurrency=10, max_tokens=4, **QUIET)
            async for item in items:
                assert item.ok
                if item.index in (500, 3_900):
                    gc.collect()
                    objects.append(len(gc.get_objects()))
        return objects

    try:
        before, after = asyncio.run(main())
    finally:
        mock.stop()
    assert after - before < 1_700, "what is under way differs, one object a prompt would be 3,400"


def test_azures_client_makes_its_own_address() -> None:
    urls: list[str] = []

    async def answer(request: httpx2.Request) -> httpx2.Response:
        urls.append(request.url.path)
        return httpx2.Response(200, json=virtual.completion("yes"))

    async def main() -> hs.BatchResult:
        async with openai.AsyncAzureOpenAI(
            azure_endpoint="http://127.0.0.1:9",
            api_key="hs-mock-azure",
            api_version="2026-01-01",
            http_client=httpx2.AsyncClient(transport=httpx2.MockTransport(answer)),
        ) as client:
            return await hs.batch(client, ["p0"], **QUIET)

    assert len(asyncio.run(main()).ok) == 1
    assert urls == ["/openai/deployments/mistral-small-2603/chat/completions"]


def test_the_selector_loop_that_windows_offers_will_do(gw: hs.Gateway) -> None:
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        result = runner.run(hs.batch(gw, names(20), deadline_s=60, **QUIET))
    assert len(result.ok) == 20


def test_batch_sync_is_for_scripts_and_says_so(gw: hs.Gateway) -> None:
    async def main() -> None:
        hs.batch_sync(gw, ["a"])

    with pytest.raises(hs.InputError, match=r"await hs\.batch"):
        asyncio.run(main())


def test_twins_take_the_same() -> None:
    one, other = inspect.signature(hs.batch), inspect.signature(hs.batch_iter)
    assert list(one.parameters) == list(other.parameters)


def test_a_busy_client_is_named_as_the_bottleneck(monkeypatch: pytest.MonkeyPatch) -> None:
    result = ask(Server(), names(3))
    for busy, wall, named in ((0.9, 10.0, True), (0.5, 10.0, False), (0.9, 0.1, False)):
        result.client_share, result.elapsed_s = busy, wall
        assert result.client_is_bottleneck is named
        assert ("busy 90% of the time" in repr(result)) is named


def test_the_share_of_time_that_the_client_was_busy_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    busy, wall = iter([5.0, 8.0]), iter([100.0, 104.0])
    monkeypatch.setattr(time, "thread_time", lambda: next(busy))
    monkeypatch.setattr(batch, "perf_counter", lambda: next(wall))
    result = ask(Server(), names(1))
    assert (result.client_share, result.elapsed_s) == (0.75, 4.0)


def test_no_key_in_a_result(gw: hs.Gateway, mock: MockHandle) -> None:
    mock.script([{"kind": "status", "status": 400}])
    result = hs.batch_sync(gw, names(2), **QUIET)
    shown = f"{result!r}{result[0]!r}{result.to_frame().to_string()}{result[0].error!r}"
    assert mock.api_key not in shown


def test_no_key_in_a_frame_that_is_stored(gw: hs.Gateway, mock: MockHandle) -> None:
    words = {"error": {"message": f"no model for the key {mock.api_key}", "code": "x"}}
    mock.script([{"kind": "status", "status": 404, "body": words}])
    with pytest.warns(hs.BatchStoppedWarning):
        frame = hs.batch_sync(gw, names(2), max_concurrency=1, **QUIET).to_frame()
    stored = pickle.dumps(frame)
    assert mock.api_key not in stored.decode("latin-1") + frame.to_csv()
    read = pickle.loads(stored)
    assert list(read["error_kind"]) == ["wrong_path", "not_asked"]
    assert list(read["retryable"]) == [False, True]
