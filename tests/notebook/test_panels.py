"""What all panels share: their controls, and how they tell, hear, stop and end."""

from __future__ import annotations

import asyncio
import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import ipywidgets as w
import pytest
import traitlets as t
from ipywidgets.widgets import widget as registry

import holysheep_helpers as hs
from holysheep_helpers.exceptions import collect_warnings, warn
from holysheep_helpers.lessons import panels as lesson_panels
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.mock.server import serve
from holysheep_helpers.notebook import panels
from holysheep_helpers.notebook.controls import (
    Button,
    FigureBox,
    FloatSlider,
    IntSlider,
    describe_figure,
)
from holysheep_helpers.notebook.panels import Debounce, Panel, View
from tests.support.panels import MAKERS, press


class OddError(Exception):
    """An error that no panel knows."""


@pytest.fixture
def failing(gw: hs.Gateway, monkeypatch: pytest.MonkeyPatch) -> Panel:
    def fail(*_: object, **__: object) -> None:
        raise OddError(f"Illegal header value b'Bearer {gw.client().api_key}'")

    monkeypatch.setattr(lesson_panels, "ask", fail)
    return hs.playground(gw)


# --- controls


def test_a_slider_takes_what_its_range_has() -> None:
    whole = IntSlider(description="Part", value=100, min=50, max=400, step=50)
    whole.value = 400
    fraction = FloatSlider(description="temperature", value=0.7, min=0, max=2, step=0.1)
    fraction.value = 0.1 * 3
    assert (whole.value, round(fraction.value, 9)) == (400, 0.3)


@pytest.mark.parametrize("value", [0, 49, 401, 450, 120])
def test_a_slider_refuses_the_rest_and_stays(value: int) -> None:
    slider = IntSlider(description="Part", value=100, min=50, max=400, step=50)
    with pytest.raises(t.TraitError, match=f"Part is {value}: give a number from 50 to 400, in st"):
        slider.value = value
    assert slider.value == 100


@pytest.mark.parametrize("value", ["9", 9.5, None, float("nan")])
def test_a_slider_refuses_what_is_no_number_of_its_kind(value: Any) -> None:
    with pytest.raises(t.TraitError):
        IntSlider(description="Part", value=value)
    with pytest.raises(t.TraitError):
        FloatSlider(description="Part", value=value if value != 9.5 else "x", max=10)


def test_a_click_brings_what_the_knobs_show_in_the_browser() -> None:
    box, slider = w.Checkbox(value=False), IntSlider(description="n", value=1, max=9)
    choice, text = w.Dropdown(options=[("one", 1), ("two", 2)]), w.Text("old")
    button, at_the_click = Button("Send"), []
    button.brings(box, slider, choice, text)
    button.on_click(
        lambda: at_the_click.append((box.value, slider.value, choice.value, text.value))
    )
    shown = {box.model_id: True, slider.model_id: 7, choice.model_id: 1, text.model_id: "new"}
    button._handle_custom_msg({"event": "click", "shown": shown | {"another": 5}}, [])
    button._handle_custom_msg({"event": "other"}, [])
    assert at_the_click == [(True, 7, 2, "new")]


@pytest.mark.parametrize("make", MAKERS)
def test_send_brings_every_knob_of_its_panel(
    gw: hs.Gateway, make: Callable[[hs.Gateway], Panel]
) -> None:
    panel = make(gw)
    kinds = (w.Dropdown, w.Text, w.Textarea, w.Checkbox, IntSlider, FloatSlider)

    def inside(box: Any) -> Iterator[w.Widget]:
        for part in box.children:
            yield from inside(part) if hasattr(part, "children") else [part]

    seen = {part.model_id for part in inside(panel._view) if isinstance(part, kinds)}
    assert set(panel.send.knobs) == seen


def test_a_figure_is_told_in_words(gw: hs.Gateway) -> None:
    panel = hs.stream_panel(gw)
    press(panel)
    assert panel.figure.alt.startswith("Figure. First text after ")
    assert "Across: seconds since the call. Up: characters received. Legend: text so far," in (
        panel.figure.alt
    )
    rows = describe_figure(hs.plot_bars({"one": 1, "two": 2}, "USD", "Two costs more"))
    assert rows == "Figure. Two costs more. Across: USD. Rows: one, two."


def test_a_figure_box_takes_no_place_until_it_has_one() -> None:
    box = FigureBox()
    assert box.layout.display == "none"
    box.draw(hs.plot_bars({"one": 1}, "USD", "One"))
    assert bytes(box.value).startswith(b"\x89PNG")
    assert (box.alt, box.layout.display) == ("Figure. One. Across: USD. Rows: one.", "")


# --- what is sent


def test_what_is_changed_while_an_answer_is_due_is_for_the_next_press(
    gw: hs.Gateway, mock: MockHandle
) -> None:
    panel = hs.compare_panel(gw, "hello")
    for model, box in panel.models.items():
        box.value = model in ("gpt-4.1", "mistral-small-2603")

    def change(_: object) -> None:
        panel.prompt.value = "goodbye"
        for box in panel.models.values():
            box.value = True

    panel.send.observe(change, names="disabled")  # at once after the press
    press(panel)
    assert [entry["model"] for entry in mock.entries()] == ["gpt-4.1", "mistral-small-2603"]
    assert "goodbye" not in panel.text


# --- errors and warnings


