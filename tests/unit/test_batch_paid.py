"""What may have been paid, counted against what the server itself saw."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers import batch_job
from holysheep_helpers.asking import Asker
from holysheep_helpers.mock.handle import MockHandle
from tests.unit.lossy import lossy

QUIET: dict[str, Any] = {"progress": False}


class NoWait(Random):
    """Back-offs without a wait."""

    def uniform(self, a: float, b: float) -> float:
        return 0.0


@pytest.fixture
def no_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_job, "Asker", partial(Asker, random=NoWait()))


def names(count: int) -> list[str]:
    return [f"p{n}" for n in range(count)]


def client(base_url: str, **options: Any) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        base_url=base_url,
        api_key="hs-mock-resume",
        http_client=openai.DefaultAioHttpClient(trust_env=False),
        **options,
    )


def run(base_url: str, prompts: Any, timeout_s: float = 60, **options: Any) -> hs.BatchResult:
    async def main() -> hs.BatchResult:
        async with client(base_url, timeout=timeout_s) as own:
            return await hs.batch(own, prompts, **(QUIET | options))

    return asyncio.run(main())


def journal_lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()[1:]]


FAULTS = ("500", "503", "429", "408", "lost", "cut", "400", "html")


def fault_of(prompt: str, nth: int, seed: int = 0) -> str:
    """What the nth request for a prompt meets: a fault with a chance of 20%, by seed."""
    draw = Random(f"{seed} {prompt} {nth}")
    return draw.choice(FAULTS) if draw.random() < 0.2 else "ok"


@pytest.mark.usefixtures("no_back_off")
def test_2000_prompts_with_20_percent_faults_lose_nothing_and_count_every_double(
    tmp_path: Path,
) -> None:
    file = tmp_path / "run.jsonl"
    with lossy(fault_of) as server:
        result = run(server.base_url, names(2000), max_concurrency=50, journal=file)
    assert len(result) == 2000
    assert all(item.text == f"P{item.index}" for item in result.ok)
    fatal_to_one = {hs.UnexpectedReplyError: "html", openai.BadRequestError: "400"}
    met = dict(server.log)  # the last one's
    assert len(result.failed) > 30
    for item in result.failed:
        assert met[item.prompt] == fatal_to_one[type(item.error)]
    assert result.sent == len(server.log) > 2200
    assert result.possibly_paid_twice == server.doubled() > 50
    kinds = Counter(next(iter(line)) for line in journal_lines(file))
    assert kinds["ask"] == len(server.log)
    assert kinds["answer"] == len(result.ok)


@pytest.mark.usefixtures("no_back_off")
def test_the_mocks_journal_agrees_with_the_result(gw: hs.Gateway, mock: MockHandle) -> None:
    draw = Random(0)
    mock.script(
        [
            {"kind": "status", "status": draw.choice([500, 502, 503])}
            if draw.random() < 0.2
            else None
            for _ in range(400)
        ]
    )
    batch_with = partial(hs.batch_sync, gw, max_concurrency=50, **QUIET)
    result = batch_with([f"Tell me about {n}." for n in range(200)])
    entries = mock.journal()
    assert len(result.ok) == sum(entry["status"] == 200 for entry in entries) == 200
    assert result.sent == len(entries)
    assert result.possibly_paid_twice == 0


@pytest.mark.usefixtures("no_back_off")
@pytest.mark.parametrize("transport", ["aiohttp", "httpx2"])
@pytest.mark.parametrize(
    ("meets", "lost"), [("lost", 1), ("cut", 1), ("stall", 1), ("503", 0), ("429", 0)]
)
def test_what_may_have_been_paid_is_told_apart_on_a_real_socket(
    transport: str, meets: str, lost: int
) -> None:
    with lossy(lambda prompt, nth: "ok" if nth else meets) as server:
        own = client(server.base_url, timeout=0.2 if meets == "stall" else 30)
        if transport == "httpx2":
            own = openai.AsyncOpenAI(
                base_url=server.base_url, api_key="hs-mock-x", timeout=own.timeout
            )

        async def main() -> hs.BatchResult:
            async with own:
                return await hs.batch(own, ["p0"], **QUIET)

        result = asyncio.run(main())
    assert result.texts == ["P0"]
    assert (result[0].lost, result.possibly_paid_twice) == (lost, lost)
    assert server.doubled() == lost


@pytest.mark.usefixtures("no_back_off")
@pytest.mark.parametrize("transport", [openai.DefaultAioHttpClient, openai.DefaultAsyncHttpxClient])
def test_a_refused_connection_was_not_sent_and_costs_nothing(
    mock: MockHandle, transport: Callable[..., Any]
) -> None:
    async def main() -> hs.BatchResult:
        async with openai.AsyncOpenAI(
            base_url=mock.refused_url(), api_key="hs-mock-x", http_client=transport()
        ) as own:
            return await hs.batch(own, ["p0"], **QUIET)

    (item,) = asyncio.run(main())
    assert isinstance(item.error, openai.APIConnectionError)
    assert [attempt.outcome for attempt in item.timeline] == ["no connection"] * 6
    assert item.lost == 0
