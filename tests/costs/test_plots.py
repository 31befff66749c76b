"""The figures of lessons 11 and 12: what they draw, what their titles find and refuse."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

import holysheep_helpers as hs
from holysheep_helpers.notebook import figures

GPT, MISTRAL, DEEPSEEK = "gpt-4.1", "mistral-small-2603", "deepseek-v3.2"


MOVE = hs.Assumptions(
    tokens=10_000_000, model=MISTRAL, baseline=GPT, one_off_usd=1000, monthly_running_usd=5
)


def title(figure: Figure) -> str:
    return figure.axes[0].get_title(loc="left")


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def rows(figure: Figure) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for box in figure.legends for text in box.get_texts()]


def points(figure: Figure, marker: str) -> list[tuple[float, float]]:
    return [
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]))  # pyright: ignore
        for line in figure.axes[0].lines
        if line.get_marker() == marker
    ]


def test_a_bar_for_each_model_the_dearest_on_top() -> None:
    costs = hs.compare_models(
        [MISTRAL, GPT, "claude-sonnet-4-5"], tokens=10_000_000, baseline=GPT,
        rate=hs.catalog.published_rate(),
    )  # fmt: skip
    figure = hs.plot_costs(costs)
    (axes,) = figure.axes
    bars: Any = axes.patches
    assert [bar.get_width() for bar in bars] == [90, 55, 4]
    assert axes.get_ylim() == (2.5, -0.5)  # so the first stands on top
    assert rows(figure) == [
        "claude-sonnet-4-5\n90.00 USD · 130,500 KRW · 63.6% more",
        f"{GPT}\n55.00 USD · 79,750 KRW",
        f"{MISTRAL}\n4.00 USD · 5,800 KRW · 92.7% less",
    ]
    assert axes.get_xlim() == (0, 90)  # no room is empty
    colours = [bar.get_facecolor() for bar in bars]
    assert colours[1] == to_rgba(figures.GREY)  # the baseline
    assert colours[0] == colours[2] == to_rgba(figures.BLUE)
    assert title(figure) == f"{MISTRAL} costs least: 4.00 USD"


def test_half_a_won_is_rounded_up_as_in_the_report() -> None:
    rate = hs.catalog.published_rate()
    costs = hs.compare_models(["gemini-2.5-flash"], tokens=10_000_000, rate=rate)
    assert rows(hs.plot_costs(costs))[0].endswith("\n14.25 USD · 20,663 KRW")  # 20,662.5


def test_without_rate_and_baseline_there_is_the_cost_alone() -> None:
    alone = hs.plot_costs(hs.compare_models([GPT], tokens=1_000_000))
    assert (rows(alone), title(alone)) == ([f"{GPT}\n5.50 USD"], f"{GPT} costs least: 5.50 USD")
    nothing = hs.plot_costs(hs.compare_models([GPT], tokens=0, baseline=GPT))
    assert rows(nothing) == [f"{GPT}\n0.00 USD"]


def test_what_no_mix_can_cost_is_a_cross_outside_of_its_bar() -> None:
    table = hs.catalog.published_months()
    figure = hs.plot_audit([hs.audit_claim(row.usd, row.model, row.tokens) for row in table])
    assert title(figure) == "5 of 5 claims: no mix of so many tokens costs that"
    assert rows(figure) == [row.model for row in table]
    assert points(figure, "x") == [(float(row.usd), n) for n, row in enumerate(table)]
    ranges = [
        [float(x) for x in line.get_xdata()]  # pyright: ignore
        for line in figure.axes[0].lines
        if len(line.get_xdata()) == 2  # pyright: ignore
    ]
    assert ranges == [[30, 80], [30, 150], [3.5, 25], [2, 6], [0.7, 4.2]]
    assert texts(figure)[0] == "550.00 USD: 6.9 × the most"
    assert figure.axes[0].get_xscale() == "log"
    assert legend(figure) == ["possible, by the price list", "claimed, and not possible"]


def test_what_is_possible_is_a_dot_and_what_is_too_little_is_measured_by_the_least() -> None:
    figure = hs.plot_audit([
        hs.audit_claim("55", GPT, 10_000_000),
        hs.audit_claim("3", GPT, 10_000_000),
        hs.audit_claim("55", GPT, 10_000_000, "0.5"),
    ])  # fmt: skip
    assert title(figure).startswith("1 of 3 claims")
    assert points(figure, "o") == [(55, 0), (55, 2)]
    assert points(figure, "x") == [(3, 1)]
    assert points(figure, "s") == [(55, 2)]  # one mix alone: no range to draw
    assert texts(figure) == ["55.00 USD", "3.00 USD: 0.10 × the least", "55.00 USD"]


def test_a_dot_for_each_mix_beside_the_published_band() -> None:
    figure = hs.plot_premium(hs.premium([GPT, MISTRAL]))
    assert rows(figure) == [GPT, MISTRAL]
    assert points(figure, "o") == [(0, 0), (0, 1)]  # all output
    assert points(figure, "D") == [(pytest.approx(0.1), 0), (pytest.approx(1 / 15), 1)]
    assert points(figure, "s") == [(pytest.approx(0.5), 0), (pytest.approx(1 / 3), 1)]
    assert title(figure) == "From 0% to +50%: it depends on model and mix"
    assert legend(figure) == ["published: 5% to 10%", "0% input", "50% input", "100% input"]
    (band,) = figure.axes[0].patches
    assert (band.get_x(), band.get_width()) == pytest.approx((0.05, 0.05))  # pyright: ignore


def test_a_premium_that_is_not_known_is_said_and_not_drawn() -> None:
    figure = hs.plot_premium(hs.premium(["gpt-4o", GPT]))
    assert texts(figure) == ["unknown: no price to compare with"]
    assert {y for mark in "oDs" for _, y in points(figure, mark)} == {1}
    assert title(hs.plot_premium(hs.premium(["gpt-4o"]))) == "No premium is known"


def test_a_line_for_each_case_and_a_dot_where_it_is_paid_back() -> None:
    cases = {
        "soon": hs.break_even(one_off_usd=100, monthly_saving_usd=50),
        "late": hs.break_even(one_off_usd=100, monthly_saving_usd=2),
        "not": hs.break_even(one_off_usd=100, monthly_saving_usd=2, monthly_running_usd=3),
    }
    figure = hs.plot_break_even(cases, 12)
    assert title(figure) == "Paid back: after 2.0 months, after 50.0 months, never"
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 13]  # pyright: ignore
    assert [list(map(float, line.get_ydata()))[-1] for line in lines] == [500, -76, -112]  # pyright: ignore
    assert len({line.get_linestyle() for line in lines}) == 3  # told apart without colour
    assert points(figure, "o") == [(2, 0)]  # the other one is beyond the figure
    box = figure.axes[0].get_legend()
    assert box is not None
    assert box.get_texts()[2].get_text() == "not: never"


def test_assumptions_are_drawn_with_their_growth() -> None:
    growing = hs.Assumptions(tokens=10_000_000, model=MISTRAL, baseline=GPT, growth="0.1")
    figure = hs.plot_break_even(growing, 2)
    (line,) = (li for li in figure.axes[0].lines if len(li.get_xdata()) == 3)  # pyright: ignore
    assert list(line.get_ydata()) == pytest.approx([0, 51, 107.1])  # pyright: ignore
    assert figure.axes[0].get_legend() is None


def test_a_pair_of_bars_for_each_input_that_moves_the_result() -> None:
    figure = hs.plot_sensitivity(hs.sensitivity(MOVE))
    bars: Any = figure.axes[0].patches
    # base -448: 800 or 1,200 once, 8M or 12M tokens, 40% or 60% input, 4 or 6 a month
    assert [round(bar.get_width(), 6) for bar in bars] == [
        200, -200, -122.4, 122.4, 55.2, -55.2, 12, -12,
    ]  # fmt: skip
    assert {bar.get_x() for bar in bars} == {-448}
    assert [bar.get_hatch() for bar in bars[:2]] == ["////", None]
    assert rows(figure) == [
        "one-off cost\n800 to 1,200",
        "tokens a month\n8M to 12M",
        "input share\n40% to 60%",
        "running cost a month\n4 to 6",
    ]
    assert title(figure) == "Most hangs on the one-off cost"
    assert figure.axes[0].get_xlabel() == (
        "first year's net gain, USD\n(moved by neither cached share nor growth)"
    )


def test_a_result_of_its_own_and_one_that_nothing_moves() -> None:
    months = hs.sensitivity(MOVE, result=lambda move: move.break_even().months or Decimal(999))
    assert hs.plot_sensitivity(months, "months").axes[0].get_xlabel().startswith("months")
    still = hs.sensitivity(MOVE, result=lambda _: Decimal(1))
    assert title(hs.plot_sensitivity(still)) == "Nothing moves the result"


@pytest.mark.parametrize(
    ("draw", "given", "says"),
    [
        (hs.plot_costs, pd.DataFrame(), "what hs.compare_models"),
        (hs.plot_costs, hs.premium([GPT]), "what hs.compare_models"),
        (hs.plot_costs, 5, "what hs.compare_models"),
        (hs.plot_premium, hs.compare_models([GPT], tokens=1), "what hs.premium"),
        (hs.plot_sensitivity, pd.DataFrame({"moves": []}), "what hs.sensitivity"),
        (hs.plot_audit, [], "no audit to draw"),
        (hs.plot_audit, [5], "no audit to draw"),
        (hs.plot_audit, [hs.audit_claim("0", GPT, 1)], "logarithmic"),
        (hs.plot_break_even, {}, "what hs.break_even"),
        (hs.plot_break_even, {"a": 5}, "what hs.break_even"),
    ],
)
def test_nothing_to_draw_is_said(draw: Any, given: Any, says: str) -> None:
    with pytest.raises(hs.InputError, match=says):
        draw(given)


def test_months_are_checked() -> None:
    with pytest.raises(hs.InputError, match="months is 0"):
        hs.plot_break_even(MOVE, 0)
