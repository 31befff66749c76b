"""What may have cost money counts as possible, at the most that it can cost; what did not, never.

The table of ``docs/security.md`` is that of ``ENDINGS``.
"""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.client.meter import Meter
from holysheep_helpers.client.spend import MOST_ASSUMED_TOKENS, Budget
from holysheep_helpers.mock.handle import MockHandle

Live = Callable[..., hs.Gateway]

MODEL = "gpt-4.1"
CALL: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": "x"}]}
PROMPT_TOKENS = hs.count_tokens("x").tokens + 6  # the frames of a message and of a reply
USAGE = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": 10}
USAGE["total_tokens"] = sum(USAGE.values())
WHOLE: dict[str, Any] = {
    "id": "x",
    "object": "chat.completion",
    "created": 1,
    "model": MODEL,
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    ],
}
SPOKEN = {"error": {"message": "no", "type": "x", "code": "x"}}
SSE = {"content-type": "text/event-stream"}


def most(tokens: int, answers: int = 1) -> Decimal:
    """US dollars of the prompt and of so many tokens of answers."""
    price = hs.catalog.published_price(MODEL)
    assert price is not None
    usd = PROMPT_TOKENS * price.input_usd_per_mtok
    return (usd + answers * tokens * price.output_usd_per_mtok) / 10**6


