"""Figures in one style: readable in light and dark themes, safe for the colour-blind, Korean.

A figure keeps this style whenever it is made, changed or drawn. The learner's own figures do not
have it, unless they call ``hs.use_style()``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar

import matplotlib as mpl
from cycler import cycler
from matplotlib import axes as mpl_axes
from matplotlib import figure as mpl_figure
from matplotlib import font_manager
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

T = TypeVar("T")

STYLE = Path(__file__).with_name("lessons.mplstyle")
KOREAN_FONT = "NanumGothic"

# Okabe and Ito's palette, distinguishable with every common colour blindness (2008), and a grey.
BLUE, RED, GREEN, PINK, SKY, AMBER = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00",
)  # fmt: skip
BLACK, GREY, WHITE = "#000000", "#767676", "#FFFFFF"
PALE = "#F3D3BF"

COLOURS = (BLUE, RED, GREEN, PINK, BLACK, GREY)
"""For lines and marks, one after the other: a contrast of 3 or more against white.

``SKY``, ``AMBER`` and ``PALE`` are too light for that: they only fill, with a darker edge or hatch.
"""

FAILED: dict[str, Any] = {
    "facecolor": RED, "hatch": "xxxx", "hatchcolor": WHITE, "edgecolor": RED,
}  # fmt: skip
LIMITED: dict[str, Any] = {
    "facecolor": AMBER, "hatch": "////", "hatchcolor": BLACK, "edgecolor": BLACK, "linewidth": 0.8,
}  # fmt: skip

BESIDE: dict[str, Any] = {"textcoords": "offset points", "va": "center"}
"""For what is written beside a mark or a bar, so many points away."""

_one_thread_at_a_time = RLock()  # Matplotlib's settings belong to the whole process


def use_style() -> None:
    """Give your own Matplotlib figures the style of these lessons, in this kernel.

    It changes ``matplotlib.rcParams``: a palette for the colour-blind, one size of text, a font
    with Korean letters. Nothing else in this package changes those settings, and
    ``matplotlib.rcdefaults()`` takes the style away again.

    Returns:
        Nothing.

    Example:
        >>> import matplotlib
        >>> hs.use_style()
        >>> matplotlib.rcParams["font.size"]
        11.0
        >>> matplotlib.rcdefaults()
    """
    mpl.rcParams.update(style())


@contextmanager
def own_style() -> Iterator[None]:
    """Use the style inside, and leave Matplotlib's settings as they were."""
    with _one_thread_at_a_time:
        before: dict[RcKeyType, Any] = {name: mpl.rcParams[name] for name in style()}
        use_style()
        try:
            yield
        finally:
            mpl.rcParams.update(before)


@cache
def style() -> dict[RcKeyType, Any]:
    """Settings of Matplotlib; the first call loads the Korean font."""
    for file in _font_files():
        font_manager.fontManager.addfont(file)
    settings: dict[Any, Any] = dict(mpl.rc_params_from_file(STYLE, use_default_template=False))
    # Korean letters alone come from the second: its bold full stop looks like a comma.
    korean = [KOREAN_FONT] if korean_font_found() else []
    settings["font.family"] = ["DejaVu Sans", *korean]
    settings["axes.prop_cycle"] = cycler(color=COLOURS)
    return settings


def _font_files() -> list[Path]:
    """The fonts of koreanize_matplotlib, whose own import fails on Python 3.12 and later."""
    spec = find_spec("koreanize_matplotlib")
    folders = spec.submodule_search_locations or () if spec else ()
    return [file for folder in folders for file in sorted(Path(folder, "fonts").glob("*.ttf"))]


def korean_font_found() -> bool:
    """Whether the Korean font is installed."""
    known = (font.name for font in font_manager.fontManager.ttflist)
    return KOREAN_FONT in known or any(file.stem == KOREAN_FONT for file in _font_files())


def _in_own_style(*methods: str) -> Callable[[type[T]], type[T]]:
    """Make these methods of a class use the style."""

    def decorate(cls: type[T]) -> type[T]:
        for name in methods:
            setattr(cls, name, own_style()(getattr(cls, name)))
        return cls

    return decorate