def test_an_error_that_nobody_expected_is_shown_without_the_key(
    failing: Panel, caplog: pytest.LogCaptureFixture
) -> None:
    key = failing.gateway.client().api_key
    with caplog.at_level(logging.ERROR, "holysheep_helpers"):
        press(failing)
    assert failing.text.startswith("OddError: Illegal header value b'Bearer ")
    assert "print(panel.traceback) says where" in failing.status.value
    assert 'role="alert"' in failing.status.value
    assert "in fail" in failing.traceback
    assert "in fail" in caplog.text
    for told in (failing.text, failing.status.value, failing.traceback, caplog.text):
        assert key not in told


def test_an_error_in_a_call_back_is_shown_too(
    gw: hs.Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = hs.playground(gw)
    monkeypatch.setattr(hs.catalog, "presets", dict)
    panel.preset.value = "fast"
    assert panel.text.startswith("KeyError: 'fast'")


class WarnedWarning(UserWarning):
    """A warning of the helpers."""


def test_only_its_own_warnings_are_collected() -> None:
    other, inside = threading.Event(), threading.Event()

    def elsewhere() -> None:
        inside.wait(10)
        warn("of another thread", WarnedWarning)
        other.set()

    with warnings.catch_warnings(record=True) as outside:
        warnings.simplefilter("default")
        usual = warnings.showwarning
        thread = threading.Thread(target=elsewhere)
        thread.start()
        with collect_warnings() as said, collect_warnings() as nested:
            inside.set()
            other.wait(10)
            assert warnings.showwarning is usual
            for _ in range(2):
                warn("of the panel", WarnedWarning)  # also what was said before
        thread.join(10)
        warn("afterwards", WarnedWarning)
    assert (said, nested) == ([], ["WarnedWarning: of the panel"] * 2)
    assert [str(one.message) for one in outside] == ["of another thread", "afterwards"]
    assert {one.filename for one in outside} == {__file__}  # where it was called, not in the helper


# --- once, after the last change


def test_the_latest_wins() -> None:
    done: list[int] = []
    knob = IntSlider(description="n")
    debounce = Debounce(lambda: done.append(knob.value), after_s=0)

    async def move() -> None:
        for knob.value in range(5):
            debounce.call()
        assert done == []
        await asyncio.sleep(0.001)
        assert done == [4]
        debounce.call()
        first = debounce._timer
        debounce.call()
        assert first is not None
        assert first.cancelled()  # or it would not wait until the knobs rest
        debounce.cancel()
        debounce.flush()  # nothing is due
        await asyncio.sleep(0.001)
        assert done == [4]
        debounce.call()
        debounce.flush()
        assert done == [4, 4]

    asyncio.run(move())
    debounce.call()  # without a loop: at once
    assert done == [4, 4, 4]


def test_a_plan_that_is_due_is_made_by_wait_and_overtaken_by_send(
    gw: hs.Gateway, mock: MockHandle
) -> None:
    panel = hs.long_panel(gw, "One sentence. " * 200)

    async def in_a_kernel() -> None:
        old = panel.plan
        panel.part_tokens.value = 100
        assert panel.plan is old
        panel.wait()
        assert panel.plan is not None
        assert panel.plan.part_tokens == 100
        panel.part_tokens.value = 150
        press(panel)

    asyncio.run(in_a_kernel())
    assert panel.plan is not None
    assert panel.reply is not None
    assert panel.plan.part_tokens == panel.reply.plan.part_tokens == 150
    assert len(mock.entries()) == panel.plan.calls


# --- the end


@pytest.mark.parametrize("make", [*MAKERS, hs.failover_panel, lambda gw: hs.long_panel(gw, "text"),
                                  lambda _: hs.cost_panel()])  # fmt: skip
def test_closed_it_leaves_no_widget(gw: hs.Gateway, make: Callable[[hs.Gateway], View]) -> None:
    before = set(registry._instances)
    panel = make(gw)
    assert set(registry._instances) > before
    panel.close()
    panel.close()
    assert set(registry._instances) == before
    assert set(panel._repr_mimebundle_()) == {"text/plain", "text/html"}


def test_to_close_it_stops_what_it_does() -> None:
    with serve(time_scale=1) as mock:
        panel = hs.stream_panel(hs.connect("live", mock.base_url, mock.api_key))

        def at_the_first_text(change: dict[str, str]) -> None:
            if change["new"]:
                panel.close()

        panel.answer.observe(at_the_first_text, names="value")
        panel.send.click()
        panel.wait()
        (entry,) = mock.entries(settle_s=10)
    assert entry["client_left"]
    panel.send.click()  # a closed one sends nothing: the mock is gone, so it would fail
    panel.wait()
    assert 'role="alert"' not in panel.status.value


def test_stop_ends_a_stream_that_says_nothing(mock: MockHandle, gw: hs.Gateway) -> None:
    mock.script(["stall"])
    panel = hs.stream_panel(gw)
    panel.stop.observe(lambda change: change["new"] or panel.stop.click(), names="disabled")
    press(panel)
    assert panel.text == ""
    assert "Stopped before any text came." in panel.status.value


def test_a_cell_that_runs_again_closes_what_it_made(
    gw: hs.Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = ("cell", "first run")
    monkeypatch.setattr(panels, "_running", lambda: running)
    one, two = hs.playground(gw), hs.playground(gw)
    running = ("another", "second run")
    other = hs.playground(gw)
    running = ("cell", "third run")
    new = hs.playground(gw)
    assert [panel.closed for panel in (one, two, other, new)] == [True, True, False, False]
    running = ("", "")
    assert not hs.playground(gw).closed
    assert not new.closed