def event(finish: str | None = None, **fields: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": "hi"}, "finish_reason": finish}
    body = {**WHOLE, "object": "chat.completion.chunk", "choices": [choice], **fields}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


class Broken(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A body that ends with an error, after these pieces."""

    def __init__(self, error: BaseException, *pieces: bytes) -> None:
        self._error, self._pieces = error, pieces

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces
        raise self._error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece
        raise self._error


def streamed(*pieces: bytes) -> httpx2.Response:
    return httpx2.Response(200, headers=SSE, stream=httpx2.ByteStream(b"".join(pieces)))


def broken(*pieces: bytes) -> httpx2.Response:
    return httpx2.Response(200, headers=SSE, stream=Broken(httpx2.ReadError("cut"), *pieces))


def status(code: int, *, spoken: bool = True, page: bool = False) -> httpx2.Response:
    if page:
        return httpx2.Response(code, text="<html>", headers={"content-type": "text/html"})
    return httpx2.Response(code, json=SPOKEN) if spoken else httpx2.Response(code, text="Bad")


CERTAIN, POSSIBLE, NOTHING = "certain", "possible", "nothing"
DONE = b"data: [DONE]\n\n"

ENDINGS: list[tuple[str, str, Callable[[], httpx2.Response | BaseException]]] = [
    ("a reply with its usage", CERTAIN,
     lambda: httpx2.Response(200, json=WHOLE | {"usage": USAGE})),
    ("a stream with its usage (`include_usage`)", CERTAIN,
     lambda: streamed(event("stop"), event(usage=USAGE, choices=[]), DONE)),
    ("a stream that breaks after its usage", CERTAIN,
     lambda: broken(event("stop"), event(usage=USAGE, choices=[]))),
    ("a reply without usage", POSSIBLE, lambda: httpx2.Response(200, json=WHOLE)),
    ("a reply whose usage can't be read", POSSIBLE,
     lambda: httpx2.Response(200, json=WHOLE | {"usage": {"prompt_tokens": "many"}})),
    ("a stream without usage", POSSIBLE, lambda: streamed(event("stop"), DONE)),
    ("a stream that breaks", POSSIBLE, lambda: broken(event())),
    ("a stream that breaks, with a usage so far in each piece", POSSIBLE,
     lambda: broken(event(usage=USAGE))),
    ("status 200 with an error in it", POSSIBLE, lambda: httpx2.Response(200, json=SPOKEN)),
    ("status 200 with a page in the place of an answer", POSSIBLE,
     lambda: status(200, page=True)),
    ("a body that breaks, or can't be read", POSSIBLE, lambda: broken(b'{"id": ')),
    ("no answer in time, after the request was sent", POSSIBLE, lambda: httpx2.ReadTimeout("")),
    ("a request that could not be sent completely in time", POSSIBLE,
     lambda: httpx2.WriteTimeout("")),
    ("a connection that breaks before the answer", POSSIBLE,
     lambda: httpx2.RemoteProtocolError("")),
    ("Ctrl-C, or the Stop button", POSSIBLE, KeyboardInterrupt),
    ("a task that was cancelled", POSSIBLE, asyncio.CancelledError),
    ("499, 504, 524: a proxy gave up waiting", POSSIBLE, lambda: status(499)),
    ("408, 500, 502, 503 and any other 5xx, with an error of the gateway in JSON", NOTHING,
     lambda: status(500)),
    ("408 and any 5xx but 503 and 529, without such an error: they are of a proxy", POSSIBLE,
     lambda: status(502, spoken=False)),
    ("any 5xx with a page of a proxy", POSSIBLE, lambda: status(503, page=True)),
    ("401, 403, 407 with a page of a proxy", NOTHING, lambda: status(403, page=True)),
    ("400, 401, 402, 403, 404, 409, 413, 422, 429", NOTHING, lambda: status(429)),
    ("a redirect, which is not followed", NOTHING,
     lambda: httpx2.Response(307, headers={"location": "http://127.0.0.1:1/"})),
    ("no connection: an unknown name, a refusal, a time-out, a wrong certificate", NOTHING,
     lambda: httpx2.ConnectTimeout("")),
    ("a proxy that refused to connect", NOTHING, lambda: httpx2.ProxyError("")),
    ("no connection of the client was free in time", NOTHING, lambda: httpx2.PoolTimeout("")),
    ("an address or a header that can't be sent", NOTHING, lambda: httpx2.UnsupportedProtocol("")),
]  # fmt: skip


class Server:
    """Answers each request of a meter's clients in this process, with what ``answer`` makes."""

    def __init__(self, answer: Callable[[], Any], budget: Budget | None = None) -> None:
        self.answer, self.budget = answer, budget or Budget(None)
        self.meter = Meter(self.budget, lambda _: None)
        self.error: BaseException | None = None
        self._options: Any = {
            "base_url": "http://127.0.0.1/v1", "api_key": "x", "max_retries": 0,
        }  # fmt: skip

    def _handle(self, _: httpx2.Request) -> httpx2.Response:
        answer = self.answer()
        if isinstance(answer, BaseException):
            raise answer
        # Made anew, its body has not been read, as with one that comes over a line.
        return httpx2.Response(answer.status_code, headers=answer.headers, stream=answer.stream)

    def client(self) -> openai.OpenAI:
        http = self.meter.client(
            transport=httpx2.MockTransport(self._handle), follow_redirects=False
        )
        return openai.OpenAI(**self._options, http_client=http)

    def async_client(self) -> openai.AsyncOpenAI:
        http = self.meter.async_client(
            transport=httpx2.MockTransport(self._handle), follow_redirects=False
        )
        return openai.AsyncOpenAI(**self._options, http_client=http)

    def ask(self, **options: Any) -> None:
        """A plain call of the SDK, read to its end, whatever that is."""
        with self.client() as client:
            try:
                completion: Any = client.chat.completions.create(**CALL | options)
                if options.get("stream"):
                    list(completion)
            except (Exception, KeyboardInterrupt, asyncio.CancelledError) as error:  # noqa: BLE001
                self.error = error

    async def aask(self, **options: Any) -> None:
        """The same, asynchronously."""
        async with self.async_client() as client:
            try:
                completion: Any = await client.chat.completions.create(**CALL | options)
                if options.get("stream"):
                    [_ async for _ in completion]
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001
                self.error = error


def hear(gateway: hs.Gateway, **call: Any) -> None:
    """Read a plain stream of the SDK's to its end."""
    options: dict[str, Any] = call | {"stream": True}
    list(gateway.client().chat.completions.create(**options))


def expected(ending: str) -> tuple[int, int, Decimal, Decimal]:
    """Calls, possible ones, and their dollars."""
    cost, bound = most(10), most(MOST_ASSUMED_TOKENS)
    return {
        CERTAIN: (1, 0, cost, Decimal(0)),
        POSSIBLE: (1, 1, Decimal(0), bound),
        NOTHING: (0, 0, Decimal(0), Decimal(0)),
    }[ending]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("ending", "answer"), [row[1:] for row in ENDINGS], ids=[r[0] for r in ENDINGS]
)
def test_each_way_in_which_a_call_can_end(
    ending: str, answer: Callable[[], Any], stream: bool
) -> None:
    server = Server(answer)
    server.ask(stream=stream)
    spend = server.budget.spend
    assert (spend.calls, spend.possible, spend.usd, spend.possible_usd) == expected(ending)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("ending", "answer"),
    [row[1:] for row in ENDINGS if row[2] is not KeyboardInterrupt],
    ids=[row[0] for row in ENDINGS if row[2] is not KeyboardInterrupt],
)
def test_each_way_in_which_an_asynchronous_call_can_end(
    ending: str, answer: Callable[[], Any], stream: bool
) -> None:
    server = Server(answer)
    asyncio.run(server.aask(stream=stream))
    spend = server.budget.spend
    assert (spend.calls, spend.possible, spend.usd, spend.possible_usd) == expected(ending)


