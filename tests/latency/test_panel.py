"""The panel of lessons 5 and 6, pressed from code: what it measures, shows, stops and refuses."""

from __future__ import annotations

from typing import Any

import pytest

import holysheep_helpers as hs
from holysheep_helpers.latency.panel import LatencyPanel
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.mock.server import serve
from tests.support.panels import press


@pytest.fixture
def panel(gw: hs.Gateway) -> LatencyPanel:
    panel = hs.latency_panel(gw)
    panel.runs.value, panel.concurrency.value, panel.max_tokens.value = 6, 2, 12
    return panel


def test_it_measures_what_its_knobs_say(panel: LatencyPanel, mock: MockHandle) -> None:
    panel.model.value = "gemini-2.5-flash"
    press(panel)
    run = panel.result
    assert run is not None
    assert (len(run), run.concurrency) == (6, 2)
    assert len(run.warmups) >= 2  # one for each connection, and those while the load grows
    assert {stream.output_tokens for stream in run.runs} == {12}
    entries = mock.entries()
    assert len(entries) == 6 + len(run.warmups)
    assert {entry["model"] for entry in entries} == {run.model} == {"gemini-2.5-flash"}
    assert panel.text == str(run.summary())
    assert run.summary()._repr_html_() in panel.answer.value
    assert f"6 runs · spent so far {panel.gateway.spend}" in panel.status.value
    assert bytes(panel.figure.value).startswith(b"\x89PNG")
    assert panel.figure.layout.display == ""
    assert panel.stop.disabled


def test_the_figure_is_drawn_anew_with_the_run_before_in_grey(
    panel: LatencyPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from holysheep_helpers.latency import plots as plots_latency

    drawn: list[tuple[Any, Any]] = []
    plot = plots_latency.plot_ecdf

    def watched(runs: Any, *, before: Any) -> Any:
        drawn.append((list(runs.values()), before))
        return plot(runs, before=before)

    monkeypatch.setattr(plots_latency, "plot_ecdf", watched)
    press(panel)
    first, picture = panel.result, bytes(panel.figure.value)
    panel.concurrency.value = 1
    press(panel)
    assert panel.before is first
    assert panel.result is not first
    assert drawn == [([first], None), ([panel.result], first)]
    assert bytes(panel.figure.value) != picture


def test_how_far_it_is_is_told_run_by_run(panel: LatencyPanel) -> None:
    told: list[str] = []
    panel.status.observe(lambda change: told.append(change["new"]), names="value")
    press(panel)
    measured = [text for text in told if "Measured" in text]
    assert [f"Measured {count} of 6 …" in text for count, text in enumerate(measured, 1)] == [
        True
    ] * 6


def test_an_error_is_shown_and_the_last_figures_stay_apart_from_it(
    panel: LatencyPanel, mock: MockHandle
) -> None:
    press(panel)
    first = panel.result
    mock.script([401, 401])
    press(panel)
    assert "AuthenticationError" in panel.text
    assert panel.answer.value == ""  # the old table does not stand over the error
    assert 'role="alert"' in panel.status.value
    assert panel.stop.disabled
    mock.script([])
    press(panel)
    assert panel.before is first
    panel.prompt.value = ""
    press(panel)
    assert "InputError: The prompt is empty" in panel.text
    assert panel.figure.layout.display == "none"


def test_where_every_run_failed_there_is_a_table_and_no_figure(
    panel: LatencyPanel, mock: MockHandle
) -> None:
    press(panel)
    mock.script(503, probability=1)
    press(panel)
    assert "6 of 6 failed (6 x 503)" in panel.text
    assert "6 of 6 failed (6 x 503)" in panel.answer.value
    assert panel.figure.layout.display == "none"
    mock.script([])
    press(panel)
    assert panel.figure.layout.display == ""  # nor is the failed one drawn in grey


def test_stop_keeps_what_was_measured() -> None:
    with serve(time_scale=0.2) as mock:
        panel = hs.latency_panel(hs.connect("live", mock.base_url, mock.api_key))
        panel.runs.value, panel.max_tokens.value = 100, 2  # some 4 s, if nothing stops it

        def at_the_second(change: dict[str, str]) -> None:
            if "Measured 2 of" in change["new"]:
                panel.stop.click()

        panel.status.observe(at_the_second, names="value")
        press(panel)
        assert panel.result is not None
        assert 2 <= len(panel.result) < 100
        assert "Stopped early (stopped): 100 runs were asked for" in panel.text
        assert panel.figure.layout.display == ""
        assert panel.stop.disabled
        assert not panel.send.disabled


def test_stop_before_anything_was_measured_says_so() -> None:
    with serve(time_scale=0.2) as mock:
        panel = hs.latency_panel(hs.connect("live", mock.base_url, mock.api_key))

        def at_once(change: dict[str, bool]) -> None:
            if not change["new"]:
                panel.stop.click()

        panel.stop.observe(at_once, names="disabled")
        press(panel)
        assert panel.text == "Stopped before anything was measured."
        assert panel.result is None
        panel.stop.unobserve_all()
        panel.runs.value = 1
        press(panel)
        assert panel.result is not None
        assert len(panel.result) == 1
