"""What a panel shows and says, with or without a gateway behind it, and how it ends."""

from __future__ import annotations

import asyncio
import logging
import threading
import traceback
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager, suppress
from html import escape
from types import SimpleNamespace
from typing import Any, ClassVar, TypeVar

import ipywidgets as w
import openai

from holysheep_helpers import catalog
from holysheep_helpers.client.gateway import Gateway
from holysheep_helpers.exceptions import HolySheepError, collect_warnings
from holysheep_helpers.notebook import controls
from holysheep_helpers.notebook.controls import Button, FloatSlider, IntSlider

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())  # what a panel logs is in no cell's output, unless you ask

KNOBS = (controls.Slider, w.Dropdown, w.Text, w.Textarea, w.Checkbox)

T = TypeVar("T")


class View:
    """A titled column of widgets, a place for an answer and one for what there is to say.

    ``text`` has what it shows; ``traceback`` where the last error came from, for the log. The key
    is in neither, whatever a server says. Stored in a notebook it is one fixed line of text. To run
    a panel's cell again closes the panel that the cell had made before; ``close()`` does so at any
    time.
    """

    title = "Panel"
    _open: ClassVar[list[View]] = []
    """All that are not closed."""

    def __init__(self) -> None:
        self.text = self.traceback = ""
        self.closed = False
        self.answer = w.HTML()
        self.status = w.HTML()
        self.warned = w.HTML()
        body = [*self._body(), self.warned]
        self._view = w.VBox([controls.Frame(title=self.title), *body])
        self._view.add_class("hs-panel")
        self._cell, self._run_of_cell = _running()
        for earlier in self._open.copy() if self._cell else ():
            if earlier._cell == self._cell and earlier._run_of_cell != self._run_of_cell:
                earlier.close()
        self._open.append(self)

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
        self._warn(())
        with collect_warnings() as warned:
            try:
                work()
            except Exception as error:  # noqa: BLE001  # whatever it is, it must not vanish
                self._fail(error)
            finally:
                if warned:  # work that began a thread has none, and must not take the thread's away
                    self._warn(warned)

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
        texts = dict.fromkeys(map(self._without_key, said))
        inside = "".join(f"<div>Warning: {escape(text)}</div>" for text in texts)
        self.warned.value = f'<div class="hs-warned" role="status">{inside}</div>' * bool(inside)

    def _show(self, text: str, *, columns: bool = False) -> None:
        self.text = text
        look = "hs-answer hs-fixed" if columns else "hs-answer"
        self.answer.value = f'<div class="{look}" aria-live="polite">{escape(self.text)}</div>'

    def _show_table(self, html: str, name: str) -> None:
        """Show a table, which is scrolled where it is wider than the panel."""
        look = f'class="hs-scroll" tabindex="0" role="region" aria-label="{escape(name)}"'
        self.answer.value = f"<div {look}>{self._without_key(html)}</div>"

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
        self._open.remove(self)
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


