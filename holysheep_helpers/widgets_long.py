"""Lesson 8's panel: a text, a limit and an overlap; the parts drawn, and what asking would cost."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import ipywidgets as w

from holysheep_helpers.client.gateway import Gateway
from holysheep_helpers.long_plan import LongPlan, plan_long
from holysheep_helpers.long_prompts import LongReply, ask_long
from holysheep_helpers.notebook.controls import FigureBox
from holysheep_helpers.notebook.panels import (
    Panel,
    Soon,
    buttons,
    model_choice,
    show_figure,
    slider,
)


class LongPanel(Panel):
    """A text in parts; ``plan`` is what would be sent, ``reply`` the last answer.

    The knobs split the text and draw the parts once they rest (``wait()`` does so at once): nothing
    is sent before *Send*, which plans anew with what the knobs show.
    """

    title = "A long text in parts"

    def __init__(self, gateway: Gateway, prompt: str, text: str) -> None:
        self._given = text
        self._soon = Soon(lambda: self._guarded(self._look))
        super().__init__(gateway, prompt)
        self.prompt.description = "Instruction"
        self._guarded(self._look)

    def _body(self) -> Iterable[w.Widget]:
        self.plan: LongPlan | None = None
        self.reply: LongReply | None = None
        self.document = w.Textarea(
            value=self._given, description="Text", rows=6, continuous_update=False
        )
        self.model = model_choice()
        self.part_tokens = slider("Part, tokens", 400, 50, 4000, step=50)
        self.overlap = slider("Overlap", 0, 0, 200, step=10)
        self.max_tokens = slider("max_tokens", 200, 1, 2000)
        self.figure = FigureBox()
        knobs = (self.document, self.model, self.part_tokens, self.overlap, self.max_tokens)
        self._follow(self._soon.ask, self.prompt, *knobs)
        yield from (self.prompt, *knobs, buttons(self.send, self.stop))
        yield from (self.status, self.figure, self.answer)

    def _start(self) -> None:
        self._soon.forget()  # Send plans anew
        super()._start()

    def _look(self) -> None:
        """Plan anew, and draw it; while an answer is under way, its plan stays."""
        if self.send.disabled:
            return
        self.answer.value = ""  # it belongs to another plan
        at = SimpleNamespace(**{name: part.value for name, part in self._values().items()})
        plan = self._draw(at)
        self.text = str(plan)
        self._say(" · ".join(self.text.splitlines()))

    def _draw(self, at: Any) -> LongPlan:
        from holysheep_helpers.plots_parts import plot_parts

        self.plan = None
        self.figure.hide()
        plan = self.plan = plan_long(self.gateway, at.prompt, at.document, **_settings(at))
        show_figure(self.figure, plot_parts(plan))
        return plan

    def _work(self, at: Any) -> None:
        self._draw(at)
        asked = ask_long(self.gateway, at.prompt, at.document, progress=False, **_settings(at))
        try:
            reply = self.reply = self._until_stopped(asked)
        except CancelledError:
            self._say(f"Stopped: there is no answer. Spent so far {self.gateway.spend}", alarm=True)
            return
        self._show(str(reply))
        self._say(f"{reply.summary()} · spent so far {self.gateway.spend}")

    def _end(self) -> None:
        self._soon.forget()
        super()._end()

    def wait(self, timeout_s: float = 60) -> None:
        """Plan at once where that is due, and wait for the answer of *Send*."""
        self._soon.now()
        super().wait(timeout_s)


def _settings(at: Any) -> dict[str, Any]:
    return {name: vars(at)[name] for name in ("model", "part_tokens", "overlap", "max_tokens")}


def long_panel(
    gateway: Gateway,
    text: str,
    prompt: str = "Which of these messages need an answer today? List them.",
) -> LongPanel:
    """Lesson 8's panel: split ``text``, see the parts and their cost, then ask about it."""
    return LongPanel(gateway, prompt, text)
