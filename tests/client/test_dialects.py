"""What real gateways send, read by every helper; and what ``gw.spend`` has of it is its cost."""

from __future__ import annotations

import asyncio
import gzip
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.batches import batch
from holysheep_helpers.batches.worker import Asker
from tests.support.answers import JSON, SSE, Answers, body_of, stream_of
from tests.support.clock import Clock
from tests.support.dialects import (
    END,
    REPLIES,
    STREAMS,
    USAGE,
    Replied,
    Streamed,
    choice,
    chunk,
    said,
    whole,
)
from tests.support.watched import NoWait

MODEL = "mistral-small-2603"
OTHER = "gpt-4.1"
BROKEN = (hs.GatewayError, hs.IncompleteStreamError, openai.APIError)
PRICE = hs.catalog.published_price(MODEL)
PAID = [one for one in REPLIES if one.status == 200]


@pytest.fixture(autouse=True)
def no_word_of_prices() -> Iterator[None]:
    """Warnings that are given once in a process are given once in a test."""
    from holysheep_helpers.pricing.money import AssumedPriceWarning

    AssumedPriceWarning._warned_of.clear()
    yield
    AssumedPriceWarning._warned_of.clear()


@contextmanager
def warned_of(category: type[Warning] | None) -> Iterator[None]:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        yield
    told = [w for w in told if not issubclass(w.category, hs.StalePriceWarning | ResourceWarning)]
    assert {w.category for w in told} == ({category} if category else set())


def serving(content: Any, headers: dict[str, str] = SSE) -> Answers:
    return Answers(lambda _: (200, headers, content))


def cost_of(one: Streamed) -> Decimal | None:
    """What it costs: the stated cost, or its tokens at the published price, none of them cached."""
    if one.cost is not None:
        return Decimal(one.cost)
    if one.tokens is None or PRICE is None:
        return None
    used = one.tokens[0] * PRICE.input_usd_per_mtok + one.tokens[1] * PRICE.output_usd_per_mtok
    return used / 10**6


async def read_async(gw: hs.Gateway) -> hs.AsyncStream:
    answer = await hs.astream(gw, "q")
    try:
        await answer.read()
    except BROKEN as error:
        answer.error = error  # pyright: ignore[reportAttributeAccessIssue]
    return answer


def read(gw: hs.Gateway) -> hs.Stream:
    answer = hs.stream(gw, "q")
    try:
        answer.read()
    except BROKEN as error:
        answer.error = error  # pyright: ignore[reportAttributeAccessIssue]
    return answer


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("one", STREAMS, ids=lambda one: one.name)
def test_a_stream_is_read_for_what_it_is(one: Streamed, asynchronous: bool) -> None:
    with serving(one.content) as server:
        gw = server.gateway()
        answer = asyncio.run(read_async(gw)) if asynchronous else read(gw)
        assert (answer.text, answer.reasoning) == (one.text, one.reasoning)
        error = getattr(answer, "error", None)
        assert (error is None) is one.whole
        assert answer.complete or not one.whole
        if error is not None:
            found = hs.diagnose(error)
            assert found.may_have_cost
            assert getattr(error, "partial_text", one.text) == one.text
        used = answer.usage
        assert (used and (used.prompt_tokens, used.completion_tokens)) == one.tokens
        assert answer.cost == cost_of(one)
        assert gw.spend.usd == (cost_of(one) or 0)
        assert gw.spend.unpriced == (cost_of(one) is None)


@pytest.mark.parametrize("one", STREAMS, ids=lambda one: one.name)
def test_a_stream_of_a_failover_is_read_for_what_it_is(one: Streamed) -> None:
    with serving(one.content) as server:
        gw = server.gateway()
        came: list[str] = []
        try:
            for text in hs.failover(gw, "q", models=[MODEL, OTHER], stream=True):
                came.append(text)
            assert one.whole
        except (*BROKEN, hs.AllFailedError):
            assert not one.whole
        assert "".join(came) == one.text


@pytest.mark.parametrize("one", STREAMS, ids=lambda one: one.name)
def test_a_stream_that_is_measured_is_read_for_what_it_is(one: Streamed) -> None:
    with serving(one.content) as server:
        gw = server.gateway()
        run = hs.measure_latency(gw, "q", runs=1, warmup=0, max_tokens=10)
        assert (run.runs[0].error is None) is one.whole
        answer = [text for text in run.runs[0].texts if text.kind == "answer"]
        assert sum(text.characters for text in answer) == len(one.text)


