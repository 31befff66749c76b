"""Lesson 4's panel: concurrency, rate limit and faults, and who waits when."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Iterable
from typing import Any

import ipywidgets as w

from holysheep_helpers.batches.batch import batch, last_batch
from holysheep_helpers.batches.long_prompts import LongPlan, LongReply, ask_long, plan_long
from holysheep_helpers.batches.results import BatchResult
from holysheep_helpers.client.gateway import Gateway
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.notebook.panels import Debounce, Panel, buttons, int_slider, model_choice

TOKENS = 80


class BatchPanel(Panel):
    """A batch of short questions, drawn as a Gantt chart; ``result`` is the last one.

    Stop ends it early, and draws what was asked until then. "Per minute" 0 sets no pace. The share
    of requests that fail with a 503 is up to the mock; live, that slider is off.
    """

    title = "Who waits when"
    apart = True

    def _body(self) -> Iterable[w.Widget]:
        self.result: BatchResult | None = None
        self.prompts = int_slider("Prompts", 24, 1, 60)
        self.concurrency = int_slider("Requests at once", 5, 1, 30)
        self.per_minute = int_slider("Per minute (0: no limit)", 0, 0, 3000, step=60)
        self.faults = int_slider("Faults, %", 0, 0, 60, step=5)
        self.faults.disabled = self.gateway.mock is None
        yield from (self.prompt, self.prompts, self.concurrency, self.per_minute, self.faults)
        yield from (buttons(self.send, self.stop), self.status, self.figure)

    def _work(self, at: Any) -> None:
        if not at.prompt.strip():
            raise InputError("The prompt is empty: write a question. Nothing was sent.")
        if self.gateway.mock is not None:
            self.gateway.mock.script(503, probability=at.faults / 100)
        try:
            self._say(f"Prompts in flight: {at.prompts} …")
            prompts = [f"{at.prompt} ({number + 1})" for number in range(at.prompts)]
            asked = batch(
                self.gateway, prompts, max_concurrency=at.concurrency, max_tokens=TOKENS,
                requests_per_minute=at.per_minute or None, progress=False,
            )  # fmt: skip
            result, stopped = self._until_stopped(asked), False
        except CancelledError:
            result, stopped = last_batch(), True
        if result is not None:
            self._draw(result, stopped)

    def _draw(self, result: BatchResult, stopped: bool) -> None:
        from holysheep_helpers.batches.plots import plot_gantt

        self.result = result
        self.text = result.summary()
        facts = [*self.text.splitlines(), f"{result.elapsed_s:.2f} s"]
        if stopped:
            sent = f"{result.sent} request{'s' * (result.sent != 1)} sent"
            answered = f"{len(result.ok)} of {len(result)} answered, {sent}"
            facts = [f"Stopped after {result.elapsed_s:.2f} s: {answered}"]
        self._say(" · ".join([*facts, f"spent so far {self.gateway.spend}"]))
        if any(item.timeline for item in result):
            self.figure.draw(plot_gantt(result))


def batch_panel(
    gateway: Gateway, prompt: str = "Explain what an API gateway is in two sentences."
) -> BatchPanel:
    """Show lesson 4's panel: one question many times, with the knobs of ``hs.batch``.

    Args:
        gateway: the gateway from ``hs.connect()``.
        prompt: the question, as text.

    Returns:
        A ``BatchPanel``: a widget that JupyterLab shows.

    Example:
        >>> panel = hs.batch_panel(gw)
        >>> panel.send.click(); panel.wait()
        >>> len(panel.result)
        24
    """
    return BatchPanel(gateway, prompt)


class LongPanel(Panel):
    """A text in parts; ``plan`` is what would be sent, ``reply`` the last answer.

    The knobs split the text and draw the parts once they rest (``wait()`` does so at once): nothing
    is sent before *Send*, which plans again with what the knobs show.
    """

    title = "A long text in parts"

    def __init__(self, gateway: Gateway, prompt: str, text: str) -> None:
        self._given = text
        self._redraw = Debounce(lambda: self._guarded(self._look))
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
        self.part_tokens = int_slider("Part, tokens", 400, 50, 4000, step=50)
        self.overlap = int_slider("Overlap, tokens", 0, 0, 200, step=10)
        self.max_tokens = int_slider("max_tokens", 200, 1, 2000)
        knobs = (self.document, self.model, self.part_tokens, self.overlap, self.max_tokens)
        self._follow(self._redraw.call, self.prompt, *knobs)
        yield from (self.prompt, *knobs, buttons(self.send, self.stop))
        yield from (self.status, self.figure, self.answer)

    def _start(self) -> None:
        self._redraw.cancel()  # Send plans again
        super()._start()

    def _look(self) -> None:
        """Plan again, and draw it; while an answer is awaited, its plan stays."""
        if self.send.disabled:
            return
        self.answer.value = ""  # it belongs to another plan
        self.text = str(self._draw(self._at()))
        self._say(" · ".join(self.text.splitlines()))

    def _draw(self, at: Any) -> LongPlan:
        from holysheep_helpers.batches.plots import plot_parts

        self.plan = None
        self.figure.hide()
        plan = self.plan = plan_long(self.gateway, at.prompt, at.document, **_settings(at))
        self.figure.draw(plot_parts(plan))
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
        self._redraw.cancel()
        super()._end()

    def wait(self, timeout_s: float = 60) -> None:
        """Plan at once where that is due, and wait for the answer of *Send*."""
        self._redraw.flush()
        super().wait(timeout_s)


def _settings(at: Any) -> dict[str, Any]:
    return {name: vars(at)[name] for name in ("model", "part_tokens", "overlap", "max_tokens")}


def long_panel(
    gateway: Gateway,
    text: str,
    prompt: str = "Which of these messages need an answer today? List them.",
) -> LongPanel:
    """Show lesson 10's panel: split a text, see its parts and their cost, then ask about it.

    Args:
        gateway: the gateway from ``hs.connect()``.
        text: the text, of any length.
        prompt: the instruction, as text.

    Returns:
        A ``LongPanel``: a widget that JupyterLab shows.

    Example:
        >>> panel = hs.long_panel(gw, "A sentence. " * 1000)
        >>> len(panel.plan.parts) > 1
        True
    """
    return LongPanel(gateway, prompt, text)
