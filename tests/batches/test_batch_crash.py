"""Cancelled, killed, out of space: the same call goes on, and counts what may be paid twice."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

import holysheep_helpers as hs
from holysheep_helpers.batches import batch
from holysheep_helpers.batches.journal import Journal
from tests.support import virtual
from tests.support.real_socket import QUIET, journal_lines, run
from tests.support.virtual import Server, error, names
from tests.support.watched import watched

# --- resume


def virtual_batch(server: Server, prompts: Any, file: Path, **options: Any) -> hs.BatchResult:
    async def main() -> hs.BatchResult:
        own = await virtual.client_of(server)
        return await hs.batch(own, prompts, journal=file, **(QUIET | options))

    return virtual.run(main())


@pytest.fixture
def in_virtual_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "Asker", virtual.asker_in_virtual_time())


@pytest.mark.usefixtures("in_virtual_time")
def test_the_same_call_again_sends_nothing(tmp_path: Path) -> None:
    file, server = tmp_path / "run.jsonl", Server()
    first = virtual_batch(server, names(10), file)
    before = file.read_bytes()
    second = virtual_batch(server, names(10), file)
    assert len(server.seen) == 10
    assert second.texts == first.texts
    assert [item.cost for item in second] == [item.cost for item in first]
    assert [item.usage for item in second] == [item.usage for item in first]
    assert all(item.restored for item in second)
    assert (second.restored, second.sent, second.spent_usd) == (10, 0, 0)
    assert second.cost == first.cost > 0
    assert "10 of them from the journal" in repr(second)
    assert file.read_bytes() == before


@pytest.mark.usefixtures("in_virtual_time")
def test_prompts_may_be_added_dropped_reordered_and_doubled(tmp_path: Path) -> None:
    file, server = tmp_path / "run.jsonl", Server()
    virtual_batch(server, ["a", "b", "c", "a"], file)
    result = virtual_batch(server, ["d", "a", "c", "a", "a", "b"], file)
    assert server.prompts()[4:] == ["d", "a"]
    assert result.texts == ["D", "A", "C", "A", "A", "B"]
    assert [item.restored for item in result] == [False, True, True, True, False, True]


@pytest.mark.usefixtures("in_virtual_time")
@pytest.mark.parametrize(
    "change", [{"temperature": 1}, {"model": "gpt-4.1"}, {"system": "Be brief."}]
)
def test_another_parameter_is_another_question(tmp_path: Path, change: dict[str, Any]) -> None:
    file, server = tmp_path / "run.jsonl", Server()
    virtual_batch(server, ["a"], file, temperature=0)
    virtual_batch(server, ["a"], file, **({"temperature": 0} | change))
    assert len(server.seen) == 2


@pytest.mark.usefixtures("in_virtual_time")
def test_failed_prompts_are_asked_again(tmp_path: Path) -> None:
    file, server = tmp_path / "run.jsonl", Server(b=[error(400)])
    first = virtual_batch(server, ["a", "b"], file)
    second = virtual_batch(server, ["a", "b"], file)
    assert first.texts == ["A", None]
    assert second.texts == ["A", "B"]
    assert second.possibly_paid_twice == 0


@pytest.mark.usefixtures("in_virtual_time")
def test_retry_failed_with_a_journal_keeps_the_answers_of_equal_prompts_apart(
    tmp_path: Path,
) -> None:
    file, server = tmp_path / "run.jsonl", Server(a=[error(400)])

    async def main() -> tuple[hs.BatchResult, hs.BatchResult]:
        own = await virtual.client_of(server)
        first = await hs.batch(own, ["a", "a"], max_concurrency=1, journal=file, **QUIET)
        return first, await first.retry_failed()

    first, second = virtual.run(main())
    assert first.texts == [None, "A"]
    assert second.texts == ["A", "A"]
    assert second[1] is first[1]
    assert len(server.seen) == 3


@pytest.mark.usefixtures("in_virtual_time")
def test_cancelled_and_called_again_it_goes_on_and_counts_what_was_under_way(
    tmp_path: Path,
) -> None:
    file, server = tmp_path / "run.jsonl", Server(1.0)

    async def cancelled() -> None:
        own = await virtual.client_of(server)
        async with asyncio.timeout(2.5):
            await hs.batch(own, names(20), max_concurrency=4, journal=file, **QUIET)

    with pytest.raises(TimeoutError):
        virtual.run(cancelled())
    result = virtual_batch(server, names(20), file)
    assert len(result.ok) == 20
    assert (result.restored, result.sent) == (8, 12)
    assert result.possibly_paid_twice == 4
    assert Counter(server.prompts()) == {f"p{n}": 2 if 8 <= n < 12 else 1 for n in range(20)}
    again = virtual_batch(server, names(20), file)  # the count stays with the journal
    assert again.possibly_paid_twice == 4


@pytest.mark.usefixtures("in_virtual_time")
def test_no_prompt_and_no_key_in_the_journal(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    secret = Server()
    secret.faults["a very private question"] = [error(500)]
    virtual_batch(secret, ["a very private question"], file, extra_headers={"x-key": "hs-mock-key"})
    text = file.read_text("utf-8")
    assert "hs-mock" not in text
    assert "a very private question" not in text
    assert '"500"' in text


@pytest.mark.usefixtures("in_virtual_time")
@pytest.mark.parametrize("what", ["ask", "answer"])
def test_a_disk_that_fills_up_stops_the_batch_and_keeps_every_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    write, written = getattr(Journal, what), []

    def full_after_10(journal: Journal, *given: Any) -> None:
        if len(written) == 10:
            raise hs.JournalError("No space left on device")
        written.append(given)
        write(journal, *given)

    monkeypatch.setattr(Journal, what, full_after_10)
    server = Server()
    with pytest.warns(hs.BatchStoppedWarning, match="No space left"):
        result = virtual_batch(
            server, names(40), tmp_path / "run.jsonl", max_concurrency=4, budget_usd=1
        )
    assert isinstance(result.stopped_by, hs.JournalError)
    assert len(result.ok) == len(server.seen)  # what was paid for is in hand
    assert 10 <= len(server.seen) <= 14


def child(base_url: str, file: str, count: int) -> None:
    """A process that runs the batch, to be killed."""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        run(base_url, names(count), max_concurrency=8, journal=file)


@pytest.mark.process
def test_killed_ten_times_it_pays_for_nothing_twice_without_counting_it(tmp_path: Path) -> None:
    """At ten random moments, as soon as the mock has got so many requests: kill -9."""
    file, count, draw = tmp_path / "run.jsonl", 400, Random(4)
    forks = "forkserver" in multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context("forkserver" if forks else "spawn")
    if forks:
        context.set_forkserver_preload([__name__, "holysheep_helpers.batches.batch"])
    with watched(time_scale=0.005) as mock:
        for _ in range(10):
            process = context.Process(target=child, args=(mock.base_url, str(file), count))
            mock.when_asked(mock.asked + draw.randint(5, 40), process.kill)
            process.start()
            process.join(60)
            assert process.exitcode not in (0, None)
        result = run(mock.base_url, names(count), max_concurrency=8, journal=file)
        paid, sent = mock.paid(), len(mock.entries())
        request_of = {entry["id"].removeprefix("chatcmpl-"): entry["request"]
                      for entry in mock.entries()}  # fmt: skip
    assert len(result.ok) == len(set(result.texts)) == count
    assert len(paid) == count
    for item in result:  # one by one: never more than was counted
        request = request_of[(item.request_id or "").removeprefix("req_")]
        assert paid[request] - 1 <= item.possibly_paid_twice
    doubled = sum(times - 1 for times in paid.values())
    assert 0 < doubled <= result.possibly_paid_twice <= 10 * 8
    asked = sum("ask" in line for line in journal_lines(file))
    assert asked == sent + (result.possibly_paid_twice - doubled)