@pytest.mark.parametrize("end", ["\r", "\r\n"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", ["text/event-stream", "application/octet-stream", ""])
def test_however_a_stream_is_written_it_says_the_same(
    end: str, bom: bytes, packed: bool, kind: str
) -> None:
    two = f'data: {{"model": "{MODEL}", "choices": [],{end}data: "usage": {json.dumps(USAGE)}}}'
    lines = (": a comment", "retry: 3000", "event: ping", "data: null", "data:")
    content = bom + stream_of(*lines, chunk(said("Hel")), chunk(said("lo")), chunk(END), two,
                              end=end)  # fmt: skip
    headers = {"content-type": kind} if kind else {}
    if packed:
        content, headers = gzip.compress(content), {**headers, "content-encoding": "gzip"}
    pieces = [content[place : place + 7] for place in range(0, len(content), 7)]
    with serving(pieces, headers) as server:
        gw = server.gateway()
        answer = read(gw)
        assert (answer.text, answer.finish_reason) == ("Hello", "stop")
        assert answer.cost == gw.spend.usd == cost_of(STREAMS[3])


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("kind", [JSON, SSE, {}, {"content-type": "text/plain"}])
def test_a_whole_answer_in_the_place_of_a_stream_is_that_answer(
    kind: dict[str, str], asynchronous: bool
) -> None:
    with serving(body_of(whole({"role": "assistant", "content": "Hello"})), kind) as server:
        gw = server.gateway()
        answer = asyncio.run(read_async(gw)) if asynchronous else read(gw)
        assert (answer.text, answer.finish_reason) == ("Hello", "stop")
        assert answer.cost == gw.spend.usd == cost_of(STREAMS[3])
        assert hs.ask(gw, "q").text == "Hello"


USED = chunk(usage=USAGE)


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize(
    ("events", "whole", "tokens"),
    [
        ((chunk(said("Hello")), chunk(END), USED), True, (10, 4)),
        ((chunk(said("Hello")), chunk(END)), True, None),
        ((chunk(said("Hello")),), False, None),
    ],
)
def test_a_line_that_breaks_after_the_finish_reason_takes_nothing_away(
    events: tuple[Any, ...], whole: bool, tokens: tuple[int, int] | None, asynchronous: bool
) -> None:
    content = stream_of(*events, done=False)
    headers = {**SSE, "content-length": str(len(content) + 10)}
    with Answers(lambda _: (200, headers, content), close=True) as server:
        gw = server.gateway()
        answer = asyncio.run(read_async(gw)) if asynchronous else read(gw)
        assert answer.text == "Hello"
        assert (getattr(answer, "error", None) is None) is whole
        assert (answer.usage and answer.usage.prompt_tokens) == (tokens and tokens[0])
        assert gw.spend.usd == (answer.cost or 0)


@pytest.mark.parametrize("one", PAID, ids=lambda one: one.name)
def test_a_reply_with_status_200_is_read_for_what_it_is(one: Replied) -> None:
    with serving(body_of(one.body), JSON) as server:
        gw = server.gateway()
        client = gw.client(max_retries=0)
        cut = hs.CutShortWarning if "model_length" in one.name else None
        if not one.kind:
            with warned_of(cut):
                reply = hs.ask(client, "q")
            assert reply.text == one.text
            assert gw.spend.usd == reply.cost == cost_of(STREAMS[3])
            assert reply.cut_short is bool(cut)
            return
        with pytest.raises(hs.HolySheepError) as caught:
            hs.ask(client, "q")
        found = hs.diagnose(caught.value)
        assert (found.kind, found.retryable) == (one.kind, one.again)
        if one.other_model is not None:
            assert found.other_model is one.other_model
        assert getattr(caught.value, "partial_text", "") == one.text


@pytest.mark.parametrize("one", [one for one in PAID if not one.kind], ids=lambda one: one.name)
def test_a_batch_keeps_each_answer_and_its_journal_has_it(one: Replied, tmp_path: Path) -> None:
    with serving(body_of(one.body), JSON) as server:
        gw = server.gateway()
        for _ in range(2):
            result = hs.batch_sync(gw, ["a", "b"], progress=False, journal=tmp_path / "run.jsonl")
            assert result.texts == [one.text] * 2
            assert ("CUT SHORT" in result.summary()) is ("model_length" in one.name)
            assert ("filtered" in result.summary()) is ("filtered" in one.name)
            assert gw.spend.usd == result.cost
        assert len(server.seen) == 2


@pytest.mark.parametrize("one", [one for one in PAID if one.again], ids=lambda one: one.name)
def test_an_error_with_status_200_is_asked_again_and_handed_on(
    one: Replied, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "Asker", partial(Asker, random=NoWait()))
    good = body_of(whole({"role": "assistant", "content": "Hello"}))

    def first_fails() -> Answers:
        server = Answers(lambda _: (200, JSON, good))
        bodies = iter([body_of(one.body)])
        server.answer = lambda _: (200, JSON, next(bodies, good))
        return server

    with first_fails() as server:
        assert Clock().retrying(hs.ask)(server.gateway(), "q").text == "Hello"
    with first_fails() as server:
        result = hs.batch_sync(server.gateway(), ["q"], progress=False)
        assert result.texts == ["Hello"]
        assert result.possibly_paid_twice == 1
    with first_fails() as server:
        reply = hs.failover(server.gateway(), "q", models=[MODEL, OTHER])
        assert [body["model"] for body in server.seen] == [MODEL, OTHER]
        assert (reply.text, reply.possibly_paid_twice) == ("Hello", 1)


@pytest.mark.parametrize("streamed", [False, True])
def test_an_unknown_finish_reason_is_an_answer_with_a_warning(streamed: bool) -> None:
    ask = (lambda gw: read(gw).text) if streamed else (lambda gw: hs.ask(gw, "q").text)
    content = stream_of(chunk(said("Hello")), chunk(choice({}, "tired")))
    if not streamed:
        content = body_of(whole({"content": "Hello"}, "tired"))
    with serving(content, SSE if streamed else JSON) as server, warned_of(hs.CutShortWarning):
        assert ask(server.gateway()) == "Hello"


def test_the_words_of_a_refusal_are_kept(tmp_path: Path) -> None:
    refusal = {"role": "assistant", "content": None, "refusal": "I can't help with that."}
    with serving(body_of(whole(refusal)), JSON) as server:
        gw = server.gateway()
        reply = hs.ask(gw, "q")
        assert (reply.text, reply.refusal) == ("", "I can't help with that.")
        assert "Refused: I can't help" in str(reply)
        for _ in range(2):
            path = tmp_path / "run.jsonl"
            result = hs.batch_sync(gw, ["q"], progress=False, journal=path)
            assert result[0].refusal == reply.refusal
            assert "1 answers are refused" in result.summary()


@pytest.mark.parametrize(
    ("asked", "stated", "assumed"),
    [
        (MODEL, f"mistralai/{MODEL}", False),
        ("gpt-4.1", "openai/gpt-4.1", False),
        ("gpt-4.1", "gpt-4.1-2025-04-14", False),
        ("deepseek-v3.2", "DeepSeek-V3.2", False),
        ("gemini-2.5-flash", "models/gemini-2.5-flash", False),
        ("gemini-2.5-flash", "", False),
        ("gemini-2.5-flash", None, False),
        ("gemini-2.5-flash", "gemini-2.5-flash-preview-05-20", True),
        ("gpt-4.1", "an-alias-of-the-gateway", True),
    ],
)
def test_no_name_of_a_model_makes_a_call_free(
    asked: str, stated: str | None, assumed: bool
) -> None:
    price = hs.catalog.published_price(asked)
    assert price is not None
    cost = (10 * price.input_usd_per_mtok + 4 * price.output_usd_per_mtok) / 10**6
    body = body_of({**whole({"content": "Hello"}), "model": stated})
    with serving(body, JSON) as server:
        gw = server.gateway(budget_usd=cost)
        with warned_of(hs.AssumedPriceWarning if assumed else None):
            reply = hs.ask(gw, "q", model=asked)
        assert (reply.cost, gw.spend.usd) == (cost, cost)
        assert reply.model == (stated or None)
        with pytest.raises(hs.BudgetError):
            hs.ask(gw, "q", model=asked)


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 10, "completion_tokens": 4},
        {**USAGE, "completion_tokens": None},
        {**USAGE, "prompt_tokens_details": []},
        {**USAGE, "prompt_tokens_details": None, "completion_tokens_details": []},
        {**USAGE, "completion_tokens": 4.0},
        {**USAGE, "prompt_tokens_details": {"cached_tokens": 99}},
        {"prompt_tokens": 10, "completion_tokens": 0,
         "completion_tokens_details": {"reasoning_tokens": 4}},
    ],
)  # fmt: skip
def test_an_odd_usage_costs_what_the_right_one_does(usage: dict[str, Any]) -> None:
    with serving(body_of({**whole({"content": "Hello"}), "usage": usage}), JSON) as server:
        gw = server.gateway()
        assert hs.ask(gw, "q").cost == gw.spend.usd == cost_of(STREAMS[3])
        result = hs.batch_sync(gw, ["q"], progress=False)
        assert (result.texts, result.cost) == (["Hello"], cost_of(STREAMS[3]))


