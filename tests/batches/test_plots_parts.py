"""The figure of a text in parts, and the panel that draws it."""

from __future__ import annotations

import pytest

import holysheep_helpers as hs
from holysheep_helpers.mock.handle import MockHandle
from tests.support.panels import press

TEXT = "The parcel came two days late. " * 100


def heights(figure: object, axes: int = 0) -> list[float]:
    return [bar.get_height() for bar in figure.axes[axes].patches]  # pyright: ignore


def test_a_bar_for_each_part_is_as_high_as_its_tokens() -> None:
    parts = hs.split_prompt(TEXT, max_tokens=100)
    figure = hs.plot_parts(parts, 100)
    assert heights(figure) == [hs.count_tokens(part).tokens for part in parts]
    assert figure.axes[0].get_title(loc="left") == f"Parts: all {len(parts)} fit"
    (limit,) = figure.axes[0].lines
    assert list(limit.get_ydata()) == [100, 100]  # pyright: ignore


def test_what_is_too_long_is_hatched_and_named() -> None:
    figure = hs.plot_parts({"naive": ["word " * 150, "word"], "good": ["word " * 90]}, 100)
    naive, good = figure.axes
    assert [bar.get_hatch() for bar in naive.patches] == ["//", None]  # pyright: ignore
    assert naive.get_title(loc="left") == "naive: 1 of 2 too long"
    assert good.get_title(loc="left") == "good: all 1 fit"
    assert naive.get_ylim() == good.get_ylim()
    assert naive.get_ylim()[1] > 150  # all of the highest bar is seen


def test_a_plan_knows_its_limit(gw: hs.Gateway) -> None:
    plan = hs.plan_long(gw, "Summarise.", TEXT, part_tokens=120, model="gpt-4.1")
    assert heights(hs.plot_parts(plan)) == list(plan.sizes)
    assert max(plan.sizes) <= 120


@pytest.mark.parametrize(
    ("parts", "limit", "says"),
    [([], 5, "no parts to draw"), ({"a": []}, 5, "no parts"), ({}, 5, "no parts"),
     (["a"], None, "max_tokens is None"), ([5], 9, "text is needed")],
)  # fmt: skip
def test_nothing_to_draw_is_said(parts: object, limit: int, says: str) -> None:
    with pytest.raises(hs.InputError, match=says):
        hs.plot_parts(parts, limit)  # pyright: ignore[reportArgumentType]


def test_the_panel_plans_without_sending_and_asks_when_told(
    gw: hs.Gateway, mock: MockHandle
) -> None:
    panel = hs.long_panel(gw, TEXT)
    assert panel.plan is not None
    assert (len(panel.plan.parts), panel.text) == (2, str(panel.plan))
    panel.part_tokens.value = 100
    assert len(panel.plan.parts) > 5
    assert f"{len(panel.plan.parts)} parts of up to 100 tokens" in panel.status.value
    assert bytes(panel.figure.value[:4]) == b"\x89PNG"
    assert panel.figure.layout.display == ""
    assert len(mock.journal()) == 0
    press(panel)
    assert panel.reply is not None
    assert panel.text == panel.reply.text
    assert len(mock.journal()) == panel.plan.calls
    assert panel.reply.summary() in panel.status.value


def test_settings_that_cant_be_are_said_in_the_panel(gw: hs.Gateway, mock: MockHandle) -> None:
    panel = hs.long_panel(gw, TEXT)
    panel.part_tokens.value = 50
    panel.overlap.value = 200
    assert panel.plan is None
    assert "at most half of it" in panel.status.value
    assert panel.figure.layout.display == "none"
    press(panel)
    assert "InputError" in panel.text
    panel.overlap.value = 10
    assert panel.plan is not None
    panel.document.value = " "
    assert "text is empty" in panel.status.value
    assert len(mock.journal()) == 0
