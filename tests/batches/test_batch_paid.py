"""What may have been paid, counted against what the server itself saw."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.batches import batch
from holysheep_helpers.batches.worker import Asker
from holysheep_helpers.mock.faults import KINDS
from holysheep_helpers.mock.handle import MockHandle
from tests.support.real_socket import QUIET, Patience, client, journal_lines, run
from tests.support.virtual import names
from tests.support.watched import NoWait, watched


@pytest.fixture
def no_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "Asker", partial(Asker, random=NoWait()))


# All kinds that a whole reply can meet, but those after which no other prompt could fare better.
FATAL = {"quota"}


STREAMS_ALONE = {"end_early", "no_done", "error_in_stream", "comments", "bundle"}


FAULTS: list[Any] = [500, 503, 429, 408, 409, 400, 422, {"kind": "html", "status": 200}]


HARMLESS = {"usage"}


FAULTS += [kind for kind in KINDS if kind not in FATAL | STREAMS_ALONE | HARMLESS | {"status"}]


def test_2000_prompts_with_20_percent_faults_lose_nothing_and_count_every_double(
    tmp_path: Path,
) -> None:
    file = tmp_path / "run.jsonl"
    with watched() as mock:
        mock.script(FAULTS, probability=0.2)
        options: dict[str, Any] = {"max_concurrency": 50, "max_tokens": 8, "journal": file}
        result = run(mock.base_url, names(2000), Patience(mock).run, **options)
        entries, paid, doubled = mock.entries(), mock.paid(), mock.doubled()
    assert len(result) == 2000
    assert len(result.ok) + len(result.failed) == 2000
    ids = {entry["id"].removeprefix("chatcmpl-"): entry for entry in entries}
    for item in result.ok:
        entry = ids[(item.request_id or "").removeprefix("req_")]
        assert (entry["outcome"], entry["status"]) == ("delivered", 200)
    assert len({entry["request"] for entry in entries}) == 2000
    # What failed for good met, last of all, what no repeat cures, or six faults one after another.
    good = {openai.BadRequestError, openai.UnprocessableEntityError, hs.UnexpectedReplyError}
    assert {type(item.error) for item in result.failed} == good
    assert len(result.failed) > 50
    assert result.sent == len(entries) > 2200
    assert {entry["fault"] for entry in entries} >= {f for f in FAULTS if isinstance(f, str)}
    stalled = sum(at.outcome == "time-out" and at.end_s - at.start_s > 59
                  for item in result for at in item.timeline)  # fmt: skip
    assert stalled == mock.stalled > 10
    assert max(paid.values()) > 1
    assert result.possibly_paid_twice == doubled > 50
    kinds = Counter(next(iter(line)) for line in journal_lines(file))
    assert (kinds["ask"], kinds["answer"]) == (len(entries), len(result.ok))


@pytest.mark.parametrize("transport", ["aiohttp", "httpx2"])
@pytest.mark.parametrize(
    ("meets", "lost"), [("reset", 1), ("cut_body", 1), ("stall", 1), (503, 0), (429, 0)]
)
def test_what_may_have_been_paid_is_told_apart_on_a_real_socket(
    transport: str, meets: str | int, lost: int
) -> None:
    with watched() as mock:
        mock.script([meets])
        own = client(mock.base_url)
        if transport == "httpx2":
            own = openai.AsyncOpenAI(base_url=mock.base_url, api_key=mock.api_key)

        async def main() -> hs.BatchResult:
            async with own:
                return await hs.batch(own, ["p0"], **QUIET)

        result = Patience(mock).run(main())
        assert mock.doubled() == lost
    assert len(result.ok) == 1
    assert (result[0].lost, result.possibly_paid_twice) == (lost, lost)


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

    result = asyncio.run(main())
    assert (result.sent, len(result)) == (0, 1)
    (item,) = result
    assert isinstance(item.error, openai.APIConnectionError)
    assert [attempt.outcome for attempt in item.timeline] == ["no connection"] * 6
    assert item.lost == 0
