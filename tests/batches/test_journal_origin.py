"""A journal answers only the request that it was written for, wherever it breaks off."""

from __future__ import annotations

import json
import re
import warnings
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

import holysheep_helpers as hs
from holysheep_helpers.batches import batch
from holysheep_helpers.client.requests import CHANGES_NO_ANSWER
from tests.support import virtual
from tests.support.virtual import Server, completion, names, prompt_of

MOCK: dict[str, Any] = {}
LIVE: dict[str, Any] = {"api_key": "sk-a", "base_url": "https://api.example.com/v1"}


@pytest.fixture(autouse=True)
def virtual_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "Asker", virtual.asker_in_virtual_time())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


def ask(
    file: Path, prompts: Any, to: dict[str, Any], server: Server | None = None, **options: Any
) -> hs.BatchResult:
    async def main() -> hs.BatchResult:
        client = await virtual.client_of(server or Server(), **to)
        return await hs.batch(client, prompts, journal=file, progress=False, **options)

    return virtual.run(main())


def test_what_a_mock_answered_is_no_live_answer_and_the_batch_says_so_first(file: Path) -> None:
    ask(file, names(12), MOCK)
    server = Server()
    warned = "run.jsonl has answers to 12 of these 20 prompts from another origin (mock): they are"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(hs.JournalWarning, match=re.escape(warned)):
            ask(file, names(20), LIVE, server)
    assert server.seen == []
    with pytest.warns(hs.JournalWarning):
        result = ask(file, names(20), LIVE, server)
    assert (result.restored, len(server.seen)) == (0, 20)
    for origin in (MOCK, LIVE):  # both runs are in the file, side by side
        assert ask(file, names(12), origin, server).restored == 12
    assert len(server.seen) == 20


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"api_key": "sk-b"}, True),
        ({"base_url": "https://api.example.com:443/v1/"}, True),
        ({"base_url": "https://API.example.com/v1"}, True),
        ({"base_url": "https://me:secret@api.example.com/v1"}, True),
        ({"base_url": "http://api.example.com/v1"}, False),
        ({"base_url": "https://other.example.com/v1"}, False),
        ({"base_url": "https://api.example.com:8443/v1"}, False),
        ({"base_url": "https://api.example.com/v2"}, False),
        ({"default_headers": {"X-Route": "cheap"}}, False),
        ({"default_headers": {"X-Request-ID": "7", "Cookie": "a=b"}}, True),
        ({"default_query": {"api-version": "2"}}, False),
        ({"organization": "org-1", "project": "p"}, True),
    ],
)
def test_origin_is_scheme_host_port_and_path_and_what_changes_the_answer(
    file: Path, change: dict[str, Any], same: bool
) -> None:
    ask(file, ["a"], LIVE)
    server = Server()
    if same:
        ask(file, ["a"], LIVE | change, server)
    else:
        with pytest.warns(hs.JournalWarning, match="1 of these 1 prompts from another|from other"):
            ask(file, ["a"], LIVE | change, server)
    assert len(server.seen) == (not same)
    text = file.read_text("utf-8")
    assert not any(word in text for word in ("example", "secret", "sk-", "cheap"))


def test_any_port_of_a_mock_is_the_mock(file: Path) -> None:
    ask(file, ["a"], {"base_url": "http://127.0.0.1:8000/v1", "api_key": "hs-mock-one"})
    room = {"base_url": "http://192.168.0.9:8765/v1", "api_key": "hs-mock-two"}
    assert ask(file, ["a"], room).restored == 1


@pytest.mark.parametrize(
    ("first", "then", "same"),
    [
        ({"extra_headers": {"X-Route": "a"}}, {"extra_headers": {"X-Route": "b"}}, False),
        ({"extra_headers": {"X-Route": "a"}}, {"extra_headers": {"x-route": "a"}}, True),
        ({"extra_headers": {"X-Route": "a"}}, {"extra_query": {"X-Route": "a"}}, False),
        ({"extra_query": {"tier": 1}}, {}, False),
        ({"extra_query": {"a": 1, "b": 2}}, {"extra_query": {"b": 2, "a": 1}}, True),
        ({"extra_query": {"api_key": "1"}}, {"extra_query": {"api_key": "2"}}, True),
        ({}, {"timeout": 5}, True),
        *(
            ({}, {"extra_headers": {name: "1"}}, True)
            for name in (
                *("Authorization", "Proxy-Authorization", "api-key", "X-Api-Key", "X-Auth-Token"),
                *("x-goog-api-key", "Ocp-Apim-Subscription-Key", "Cookie", "X-Request-ID"),
                *("traceparent", "tracestate", "Idempotency-Key", "X-Amzn-Trace-Id", "baggage"),
                *("x-ms-client-request-id", "X-Correlation-ID", "X-Stainless-Retry-Count"),
            )
        ),
        *(
            ({}, {"extra_headers": {name: "1"}}, False)
            for name in ("Accept-Language", "X-Provider", "anthropic-beta", "X-Max-Tokens")
        ),
    ],
)
def test_headers_and_query_belong_to_the_request_where_they_may_change_the_answer(
    file: Path, first: dict[str, Any], then: dict[str, Any], same: bool
) -> None:
    ask(file, ["a"], LIVE, **first)
    server = Server()
    if same:
        ask(file, ["a"], LIVE, server, **then)
    else:
        with pytest.warns(hs.JournalWarning, match="from other headers or another query"):
            ask(file, ["a"], LIVE, server, **then)
    assert len(server.seen) == (not same)


