"""Lesson 4's panel: concurrency, rate limit and faults, and who waits when."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Iterable
from typing import Any

import ipywidgets as w

from holysheep_helpers.batch_result import BatchResult
from holysheep_helpers.batching import batch, last_batch
from holysheep_helpers.client.gateway import Gateway
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.notebook.controls import FigureBox
from holysheep_helpers.notebook.panels import Panel, buttons, show_figure, slider

TOKENS = 80


class BatchPanel(Panel):
    """A batch of short questions, drawn as a Gantt chart; ``result`` is the last one.

    Stop ends it early, and draws what was asked until then. "Per minute" 0 sets no pace. The share
    of requests that fail with a 503 is up to the mock; live, that slider is off.
    """

    title = "Who waits when"

    def _body(self) -> Iterable[w.Widget]:
        self.result: BatchResult | None = None
        self.prompts = slider("Prompts", 24, 1, 60)
        self.concurrency = slider("At once", 5, 1, 30)
        self.per_minute = slider("Per minute", 0, 0, 3000, step=60)
        self.faults = slider("Faults, %", 0, 0, 60, step=5)
        self.faults.disabled = self.gateway.mock is None
        self.figure = FigureBox()
        yield from (self.prompt, self.prompts, self.concurrency, self.per_minute, self.faults)
        yield from (buttons(self.send, self.stop), self.status, self.figure)

    def _work(self, at: Any) -> None:
        self.figure.hide()
        if not at.prompt.strip():
            raise InputError("The prompt is empty: write a question. Nothing was sent.")
        if self.gateway.mock is not None:
            self.gateway.mock.script(503, probability=at.faults / 100)
        try:
            result = self._until_stopped(self._ask_all(at))
            said = []
        except CancelledError:
            result = last_batch()
            said = ["Stopped: those that had no answer yet are counted as failed (NotAskedError)"]
        finally:
            if self.gateway.mock is not None:
                self.gateway.mock.script([])  # other cells may ask the same mock
        if result is not None:
            self._draw(result, said)

    async def _ask_all(self, at: Any) -> BatchResult:
        self._say(f"Prompts under way: {at.prompts} …")
        return await batch(
            self.gateway,
            [f"{at.prompt} ({number + 1})" for number in range(at.prompts)],
            max_concurrency=at.concurrency,
            requests_per_minute=at.per_minute or None,
            max_tokens=TOKENS,
            progress=False,
        )

    def _draw(self, result: BatchResult, said: list[str]) -> None:
        from holysheep_helpers.plots_batch import plot_gantt

        self.result = result
        self.text = result.summary()
        facts = [*said, *self.text.splitlines(), f"{result.elapsed_s:.2f} s"]
        self._say(" · ".join([*facts, f"spent so far {self.gateway.spend}"]))
        if result.sent:
            show_figure(self.figure, plot_gantt(result))


def batch_panel(
    gateway: Gateway, prompt: str = "Explain what an API gateway is in two sentences."
) -> BatchPanel:
    """Lesson 4's panel: one question many times, with the knobs of ``hs.batch``."""
    return BatchPanel(gateway, prompt)
