"""The panel of lessons 5 and 6: model, runs, concurrency and length, and how latency is spread."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from math import isfinite
from typing import Any

import ipywidgets as w

from holysheep_helpers.client.gateway import Gateway
from holysheep_helpers.latency.load import LoadPlan
from holysheep_helpers.latency.measure import plan_measurement
from holysheep_helpers.latency.run import LatencyRun
from holysheep_helpers.notebook.panels import Panel, buttons, int_slider, model_choice


class LatencyPanel(Panel):
    """A measurement, drawn as its distribution; ``result`` is the last one, ``before`` the one
    before it that could be drawn, which stays in grey.

    Stop ends it early, and shows what was measured until then. ``text`` is the summary.
    """

    title = "How long it takes"

    def _body(self) -> Iterable[w.Widget]:
        self.result: LatencyRun | None = None
        self.before: LatencyRun | None = None
        self.send.description = "Measure"
        self.model = model_choice()
        self.runs = int_slider("Runs", 20, 1, 100)
        self.concurrency = int_slider("Requests at once", 1, 1, 16)
        self.max_tokens = int_slider("max_tokens", 40, 1, 200)
        yield from (self.prompt, self.model, self.runs, self.concurrency, self.max_tokens)
        yield from (buttons(self.send, self.stop), self.status, self.figure, self.answer)

    def _work(self, at: Any) -> None:
        plan = LoadPlan(at.runs, warmup=1, concurrency=at.concurrency)
        measurement = plan_measurement(
            self.gateway, at.prompt, plan, model=at.model, max_tokens=at.max_tokens
        )
        self._say("Warming up …")
        so_far = count(1)
        with self._ended_by(measurement.stop):
            result = measurement.run_in_thread(
                lambda _: self._say(f"Measured {next(so_far)} of {at.runs} …")
            )
        self._show_run(result)

    def _show_run(self, result: LatencyRun) -> None:
        if not result.runs:
            self._say("Stopped before anything was measured.", alarm=True)
            return
        if self.result is not None and _has_tokens(self.result):
            self.before = self.result
        self.result = result
        summary = result.summary()
        self.text = str(summary)
        self._show_table(summary._repr_html_(), "Latency, summed up")
        self._say(f"{len(result)} runs · spent so far {self.gateway.spend}")
        if _has_tokens(result):
            from holysheep_helpers.latency.plots import plot_ecdf

            self.figure.draw(plot_ecdf({result.label: result}, before=self.before))


def _has_tokens(result: LatencyRun) -> bool:
    """Whether there is anything to draw: not so where all runs failed."""
    return any(map(isfinite, result.values("ttft_s")))


def latency_panel(
    gateway: Gateway, prompt: str = "Explain what an API gateway is in two sentences."
) -> LatencyPanel:
    """Show a panel that asks the same question again and again, timed at the socket.

    Args:
        gateway: the gateway from ``hs.connect()``.
        prompt: the first question in the panel, as text.

    Returns:
        The panel; its ``result`` is the last ``LatencyRun``.

    Example:
        >>> hs.latency_panel(gw)
        [How long it takes: run this cell in JupyterLab to use the panel]
    """
    return LatencyPanel(gateway, prompt)
