"""``hs.stream`` and its twin: the text as it comes, and proof that all of it came."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import httpx2
import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.exceptions import UnexpectedReplyError
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.mock.server import serve

PROMPT = "Explain step by step how streaming works."


@pytest.fixture(params=["sync", "async"])
def read(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Open a stream and read it: to the end, or ``most`` texts of it, then leave."""

    async def read_async(gateway: hs.Gateway, most: int | None, options: dict[str, Any]) -> Any:
        async with await hs.astream(gateway, PROMPT, **options) as stream:
            async for _ in stream:
                if len(stream.timeline) == most:
                    break
        return stream

    def read(gateway: hs.Gateway, most: int | None = None, **options: Any) -> Any:
        if request.param == "async":
            return asyncio.run(read_async(gateway, most, options))
        with hs.stream(gateway, PROMPT, **options) as stream:
            for _ in stream:
                if len(stream.timeline) == most:
                    break
        return stream

    return read


def test_a_stream_brings_the_same_as_a_whole_reply(
    gw: hs.Gateway, mock: MockHandle, read: Callable[..., Any]
) -> None:
    whole = hs.ask(gw, PROMPT, temperature=0)
    stream = read(gw, temperature=0)
    entry = mock.entries()[-1]
    assert stream.text == whole.text == "".join(text for _, text in stream.timeline)
    assert (stream.usage, stream.cost) == (whole.usage, whole.cost)
    assert (stream.finish_reason, stream.model) == ("stop", whole.model)
    assert stream.request_id == "req_" + entry["id"].removeprefix("chatcmpl-")
    assert stream.complete
    assert not stream.cut_short
    # One chunk a token; the role, the finish reason and the usage have chunks of their own.
    assert stream.chunks == len(stream.timeline) + 3 == entry["completion_tokens"] + 3
    assert repr(stream).endswith(f"{len(stream.text)} characters, stop>")


def test_its_times_are_seconds_since_the_call(
    gw: hs.Gateway, read: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = iter(range(1000, 9000))
    monkeypatch.setattr("holysheep_helpers.client.chat.perf_counter", lambda: next(moments))
    stream = read(gw)
    count = len(stream.timeline)
    assert [at_s for at_s, _ in stream.timeline] == list(range(1, count + 1))
    assert (stream.ttft_s, stream.elapsed_s) == (1, count + 1)


def test_a_stream_that_is_cut_by_max_tokens_says_so(
    gw: hs.Gateway, read: Callable[..., Any]
) -> None:
    stream = read(gw, max_tokens=5)
    assert (stream.complete, stream.cut_short, len(stream.timeline)) == (True, True, 5)


@pytest.mark.parametrize("done", [True, False])
def test_a_stream_that_ends_without_a_finish_reason_is_an_error_with_the_text(
    gw: hs.Gateway, mock: MockHandle, read: Callable[..., Any], done: bool
) -> None:
    mock.script([{"kind": "end_early", "after": 8, "done": done}])
    with pytest.raises(hs.IncompleteStreamError, match="without a finish reason") as caught:
        read(gw, temperature=0)
    whole = hs.ask(gw, PROMPT, temperature=0).text
    assert caught.value.partial_text
    assert whole.startswith(caught.value.partial_text)
    assert len(caught.value.partial_text) < len(whole)


def test_the_sdk_alone_takes_such_a_stream_for_whole(gw: hs.Gateway, mock: MockHandle) -> None:
    """The trap of lesson 3: if the SDK mends it one day, the lesson must be written anew."""
    mock.script([{"kind": "end_early", "after": 8}])
    chunks = gw.client().chat.completions.create(
        model=hs.catalog.DEFAULT_MODEL,
        messages=[{"role": "user", "content": PROMPT}],
        stream=True,
    )
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * 9


def test_a_broken_connection_is_the_sdks_error_and_keeps_the_text(
    gw: hs.Gateway, mock: MockHandle
) -> None:
    mock.script([{"kind": "disconnect", "after": 8}])
    stream = hs.stream(gw, PROMPT)
    with pytest.raises(openai.APIConnectionError) as caught:
        stream.read()
    assert len(stream.timeline) == 8
    assert not stream.complete
    assert f"{len(stream.text)} characters had come" in caught.value.__notes__[-1]


def test_a_broken_async_stream_tells_what_had_come(gw: hs.Gateway, mock: MockHandle) -> None:
    mock.script([{"kind": "disconnect", "after": 8}])

    async def call() -> None:
        await (await hs.astream(gw, PROMPT)).read()

    with pytest.raises(openai.APIConnectionError) as caught:
        asyncio.run(call())
    assert "characters had come" in caught.value.__notes__[-1]


def test_a_line_that_is_no_json_is_an_error_that_says_so() -> None:
    chunk = (
        '{"id":"x","object":"chat.completion.chunk","created":0,"model":"m","choices":[{"index":0,'
    )
    body = f'data: {chunk}"delta":{{"content":"Hel"}}}}]}}\n\ndata: {{"id":\n\n'
    headers = {"content-type": "text/event-stream"}
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, headers=headers, text=body))
    with httpx2.Client(transport=transport) as http:
        client = openai.OpenAI(base_url="http://127.0.0.1/v1", api_key="x", http_client=http)
        stream = hs.stream(client, PROMPT)
        with pytest.raises(UnexpectedReplyError, match=r"no JSON\. 3 characters had come"):
            stream.read()
    assert stream.text == "Hel"


