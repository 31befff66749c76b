"""One look for all figures: a single palette that is seen on white, and nothing cut off."""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import pytest
from cycler import cycler
from matplotlib import pyplot as plt
from matplotlib.colors import CSS4_COLORS, to_rgb
from matplotlib.figure import Figure
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
    ground = figures.style()["figure.facecolor"]
    assert ground == figures.style()["savefig.facecolor"] == figures.WHITE
    assert len(set(figures.COLOURS)) == len(figures.COLOURS) == 6
    assert {c: contrast(c, ground) for c in figures.COLOURS if contrast(c, ground) < 3} == {}
    assert contrast(figures.WHITE, figures.BLACK) == pytest.approx(21)
    drawn = figures.style()["axes.prop_cycle"].by_key()["color"]
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
        margin = round(figures.style()["savefig.pad_inches"] * figure.dpi) - 3
        sides = (
            (0, 0, margin, height),
            (width - margin, 0, width, height),
            (0, 0, width, margin),
            (0, height - margin, width, height),
        )
        inked = [side for side in sides if set(grey.crop(side).tobytes()) != {255}]
    assert inked == []


def test_fonts_have_the_same_size_in_every_figure() -> None:
    assert figures.style()["font.size"] == 11
    for file in FILES:
        assert not re.search(r"fontsize|set_fontsize|titlesize", file.read_text("utf-8")), file.name


# --- the learner's own settings


LOOK_AROUND = """
import json, logging, os, sys, warnings
import matplotlib
from matplotlib import font_manager, pyplot

def look():
    return {
        "settings": {k: str(v) for k, v in matplotlib.rcParams.items()},
        "fonts": len(font_manager.fontManager.ttflist),
        "figures": pyplot.get_fignums(),
        "environment": dict(os.environ),
        "warnings": [str(f) for f in warnings.filters],
        "show": [str(warnings.showwarning), str(sys.excepthook), str(sys.displayhook)],
        "logging": [str(h) for h in logging.getLogger().handlers],
    }

before = look()
import holysheep_helpers as hs
hs.plot_bars, hs.cost_panel  # each imports its module
hs.doctor()
hs.connect("mock")
print(json.dumps({k: (before[k], v) for k, v in look().items() if v != before[k]}))
"""


@pytest.mark.process
def test_import_doctor_and_connect_leave_the_process_as_it_was() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOK_AROUND], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == {}


@pytest.fixture
def learners_settings() -> Iterator[None]:
    """Settings that are all another than the style's."""
    with mpl.rc_context():
        mpl.rcParams.update(
            {
                "font.family": ["DejaVu Serif"],
                "font.size": 20,
                "axes.unicode_minus": True,
                "axes.prop_cycle": cycler(color=["yellow"]),
                "axes.spines.top": True,
                "axes.spines.right": True,
                "axes.grid": False,
                "grid.color": "red",
                "axes.axisbelow": False,
                "axes.titlelocation": "center",
                "axes.titleweight": "light",
                "figure.facecolor": "black",
                "savefig.facecolor": "black",
                "savefig.bbox": "standard",
                "savefig.pad_inches": 1.0,
                "figure.figsize": (3, 3),
                "figure.dpi": 50,
            }
        )
        yield


def png_of(figure: Figure) -> bytes:
    """What a notebook shows without pyplot."""
    assert isinstance(figure, figures.Figure)
    return figure._repr_png_()


def drawn(file_format: str = "png") -> bytes:
    """A figure that is made, then changed as a learner does it, then drawn."""
    figure = hs.plot_herd({"a": [0, 0.1, 0.2], "b": [0.5, -0.1]})
    first, second = figure.axes
    first.set_title("다른 제목 −5")
    second.set_xticks([0, 0.25, 0.5], ["영", "반", "끝"])
    second.annotate("여기", (0.2, 0.5))
    second.plot([0, 0.5], [1, 0], label="선")
    second.legend()
    first.text(0.1, 1, "가")
    figure.suptitle("모두")
    file = io.BytesIO()
    if file_format == "png":
        return png_of(figure)
    figure.savefig(file, format=file_format, metadata={"Date": None})
    return re.sub(rb'(id="|#|url\(#)\w+', b"", file.getvalue())


@pytest.mark.parametrize("file_format", ["png", "svg"])
def test_a_figure_keeps_its_style_whatever_the_settings_are(
    file_format: str, request: pytest.FixtureRequest
) -> None:
    with figures.own_style():
        expected = drawn(file_format)
    assert drawn(file_format) == expected
    request.getfixturevalue("learners_settings")
    assert drawn(file_format) == expected


def test_what_jupyter_shows_is_what_is_saved() -> None:
    from IPython.core.pylabtools import print_figure

    figure = hs.plot_bars({"가": 1}, "초", "제목")
    saved = print_figure(figure, "png", "tight", metadata={"Software": None})
    assert isinstance(saved, bytes)
    square, card = (Image.open(io.BytesIO(png)).convert("RGBA") for png in (saved, png_of(figure)))
    assert card.convert("RGB").tobytes() == square.convert("RGB").tobytes()
    alpha = card.getchannel("A")
    right, low = card.width - 1, card.height - 1
    assert [alpha.getpixel(at) for at in ((0, 0), (right, 0), (0, low), (right, low))] == [0] * 4
    assert alpha.crop((15, 15, right - 15, low - 15)).getextrema() == (255, 255)
    assert repr(figure) == "<Figure size 800x170 with 1 Axes>"


@pytest.mark.usefixtures("learners_settings")
def test_the_learners_own_figures_have_the_style_only_if_asked_for() -> None:
    before = dict(mpl.rcParams)
    drawn()
    with pytest.raises(RuntimeError), figures.own_style():
        raise RuntimeError
    assert dict(mpl.rcParams) == before
    figure, axes = plt.subplots()
    axes.set_title("x")
    assert (axes.get_title(), axes.get_title(loc="left")) == ("x", "")
    plt.close(figure)
    hs.use_style()
    assert {name: mpl.rcParams[name] for name in figures.style()} == figures.style()
    assert mpl.rcParams["font.family"] == ["DejaVu Sans", figures.KOREAN_FONT]