def test_the_security_page_has_this_table() -> None:
    page = Path(__file__).parents[2].joinpath("docs", "security.md").read_text("utf-8")
    section = page.partition("### What may have cost money\n")[2].partition("\n## ")[0]
    rows = [f"| {words} | {ending} |" for words, ending, _ in ENDINGS]
    assert "\n".join(["| how a call ended | its cost |", "|---|---|", *rows]) in section


@pytest.mark.parametrize("page", [False, True])
@pytest.mark.parametrize("code", [408, 500, 501, 502, 503, 504, 520, 524, 529])
def test_a_failure_is_free_only_by_the_gateways_own_word(code: int, page: bool) -> None:
    own, other = Server(lambda: status(code)), Server(lambda: status(code, spoken=False, page=page))
    own.ask()
    other.ask()
    assert own.budget.spend.possible == (code in (504, 524))
    assert other.budget.spend.possible == (page or code not in (503, 529))


@pytest.mark.parametrize(
    ("sent", "tokens", "answers"),
    [
        ({"max_tokens": 50}, 50, 1),
        ({"max_tokens": 50, "n": 3}, 50, 3),
        ({"max_completion_tokens": 70, "max_tokens": 50}, 70, 1),
        ({"extra_body": {"max_tokens": 50, "n": 2}, "max_tokens": 5}, 50, 2),
        ({"max_tokens": -5}, MOST_ASSUMED_TOKENS, 1),
        ({"extra_body": {"max_tokens": "50", "n": "many"}}, MOST_ASSUMED_TOKENS, 1),
        ({"extra_body": {"max_tokens": 10**20, "n": -3}}, MOST_ASSUMED_TOKENS, 1),
    ],
)
def test_the_most_is_what_the_body_allows_as_it_was_sent(
    sent: dict[str, Any], tokens: int, answers: int
) -> None:
    server = Server(lambda: httpx2.Response(200, json=WHOLE))
    server.ask(**sent)
    assert server.budget.spend.possible_usd == most(tokens, answers)


def test_a_client_that_is_closed_has_sent_nothing() -> None:
    server = Server(lambda: httpx2.Response(200, json=WHOLE))
    client = server.client()
    client.close()
    with pytest.raises((RuntimeError, openai.APIConnectionError)):
        client.chat.completions.create(**CALL)
    assert server.budget.spend.calls == 0


@pytest.mark.parametrize("close", [True, False])
def test_a_stream_that_is_left_counts_closed_or_forgotten(close: bool) -> None:
    server = Server(lambda: streamed(event(), event("stop"), event(usage=USAGE, choices=[]), DONE))
    with server.client() as client:
        stream: Any = client.chat.completions.create(
            **CALL, stream=True, stream_options={"include_usage": True}
        )
        for _ in stream:
            break
        assert server.budget.spend.calls == 0  # it is under way
        if close:
            stream.close()
        else:
            del stream
            assert "1 call" in str(server.budget.spend)
        spend = server.budget.spend
        assert spend.calls == 1
        assert spend.possible_usd + spend.usd >= most(10)


