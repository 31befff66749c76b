"""What a panel shows and says, with or without a gateway behind it, and how it ends."""

from __future__ import annotations

import io
import logging
import traceback
from collections.abc import Callable, Iterable, Iterator
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import openai

from holysheep_helpers.controls import FigureBox, Frame, Slider
from holysheep_helpers.exceptions import HolySheepError
from holysheep_helpers.panel_places import replace_earlier
from holysheep_helpers.panel_warnings import heard

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())  # what a panel logs is in no cell's output, unless you ask
KNOBS = (Slider, w.Dropdown, w.Text, w.Textarea, w.Checkbox)


class View:
    """A titled column of widgets, a place for an answer and one for what there is to say.

    ``text`` has what it shows; ``traceback`` where the last error came from, for the log. The key
    is in neither, whatever a server says. Stored in a notebook it is one fixed line of text. To run
    a panel's cell again closes the panel that the cell had made before; ``close()`` does so at any
    time.
    """

    title = "Panel"

    def __init__(self) -> None:
        self.text = self.traceback = ""
        self.closed = False
        self.answer = w.HTML()
        self.status = w.HTML()
        self.warned = w.HTML()
        body = [*self._body(), self.warned]
        self._view = w.VBox([Frame(title=self.title), *body])
        self._view.add_class("hs-panel")
        replace_earlier(self)

    @property
    def text(self) -> str:
        return self._text

    @text.setter
    def text(self, shown: str) -> None:
        self._text = self._without_key(shown)

    def _body(self) -> Iterable[w.Widget]:
        raise NotImplementedError

    def knobs(self) -> dict[str, w.Widget]:
        """The controls that hold a value, by their attribute's name."""
        return {name: part for name, part in vars(self).items() if isinstance(part, KNOBS)}

    def _follow(self, handler: Callable[[], None], *knobs: w.Widget) -> None:
        """Call ``handler`` at each change of these; what it raises is shown in the panel."""
        for knob in knobs:
            knob.observe(lambda _: self._guarded(handler), names="value")

    def _guarded(self, work: Callable[[], Any]) -> None:
        """Do this, and show in the panel what goes wrong, and what is warned of."""
        if self.closed:
            return
        said: list[str] = []
        try:
            with heard(said):
                work()
        except Exception as error:  # noqa: BLE001  # whatever it is, it must not vanish
            self._fail(error)
        finally:
            self._warn(said)

    def _fail(self, error: Exception) -> None:
        notes = " ".join(getattr(error, "__notes__", ()))
        text = f"{type(error).__name__}: {error} {notes}".strip()
        self.traceback = self._without_key("".join(traceback.format_exception(error)))
        if not isinstance(error, (HolySheepError, openai.OpenAIError)):
            text += " (Unexpected: print(panel.traceback) says where.)"
            log.error("%s", self.traceback)
        self._say(text, alarm=True)

    def _without_key(self, text: str) -> str:
        return text

    def _warn(self, said: Iterable[str]) -> None:
        lines = (
            f"<div>Warning: {escape(self._without_key(text))}</div>" for text in dict.fromkeys(said)
        )
        inside = "".join(lines)
        self.warned.value = f'<div class="hs-warned" role="status">{inside}</div>' * bool(inside)

    def _show(self, text: str, *, columns: bool = False) -> None:
        self.text = text
        look = "hs-answer hs-fixed" if columns else "hs-answer"
        self.answer.value = f'<div class="{look}" aria-live="polite">{escape(self.text)}</div>'

    def _show_table(self, html: str, name: str) -> None:
        """Show a table, which is scrolled where it is wider than the panel."""
        self.answer.value = (
            f'<div class="hs-scroll" tabindex="0" role="region" aria-label="{escape(name)}">'
            f"{self._without_key(html)}</div>"
        )

    def _say(self, text: str, *, alarm: bool = False) -> None:
        role = "alert" if alarm else "status"
        said = escape(self._without_key(text))
        self.status.value = f'<div class="hs-said" role="{role}">{said}</div>'
        if alarm:
            self.text = text

    def close(self) -> None:
        """End what the panel does, and take its widgets away; a second time does nothing."""
        if self.closed:
            return
        self.closed = True
        self._end()
        own = [part for part in vars(self).values() if isinstance(part, w.Widget)]
        for part in dict.fromkeys(part for top in (self._view, *own) for part in _parts(top)):
            part.close()

    def _end(self) -> None:
        """End timers and threads, if there are any."""

    def __repr__(self) -> str:
        return f"[{self.title}: run this cell in JupyterLab to use the panel]"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        view: Any = {} if self.closed else self._view._repr_mimebundle_(**kwargs)
        bundle = view[0] if isinstance(view, tuple) else view
        return {**bundle, "text/plain": repr(self), "text/html": f"<em>{escape(repr(self))}</em>"}


def _parts(widget: w.Widget) -> Iterator[w.Widget]:
    """A widget and all that is made with it, the innermost first."""
    for child in getattr(widget, "children", ()):
        yield from _parts(child)
    for name in ("layout", "style"):
        if isinstance(getattr(widget, name, None), w.Widget):
            yield getattr(widget, name)
    yield widget


def show_figure(box: FigureBox, figure: Figure) -> None:
    """Draw a figure into its place, and say in words what it shows."""
    png = io.BytesIO()
    figure.savefig(png, format="png")
    box.draw(png.getvalue(), in_words(figure))


def in_words(figure: Figure) -> str:
    """What a figure shows: its titles, axes and legends."""
    said = []
    for axes in figure.axes:
        titles = (axes.get_title(loc=place) for place in ("left", "center", "right"))
        said.append(next(filter(None, titles), "").replace("\n", " "))
        across, up = axes.get_xlabel(), axes.get_ylabel()
        said.append(f"Across: {across}" if across else "")
        said.append(f"Up: {up}" if up else "")
        said.append(_list([tick.get_text() for tick in axes.get_yticklabels()], "Rows"))
    legends = [axes.get_legend() for axes in figure.axes] + list(figure.legends)
    keys = [text.get_text() for legend in legends if legend for text in legend.get_texts()]
    said.append(_list(keys, "Legend"))
    return ". ".join(["Figure", *filter(None, said)]) + "."


def _list(texts: Iterable[str], name: str) -> str:
    """Names alone: the numbers of an axis say nothing without the picture."""
    kept = [text.replace("\n", " ") for text in texts if any(c.isalpha() for c in text)]
    return f"{name}: {', '.join(dict.fromkeys(kept))}" if kept else ""