@pytest.mark.parametrize("way", ["ask", "stream", "batch"])
def test_a_total_less_than_its_parts_is_said_and_the_parts_are_paid(way: str) -> None:
    usage = {**USAGE, "total_tokens": 3}
    body, head = body_of({**whole({"content": "Hello"}), "usage": usage}), JSON
    if way == "stream":
        pieces = chunk(said("Hello")), chunk(choice({}, "stop")), {**chunk(), "usage": usage}
        body, head = stream_of(*pieces), SSE
    calls: dict[str, Any] = {
        "ask": lambda gw: hs.ask(gw, "q"),
        "stream": read,
        "batch": lambda gw: hs.batch_sync(gw, ["q"], progress=False)[0],
    }
    with serving(body, head) as server, warned_of(hs.AssumedPriceWarning):
        gw = server.gateway()
        found = calls[way](gw)
        assert found.cost == gw.spend.usd == cost_of(STREAMS[3])
        assert (found.usage.total_tokens, found.usage.stated_total_tokens) == (14, 3)
        with warnings.catch_warnings():  # it is said once
            warnings.simplefilter("error", hs.AssumedPriceWarning)
            calls[way](gw)


def test_a_usage_packed_although_nobody_asked_is_counted() -> None:
    body = gzip.compress(body_of(whole({"content": "Hello"})))
    with serving(body, {**JSON, "content-encoding": "gzip"}) as server:
        gw = server.gateway()
        assert hs.ask(gw, "q").cost == gw.spend.usd == cost_of(STREAMS[3])


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("before", ["", "\n", "\ufeff"])
def test_events_under_the_type_of_json_are_a_stream(before: str, asynchronous: bool) -> None:
    content = before.encode() + stream_of(chunk(said("Hello")), chunk(END), USED)
    with serving(content, JSON) as server:
        gw = server.gateway()
        answer = asyncio.run(read_async(gw)) if asynchronous else read(gw)
        assert (answer.text, answer.finish_reason) == ("Hello", "stop")
        assert answer.cost == gw.spend.usd == cost_of(STREAMS[3])


