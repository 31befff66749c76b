"""What every panel that asks shares: a prompt, Send and Stop, one request at a time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, TypeVar

import ipywidgets as w

from holysheep_helpers import catalog
from holysheep_helpers.client.gateway import Gateway
from holysheep_helpers.controls import Button, FloatSlider, IntSlider
from holysheep_helpers.panel_view import View

T = TypeVar("T")


class Panel(View):
    """A panel that asks. What is sent is what it shows when *Send* is pressed.

    ``_work`` gets the knobs' values of that moment, by name: what is changed later is for the next
    press. It runs in a thread, so that the kernel stays free to hear *Stop*.
    """

    def __init__(self, gateway: Gateway, prompt: str) -> None:
        self.gateway = gateway
        self.prompt = w.Textarea(value=prompt, description="Prompt", rows=3)
        self.send = Button("Send", primary=True)
        self.stop = Button("Stop", disabled=True)
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
        at = SimpleNamespace(**{name: part.value for name, part in self._values().items()})
        self.send.disabled = True
        self.text = self.answer.value = ""  # an old answer must not stand over a new error
        self._say("Waiting for the answer …")
        self._stopped.clear()
        self.stop.disabled = False
        self._thread = threading.Thread(target=self._run, args=(at,), daemon=True)
        self._thread.start()

    def _values(self) -> dict[str, Any]:
        return dict(self.knobs())

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

            self._on_stop = end
            if self._stopped.is_set():
                end()
            try:
                return await work
            finally:
                self._no_more_stop()

        return asyncio.run(watched())

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


def slider(name: str, value: int, low: int, high: int, step: int = 1) -> IntSlider:
    """A slider for whole numbers, which changes once it is let go."""
    return IntSlider(description=name, value=value, min=low, max=high, step=step)


def fractions(name: str, value: float, low: float, high: float, step: float) -> FloatSlider:
    """A slider for fractions, which changes once it is let go."""
    return FloatSlider(description=name, value=value, min=low, max=high, step=step)
