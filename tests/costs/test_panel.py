"""The panel of lessons 11 and 12, its sliders moved from code."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

import holysheep_helpers as hs
from holysheep_helpers.costs.panel import CostPanel
from holysheep_helpers.notebook.controls import FigureBox


@pytest.fixture
def panel() -> CostPanel:
    return hs.cost_panel()


def test_it_begins_with_ten_million_tokens_half_and_half(panel: CostPanel) -> None:
    assert panel.text.startswith(
        "10,000,000 tokens a month cost 4.00 USD with mistral-small-2603 and 55.00 USD with gpt-4.1"
    )
    assert panel.table is not None
    assert panel.table.loc["mistral-small-2603", "usd"] == 4
    for box in (panel.costs, panel.returns):
        assert bytes(box.value).startswith(b"\x89PNG")
        assert box.layout.display == ""
    assert panel.text in panel.status.value


def test_three_sliders_redraw_both_figures_and_the_table(panel: CostPanel) -> None:
    before = panel.costs.value, panel.returns.value, panel.answer.value
    panel.tokens.value = 30
    panel.input_share.value = 80
    panel.one_off_usd.value = 1500
    assert panel.text.startswith("30,000,000 tokens a month cost 8.40 USD")
    assert "pays back after 14.1 months" in panel.text
    assert "<td" in panel.answer.value
    assert ">120.00<" in panel.answer.value
    after = panel.costs.value, panel.returns.value, panel.answer.value
    assert all(old != new for old, new in zip(before, after, strict=True))


def test_a_key_held_down_draws_once_when_it_is_let_go(
    panel: CostPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[object] = []
    monkeypatch.setattr(
        "holysheep_helpers.costs.plots.plot_costs", lambda table: drawn.append(table)
    )
    monkeypatch.setattr("holysheep_helpers.costs.plots.plot_break_even", drawn.append)
    monkeypatch.setattr(FigureBox, "draw", lambda box, figure: None)
    panel._redraw.after_s = 0

    async def hold() -> None:
        for million in range(11, 31):
            panel.tokens.value = million
            assert panel.text.startswith(f"{million},000,000 tokens")  # the words wait for nothing
        assert drawn == []
        while not drawn:
            await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(hold())
    assert drawn == [panel.table, panel.assumptions]


def test_every_knob_is_a_plain_variable_too(panel: CostPanel) -> None:
    panel.tokens.value, panel.input_share.value, panel.cached_share.value = 7, 35, 20
    panel.growth.value, panel.one_off_usd.value, panel.monthly_running_usd.value = -5, 250, 11
    panel.baseline.value, panel.model.value = "claude-sonnet-4-5", "deepseek-v3.2"
    panel.krw_per_usd.value = 1300
    found = panel.assumptions
    assert found.rate is not None
    assert found.rate.krw_per_usd == 1300
    assert found.rate.source.name == "set in the panel"  # no longer the published one
    assert replace(found, rate=None) == hs.Assumptions(
        tokens=7_000_000, input_share="0.35", cached_share="0.2", growth="-0.05",
        model="deepseek-v3.2", baseline="claude-sonnet-4-5", one_off_usd=250,
        monthly_running_usd=11,
    )  # fmt: skip
    assert all(isinstance(value, Decimal) for value in (found.input_share, found.growth))
    assert "No price for cached tokens is known" in panel.text
    panel.krw_per_usd.value = 1450
    assert panel.assumptions.rate == hs.catalog.published_rate()


def test_it_holds_what_it_is_given_and_refuses_what_it_cant() -> None:
    large = hs.Assumptions(
        tokens=2_000_000_000, model="gpt-4.1-mini", baseline="gpt-4.1", prices="direct",
        one_off_usd=33, growth="0.6",
    )  # fmt: skip
    panel = hs.cost_panel(large)
    assert replace(panel.assumptions, rate=None) == large
    assert panel.tokens.max == 2000
    for other in ({"tokens": 1_500_000}, {"input_share": "0.333"}, {"one_off_usd": "9.99"}):
        with pytest.raises(hs.InputError, match="slider takes whole numbers"):
            hs.cost_panel(replace(large, **other))  # pyright: ignore[reportArgumentType]


def test_what_cant_be_is_said_in_the_panel() -> None:
    mini = hs.Assumptions(
        tokens=1_000_000, model="gpt-4.1-mini", baseline="gpt-4.1", prices="direct"
    )
    panel = hs.cost_panel(mini)
    panel.prices.value = "published"  # the gateway has published none of this model
    assert "No price was published for 'gpt-4.1-mini'" in panel.text
    assert 'role="alert"' in panel.status.value
    assert panel.table is None
    assert panel.answer.value == ""
    assert panel.costs.layout.display == panel.returns.layout.display == "none"
    panel.model.value = "deepseek-v3.2"
    assert panel.text.startswith("1,000,000 tokens a month cost 0.25 USD with deepseek-v3.2")
    assert panel.costs.layout.display == ""


def test_direct_prices_know_what_a_cached_token_costs(panel: CostPanel) -> None:
    panel.model.value, panel.cached_share.value = "gemini-2.5-flash", 80
    assert "No price for cached tokens" in panel.text
    panel.prices.value = "direct"
    assert panel.assumptions.prices == "direct"
    assert "No price for cached tokens" not in panel.text
    # half of 10M is output, 8 of 10 prompt tokens cost a quarter: 1 x 2 + 4 x 0.50 + 5 x 8
    assert "44.00 USD with gpt-4.1" in panel.text


def test_stored_it_is_one_line(panel: CostPanel) -> None:
    line = "[What a move costs and saves: run this cell in JupyterLab to use the panel]"
    assert panel._repr_mimebundle_()["text/plain"] == repr(panel) == line