def test_a_budget_of_ones_own_counts_what_is_possible(live: Live, mock: MockHandle) -> None:
    gateway = live(budget_usd="0.0001")
    hear(gateway, **CALL)
    assert gateway.spend.usd < gateway.spend.possible_usd
    with pytest.raises(hs.BudgetError, match=r"more for 1 call whose usage never came.*include_us"):
        hs.ask(gateway, "hello", model=MODEL)
    assert len(mock.entries()) == 1
    assert "more for 1 call whose usage never came" in repr(gateway)
    assert "more for 1 call whose usage never came" in gateway._repr_html_()


def test_the_default_budget_tells_of_it_once_and_goes_on(live: Live, mock: MockHandle) -> None:
    gateway = live()
    costly = CALL | {"max_tokens": 100_000}

    def read() -> None:
        hear(gateway, **costly)

    with pytest.warns(hs.UnpricedWarning, match="counted as all of its max_tokens"):
        read()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        read()
    assert told == []
    assert gateway.spend.possible_usd > Decimal("0.50")
    assert hs.ask(gateway, "hello").cost
    assert "and up to 1.60" in str(gateway.spend)


def test_an_interrupted_batch_is_in_the_spend(gw: hs.Gateway, mock: MockHandle) -> None:
    mock.script(["stall"], every=1)

    async def main() -> None:
        batch = asyncio.ensure_future(hs.batch(gw, ["a", "b"], progress=False, max_tokens=9))
        while len(mock.entries()) < 2:
            await asyncio.sleep(0)
        batch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await batch

    asyncio.run(main())
    assert (gw.spend.calls, gw.spend.possible) == (2, 2)
    assert gw.spend.possible_usd > 0


ODD = ["1e99999999", "1e-99999999", "9" * 50_000, "0." + "0" * 50_000 + "1", 10**50_000,
       Decimal("1e300"), "1e7", "0.00000000001", "-1e99999999", "x" * 50_000]  # fmt: skip


@pytest.mark.parametrize("odd", ODD, ids=[str(number) for number in range(len(ODD))])
def test_a_budget_that_can_not_be_one_is_refused_with_a_short_message(odd: Any) -> None:
    with pytest.raises(hs.ConfigurationError) as caught:
        hs.connect("mock", budget_usd=odd)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("extra", [
    {"max_tokens": -1}, {"max_tokens": "5"}, {"max_completion_tokens": 0}, {"n": 0}, {"n": "x"},
    {"max_tokens": 10**5000, "n": -10**5000}, {"messages": []}, {"stream": True}, {"model": 5},
])  # fmt: skip
@pytest.mark.parametrize("way", ["ask", "stream", "batch", "failover", "measure"])
def test_extra_body_is_refused_as_an_argument_would_be(
    gw: hs.Gateway, mock: MockHandle, way: str, extra: dict[str, Any]
) -> None:
    calls: dict[str, Callable[[], Any]] = {
        "ask": lambda: hs.ask(gw, "x", extra_body=extra),
        "stream": lambda: hs.stream(gw, "x", extra_body=extra),
        "batch": lambda: hs.batch_sync(gw, ["x"], progress=False, extra_body=extra),
        "failover": lambda: hs.failover(gw, "x", models=[MODEL], extra_body=extra),
        "measure": lambda: hs.measure_latency(gw, "x", runs=1, progress=False, extra_body=extra),
    }
    with pytest.raises(hs.InputError) as caught:
        calls[way]()
    assert len(str(caught.value)) < 400
    assert mock.entries() == []


def test_extra_body_wins_over_the_preset_and_counts(gw: hs.Gateway) -> None:
    with pytest.warns(hs.CutShortWarning, match=r"cut by max_tokens \(1\)"):
        assert hs.ask(gw, "Count to ten.", extra_body={"max_tokens": 1}).cut_short
    small = hs.estimate("x", max_tokens=7).most_usd
    assert hs.estimate("x", extra_body={"max_tokens": 7}).most_usd == small