class Panel(View):
    """A panel that asks. What is sent is what it shows when *Send* is pressed.

    ``_work`` gets the knobs' values of that moment, by name: what is changed later is for the next
    press. It runs in a thread, so that the kernel stays free to hear *Stop*. A panel that scripts
    faults is ``apart``: it asks with a key of its own, so that a cell which is running meets none.
    """

    apart = False

    def __init__(self, gateway: Gateway, prompt: str) -> None:
        self.gateway = gateway.apart(type(self).__name__) if self.apart else gateway
        self.prompt = w.Textarea(value=prompt, description="Prompt", rows=3)
        self.send = Button("Send", primary=True)
        self.stop = Button("Stop", disabled=True)
        self.figure = controls.FigureBox()
        self.send.on_click(lambda: self._guarded(self._start))
        self.stop.on_click(self._stop)
        self._stopped, self._lock = threading.Event(), threading.Lock()
        self._on_stop: Callable[[], None] | None = None
        self._thread: threading.Thread | None = None
        super().__init__()
        self.send.brings(*self.knobs().values())

    def _work(self, at: Any) -> None:
        raise NotImplementedError

    def _start(self) -> None:
        if self.send.disabled:  # the answer to the last press is still to come
            return
        at = self._at()
        self.send.disabled = True
        self.text = self.answer.value = ""  # an old answer must not stand over a new error
        self.figure.hide()
        self._say("Waiting for the answer …")
        self._stopped.clear()
        self.stop.disabled = False
        self._thread = threading.Thread(target=self._run, args=(at,), daemon=True)
        self._thread.start()

    def _at(self) -> SimpleNamespace:
        """The knobs' values, by name."""
        knobs: dict[str, Any] = self.knobs()
        return SimpleNamespace(**{name: part.value for name, part in knobs.items()})

    def _run(self, at: Any) -> None:
        try:
            self._guarded(lambda: self._work(at))
        finally:
            self._no_more_stop()
            self.send.disabled = False

    def _stop(self) -> None:
        with self._lock:
            if self.stop.disabled:
                return
            self._say("Stopping …")
        self._end()

    def _no_more_stop(self) -> None:
        """The work is done, and what is said from now on is the last word."""
        with self._lock:
            self.stop.disabled = True
            self._on_stop = None

    def _end(self) -> None:
        self._stopped.set()
        if (end := self._on_stop) is not None:
            end()

    def _until_stopped(self, work: Coroutine[Any, Any, T]) -> T:
        """Run this to its end; raises ``asyncio.CancelledError`` where *Stop* is pressed first."""

        async def watched() -> T:
            loop, task = asyncio.get_running_loop(), asyncio.current_task()
            assert task is not None

            def end() -> None:
                with suppress(RuntimeError):  # it has just ended, and its loop with it
                    loop.call_soon_threadsafe(task.cancel)

            with self._ended_by(end):
                return await work

        return asyncio.run(watched())

    @contextmanager
    def _ended_by(self, end: Callable[[], None]) -> Iterator[None]:
        """Inside, *Stop* calls ``end``: at once, if it was pressed before."""
        self._on_stop = end
        if self._stopped.is_set():
            end()
        try:
            yield
        finally:
            self._no_more_stop()

    def _without_key(self, text: str) -> str:
        return self.gateway.without_key(text)

    def wait(self, timeout_s: float = 60) -> None:
        """Wait until the request that the button sent has been answered, stopped or failed."""
        if self._thread is not None:
            self._thread.join(timeout_s)


def buttons(*parts: Button) -> w.HBox:
    """Buttons in a row."""
    row = w.HBox(list(parts))
    row.add_class("hs-buttons")
    return row


def model_choice(value: str = catalog.DEFAULT_MODEL, name: str = "Model") -> w.Dropdown:
    """The models that the gateway has published."""
    known = [
        (f"{m.name} ({m.id}){', on its way out' if m.warning() else ''}", m.id)
        for m in catalog.models(published_only=True)
    ]
    return w.Dropdown(options=known, value=value, description=name)


def int_slider(name: str, value: int, low: int, high: int, step: int = 1) -> IntSlider:
    """A slider for whole numbers, which changes once it is let go."""
    return IntSlider(description=name, value=value, min=low, max=high, step=step)


def float_slider(name: str, value: float, low: float, high: float, step: float) -> FloatSlider:
    """A slider for fractions, which changes once it is let go."""
    return FloatSlider(description=name, value=value, min=low, max=high, step=step)


class Debounce:
    """Calls ``do`` once, ``after_s`` seconds after the last ``call()``.

    Where no loop runs (plain Python) it is done at once: no one moves a slider there faster than
    it can be followed.
    """

    def __init__(self, do: Callable[[], None], after_s: float = 0.15) -> None:
        self.after_s = after_s
        self._do = do
        self._timer: asyncio.TimerHandle | None = None

    def call(self) -> None:
        """Do it after the wait, which begins again with each call."""
        self.cancel()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._do()
        else:
            self._timer = loop.call_later(self.after_s, self.flush)

    def flush(self) -> None:
        """Do at once what is due; nothing if nothing is."""
        if self._timer is not None:
            self.cancel()
            self._do()

    def cancel(self) -> None:
        """Leave what is due undone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _running() -> tuple[str, str]:
    """The id of the cell that runs, and of this run of it; empty where it is not known."""
    import IPython

    shell = IPython.get_ipython()
    parent = getattr(shell, "get_parent", dict)() if shell is not None else {}
    cell = parent.get("metadata", {}).get("cellId") or ""
    return cell, parent.get("header", {}).get("msg_id", "")
