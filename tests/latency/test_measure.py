"""``hs.measure_latency`` over a real socket: whom it asks, what, and what it says."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.latency.measure import planned
from holysheep_helpers.mock.exchange import Exchange, Request
from holysheep_helpers.mock.handle import MockHandle
from tests.support.inside import running

PROMPT = "Explain step by step how streaming works."


QUIET: dict[str, Any] = {"progress": False, "max_tokens": 5}


Kind = type[openai.OpenAI] | type[openai.AsyncOpenAI]


BOTH = (openai.OpenAI, openai.AsyncOpenAI)


class Seen(MockHandle):
    """A mock that remembers each request as it came."""

    requests: list[Request]

    @property
    def prompts(self) -> list[str]:
        return [json.loads(one.body)["messages"][-1]["content"] for one in self.requests]


@pytest.fixture
def seen() -> Iterator[Seen]:
    with running() as (handle, server):
        mock = Seen(handle.base_url)
        mock.requests, answer = [], server.app.handle

        def handle_it(request: Request, exchange: Exchange) -> None:
            if request.method == "POST":
                mock.requests.append(request)
            answer(request, exchange)

        server.app.handle = handle_it
        yield mock


def bare(kind: Kind, mock: MockHandle, **options: Any) -> Any:
    return kind(**{"base_url": mock.base_url, "api_key": mock.api_key, **options})


# --- whom it asks


def test_a_gateway_is_asked_and_its_spend_counts_every_call(
    gw: hs.Gateway, mock: MockHandle
) -> None:
    run = hs.measure_latency(gw, PROMPT, runs=4, warmup=2, **QUIET)
    entries = mock.entries()
    assert [len(run), len(run.warmups), len(entries), gw.spend.calls] == [4, 2, 6, 6]
    assert run.failed == []
    assert {stream.id for stream in (*run.runs, *run.warmups)} == {one["id"] for one in entries}
    assert gw.spend.usd == run.cost_usd > 0
    assert (run.model, run.asked, run.stopped_by) == (hs.catalog.DEFAULT_MODEL, 4, None)
    assert [stream.output_tokens for stream in run.runs] == [5] * 4


@pytest.mark.parametrize("kind", BOTH)
def test_a_client_of_the_sdk_is_asked_with_all_that_it_was_given(kind: Kind, seen: Seen) -> None:
    client = bare(
        kind, seen, organization="org-1", project="proj-1", default_query={"q": "2"},
        default_headers={"x-own": "1", "User-Agent": "mine"}, max_retries=5, timeout=7,
    )  # fmt: skip
    run = hs.measure_latency(client, PROMPT, runs=2, warmup=1, temperature=0, **QUIET)
    assert [run.failed, len(seen.requests)] == [[], 3]
    for request in seen.requests:
        assert request.header(b"x-own") == "1"
        assert request.header(b"user-agent") == "mine"
        assert request.header(b"openai-organization") == "org-1"
        assert request.header(b"openai-project") == "proj-1"
        assert request.header(b"authorization") == f"Bearer {seen.api_key}"
        assert request.header(b"accept-encoding") == "identity"
        assert request.header(b"x-stainless-read-timeout") == "7"
        assert request.query == {"q": "2"}
        body = json.loads(request.body)
        assert (body["temperature"], body["max_tokens"], body["stream"]) == (0, 5, True)
        assert body["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("kind", [*BOTH, hs.Gateway])
def test_who_tries_again_does_not_here(kind: Any, gw: hs.Gateway, mock: MockHandle) -> None:
    mock.script([None, 503, 429])
    target = gw if kind is hs.Gateway else bare(kind, mock, max_retries=5)
    run = hs.measure_latency(target, PROMPT, runs=3, warmup=1, **QUIET)
    assert [stream.error for stream in run.runs] == ["503", "429", None]
    assert len(mock.entries()) == 4


@pytest.mark.parametrize("kind", BOTH)
def test_a_proxy_of_the_environment_does_not_stand_before_this_computer(
    kind: Kind, mock: MockHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        for variable in (name, name.upper()):
            monkeypatch.setenv(variable, mock.refused_url().removesuffix("/v1"))
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    run = hs.measure_latency(bare(kind, mock), PROMPT, runs=1, warmup=0, **QUIET)
    assert run.failed == []


def test_a_key_that_an_asynchronous_function_gives_is_asked_for(mock: MockHandle) -> None:
    async def key() -> str:
        return mock.api_key

    client = openai.AsyncOpenAI(base_url=mock.base_url, api_key=key)
    assert hs.measure_latency(client, PROMPT, runs=2, warmup=0, **QUIET).failed == []


def test_the_callers_own_client_stays_open_and_as_it_was(mock: MockHandle) -> None:
    client = bare(openai.OpenAI, mock, max_retries=3)
    hs.measure_latency(client, PROMPT, runs=1, warmup=0, **QUIET)
    assert client.max_retries == 3
    assert not client.is_closed()
    assert hs.ask(client, PROMPT).text


@pytest.mark.parametrize("concurrency", [1, 5])
def test_from_within_a_running_event_loop_and_from_a_thread(
    concurrency: int, gw: hs.Gateway
) -> None:
    def measure() -> hs.LatencyRun:
        return hs.measure_latency(gw, PROMPT, runs=5, concurrency=concurrency, **QUIET)

    async def in_a_notebook() -> hs.LatencyRun:
        return measure()

    with ThreadPoolExecutor(2) as pool:
        runs = [asyncio.run(in_a_notebook()), *pool.map(lambda _: measure(), range(2))]
    assert [(len(run), run.failed) for run in runs] == [(5, [])] * 3


# --- what is asked


def test_several_prompts_are_asked_in_turn(seen: Seen) -> None:
    client = bare(openai.OpenAI, seen)
    hs.measure_latency(client, iter(["a?", "b?", "c?"]), runs=6, warmup=1, **QUIET)
    assert seen.prompts == ["a?", "b?", "c?", "a?", "b?", "c?", "a?"]


@pytest.mark.parametrize("system", [None, "Be brief."])
def test_unique_requests_all_begin_differently(system: str | None, seen: Seen) -> None:
    client = bare(openai.OpenAI, seen)
    for _ in range(2):
        hs.measure_latency(
            client, [PROMPT, "b?"], runs=4, warmup=2, unique=True, system=system, **QUIET
        )
    messages = [json.loads(one.body)["messages"] for one in seen.requests]
    begins = {asked[0]["content"][:12] for asked in messages}
    assert len(begins) == len(messages) == 12
    assert {asked[-1]["content"].endswith((PROMPT, "b?")) for asked in messages} == {True}
    assert {asked[0]["content"].endswith("Be brief.") for asked in messages} == {bool(system)}


def test_the_load_is_the_one_that_was_asked_for(gw: hs.Gateway) -> None:
    opened = hs.measure_latency(gw, PROMPT, runs=4, rate=200, warmup=1, **QUIET)
    assert (opened.rate_per_s, len(opened.warmups)) == (200, 1)
    assert opened.settings["stagger"]
    closed = hs.measure_latency(gw, PROMPT, runs=4, concurrency=3, warmup=1, **QUIET)
    assert (closed.rate_per_s, closed.concurrency, len(closed.warmups)) == (None, 3, 5)
    at_once = hs.measure_latency(gw, PROMPT, runs=4, concurrency=3, stagger=False, **QUIET)
    assert (len(at_once.warmups), at_once.settings["stagger"]) == (3, False)


def test_without_it_they_are_the_callers_own(seen: Seen) -> None:
    hs.measure_latency(bare(openai.OpenAI, seen), PROMPT, runs=2, warmup=1, **QUIET)
    assert seen.prompts == [PROMPT] * 3


# --- what goes wrong


def test_a_fatal_status_midway_is_warned_of_and_the_runs_are_kept(
    gw: hs.Gateway, mock: MockHandle
) -> None:
    mock.script([None, None, None, 401])
    with pytest.warns(
        hs.LatencyStoppedWarning, match=r"\(AuthenticationError\): 3 of 9 runs"
    ) as said:
        run = hs.measure_latency(gw, PROMPT, runs=9, warmup=1, **QUIET)
    assert said[0].filename == __file__
    assert [stream.error for stream in run.runs] == [None, None, "401"]


def test_a_model_that_is_not_known_is_an_error_with_advice(mock: MockHandle) -> None:
    client = bare(openai.OpenAI, mock)
    with pytest.raises(openai.NotFoundError) as caught:
        hs.measure_latency(client, PROMPT, model="mistral-smal-2603", warmup=0, **QUIET)
    assert "Nearest known ids: mistral-small-2603" in caught.value.__notes__[0]


@pytest.mark.parametrize("kind", BOTH)
def test_an_address_that_refuses_is_no_time_out(kind: Kind, mock: MockHandle) -> None:
    client = bare(kind, mock, base_url=mock.refused_url())
    with pytest.raises(openai.APIConnectionError) as caught:
        hs.measure_latency(client, PROMPT, **QUIET)
    assert "No connection to" in caught.value.__notes__[0]
    run = hs.measure_latency(client, PROMPT, runs=2, warmup=0, **QUIET)
    assert [stream.error for stream in run.runs] == ["APIConnectionError"] * 2
    assert {stream.sent_s for stream in run.runs} == {None}


# --- what is said


def test_many_calls_that_cost_are_estimated_first(
    gw: hs.Gateway, mock: MockHandle, capsys: pytest.CaptureFixture[str]
) -> None:
    quiet: dict[str, Any] = {"max_tokens": 5, "warmup": 1}
    hs.measure_latency(gw, PROMPT, runs=20, progress=False, **quiet)
    hs.measure_latency(gw, PROMPT, runs=19, progress=True, **quiet)
    assert capsys.readouterr().out == ""
    hs.measure_latency(gw, PROMPT, runs=20, progress=True, **quiet)
    assert capsys.readouterr().out.startswith("Estimate: 21 calls, at most 0.0")
    hs.measure_latency(bare(openai.OpenAI, mock), PROMPT, runs=20, progress=True, **quiet)
    assert capsys.readouterr().out == ""  # a mock's costs nothing


def test_neither_key_nor_prompt_is_in_what_is_shown(gw: hs.Gateway, mock: MockHandle) -> None:
    run = hs.measure_latency(gw, PROMPT, runs=2, warmup=0, **QUIET)
    plan = planned(gw, PROMPT, runs=2, warmup=0, concurrency=1)
    for shown in (repr(run), str(run.summary()), run.summary()._repr_html_(), repr(plan)):
        assert mock.api_key not in shown
        assert PROMPT not in shown


def test_a_measurement_warns_of_nothing_where_nothing_is_wrong(gw: hs.Gateway) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        hs.measure_latency(gw, PROMPT, runs=3, concurrency=2, **QUIET)
    assert [str(one.message) for one in caught] == []
