"""Lesson 7's panel, pressed from code."""

import pytest

import holysheep_helpers as hs
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.widgets_failover import FAULTS, FailoverPanel
from tests.unit.failing_over import GEMINI, MISTRAL


@pytest.fixture
def panel(gw: hs.Gateway, mock: MockHandle) -> FailoverPanel:
    gw.mock = mock  # pyright: ignore[reportAttributeAccessIssue]
    return hs.failover_panel(gw)


def press(panel: FailoverPanel) -> None:
    panel.send.click()
    panel.wait()
    assert not panel.send.disabled


def test_it_plays_an_outage_and_draws_who_answered(panel: FailoverPanel, mock: MockHandle) -> None:
    press(panel)
    assert panel.text == (
        f"60 calls: 42 {GEMINI}, 18 {MISTRAL}. 64 requests sent, 4 of them failed, 38 spared."
    )
    assert len(mock.entries()) == 64
    assert bytes(panel.figure.value).startswith(b"\x89PNG")
    assert panel.text in panel.status.value
    assert panel.breaker is not None
    assert panel.breaker.state(MISTRAL) == "closed"
    hs.ask(panel.gateway, "hello")
    assert mock.entries()[-1]["fault"] is None  # its outage ends with it


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("401: the key is wrong", f"4 AuthenticationError, 4 {MISTRAL}. 8 requests sent, 0"),
        ("400: the request is wrong", f"4 BadRequestError, 4 {MISTRAL}. 8 requests sent, 0"),
        ("404: the model is gone", f"5 {GEMINI}, 3 {MISTRAL}. 9 requests sent, 1"),
        ("429: too many requests", f"4 {MISTRAL}, 4 {GEMINI}. 12 requests sent, 4"),
    ],
)
def test_each_outage_by_its_kind(panel: FailoverPanel, fault: str, said: str) -> None:
    panel.fault.value = fault
    panel.calls.value, panel.begins.value, panel.lasts.value = 8, 2, 4
    panel.failures.value = 10
    panel.cool_down.value = 5
    press(panel)
    assert panel.text.startswith("8 calls: ")
    assert sorted(panel.text[9:].split(". ")[0].split(", ")) == sorted(
        said.split(". ")[0].split(", ")
    )
    assert said.split(". ")[1] in panel.text


def test_it_offers_what_the_mock_can_play(panel: FailoverPanel) -> None:
    assert panel.fault.options == tuple(FAULTS)
    panel.calls.value, panel.begins.value = 3, 0
    for fault in FAULTS:
        panel.fault.value = fault
        press(panel)
        assert panel.text.startswith("3 calls: 3 ")


def test_the_same_model_twice_is_one(panel: FailoverPanel) -> None:
    panel.fallback.value = MISTRAL
    panel.calls.value, panel.begins.value = 4, 2
    press(panel)
    assert panel.text.startswith("4 calls: 2 mistral-small-2603, 2 AllFailedError.")


def test_live_no_outage_can_be_asked_for(gw: hs.Gateway) -> None:
    panel = hs.failover_panel(gw)
    assert panel.send.disabled
    panel.send.click()
    panel.wait()
    assert panel.breaker is None


def test_stored_it_is_one_line(panel: FailoverPanel) -> None:
    bundle = panel._repr_mimebundle_()
    line = "[Who answers when: run this cell in JupyterLab to use the panel]"
    assert bundle["text/plain"] == repr(panel) == line
