"""Failover: who is asked after which error, what the result says, and what it never does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.resilience.failover import breaker_of
from tests.support.failing_over import GEMINI, MISTRAL, MODELS, PROMPT, WAITS_S, asked, limited

HOWS = ("sync", "async", "sync stream", "async stream")


Ask = Callable[..., Any]


@dataclass
class Answer:
    """What the four ways of asking have in common."""

    text: str
    by: Any

    @property
    def tried(self) -> list[str]:
        return [str(one) for one in self.by.tried]


@pytest.fixture
def gw(live: Callable[..., hs.Gateway]) -> hs.Gateway:
    return live(budget_usd=None)  # the default one: it lets unknown models through


@pytest.fixture(params=HOWS)
def ask(request: pytest.FixtureRequest, gw: hs.Gateway) -> Ask:
    """Asks in one of the four ways, and reads the answer to its end."""
    way, _, streamed = request.param.partition(" ")
    stream: Any = bool(streamed)

    async def in_a_loop(given: dict[str, Any]) -> Answer:
        answer = await hs.afailover(gw, PROMPT, **given)
        return Answer(await answer.read() if stream else answer.text, answer)

    def call(models: Any = MODELS, **options: Any) -> Answer:
        given = {"models": models, "stream": stream, **options}
        if way == "async":
            return asyncio.run(in_a_loop(given))
        answer: Any = hs.failover(gw, PROMPT, **given)
        return Answer(answer.read() if stream else answer.text, answer)

    return call


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (408, "timeout_408"),
        (429, "rate_limit"),
        ("rate_limit", "rate_limit"),
        (500, "server_error"),
        (502, "server_error"),
        (503, "server_error"),
        (529, "server_error"),
        ({"kind": "html", "status": 502}, "proxy_page"),
        ("stall", "first_token_timeout or stalled_stream"),
        ("reset", "cut_connection"),
    ],
)
def test_what_another_model_may_cure_goes_to_the_next(
    ask: Ask, mock: MockHandle, fault: Any, kind: str
) -> None:
    mock.script(fault, every=1, model=MISTRAL)
    answer = ask(**({"timeout": WAITS_S} if fault == "stall" else {}))
    assert asked(mock) == [MISTRAL, GEMINI]  # each once: nobody else retries
    assert answer.text.startswith("[canned reply]")
    assert answer.by.model == GEMINI
    first, second = answer.by.tried
    assert (first.model, first.answered) == (MISTRAL, False)
    assert first.why.kind in kind.split(" or ")
    assert (second.model, second.error, second.answered) == (GEMINI, None, True)


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (402, openai.APIStatusError),
        (403, openai.PermissionDeniedError),
        (413, openai.APIStatusError),
        (422, openai.UnprocessableEntityError),
        ("quota", openai.RateLimitError),
        ({"kind": "html", "status": 200}, hs.UnexpectedReplyError),
    ],
)
def test_what_no_other_model_can_cure_is_raised_at_once(
    ask: Ask, mock: MockHandle, fault: Any, raised: type[Exception]
) -> None:
    mock.script(fault, every=1, model=MISTRAL)
    with pytest.raises(raised) as caught:
        ask()
    assert asked(mock) == [MISTRAL]
    kind = hs.diagnose(caught.value).kind
    assert f"Not asked: {GEMINI}. Another model can't help ({kind})." in caught.value.__notes__


def test_content_that_was_refused_is_no_reason_to_ask_another(ask: Ask, mock: MockHandle) -> None:
    body = {"error": {"message": "no", "type": "invalid_request_error", "param": None}}
    body["error"]["code"] = "content_filter"
    mock.script({"kind": "status", "status": 400, "body": body})
    with pytest.raises(openai.BadRequestError):
        ask()
    assert asked(mock) == [MISTRAL]


@pytest.mark.filterwarnings("ignore::holysheep_helpers.client.spend.UnpricedWarning")
def test_an_unknown_model_goes_to_the_next(ask: Ask, mock: MockHandle) -> None:
    answer = ask(["mistral-small", GEMINI])
    assert answer.tried == ["mistral-small unknown_model", f"{GEMINI} answered"]
    assert [entry["status"] for entry in mock.entries()] == [404, 200]
    assert any("Nearest known ids" in note for note in answer.by.tried[0].error.__notes__)


def test_where_nobody_listens_no_model_is_worth_a_second_request(mock: MockHandle) -> None:
    with openai.OpenAI(base_url=mock.refused_url(), api_key="hs-mock-x") as client:
        with pytest.raises(openai.APIConnectionError) as caught:
            hs.failover(client, PROMPT, models=MODELS)
        assert breaker_of(client).state(MISTRAL) == "closed"
    assert f"Not asked: {GEMINI}" in caught.value.__notes__[-1]


def test_the_reply_says_who_answered_who_failed_and_what_it_cost(
    gw: hs.Gateway, mock: MockHandle
) -> None:
    mock.script("stall", every=1, model=MISTRAL)
    reply = hs.failover(gw, PROMPT, models=MODELS, timeout=WAITS_S)
    assert isinstance(reply, hs.Reply)
    assert reply.usage is not None
    assert reply.cost == hs.cost_of(reply.usage, GEMINI)
    assert [one.cost for one in reply.tried] == [None, reply.cost]
    assert reply.possibly_paid_twice == 1
    assert reply.elapsed_s == sum(one.elapsed_s for one in reply.tried) > WAITS_S
    first, second = reply.summary().splitlines()
    assert first.startswith(f"{GEMINI} · ")
    assert second == (f"tried: {MISTRAL} first_token_timeout (may have cost) → {GEMINI} answered")
    assert reply.summary() in repr(reply)
    assert "<br>tried: " in reply._repr_html_()  # a line of its own


def test_a_reply_of_the_first_model_looks_like_any_other(gw: hs.Gateway) -> None:
    reply = hs.failover(gw, PROMPT, models=MODELS, temperature=0)
    plain = hs.ask(gw, PROMPT, temperature=0)
    assert reply.summary() == plain.summary()
    assert reply.text == plain.text
    assert reply.possibly_paid_twice == 0
    assert [str(one) for one in reply.tried] == [f"{MISTRAL} answered"]


def test_a_refused_request_has_cost_nothing(gw: hs.Gateway, mock: MockHandle) -> None:
    mock.script([503])
    reply = hs.failover(gw, PROMPT, models=MODELS)
    assert reply.tried[0].cost == Decimal(0)
    assert reply.possibly_paid_twice == 0
    assert gw.spend.usd == reply.cost


def test_all_failed_is_an_exception_that_carries_every_cause(ask: Ask, mock: MockHandle) -> None:
    mock.script([limited(7), 503, 500])
    with pytest.raises(hs.AllFailedError) as caught:
        ask([MISTRAL, GEMINI, "gpt-4.1"])
    error = caught.value
    assert [type(one) for one in error.errors] == [
        openai.RateLimitError, openai.InternalServerError, openai.InternalServerError
    ]  # fmt: skip
    assert [one.why.kind for one in error.tried] == ["rate_limit", *["server_error"] * 2]
    assert error.__cause__ is error.errors[-1]
    assert str(error).startswith(
        f"None of 3 models answered ({MISTRAL}: rate_limit; {GEMINI}: server_error; gpt-4.1: "
    )
    assert PROMPT not in str(error)
    assert asked(mock) == [MISTRAL, GEMINI, "gpt-4.1"]


@pytest.mark.parametrize(
    ("models", "says"),
    [
        ([], "a list of model ids"), ("gpt-4.1", "a list of model ids"), (None, "a list"),
        (["a", ""], "a list"), (["a", 5], "a list"), ({"a"}, "a list"), (["a", "a"], "twice"),
        (["mistral-small-2603", "gpt-4.1", "mistral/small-2603"], "or as its alias"),
    ],
)  # fmt: skip
def test_what_are_no_models_is_refused(gw: hs.Gateway, models: Any, says: str) -> None:
    with pytest.raises(hs.InputError, match=says):
        hs.failover(gw, PROMPT, models=models)
    with pytest.raises(hs.InputError, match=says):
        asyncio.run(hs.afailover(gw, PROMPT, models=models))


def test_other_arguments_are_checked_before_anything_is_sent(
    gw: hs.Gateway, mock: MockHandle
) -> None:
    wrong: list[dict[str, Any]] = [
        {"model": MISTRAL}, {"preset": "x"}, {"max_tokens": 0}, {"breaker": 5}, {"messages": []}
    ]  # fmt: skip
    for one in wrong:
        with pytest.raises(hs.InputError):
            hs.failover(gw, PROMPT, models=MODELS, **one)
    with pytest.raises(hs.InputError, match="The prompt is empty"):
        hs.failover(gw, " ", models=MODELS)
    assert mock.entries() == []


def test_a_cut_reply_warns_the_caller(gw: hs.Gateway) -> None:
    def file(caught: pytest.WarningsRecorder) -> str:  # a stream that is forgotten may warn, too
        return next(one.filename for one in caught if one.category is hs.CutShortWarning)

    with pytest.warns(hs.CutShortWarning) as caught:
        reply = hs.failover(gw, PROMPT, models=MODELS, max_tokens=2)
    assert file(caught) == __file__
    assert reply.cut_short
    with pytest.warns(hs.CutShortWarning) as caught:
        asyncio.run(hs.afailover(gw, PROMPT, models=MODELS, max_tokens=2))
    with pytest.warns(hs.CutShortWarning) as caught:
        hs.ask(gw, PROMPT, max_tokens=2)
    assert file(caught) == __file__


def test_neither_key_nor_prompt_is_in_what_it_says(gw: hs.Gateway, mock: MockHandle) -> None:
    mock.script([503, 503])
    with pytest.raises(hs.AllFailedError) as caught:
        hs.failover(gw, PROMPT, models=MODELS)
    shown = f"{caught.value!r} {caught.value} {caught.value.tried!r}"
    assert mock.api_key not in shown
    assert PROMPT not in shown


def test_a_model_that_keeps_failing_is_left_alone(ask: Ask, mock: MockHandle) -> None:
    now_s = 0.0
    breaker = hs.CircuitBreaker(failures=3, cool_down_s=30, clock=lambda: now_s)
    mock.script(503, every=1, model=MISTRAL)
    answers = [ask(breaker=breaker) for _ in range(5)]
    assert asked(mock) == [MISTRAL, GEMINI] * 3 + [GEMINI] * 2
    assert answers[-1].tried == [f"{MISTRAL} left alone", f"{GEMINI} answered"]
    assert answers[-1].by.tried[0].cooling_s == 30
    now_s = 30.0
    mock.script([])
    assert ask(breaker=breaker).tried == [f"{MISTRAL} answered"]
    assert breaker.state(MISTRAL) == "closed"


def test_each_model_is_sent_the_parameters_that_it_takes(gw: hs.Gateway, mock: MockHandle) -> None:
    bodies: list[dict[str, Any]] = []
    client = gw.client(max_retries=0)
    client._client.event_hooks["request"].append(lambda r: bodies.append(json.loads(r.content)))
    mock.script([503])
    hs.failover(client, PROMPT, models=["claude-sonnet-4-5", MISTRAL])
    assert [(body["model"], "top_p" in body) for body in bodies] == [
        ("claude-sonnet-4-5", False),
        (MISTRAL, True),
    ]
