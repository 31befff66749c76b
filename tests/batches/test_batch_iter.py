"""Prompts from any iterator: results in order, a few held at a time, endless if need be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from itertools import count
from pathlib import Path
from typing import Any

import openai
import pandas as pd
import pytest

import holysheep_helpers as hs
from holysheep_helpers.batches import batch
from tests.support import virtual
from tests.support.virtual import Server, error, names

QUIET: dict[str, Any] = {"progress": False}


@pytest.fixture(autouse=True)
def virtual_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "Asker", virtual.asker_in_virtual_time())


def iterate(server: Server, prompts: Any, **options: Any) -> list[hs.BatchItem]:
    async def main() -> list[hs.BatchItem]:
        client = await virtual.client_of(server)
        return [item async for item in hs.batch_iter(client, prompts, **(QUIET | options))]

    return virtual.run(main())


async def asynchronous(prompts: list[str]) -> AsyncIterator[str]:
    for prompt in prompts:
        await asyncio.sleep(0.1)
        yield prompt


@pytest.mark.parametrize("kind", [list, iter, asynchronous])
def test_results_come_in_order_from_any_iterator(kind: Any) -> None:
    server = Server(p2=[9.0], p5=[error(503)])
    items = iterate(server, kind(names(40)), max_concurrency=4)
    assert [item.text for item in items] == [f"P{n}" for n in range(40)]
    assert [item.index for item in items] == list(range(40))
    assert server.most_at_once == 4


def test_an_endless_iterator_is_read_only_a_little_ahead() -> None:
    read: list[int] = []

    def endless() -> Iterator[str]:
        for n in count():
            read.append(n)
            yield f"p{n}"

    async def main() -> list[str | None]:
        client = await virtual.client_of(server)
        texts = []
        async with aclosing(hs.batch_iter(client, endless(), max_concurrency=3, **QUIET)) as items:
            async for item in items:
                texts.append(item.text)
                assert len(read) <= len(texts) + 12
                if len(texts) == 100:
                    break
        return texts

    server = Server()
    assert virtual.run(main()) == [f"P{n}" for n in range(100)]
    assert server.at_once == 0  # what was under way was ended
    assert len(server.seen) <= 112


def test_a_slow_reader_holds_back_the_requests() -> None:
    async def main() -> None:
        client = await virtual.client_of(server)
        done = 0
        async for _ in hs.batch_iter(client, names(60), max_concurrency=2, **QUIET):
            done += 1
            await asyncio.sleep(100)
            assert len(server.seen) <= done + 8

    server = Server()
    virtual.run(main())
    assert len(server.seen) == 60


def test_what_cannot_be_asked_is_an_error_in_its_place() -> None:
    items = iterate(Server(), ["a", "", 7, {"prompt": "b", "max_tokens": 0}, "c"])
    assert [item.text for item in items] == ["A", None, None, None, "C"]
    assert {type(item.error) for item in items[1:4]} == {hs.InputError}


def test_a_fatal_error_is_raised_once_what_was_begun_is_out() -> None:
    async def main() -> tuple[list[hs.BatchItem], Exception | None]:
        client = await virtual.client_of(server)
        items = []
        try:
            async for item in hs.batch_iter(client, (f"p{n}" for n in count()), **QUIET):
                items.append(item)
        except openai.AuthenticationError as fatal:
            return items, fatal
        return items, None

    server = Server(p7=[error(401)])
    items, fatal = virtual.run(main())
    assert fatal is items[7].error
    assert [item.index for item in items] == list(range(len(items)))
    assert {type(item.error) for item in items[8:]} <= {type(None), hs.NotAskedError}
    assert len(server.seen) <= 15


def test_an_error_of_the_iterator_itself_is_raised() -> None:
    def broken() -> Iterator[str]:
        yield "a"
        raise OSError("the file ended")

    with pytest.raises(OSError, match="the file ended"):
        iterate(Server(), broken())


@pytest.mark.parametrize("prompts", ["one text", 7, None])
def test_what_is_no_iterator_is_an_input_error(prompts: Any) -> None:
    server = Server()
    with pytest.raises(hs.InputError, match="prompts"):
        iterate(server, prompts)
    assert server.seen == []


@pytest.mark.parametrize("prompts", [{"prompt": "x"}, pd.DataFrame({"text": ["a"]})])
def test_what_would_be_taken_apart_into_names_is_refused(prompts: Any) -> None:
    server = Server()
    with pytest.raises(hs.InputError, match="was given"):
        iterate(server, prompts)
    assert server.seen == []


def test_a_journal_and_a_budget_are_kept(tmp_path: Path) -> None:
    file, server = tmp_path / "run.jsonl", Server()
    iterate(server, iter(names(5)), journal=file)
    items = iterate(server, iter(names(8)), journal=file)
    assert [item.restored for item in items] == [True] * 5 + [False] * 3
    assert len(server.seen) == 8
    with pytest.raises(hs.BudgetError):
        iterate(server, iter(names(99)), budget_usd="0.00002", max_tokens=5)
    assert len(server.seen) == 12


def test_the_batch_without_an_end_is_paced_too() -> None:
    server = Server(0.1)
    iterate(server, iter(names(90)), requests_per_minute=60)
    times = server.times()
    assert max(sum(start <= at < start + 60 for at in times) for start in times) <= 60