def test_a_broken_character_is_one_character_of_the_answer(tmp_path: Path) -> None:
    """As the standard of event streams has it; the SDK alone can't read a whole one."""
    broken = b"\xec\x95\x88\xed\x95"  # a Korean syllable, and the half of one
    events = stream_of(chunk(said("??")), chunk(END), USED).replace(b"??", broken)
    with serving(events) as server:
        gw = server.gateway()
        assert read(gw).text == asyncio.run(read_async(gw)).text == "안\ufffd"
    body = body_of(whole({"content": "??"})).replace(b"??", broken)
    with serving(body, JSON) as server:
        gw = server.gateway()
        result = hs.batch_sync(gw, ["q"], progress=False, journal=tmp_path / "run.jsonl")
        assert (result.texts, result.cost) == (["안\ufffd"], gw.spend.usd)
        assert result.cost == cost_of(STREAMS[3])


@pytest.mark.parametrize(
    "content",
    [
        body_of(whole({"content": "??"})).replace(b"??", b"\xed\x95"),
        b"[" * 100_000,
        body_of(whole({"content": "a"})).replace(b"1796000000", b"9" * 5000),
    ],
    ids=["half a character", "100,000 brackets", "5,000 digits"],
)
def test_what_the_sdk_cannot_parse_is_no_raw_error(content: bytes) -> None:
    with serving(content, JSON) as server, pytest.raises(hs.UnexpectedReplyError) as caught:
        hs.ask(server.gateway(), "q")
    found = hs.diagnose(caught.value)
    assert (found.kind, found.may_have_cost) == ("bad_json", True)


