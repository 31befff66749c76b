"""Lesson 4's panel: concurrency, rate limit and faults, and who waits when."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

import ipywidgets as w

from holysheep_helpers.batch_result import BatchResult
from holysheep_helpers.batching import batch, last_batch
from holysheep_helpers.gateway import Gateway
from holysheep_helpers.widgets import Panel, figure_box, show_figure, slider

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
        self.stop = w.Button(description="Stop", disabled=True)
        self.figure = figure_box()
        yield from (self.prompt, self.prompts, self.concurrency, self.per_minute, self.faults)
        yield from (w.HBox([self.send, self.stop]), self.status, self.figure)

    def _work(self) -> None:
        self.figure.layout.display = "none"
        if self.gateway.mock is not None:
            self.gateway.mock.script(503, probability=self.faults.value / 100)
        try:
            result = asyncio.run(self._ask_all())
        except asyncio.CancelledError:
            result = last_batch()
        finally:
            if self.gateway.mock is not None:
                self.gateway.mock.script([])  # other cells may ask the same mock
        if result is not None:
            self._draw(result)

    async def _ask_all(self) -> BatchResult:
        count = self.prompts.value
        self._say(f"Prompts under way: {count} …")
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def end(_: w.Button) -> None:
            if task is not None:
                with suppress(RuntimeError):  # the batch has just ended, and its loop with it
                    loop.call_soon_threadsafe(task.cancel)

        self.stop.on_click(end)
        self.stop.disabled = False
        try:
            return await batch(
                self.gateway,
                [f"{self.prompt.value} ({number + 1})" for number in range(count)],
                max_concurrency=self.concurrency.value,
                requests_per_minute=self.per_minute.value or None,
                max_tokens=TOKENS,
                progress=False,
            )
        finally:
            self.stop.disabled = True
            self.stop.on_click(end, remove=True)

    def _draw(self, result: BatchResult) -> None:
        from holysheep_helpers.plots_batch import plot_gantt

        self.result = result
        self.text = result.summary()
        facts = [*self.text.splitlines(), f"{result.elapsed_s:.2f} s"]
        self._say(" · ".join([*facts, f"spent so far {self.gateway.spend}"]))
        if result.sent:
            show_figure(self.figure, plot_gantt(result))


def batch_panel(
    gateway: Gateway, prompt: str = "Explain what an API gateway is in two sentences."
) -> BatchPanel:
    """Lesson 4's panel: one question many times, with the knobs of ``hs.batch``."""
    return BatchPanel(gateway, prompt)