def test_leaving_early_closes_the_connection_so_that_the_server_stops(
    read: Callable[..., Any],
) -> None:
    with serve(time_scale=1) as mock:
        gateway = hs.connect("live", mock.base_url, mock.api_key)
        mock.script([{"kind": "stall", "after": 2}])
        stream = read(gateway, most=1)
        (entry,) = mock.entries(settle_s=60)
    assert entry["client_left"]
    assert entry["outcome"] == "left"
    assert (stream.complete, stream.usage, stream.cost) == (False, None, None)
    assert "left early" in repr(stream)
    assert stream.elapsed_s is not None


def test_the_connection_is_closed_when_the_block_ends_and_not_some_time_later() -> None:
    with serve(time_scale=1) as mock:
        gateway = hs.connect("live", mock.base_url, mock.api_key)
        mock.script([{"kind": "stall", "after": 2}])

        async def leave() -> dict[str, Any]:
            async with await hs.astream(gateway, PROMPT) as stream:
                async for _ in stream:
                    break
            return mock.entries(settle_s=60)[-1]  # it blocks: the loop can close nothing meanwhile

        assert asyncio.run(leave())["client_left"]


def test_a_bare_break_closes_a_stream_too() -> None:
    with serve(time_scale=1) as mock:
        gateway = hs.connect("live", mock.base_url, mock.api_key)
        mock.script([{"kind": "stall", "after": 1}])  # its end can't come before the client leaves
        for _ in hs.stream(gateway, PROMPT):
            break
        gc.collect()
        (entry,) = mock.entries(settle_s=60)
    assert entry["client_left"]


def test_a_stream_can_be_read_once(gw: hs.Gateway) -> None:
    stream = hs.stream(gw, PROMPT)
    text = stream.read()
    with pytest.raises(hs.InputError, match="can be read once"):
        stream.read()
    assert stream.text == text
    stream.close()


def test_an_async_stream_can_be_read_once(gw: hs.Gateway) -> None:
    async def twice() -> None:
        stream = await hs.astream(gw, PROMPT)
        await stream.read()
        with pytest.raises(hs.InputError, match="can be read once"):
            await stream.read()

    asyncio.run(twice())


def test_usage_comes_without_being_asked_for_but_can_be_declined(gw: hs.Gateway) -> None:
    stream = hs.stream(gw, PROMPT, stream_options={"include_usage": False})
    stream.read()
    assert (stream.usage, stream.cost, stream.complete) == (None, None, True)


def test_several_answers_at_once_are_refused(gw: hs.Gateway) -> None:
    with pytest.raises(hs.InputError, match="n is 2: one answer at a time"):
        hs.stream(gw, PROMPT, n=2)


def test_an_async_call_refuses_and_advises_like_a_sync_one(gw: hs.Gateway) -> None:
    with pytest.raises(hs.InputError, match="The prompt is empty"):
        asyncio.run(hs.astream(gw, ""))
    with pytest.raises(hs.InputError, match=r"openai\.AsyncOpenAI"):
        asyncio.run(hs.astream(gw.client(), "hello"))  # pyright: ignore[reportArgumentType]


def test_streams_at_once_do_not_mix(gw: hs.Gateway) -> None:
    async def read(number: int) -> str:
        stream = await hs.astream(gw, f"Tell me about city number {number}.", temperature=0)
        return await stream.read()

    async def all_of_them() -> list[str]:
        return await asyncio.gather(*(read(number) for number in range(20)))

    for number, text in enumerate(asyncio.run(all_of_them())):
        assert f"city number {number}”" in text
