"""Lesson 8's panel: a text, a limit and an overlap; the parts drawn, and what asking would cost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import ipywidgets as w

from holysheep_helpers.errors import HolySheepError
from holysheep_helpers.gateway import Gateway
from holysheep_helpers.long_plan import LongPlan, plan_long
from holysheep_helpers.long_prompts import LongReply, ask_long
from holysheep_helpers.widgets import (
    LABEL,
    WIDE,
    Panel,
    figure_box,
    model_choice,
    show_figure,
    slider,
)


class LongPanel(Panel):
    """A text in parts; ``plan`` is what would be sent, ``reply`` the last answer.

    The sliders split the text and draw the parts: nothing is sent before *Send*.
    """

    title = "A long text in parts"

    def __init__(self, gateway: Gateway, prompt: str, text: str) -> None:
        self._given = text
        super().__init__(gateway, prompt)
        self.prompt.description = "Instruction"
        self._look()

    def _body(self) -> Iterable[w.Widget]:
        self.plan: LongPlan | None = None
        self.reply: LongReply | None = None
        self.document = w.Textarea(
            value=self._given, description="Text", rows=6, continuous_update=False,
            layout=WIDE, style=LABEL,
        )  # fmt: skip
        self.model = model_choice()
        self.part_tokens = slider("Part, tokens", 400, 50, 4000, step=50)
        self.overlap = slider("Overlap", 0, 0, 200, step=10)
        self.max_tokens = slider("max_tokens", 200, 1, 2000)
        self.figure = figure_box()
        knobs = (self.document, self.model, self.part_tokens, self.overlap, self.max_tokens)
        for knob in knobs:
            knob.observe(lambda _: self._look(), names="value")
        yield from (self.prompt, *knobs, self.send, self.status, self.figure, self.answer)

    def _settings(self) -> dict[str, Any]:
        return {
            "model": str(self.model.value),
            "part_tokens": self.part_tokens.value,
            "overlap": self.overlap.value,
            "max_tokens": self.max_tokens.value,
        }

    def _look(self) -> None:
        """Plan anew, and draw it, or say what is in the way."""
        self.plan = None
        self.answer.value = ""  # it belongs to another plan
        try:
            self._draw()
        except HolySheepError as error:
            self.figure.layout.display = "none"
            self._say(str(error), alarm=True)

    def _draw(self) -> None:
        from holysheep_helpers.plots_parts import plot_parts

        self.plan = plan_long(
            self.gateway, self.prompt.value, self.document.value, **self._settings()
        )
        self.text = str(self.plan)
        self._say(" · ".join(self.text.splitlines()))
        show_figure(self.figure, plot_parts(self.plan))

    def _work(self) -> None:
        asked = ask_long(
            self.gateway, self.prompt.value, self.document.value, progress=False, **self._settings()
        )
        reply = self.reply = asyncio.run(asked)
        self._show(str(reply))
        self._say(f"{reply.summary()} · spent so far {self.gateway.spend}")


def long_panel(
    gateway: Gateway,
    text: str,
    prompt: str = "Which of these messages need an answer today? List them.",
) -> LongPanel:
    """Lesson 8's panel: split ``text``, see the parts and their cost, then ask about it."""
    return LongPanel(gateway, prompt, text)
