"""The panels, pressed from code: what they send, show and refuse."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Callable
from typing import Any

import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.batches import panels
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.mock.server import serve
from holysheep_helpers.notebook.panels import Panel
from tests.support.panels import press


def test_the_playground_sends_what_it_shows(gw: hs.Gateway, mock: MockHandle) -> None:
    panel = hs.playground(gw, "hello")
    panel.model.value = "gemini-2.5-flash"
    panel.temperature.value = 0
    panel.max_tokens.value = 300
    panel.system.value = "Answer in Korean."
    press(panel)
    assert panel.reply is not None
    assert panel.reply.model == "gemini-2.5-flash"
    assert (
        panel.text
        == panel.reply.text
        == "[준비된 답변] 답변입니다. 안녕하세요! 무엇을 도와드릴까요?"
    )
    assert panel.reply.summary() in panel.status.value
    assert str(gw.spend) in panel.status.value
    panel.prompt.value = "Tell me about the tides."
    press(panel)
    assert "Tell me about the tides" in panel.text
    assert len(mock.entries()) == 2


@pytest.mark.parametrize("preset", list(hs.catalog.presets()))
def test_a_preset_moves_the_sliders(gw: hs.Gateway, preset: str) -> None:
    panel = hs.playground(gw)
    panel.preset.value = preset
    chosen = hs.catalog.presets()[preset]
    assert panel.temperature.value == chosen["temperature"]
    assert panel.max_tokens.value == chosen["max_tokens"]


def test_a_cut_answer_is_loud_in_the_panel(gw: hs.Gateway) -> None:
    panel = hs.playground(gw)
    panel.max_tokens.value = 5
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # which says a warning once
        for _ in range(2):  # the second answer is cut as well
            press(panel)
            assert "CUT SHORT" in panel.text
            assert "CutShortWarning: The reply was cut by max_tokens (5)" in panel.warned.value
    panel.max_tokens.value = 500
    press(panel)
    assert panel.warned.value == ""


def test_a_warning_stays_where_the_answer_comes_before_the_press_ends(
    gw: hs.Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    class AtOnce(threading.Thread):
        start = threading.Thread.run

    panel = hs.playground(gw)
    panel.max_tokens.value = 5
    monkeypatch.setattr(threading, "Thread", AtOnce)
    panel.send.click()
    assert "CutShortWarning" in panel.warned.value


def test_what_goes_wrong_is_shown_and_the_panel_can_be_used_again(
    gw: hs.Gateway, mock: MockHandle
) -> None:
    panel = hs.playground(gw, "")
    press(panel)
    assert "InputError: The prompt is empty" in panel.text
    assert 'role="alert"' in panel.status.value
    panel.prompt.value = "hello"
    mock.script([{"kind": "status", "status": 400}])
    press(panel)
    assert "BadRequestError" in panel.text
    press(panel)
    assert panel.text.startswith("[canned reply]")
    assert 'role="status"' in panel.status.value
    panel.prompt.value = ""
    press(panel)
    assert panel.answer.value == ""  # the old answer does not stand over the error


def test_the_comparison_asks_every_model_that_is_chosen(gw: hs.Gateway, mock: MockHandle) -> None:
    panel = hs.compare_panel(gw, "hello")
    for model, box in panel.models.items():
        box.value = model in ("mistral-small-2603", "gpt-4.1")
    press(panel)
    assert list(panel.replies) == [entry["model"] for entry in mock.entries()]
    assert list(panel.replies) == ["gpt-4.1", "mistral-small-2603"]
    for reply in panel.replies.values():
        assert reply.summary() in panel.text
    for box in panel.models.values():
        box.value = False
    press(panel)
    assert "Choose a model" in panel.text


def test_the_stream_panel_types_and_draws(gw: hs.Gateway) -> None:
    panel = hs.stream_panel(gw)
    press(panel)
    assert panel.stream is not None
    assert panel.stream.complete
    assert panel.text == panel.stream.text
    assert bytes(panel.figure.value).startswith(b"\x89PNG")
    assert panel.figure.layout.display == ""
    facts = rf"all after .* · {len(panel.text)} characters in {len(panel.stream.timeline)} chunks"
    assert re.search(facts, panel.status.value)
    assert panel.stop.disabled


def test_a_stream_that_was_cut_says_so_in_the_panel(gw: hs.Gateway) -> None:
    panel = hs.stream_panel(gw)
    panel.max_tokens.value = 12
    press(panel)
    assert "finish_reason length · CUT SHORT by max_tokens" in panel.status.value


def test_the_batch_panel_draws_who_waits_when(mock: MockHandle) -> None:
    gateway = hs.connect("live", mock.base_url, mock.api_key)
    gateway.mock = mock  # pyright: ignore[reportAttributeAccessIssue]
    panel = hs.batch_panel(gateway)
    panel.prompts.value, panel.concurrency.value, panel.faults.value = 6, 3, 30
    press(panel)
    assert panel.result is not None
    assert len(panel.result.ok) == 6
    own = panel.gateway.mock
    assert own is not None
    assert panel.result.sent == len(own.entries()) > 6  # the fourth draw of seed 0 is a fault
    assert panel.text == panel.result.summary()
    assert "6 prompts: 6 answered" in panel.status.value
    assert bytes(panel.figure.value).startswith(b"\x89PNG")
    panel.faults.value = 0
    own.reset()
    press(panel)
    assert panel.result.sent == len(own.entries()) == 6
    panel.prompt.value = " "
    press(panel)
    assert "InputError: The prompt is empty" in panel.text
    assert len(own.entries()) == 6


@pytest.mark.parametrize("make", [hs.batch_panel, hs.errors_panel, hs.failover_panel])
def test_a_panel_and_a_cell_that_runs_do_not_meet_each_others_faults(
    make: Callable[[hs.Gateway], Any], mock: MockHandle
) -> None:
    gateway = hs.connect("live", mock.base_url, mock.api_key)
    gateway.mock = mock  # pyright: ignore[reportAttributeAccessIssue]
    mock.script([503, 503])
    panel = make(gateway)
    press(panel)
    assert mock.entries() == []
    for _ in range(2):
        with pytest.raises(openai.InternalServerError):
            hs.ask(gateway.client(max_retries=0), "The cell's own request.")
    assert hs.ask(gateway.client(max_retries=0), "Its third one.").finish_reason == "stop"
    assert [entry["fault"] for entry in mock.entries()] == ["status", "status", None]
    assert gateway.spend is panel.gateway.spend


def test_live_no_fault_can_be_asked_for(gw: hs.Gateway) -> None:
    panel = hs.batch_panel(gw)
    assert panel.faults.disabled
    panel.prompts.value = 2
    press(panel)
    assert panel.result is not None
    assert panel.result.sent == 2


def test_the_stop_button_leaves_the_stream() -> None:
    with serve(time_scale=1) as mock:
        panel = hs.stream_panel(hs.connect("live", mock.base_url, mock.api_key))

        def at_the_first_text(change: dict[str, str]) -> None:
            if change["new"]:
                panel.stop.click()

        panel.answer.observe(at_the_first_text, names="value")
        press(panel)
        (entry,) = mock.entries(settle_s=10)
    assert entry["client_left"]
    assert panel.stream is not None
    assert not panel.stream.complete
    assert "left after" in panel.status.value
    assert panel.text == panel.stream.text != ""


def test_the_stop_button_ends_the_batch() -> None:
    with serve(time_scale=0.1) as mock:
        panel = hs.batch_panel(hs.connect("live", mock.base_url, mock.api_key))
        panel.prompts.value, panel.per_minute.value = 60, 60  # a minute, if nothing stops it

        def at_once(change: dict[str, bool]) -> None:
            if not change["new"]:
                panel.stop.click()

        panel.stop.observe(at_once, names="disabled")
        press(panel)
        assert panel.stop.disabled
        assert not panel.send.disabled
        assert panel.result is not None
        assert len(panel.result.failed) == 60
        assert {type(item.error) for item in panel.result} == {hs.NotAskedError}
        assert re.search(
            r"Stopped after \d+\.\d\d s: 0 of 60 answered, (0|1 request|\d+ requests) ?",
            panel.status.value,
        )
        panel.prompts.value, panel.per_minute.value = 1, 0
        panel.stop.unobserve_all()
        press(panel)
        assert len(panel.result.ok) == 1


def test_a_second_press_while_it_waits_sends_nothing(gw: hs.Gateway, mock: MockHandle) -> None:
    panel = hs.playground(gw, "hello")
    pressed = panel.send.click
    panel.status.observe(lambda _: pressed(), names="value")  # presses again while it works
    press(panel)
    assert len(mock.entries()) == 1


@pytest.mark.parametrize(
    "make", [hs.playground, hs.compare_panel, hs.stream_panel, hs.batch_panel, hs.latency_panel]
)
def test_stored_in_a_notebook_a_panel_is_one_line_that_never_changes(
    gw: hs.Gateway, make: Callable[[hs.Gateway], Panel]
) -> None:
    one, other = make(gw), make(gw)
    assert repr(one) == repr(other)
    bundle = one._repr_mimebundle_()
    assert bundle["text/plain"] == repr(one)
    assert "run this cell in JupyterLab" in bundle["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_a_model_on_its_way_out_is_marked_in_the_list(gw: hs.Gateway) -> None:
    marked = {model for label, model in hs.playground(gw).model.options if "way out" in label}
    assert marked == {"claude-sonnet-4-5", "gemini-2.0-flash", "deepseek-chat"}


def test_html_in_an_answer_is_text(gw: hs.Gateway) -> None:
    panel = hs.playground(gw, "Tell me about <img src=x onerror=alert(1)>")
    press(panel)
    assert "<img" in panel.text
    assert "<img" not in panel.answer.value


def test_stop_says_nothing_once_the_work_is_done(gw: hs.Gateway) -> None:
    panel = hs.compare_panel(gw)
    press(panel)
    told = panel.status.value
    panel.stop.click()
    assert panel.status.value == told


def test_while_an_answer_is_due_its_plan_stays(
    gw: hs.Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel, planned = hs.long_panel(gw, "One sentence. " * 100), []

    def plan(*given: Any, **settings: Any) -> hs.LongPlan:
        planned.append(settings["part_tokens"])
        return hs.plan_long(*given, **settings)

    def move(change: dict[str, bool]) -> None:
        if change["new"]:
            panel.part_tokens.value = 100

    monkeypatch.setattr(panels, "plan_long", plan)
    panel.send.observe(move, names="disabled")  # at once after the press
    press(panel)
    assert planned == [400]
