"""Figures in one style: readable in light and dark themes, safe for the colour-blind, Korean.

Importing this module sets that style for Matplotlib in this kernel, the learner's own figures too.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib import font_manager
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from holysheep_helpers.client.chat import AsyncStream, Stream
from holysheep_helpers.exceptions import InputError

KOREAN_FONT = "NanumGothic"


# Okabe and Ito's palette, distinguishable with every common colour blindness (2008), and a grey.
BLUE, RED, GREEN, PINK, SKY, AMBER = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00",
)  # fmt: skip


BLACK, GREY, WHITE = "#000000", "#767676", "#FFFFFF"


COLOURS = (BLUE, RED, GREEN, PINK, BLACK, GREY)
"""For lines and marks, one after the other: a contrast of 3 or more against white.

``SKY``, ``AMBER`` and ``PALE`` are too light for that: they only fill, with a darker edge or hatch.
"""


PALE = "#F3D3BF"


FAILED: dict[str, Any] = {
    "facecolor": RED, "hatch": "xxxx", "hatchcolor": WHITE, "edgecolor": RED,
}  # fmt: skip


LIMITED: dict[str, Any] = {
    "facecolor": AMBER, "hatch": "////", "hatchcolor": BLACK, "edgecolor": BLACK, "linewidth": 0.8,
}  # fmt: skip


def _use_style() -> None:
    spec = find_spec("koreanize_matplotlib")  # for its font files: its import fails on 3.12+
    for folder in spec.submodule_search_locations or () if spec else ():
        for file in sorted(Path(folder, "fonts").glob("*.ttf")):
            font_manager.fontManager.addfont(file)
    mpl.rcParams.update(
        {
            # Korean letters alone come from the second: its bold full stop looks like a comma.
            "font.family": ["DejaVu Sans", KOREAN_FONT] if korean_font_found() else ["DejaVu Sans"],
            "font.size": 11,
            "axes.unicode_minus": False,  # NanumGothic has no U+2212
            "axes.prop_cycle": cycler(color=COLOURS),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": "#dddddd",
            "axes.axisbelow": True,
            "axes.titlelocation": "left",
            "axes.titleweight": "bold",
            "figure.facecolor": WHITE,  # opaque: a dark theme must not swallow the labels
            "savefig.facecolor": WHITE,
            "savefig.bbox": "tight",  # no label is cut off, however long
            "savefig.pad_inches": 0.15,
            "figure.figsize": (8, 4),
            "figure.dpi": 100,
        }
    )


def korean_font_found() -> bool:
    """Whether Matplotlib knows the Korean font."""
    return any(font.name == KOREAN_FONT for font in font_manager.fontManager.ttflist)


def plot_streams(streams: Stream | AsyncStream | Mapping[str, Stream | AsyncStream]) -> Figure:
    """Characters received over time: a staircase for each stream, its first text marked.

    ``streams`` is one stream that was read, or several by name. The horizontal axis is seconds
    since the call. Raises ``InputError`` if one of them has no text yet.
    """
    named = {"": streams} if isinstance(streams, Stream | AsyncStream) else dict(streams)
    if not named:
        raise InputError("No stream was given: read one to its end, then hand it over.")
    figure, axes = plt.subplots()
    for colour, (name, stream) in zip(COLOURS * len(named), named.items(), strict=False):
        if not stream.timeline or stream.elapsed_s is None:
            plt.close(figure)
            raise InputError(
                f"The stream {name or stream!r} has no text yet: read it first, "
                "`for text in stream: ...` or `stream.read()`."
            )
        _staircase(axes, name, stream, colour)
    first, last = named[next(iter(named))], max(s.elapsed_s or 0 for s in named.values())
    axes.set_title(
        f"First text after {first.ttft_s or 0:.2f} s, all of it after {first.elapsed_s or 0:.2f} s"
        if len(named) == 1
        else _soonest(named)
    )
    axes.set_xlabel("seconds since the call")
    axes.set_ylabel("characters received")
    axes.set_xlim(0, last * 1.05)
    axes.set_ylim(0, None)
    axes.legend(loc="lower right", frameon=True)
    figure.tight_layout()
    plt.close(figure)  # the returned figure is shown once, by the cell that has it last
    return figure


def _soonest(named: Mapping[str, Stream | AsyncStream]) -> str:
    first_s = {name: stream.ttft_s or 0 for name, stream in named.items()}
    name = min(first_s, key=first_s.__getitem__)
    return f"{name}: first text after {first_s[name]:.2f} s, the soonest of {len(named)}"


def plot_bars(values: Mapping[str, Decimal | float], axis_label: str, title: str) -> Figure:
    """One horizontal bar for each name, in the order given, with its figure at its end.

    ``axis_label`` names what is compared, and its unit. Raises ``InputError`` if there is nothing
    to compare, or one of the values is no finite number, 0 or more.
    """
    if not values:
        raise InputError("There is nothing to draw: hand over a dict from names to numbers.")
    for name, value in values.items():
        if not isinstance(value, Decimal | int | float) or not 0 <= value < float("inf"):
            raise InputError(f"{name} is {value!r}: a finite number, 0 or more, is needed.")
    figure, axes = plt.subplots(figsize=(8, 1.2 + 0.5 * len(values)))
    bars = axes.barh(list(values), [float(value) for value in values.values()], color=BLUE)
    axes.bar_label(bars, [f"{value:,.4g}" for value in map(float, values.values())], padding=4)
    axes.invert_yaxis()  # the first name on top
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.12)
    axes.set_xlabel(axis_label)
    axes.set_title(title)
    figure.tight_layout()
    plt.close(figure)  # the returned figure is shown once, by the cell that has it last
    return figure


def _staircase(axes: Axes, name: str, stream: Stream | AsyncStream, colour: str) -> None:
    times, counts, total = [0.0], [0], 0
    for at_s, text in stream.timeline:
        total += len(text)
        times.append(at_s)
        counts.append(total)
    times.append(stream.elapsed_s or times[-1])
    counts.append(total)
    prefix = f"{name}: " if name else ""
    axes.step(times, counts, where="post", color=colour, linewidth=2, label=f"{prefix}text so far")
    axes.axvline(
        stream.ttft_s or 0,
        color=colour,
        linestyle="--",
        linewidth=1.5,
        label=f"{prefix}first text, {stream.ttft_s or 0:.2f} s",
    )
    if not stream.complete:
        axes.plot(times[-1], total, marker="x", markersize=11, markeredgewidth=3, color=colour)
        axes.annotate(
            "ended here, no finish reason",
            (times[-1], total),
            xytext=(-8, -16),
            textcoords="offset points",
            ha="right",
        )


_use_style()


def littles_law(concurrency: float, request_s: float, limit_per_s: float | None) -> float:
    """Requests a second by Little's law, ``L = λ W`` (J. Little, 1961): ``concurrency /
    request_s``, and no more than ``limit_per_s``, where there is a limit."""
    return min(concurrency / request_s, limit_per_s or float("inf"))