def test_the_list_of_headers_that_do_not_count_is_shown() -> None:
    text = Path("docs/helpers.md").read_text("utf-8")
    assert [name for name in CHANGES_NO_ANSWER if f"`{name}`" not in text] == []


def test_an_iterator_of_prompts_warns_once(file: Path) -> None:
    ask(file, names(3), MOCK)

    async def main() -> list[bool]:
        client = await virtual.client_of(Server(), **LIVE)
        answers = hs.batch_iter(client, iter(names(5)), journal=file, progress=False)
        return [item.restored async for item in answers]

    with pytest.warns(hs.JournalWarning, match=r"from another origin \(mock\)") as caught:
        assert virtual.run(main()) == [False] * 5
    assert len(caught) == 1


def test_the_answer_of_a_fallback_is_none_of_the_first_model(file: Path) -> None:
    async def only_gemini(request: Any) -> Any:
        if request.method == "GET" or b"gemini" in request.content:
            return virtual.httpx2.Response(200, json=completion("G", model="gemini-2.5-flash"))
        return virtual.error(503)

    both = ["mistral-small-2603", "gemini-2.5-flash"]

    async def main(server: Any, models: list[str]) -> hs.BatchResult:
        client = await virtual.client_of(server)
        return await hs.batch(client, ["a"], models=models, journal=file, progress=False)

    assert virtual.run(main(only_gemini, both)).texts == ["G"]
    server = Server()
    assert virtual.run(main(server, both)).restored == 1
    assert virtual.run(main(server, both[1:])).restored == 1
    assert server.seen == []
    assert virtual.run(main(server, both[:1])).texts == ["A"]


class Billed(Server):
    """Keeps what was billed: all that it answers, told apart by who asks."""

    def __init__(self) -> None:
        super().__init__()
        self.billed: Counter[tuple[str, str]] = Counter()

    async def __call__(self, request: Any) -> Any:
        if request.method != "GET":
            self.billed[request.url.host, prompt_of(request)] += 1
        return await super().__call__(request)


def test_broken_off_at_any_byte_nothing_is_lost_wrong_or_doubled_uncounted(file: Path) -> None:
    """As after a kill -9: what was asked until then was billed, and its line was written first."""
    prompts = [*names(14), "p0"]
    ask(file, prompts, LIVE, Server(p3=[virtual.error(503)]), max_concurrency=4)
    whole, draw = file.read_bytes(), Random(18)
    ends = [at for at, byte in enumerate(whole) if byte == ord("\n")]
    around = {at + step for at in ends for step in (-1, 0, 1)}  # a line without its end, or whole
    cuts = {0, 1, *around, *draw.sample(range(len(whole)), 60)} - {len(whole)}
    other = {"api_key": "sk-a", "base_url": "https://other.example.com/v1"}
    for number, cut in enumerate(sorted(cuts)):
        file.write_bytes(whole[:cut])
        before = Counter()  # what went out and may have been billed, by key
        for line in complete(whole[:cut]):
            before[line.get("ask", line.get("fail"))] += ("ask" in line) - ("fail" in line)
        del before[None]
        server = Billed()
        result = ask(file, prompts, LIVE, server)
        assert result.texts == [name.upper() for name in prompts], cut
        doubled = sum(before.values()) + sum(server.billed.values()) - len(prompts)
        assert result.possibly_paid_twice == doubled, cut
        assert result.restored + len(server.seen) == len(prompts), cut
        assert file.read_bytes().startswith(whole[:cut])
        assert ask(file, prompts, LIVE, server).restored == len(prompts), cut
        if number % 10:
            continue
        with pytest.warns(hs.JournalWarning, match=r"15 of these 15 .* \(an address\)"):
            elsewhere = ask(file, prompts, other, server)
        assert (elsewhere.restored, elsewhere.possibly_paid_twice) == (0, 0), cut
        assert sum(n for (host, _), n in server.billed.items() if "other" in host) == 15, cut


def complete(content: bytes) -> list[dict[str, Any]]:
    """The lines that can be read; the last one may lack its line break alone."""
    lines = []
    for line in content.split(b"\n")[1:]:
        try:
            lines.append(json.loads(line))
        except ValueError:
            continue
    return lines