@_in_own_style("clear", "set_title", "set_xticks", "set_yticks", "text", "annotate", "legend")
class Axes(mpl_axes.Axes):
    """Axes whose texts have the style, also those that a learner changes later."""


@_in_own_style("__init__", "add_subplot", "draw", "tight_layout", "suptitle", "text", "legend")
class Figure(mpl_figure.Figure):
    """A figure that is made, changed and drawn in the style, whenever that is.

    It is no figure of pyplot: a notebook shows it once, where it is a cell's last value.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        Canvas(self)

    def add_subplot(self, *place: Any, **options: Any) -> Any:
        if not options.keys() & {"projection", "polar"}:
            options = {"axes_class": Axes, **options}
        return super().add_subplot(*place, **options)

    def _repr_png_(self) -> bytes:
        png = BytesIO()
        # Without Matplotlib's version, a stored notebook changes only where a picture does.
        self.savefig(png, format="png", metadata={"Software": None})
        return _with_round_corners(png)


def _with_round_corners(png: BytesIO) -> bytes:
    """The picture as a card with round corners, which sits well on a dark page."""
    picture = Image.open(png).convert("RGBA")
    fine = Image.new("L", (4 * picture.width, 4 * picture.height))
    ImageDraw.Draw(fine).rounded_rectangle((0, 0, fine.width - 1, fine.height - 1), 48, fill=255)
    picture.putalpha(fine.resize(picture.size))
    card = BytesIO()
    picture.save(card, "PNG")
    return card.getvalue()


@_in_own_style("print_figure")
class Canvas(FigureCanvasAgg):
    """What saves a figure to a file, or for a notebook: margins and colours are the style's."""


def subplots(
    rows: int = 1, columns: int = 1, *, figsize: Any = None, layout: Any = None, **options: Any
) -> tuple[Figure, Any]:
    """A figure in the style and its axes, with the arguments of ``subplots``."""
    figure = Figure(figsize=figsize, layout=layout)
    with own_style():
        return figure, figure.subplots(rows, columns, **options)


def named_rows(
    names: Sequence[str], around: float, each: float, *, width: float = 8, ends: Any = (0.5, 0.5)
) -> tuple[Figure, Axes]:
    """A figure with a named row for each, the first on top, without lines between the rows.

    Sizes are in inches: ``around`` is the height of what stands around the rows, ``each`` that of a
    row. ``ends`` is how far the axis goes on from the middle of the first row, and of the last.
    """
    count = max(len(names), 1)
    figure, axes = subplots(figsize=(width, around + each * count), layout="constrained")
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(count - 1 + ends[1], -ends[0])
    axes.grid(visible=False, axis="y")
    return figure, axes


def legend_below(figure: mpl_figure.Figure, *more: Artist, **options: Any) -> None:
    """A legend under the figure: an entry for each label in its axes, then those of ``more``.

    An entry of ``more`` takes the place of one with the same label.
    """
    marks: dict[str, Any] = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        marks |= dict(zip(labels, handles, strict=True))
    marks |= {str(mark.get_label()): mark for mark in more}
    look = {"loc": "outside lower center", "ncols": 4, "frameon": False, **options}
    figure.legend(marks.values(), marks.keys(), **look)


def littles_curve(
    levels: Sequence[int], request_s: float, limit_per_s: float | None
) -> tuple[list[float], list[float]]:
    """Little's law over the concurrency, in 100 steps, and requests a second."""
    steps = [levels[0] + (levels[-1] - levels[0]) * n / 100 for n in range(101)]
    return steps, [littles_law(step, request_s, limit_per_s) for step in steps]


def littles_law(concurrency: float, request_s: float, limit_per_s: float | None) -> float:
    """Requests a second by Little's law, ``L = λ W`` (J. Little, 1961): ``concurrency /
    request_s``, and no more than ``limit_per_s``, where there is a limit."""
    return min(concurrency / request_s, limit_per_s or float("inf"))
