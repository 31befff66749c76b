"""Lesson 4's panel: concurrency, rate limit and faults, and who waits when."""

from __future__ import annotations

import io
from collections.abc import Iterable

import ipywidgets as w

from holysheep_helpers.batch_result import BatchResult
from holysheep_helpers.batching import batch_sync
from holysheep_helpers.gateway import Gateway
from holysheep_helpers.widgets import LABEL, WIDE, Panel

TOKENS = 80


class BatchPanel(Panel):
    """A batch of short questions, drawn as a Gantt chart; ``result`` is the last one.

    "Per minute" 0 sets no pace. The share of requests that fail with a 503 is up to the mock; live,
    that slider is off.
    """

    title = "Who waits when"

    def _body(self) -> Iterable[w.Widget]:
        self.result: BatchResult | None = None
        self.prompts = _slider("Prompts", 24, 1, 60)
        self.concurrency = _slider("At once", 5, 1, 30)
        self.per_minute = _slider("Per minute", 0, 0, 3000, step=60)
        self.faults = _slider("Faults, %", 0, 0, 60, step=5)
        self.faults.disabled = self.gateway.mock is None
        self.figure = w.Image(format="png", layout=w.Layout(width="100%", max_width="720px"))
        self.figure.layout.display = "none"
        yield from (self.prompt, self.prompts, self.concurrency, self.per_minute, self.faults)
        yield from (self.send, self.status, self.figure)

    def _work(self) -> None:
        from holysheep_helpers.plots_batch import plot_gantt

        count = self.prompts.value
        if self.gateway.mock is not None:
            share = self.faults.value / 100
            self.gateway.mock.script(503, probability=share)
        result = self.result = batch_sync(
            self.gateway,
            [f"{self.prompt.value} ({number + 1})" for number in range(count)],
            max_concurrency=self.concurrency.value,
            requests_per_minute=self.per_minute.value or None,
            max_tokens=TOKENS,
            progress=False,
        )
        png = io.BytesIO()
        plot_gantt(result).savefig(png, format="png")
        self.figure.value = png.getvalue()
        self.figure.layout.display = ""
        self.text = result.summary()
        facts = [*self.text.splitlines(), f"{result.elapsed_s:.2f} s", str(self.gateway.spend)]
        self._say(" · ".join(facts))


def _slider(name: str, value: int, low: int, high: int, step: int = 1) -> w.IntSlider:
    return w.IntSlider(
        value=value, min=low, max=high, step=step, description=name,
        continuous_update=False, layout=WIDE, style=LABEL,
    )  # fmt: skip


def batch_panel(
    gateway: Gateway, prompt: str = "Explain what an API gateway is in two sentences."
) -> BatchPanel:
    """Lesson 4's panel: one question many times, with the knobs of ``hs.batch``."""
    return BatchPanel(gateway, prompt)
