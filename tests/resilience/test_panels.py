"""Lesson 9's panel, pressed from code."""

from __future__ import annotations

from typing import Any

import pytest
from matplotlib.figure import Figure

import holysheep_helpers as hs
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.resilience import plots
from holysheep_helpers.resilience.panels import OUTAGES, FailoverPanel
from holysheep_helpers.resilience.plots import plot_circuit
from tests.support.failing_over import GEMINI, MISTRAL


@pytest.fixture
def panel(gw: hs.Gateway, mock: MockHandle) -> FailoverPanel:
    gw.mock = mock  # pyright: ignore[reportAttributeAccessIssue]
    return hs.failover_panel(gw)


def press(panel: FailoverPanel) -> None:
    panel.send.click()
    panel.wait()
    assert not panel.send.disabled


def seen(panel: FailoverPanel) -> list[dict[str, Any]]:
    """What the mock saw of this panel."""
    assert panel.gateway.mock is not None
    return panel.gateway.mock.entries()


def test_it_plays_an_outage_and_draws_who_answered(panel: FailoverPanel) -> None:
    press(panel)
    assert panel.text == (
        f"Calls: 60 (42 {GEMINI}, 18 {MISTRAL}). Requests sent: 64; failed by the model: 4, "
        "spared: 38."
    )
    assert len(seen(panel)) == 64
    assert bytes(panel.figure.value).startswith(b"\x89PNG")
    assert panel.text in panel.status.value
    assert panel.breaker is not None
    assert panel.breaker.state(MISTRAL) == "closed"
    hs.ask(panel.gateway, "hello")
    assert seen(panel)[-1]["fault"] is None  # its outage ends with it


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (
            "401: the key is wrong",
            f"Calls: 8 (4 {MISTRAL}, 4 AuthenticationError). Requests sent: 8; failed by the "
            "model: 0, spared: 0, wrong themselves, which is no verdict on the model: 4.",
        ),
        (
            "400: the request is wrong",
            f"Calls: 8 (4 {MISTRAL}, 4 BadRequestError). Requests sent: 8; failed by the model: 0, "
            "spared: 0, wrong themselves, which is no verdict on the model: 4.",
        ),
        (
            "404: the model is gone",
            f"Calls: 8 (5 {GEMINI}, 3 {MISTRAL}). Requests sent: 9; failed by the model: 1, "
            "spared: 4.",
        ),
        (
            "429: too many requests",
            f"Calls: 8 (4 {MISTRAL}, 4 {GEMINI}). Requests sent: 12; failed by the model: 4, "
            "spared: 0.",
        ),
    ],
)
def test_each_outage_by_its_kind(panel: FailoverPanel, fault: str, said: str) -> None:
    panel.fault.value = fault
    panel.calls.value, panel.begins.value, panel.lasts.value = 8, 2, 4
    panel.failures.value = 10
    panel.cool_down.value = 5
    press(panel)
    assert panel.text == said


def test_what_another_cell_left_at_the_mock_is_no_outage(
    panel: FailoverPanel, mock: MockHandle
) -> None:
    mock.script(503, every=1, model=MISTRAL)
    panel.calls.value, panel.begins.value = 3, 2
    press(panel)
    assert panel.text.startswith(f"Calls: 3 (2 {MISTRAL}, 1 {GEMINI})")


def test_it_offers_what_the_mock_can_play(panel: FailoverPanel) -> None:
    assert panel.fault.options == tuple(OUTAGES)
    panel.calls.value, panel.begins.value = 3, 0
    for fault in OUTAGES:
        panel.fault.value = fault
        press(panel)
        assert panel.text.startswith("Calls: 3 (3 ")


def test_the_same_model_twice_is_one(panel: FailoverPanel) -> None:
    panel.fallback.value = MISTRAL
    panel.calls.value, panel.begins.value = 4, 2
    press(panel)
    assert panel.text.startswith("Calls: 4 (2 mistral-small-2603, 2 AllFailedError).")


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


def test_an_outage_that_outlasts_the_run_is_drawn_to_its_end_and_ends_with_it(
    panel: FailoverPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []

    def plot(breaker: hs.CircuitBreaker, outage_s: tuple[float, float] | None) -> Figure:
        drawn.append(outage_s)
        return plot_circuit(breaker, outage_s)

    monkeypatch.setattr(plots, "plot_circuit", plot)
    for panel.calls.value, panel.begins.value, panel.lasts.value in ((12, 4, 35), (4, 9, 35)):
        press(panel)
    assert panel.text.startswith("Calls: 4 (4 ")  # the outage of the run before is over
    assert drawn == [(4, 11), None]