def test_a_text_of_json_that_is_a_whole_reply_is_that_reply() -> None:
    inner = body_of(whole({"content": "Hello"})).decode()
    with serving(json.dumps(inner).encode(), JSON) as server:
        assert hs.ask(server.gateway(), "q").text == "Hello"


def test_a_named_event_that_is_no_json_is_no_part_of_the_answer() -> None:
    ping = "event: ping\ndata: keep-alive\n"
    with serving(stream_of(ping, chunk(said("Hello")), ping, chunk(END), USED)) as server:
        assert read(server.gateway()).text == "Hello"


@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_error_after_the_finish_reason_leaves_no_complete_answer(asynchronous: bool) -> None:
    failed = {"error": {"code": 400, "message": "Token limit reached"}, "usage": USAGE}
    events = chunk(said("Hel")), chunk(choice({}, "length")), chunk(choice({}), **failed)
    with serving(stream_of(*events)) as server:
        gw = server.gateway()
        answer = asyncio.run(read_async(gw)) if asynchronous else read(gw)
        assert (answer.text, answer.finish_reason, answer.complete) == ("Hel", "length", False)
        assert answer.cost == gw.spend.usd == cost_of(STREAMS[3])


ERRORS = [
    {"error": {"code": 429, "message": "slow down"}},
    [{"error": {"code": 429, "message": "slow down"}}],
    {"code": 429, "msg": "slow down", "success": False},
    {"errors": [{"code": 429, "message": "slow down"}], "success": False},
]


@pytest.mark.parametrize("body", ERRORS)
@pytest.mark.parametrize("kind", [JSON, SSE])
def test_a_whole_error_has_one_name_everywhere(body: Any, kind: dict[str, str]) -> None:
    with serving(json.dumps(body).encode(), kind) as server:
        gw = server.gateway()
        for ask in (hs.ask, lambda gw, prompt: hs.stream(gw, prompt).read()):
            with pytest.raises(hs.GatewayError, match="slow down") as caught:
                ask(gw, "q")
            assert hs.diagnose(caught.value).kind == "rate_limit"
            assert not caught.value.streamed
        run = hs.measure_latency(gw, "q", runs=1, warmup=0, max_tokens=10)
        assert run.runs[0].error == "GatewayError"


@pytest.mark.parametrize("way", ["ask", "stream", "batch", "whole stream"])
def test_an_error_shows_neither_the_key_nor_the_prompt(way: str) -> None:
    """Both would end in tracebacks, which are sent around."""
    prompt = "My number is 010-1234-5678, and nobody else's."
    key = "plain0123456789abcdefXYZ"
    failed = {"message": f"No upstream for {key}: {prompt}", "code": 502}
    body: bytes = json.dumps({"error": failed}).encode()
    if way == "stream":
        body = stream_of(chunk(said("Hel")), {"object": "error", **failed})
    calls: dict[str, Any] = {
        "ask": lambda gw: hs.ask(gw, prompt),
        "stream": lambda gw: hs.stream(gw, prompt).read(),
        "whole stream": lambda gw: hs.stream(gw, prompt).read(),
    }
    with serving(body, SSE if way == "stream" else JSON) as server:
        gw = hs.connect("live", base_url=server.url, api_key=key)
        if way == "batch":
            failure = hs.batch_sync(gw, [prompt], progress=False, deadline_s=0.1)[0].error
            error = failure.__cause__ if isinstance(failure, hs.DeadlineError) else failure
        else:
            with pytest.raises(hs.GatewayError) as caught:
                calls[way](gw)
            error = caught.value
        assert isinstance(error, hs.GatewayError)
        assert "No upstream for key …" in str(error)
        assert key not in str(error)
        assert "010-1234" not in str(error)
