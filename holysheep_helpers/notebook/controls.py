"""The parts of a panel that ipywidgets has no accessible form of: native elements, each named.

A slider is a labelled ``<input type="range">`` beside its number, a button takes the knobs' values
along when it is pressed, a figure has words for those who do not see it, and a frame keeps the
panel's keys in the panel. Their few lines of JavaScript and the style are in ``front/``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import ipywidgets as w
import traitlets as t

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.text import Text

FRONT = Path(__file__).with_name("front")


def _front(name: str) -> str:
    return (FRONT / name).read_text("utf-8")


class Slider(anywidget.AnyWidget):
    """A slider, and its number beside it. ``value`` changes once it is let go.

    Raises ``traitlets.TraitError`` for a value that is off its range or between two steps.
    """

    _esm = _front("slider.js")
    description = t.Unicode().tag(sync=True)
    disabled = t.Bool(False).tag(sync=True)

    @t.validate("value")
    def _allowed(self, proposal: dict[str, Any]) -> Any:
        value = proposal["value"]
        low, high, step = (getattr(self, name) for name in ("min", "max", "step"))
        steps = (value - low) / step
        if not (low <= value <= high and abs(steps - round(steps)) < 1e-6):
            raise t.TraitError(
                f"{self.description} is {value}: give a number from {low} to {high}, in steps of "
                f"{step} from {low}."
            )
        return value


class IntSlider(Slider):
    """A slider for whole numbers."""

    value = t.Int().tag(sync=True)
    min = t.Int(0).tag(sync=True)
    max = t.Int(100).tag(sync=True)
    step = t.Int(1).tag(sync=True)


class FloatSlider(Slider):
    """A slider for fractions."""

    value = t.Float().tag(sync=True)
    min = t.Float(0.0).tag(sync=True)
    max = t.Float(1.0).tag(sync=True)
    step = t.Float(0.1).tag(sync=True)


class Button(anywidget.AnyWidget):
    """A button; pressed in a browser, it first brings its knobs to what they show there.

    Changes travel to the kernel one by one, and a click may overtake them.
    """

    _esm = _front("button.js")
    description = t.Unicode().tag(sync=True)
    disabled = t.Bool(False).tag(sync=True)
    primary = t.Bool(False).tag(sync=True)
    knobs = t.Dict().tag(sync=True)

    def __init__(self, description: str, **traits: Any) -> None:
        self._known: dict[str, w.Widget] = {}
        self._handlers: list[Callable[[], None]] = []
        super().__init__(description=description, **traits)
        self.on_msg(self._hear)

    def brings(self, *knobs: w.Widget) -> None:
        """Take these knobs' values along with each click."""
        self._known = {knob.model_id: knob for knob in knobs}
        self.knobs = {  # ipywidgets tells a list's choice by its index
            name: "index" if isinstance(knob, w.Dropdown) else "value"
            for name, knob in self._known.items()
        }

    def on_click(self, handler: Callable[[], None]) -> None:
        """Call ``handler`` on each press."""
        self._handlers.append(handler)

    def click(self) -> None:
        """Press it, from code."""
        for handler in self._handlers:
            handler()

    def _hear(self, _: w.Widget, content: dict[str, Any], __: Any) -> None:
        if content.get("event") != "click":
            return
        self.send({"event": "heard"})
        for name, value in content.get("shown", {}).items():
            if name in self._known:
                self._known[name].set_state({self.knobs[name]: value})
        self.click()


class FigureBox(anywidget.AnyWidget):
    """A place for a figure: ``value`` is its PNG, ``alt`` says what it shows."""

    _esm = _front("figure.js")
    value = t.Bytes(b"").tag(sync=True)
    alt = t.Unicode("").tag(sync=True)

    def __init__(self) -> None:
        super().__init__()
        self.hide()

    def hide(self) -> None:
        """Take no place until something is drawn."""
        self.layout.display = "none"

    def draw(self, figure: Figure) -> None:
        """Show this figure, and say in words what it shows."""
        png = BytesIO()
        figure.savefig(png, format="png")
        with self.hold_sync():
            self.value, self.alt = png.getvalue(), describe_figure(figure)
        self.layout.display = ""


def describe_figure(figure: Figure) -> str:
    """What a figure shows: its titles, axes and legends."""
    said = ["Figure"]
    for axes in figure.axes:
        titles = (axes.get_title(loc=place) for place in ("left", "center", "right"))
        said.append(next(filter(None, titles), "").replace("\n", " "))
        across, up = axes.get_xlabel(), axes.get_ylabel()
        said += [f"Across: {across}" if across else "", f"Up: {up}" if up else ""]
        said.append(_names("Rows", axes.get_yticklabels()))
    legends = [*(axes.get_legend() for axes in figure.axes), *figure.legends]
    keys = [text for legend in legends if legend for text in legend.get_texts()]
    return ". ".join(filter(None, [*said, _names("Legend", keys)])) + "."


def _names(what: str, texts: Iterable[Text]) -> str:
    """The names among them: the numbers of an axis say nothing without the picture."""
    said = (text.get_text().replace("\n", " ") for text in texts)
    names = dict.fromkeys(name for name in said if any(map(str.isalpha, name)))
    return f"{what}: {', '.join(names)}" if names else ""


class Frame(anywidget.AnyWidget):
    """A panel's title; it brings the style, and keeps arrow keys and letters from the notebook."""

    _esm = _front("frame.js")
    _css = _front("panel.css")
    title = t.Unicode().tag(sync=True)
