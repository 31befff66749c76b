"""One look for all figures: a single palette that is seen on white, and nothing cut off."""

from __future__ import annotations

import ast
import io
import re
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.colors import CSS4_COLORS, to_rgb
from PIL import Image

import holysheep_helpers as hs
from holysheep_helpers.notebook import figures

PALETTE = Path(figures.__file__)


FILES = [PALETTE, *sorted(PALETTE.parents[1].glob("*/plots.py"))]


OKABE_ITO = {
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
}  # fmt: skip


NEUTRAL = {figures.GREY, figures.WHITE, figures.PALE, "#dddddd"}
"""A grey, the ground, and two pale ones that nothing but a surface or the grid has."""


NAMES = set(CSS4_COLORS) | {f"C{n}" for n in range(10)}


def luminance(colour: str) -> float:
    """Relative luminance, as the WCAG 2.2 define it."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def strings(file: Path) -> list[str]:
    tree = ast.parse(file.read_text("utf-8"))
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def test_lines_and_marks_are_seen_on_the_ground_and_differ() -> None:
    ground = mpl.rcParams["figure.facecolor"]
    assert ground == mpl.rcParams["savefig.facecolor"] == figures.WHITE
    assert len(set(figures.COLOURS)) == len(figures.COLOURS) == 6
    assert {c: contrast(c, ground) for c in figures.COLOURS if contrast(c, ground) < 3} == {}
    assert contrast(figures.WHITE, figures.BLACK) == pytest.approx(21)
    drawn = mpl.rcParams["axes.prop_cycle"].by_key()["color"]
    assert tuple(drawn) == figures.COLOURS


def test_all_colours_come_from_one_palette() -> None:
    defined = {text for text in strings(PALETTE) if re.fullmatch(r"#\w{6}", text)}
    assert defined <= OKABE_ITO | NEUTRAL
    assert set(figures.COLOURS) <= OKABE_ITO | {figures.GREY}
    for file in FILES:
        own = [text for text in strings(file) if re.fullmatch(r"#\w{3,8}", text)]
        assert file == PALETTE or own == [], file.name
        assert [text for text in strings(file) if text in NAMES] == [], file.name


def test_what_only_fills_has_an_edge_that_is_seen() -> None:
    assert contrast(figures.AMBER, figures.WHITE) < 3
    for style in (figures.FAILED, figures.LIMITED):
        assert contrast(style["edgecolor"], figures.WHITE) >= 3


@pytest.mark.parametrize("title", ["short", "왜 긴 제목이 잘리면 안 되는가: " * 6])
def test_no_title_or_label_is_cut_off(title: str) -> None:
    figure = hs.plot_bars({"이름이 아주 긴 모델 mistral-small-2603-preview": 1}, "초", title)
    png = io.BytesIO()
    figure.savefig(png, format="png")
    with Image.open(png) as image:
        grey = image.convert("L")
        width, height = grey.size
        margin = round(mpl.rcParams["savefig.pad_inches"] * figure.dpi) - 3
        sides = (
            (0, 0, margin, height),
            (width - margin, 0, width, height),
            (0, 0, width, margin),
            (0, height - margin, width, height),
        )
        inked = [side for side in sides if set(grey.crop(side).tobytes()) != {255}]
    assert inked == []


def test_fonts_have_the_same_size_in_every_figure() -> None:
    assert mpl.rcParams["font.size"] == 11
    for file in FILES:
        assert not re.search(r"fontsize|set_fontsize|titlesize", file.read_text("utf-8")), file.name
