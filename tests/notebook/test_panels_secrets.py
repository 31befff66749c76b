"""What a server says is shown as text, and never with the key."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import holysheep_helpers as hs
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.notebook.panels import Panel
from tests.support.panels import MAKERS, press


@pytest.mark.filterwarnings("default")  # as in a kernel: a panel shows them
@pytest.mark.parametrize("make", [*MAKERS, lambda gw: hs.long_panel(gw, "One sentence. " * 50)])
def test_a_server_that_repeats_the_key_and_tags_gets_neither_into_a_panel(
    gw: hs.Gateway, mock: MockHandle, make: Callable[[hs.Gateway], Panel]
) -> None:
    key = gw.client().api_key
    body = {"error": {"message": f"<img src=x> Wrong key: {key}", "code": "invalid_api_key"}}
    mock.script({"kind": "status", "status": 401, "body": body}, every=1)
    panel = make(gw)
    press(panel)
    shown = panel.answer.value + panel.status.value + panel.warned.value
    assert "Error" in panel.text
    assert "<img" not in shown
    for told in (shown, panel.text, panel.traceback):
        assert key not in told


def test_a_model_that_writes_tags_or_the_key_gets_neither_into_a_panel(gw: hs.Gateway) -> None:
    key = gw.client().api_key
    panel = hs.playground(gw, f"<script>alert(1)</script> {key}")  # which the mock repeats
    press(panel)
    assert "&lt;script&gt;alert(1)" in panel.answer.value
    assert "<script" not in panel.answer.value
    assert key not in panel.answer.value + panel.text


def test_what_several_answers_warn_of_is_said_once(gw: hs.Gateway) -> None:
    panel = hs.playground(gw)
    panel._warn(["<b>cut</b>", "<b>cut</b>", "old price"])
    assert panel.warned.value.count("Warning: ") == 2
    assert "&lt;b&gt;cut" in panel.warned.value
    panel._warn([])
    assert panel.warned.value == ""
