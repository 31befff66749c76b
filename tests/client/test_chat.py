"""``hs.ask``: one question, one whole reply, and nothing hidden of it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx2
import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.client.requests import request_arguments
from holysheep_helpers.client.spend import UnpricedWarning
from holysheep_helpers.exceptions import UnexpectedReplyError
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.mock.server import base_url, listen

SAY_HELLO = "Say hello in Korean and in English."


@pytest.fixture
def sent(gw: hs.Gateway) -> Callable[..., dict[str, Any]]:
    """The body that ``hs.ask`` sends with these arguments."""

    def send(*args: Any, **options: Any) -> dict[str, Any]:
        bodies: list[bytes] = []
        client = gw.client(max_retries=0)
        client._client.event_hooks["request"].append(lambda r: bodies.append(r.content))
        hs.ask(client, *args, **options)
        (body,) = bodies
        return json.loads(body)

    return send


def test_a_reply_carries_what_the_server_said(gw: hs.Gateway, mock: MockHandle) -> None:
    reply = hs.ask(gw, SAY_HELLO, temperature=0)
    (entry,) = mock.entries()
    assert reply.text == "[canned reply] In Korean: 안녕하세요! In English: Hello!"
    assert reply.finish_reason == "stop"
    assert not reply.cut_short
    assert reply.model == hs.catalog.DEFAULT_MODEL
    assert reply.completion.id == entry["id"]
    assert reply.request_id == "req_" + entry["id"].removeprefix("chatcmpl-")
    assert reply.usage is not None
    assert reply.usage.prompt_tokens == entry["prompt_tokens"]
    assert reply.usage.completion_tokens == entry["completion_tokens"]
    assert reply.cost == hs.cost_of(reply.usage, reply.model)
    assert isinstance(reply.cost, Decimal)


def test_elapsed_is_the_sdks_call(gw: hs.Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([100.0, 101.25])
    monkeypatch.setattr("holysheep_helpers.client.chat.perf_counter", lambda: next(moments))
    assert hs.ask(gw, "hello").elapsed_s == 1.25


def test_shown_it_says_everything_but_the_time(gw: hs.Gateway) -> None:
    reply = hs.ask(gw, SAY_HELLO, temperature=0)
    assert str(reply) == reply.text
    assert repr(reply) == f"{reply.text}\n— {reply.summary()}"
    assert reply.summary().endswith(" USD · finish_reason stop")
    assert reply.summary().startswith(f"{hs.catalog.DEFAULT_MODEL} · ")
    assert "안녕하세요" in reply._repr_html_()


def test_html_in_a_reply_is_shown_and_not_run(gw: hs.Gateway) -> None:
    shown = hs.ask(gw, "Tell me about <script>alert(1)</script> in HTML")._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_a_cut_reply_is_loud(gw: hs.Gateway) -> None:
    with pytest.warns(hs.CutShortWarning, match=r"cut by max_tokens \(5\)") as caught:
        reply = hs.ask(gw, SAY_HELLO, max_tokens=5)
    assert caught[0].filename == __file__
    assert reply.cut_short
    for shown in (str(reply), repr(reply), reply._repr_html_()):
        assert "CUT SHORT after 5 tokens by max_tokens" in shown
    assert "CUT" not in reply.text


def test_a_whole_reply_is_quiet(gw: hs.Gateway) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hs.ask(gw, "hello")


@pytest.mark.parametrize("preset", list(hs.catalog.presets()))
def test_a_preset_sets_its_three_parameters(
    sent: Callable[..., dict[str, Any]], preset: str
) -> None:
    body = sent("hello", preset=preset)
    assert body == {
        "model": hs.catalog.DEFAULT_MODEL,
        "messages": [{"role": "user", "content": "hello"}],
        **hs.catalog.presets()[preset],
    }


def test_what_is_given_wins_over_the_preset(sent: Callable[..., dict[str, Any]]) -> None:
    body = sent("hello", system="Be brief.", temperature=0, seed=3, stop=["x"])
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (body["temperature"], body["seed"], body["stop"]) == (0, 3, ["x"])
    assert body["max_tokens"] == hs.catalog.presets()["general"]["max_tokens"]


def test_the_newer_name_of_the_limit_replaces_the_presets(
    sent: Callable[..., dict[str, Any]],
) -> None:
    body = sent("hello", max_completion_tokens=500)
    assert body["max_completion_tokens"] == 500
    assert "max_tokens" not in body


ONE_OF_TWO = ["claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-1", "claude-sonnet-4-6"]
"""Models that refuse temperature and top_p together."""


@pytest.mark.parametrize("model", [*ONE_OF_TWO, "claude-sonnet-4-5-20250929"])
@pytest.mark.parametrize("preset", list(hs.catalog.presets()))
def test_a_preset_sends_no_top_p_where_it_would_be_refused(preset: str, model: str) -> None:
    arguments = request_arguments("hello", None, model, preset, {})
    assert "top_p" not in arguments
    assert arguments["temperature"] == hs.catalog.presets()[preset]["temperature"]


def test_one_of_two_parameters_is_sent_as_the_caller_gives_it(
    sent: Callable[..., dict[str, Any]],
) -> None:
    def chosen(**given: Any) -> dict[str, Any]:
        body = sent("hello", model="claude-sonnet-4-5", **given)
        return {name: body[name] for name in ("temperature", "top_p") if name in body}

    assert chosen(temperature=0) == {"temperature": 0}
    assert chosen(top_p=0.5) == {"top_p": 0.5}
    assert chosen(top_p=0.5, temperature=1) == {"top_p": 0.5, "temperature": 1}
    assert chosen(top_p=openai.omit) == {"temperature": 0.7}


def test_each_other_model_gets_both() -> None:
    for model in hs.catalog.models():
        assert model.refuses_temperature_with_top_p is (model.id in ONE_OF_TWO)
    arguments = request_arguments("hello", None, "claude-opus-4", "general", {})
    assert (arguments["temperature"], arguments["top_p"]) == (0.7, 0.9)


@pytest.mark.parametrize(
    "stated",
    ["anthropic/claude-sonnet-4-5", "Claude-Sonnet-4-5-20250929", "models/claude-opus-4-1"],
)
def test_another_spelling_of_a_model_gets_the_parameters_that_it_takes(stated: str) -> None:
    arguments = request_arguments("hello", None, stated, "general", {})
    assert (arguments["temperature"], "top_p" in arguments) == (0.7, False)


def test_sdk_options_go_through_and_a_silent_server_is_told(
    live: Callable[..., hs.Gateway],
) -> None:
    with listen("127.0.0.1", 0) as silent:  # it takes the connection, and never answers
        client = live(base_url=base_url(silent)).client(max_retries=0)
        with pytest.raises(openai.APITimeoutError) as caught:
            hs.ask(client, "hello", timeout=0.05)
        assert any("No answer in time" in note for note in caught.value.__notes__)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"prompt": ""}, "The prompt is empty"),
        ({"prompt": " \n"}, "The prompt is empty"),
        ({"prompt": None}, "The prompt is a NoneType: text is needed"),
        ({"prompt": ["a"]}, "For a conversation of several messages"),
        ({"system": 5}, "system is a int"),
        ({"model": ""}, "model is ''"),
        ({"model": None}, "model is None"),
        ({"preset": "poetry"}, "allowed are 'general', 'code', 'fast', 'detailed'"),
        ({"preset": None}, "There is no preset None"),
        ({"max_tokens": -1}, "max_tokens is -1: a whole number, 1 or more"),
        ({"max_tokens": 0}, "max_tokens is 0"),
        ({"max_tokens": 1.5}, r"max_tokens is 1\.5"),
        ({"max_tokens": True}, "max_tokens is True"),
        ({"max_completion_tokens": "9"}, "max_completion_tokens is '9'"),
        ({"messages": []}, "'messages' is made by this helper"),
        ({"stream": True}, r"Use hs\.stream\(\) to stream"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(
    gw: hs.Gateway, mock: MockHandle, arguments: dict[str, Any], says: str
) -> None:
    prompt = arguments.pop("prompt", "hello")
    for call in (hs.ask, hs.stream):
        with pytest.raises(hs.InputError, match=says):
            call(gw, prompt, **arguments)
    assert mock.entries() == []


def test_an_unknown_model_is_told_the_nearest_ids(live: Callable[..., hs.Gateway]) -> None:
    with pytest.warns(UnpricedWarning), pytest.raises(openai.NotFoundError) as caught:
        hs.ask(live(), "hello", model="mistral-small")
    (note,) = caught.value.__notes__
    assert note.startswith("Nearest known ids: mistral-small-2603")
    assert "client.models.list()" in note


@pytest.mark.parametrize("kind", ["text/html", "application/json"])
def test_a_page_of_a_proxy_is_no_answer(gw: hs.Gateway, kind: str) -> None:
    content = "<html>Sign in</html>" if kind == "text/html" else '{"choices": []}'

    def page(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": kind}, text=content)

    with httpx2.Client(transport=httpx2.MockTransport(page)) as http:
        client = openai.OpenAI(base_url=gw.base_url, api_key="hs-mock-x", http_client=http)
        with pytest.raises(UnexpectedReplyError, match="status 200, but not with a chat comp"):
            hs.ask(client, "hello")
        with pytest.raises(UnexpectedReplyError, match="status 200, but not with an event str"):
            hs.stream(client, "hello")


def test_an_answer_without_usage_has_no_cost(gw: hs.Gateway) -> None:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant"}}
    body = {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, json=body))
    with httpx2.Client(transport=transport) as http:
        client = openai.OpenAI(base_url=gw.base_url, api_key="hs-mock-x", http_client=http)
        reply = hs.ask(client, "hello")
    assert (reply.text, reply.usage, reply.cost) == ("", None, None)
    assert reply.summary() == "m · no usage · cost unknown · finish_reason stop"
