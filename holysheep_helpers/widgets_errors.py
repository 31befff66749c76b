"""Lesson 6's panel: faults and a policy, the timeline of the attempts, and the bill."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import ipywidgets as w
import openai

from holysheep_helpers.client.chat import ask
from holysheep_helpers.client.gateway import Gateway
from holysheep_helpers.diagnosis.diagnose import diagnose
from holysheep_helpers.exceptions import HolySheepError, InputError
from holysheep_helpers.notebook.controls import FigureBox
from holysheep_helpers.notebook.panels import Panel, buttons, show_figure, slider
from holysheep_helpers.retries import retrying

FAULTS: dict[str, Any] = {
    "503, the server failed": 503,
    "429, Retry-After": "rate_limit",
    "429, credit used up": "quota",
    "400, bad request": 400,
    "401, wrong key": 401,
    "a proxy's page": "html",
    "a page with status 200": {"kind": "html", "status": 200},
    "silence until the time-out": "stall",
    "connection reset": "reset",
    "connection cut in the answer": "cut_body",
}
NONE, SDK, OURS, BOTH = "none", "the SDK's own", "hs.retrying", "a loop around the SDK's own"
TIMEOUT_S = 0.3


class ErrorsPanel(Panel):
    """One question, so many faults, and a policy; ``entries`` is what the mock saw."""

    title = "Faults and a policy"

    def _body(self) -> Iterable[w.Widget]:
        self.entries: list[dict[str, Any]] = []
        self.fault = w.Dropdown(options=FAULTS, description="Fault")
        self.times = slider("How many", 2, 0, 12)
        self.policy = w.Dropdown(options=[NONE, SDK, OURS, BOTH], value=OURS, description="Retries")
        self.attempts = slider("Attempts", 3, 1, 6)
        self.figure = FigureBox()
        yield from (self.prompt, self.fault, self.times, self.policy, self.attempts)
        yield from (buttons(self.send), self.answer, self.status, self.figure)

    def _work(self, at: Any) -> None:
        mock = self.gateway.mock
        assert mock is not None
        self.figure.hide()
        seen, spent_usd = len(mock.entries()), self.gateway.spend.usd
        mock.script([at.fault] * at.times)
        columns = False
        try:
            text = self._call(at)(at.prompt).text
        except InputError:
            raise
        except (openai.OpenAIError, HolySheepError) as error:
            text, columns = str(diagnose(error)), True
        finally:
            mock.script([])  # other cells may ask the same mock
        self.entries = mock.entries()[seen:]
        self._show(text, columns=columns)
        lost = sum(entry["paid"] == "maybe" for entry in self.entries)
        bill = f"{(self.gateway.spend.usd - spent_usd).normalize():f} USD"
        bill += f", and up to {lost} more that were lost" if lost else ""
        count = f"{len(self.entries)} request{'s' * (len(self.entries) != 1)}"
        self._say(f"The server saw {count} · billed {bill}")
        if self.entries:
            from holysheep_helpers.plots_errors import plot_attempts

            show_figure(self.figure, plot_attempts({at.policy: self.entries}))

    def _call(self, at: Any) -> Callable[[str], Any]:
        attempts, policy = at.attempts, at.policy
        tries = attempts - 1 if policy in (SDK, BOTH) else 0
        client = self.gateway.client().with_options(max_retries=tries, timeout=TIMEOUT_S)

        def call(prompt: str) -> Any:
            return ask(client, prompt)

        def loop(prompt: str) -> Any:
            for left in reversed(range(attempts)):
                try:
                    return ask(client, prompt)
                except openai.OpenAIError:
                    if not left:
                        raise
            raise AssertionError("unreachable")

        if policy == OURS:
            return retrying(call, attempts=attempts)
        return loop if policy == BOTH else call


def errors_panel(gateway: Gateway, prompt: str = "Say hello.") -> ErrorsPanel:
    """Lesson 6's panel. Faults are the mock's: raises ``InputError`` for a gateway without one."""
    if gateway.mock is None:
        raise InputError("Faults can be asked for at a mock alone: hs.errors_panel of its gateway.")
    return ErrorsPanel(gateway, prompt)
