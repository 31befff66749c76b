"""The panels of lessons 1 to 3: ipywidgets around the helpers, with no arithmetic of their own.

Each panel has a ``send`` button that can be pressed from code (``panel.send.click()``), a
``wait()`` for the answer and a ``text`` with what it shows, for screen readers, slow lines and
editors without widgets. What a panel is in a stored notebook is one fixed line of text.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Iterable
from typing import Any

import ipywidgets as w

from holysheep_helpers import catalog
from holysheep_helpers.client.chat import AsyncStream, Reply, ask, astream
from holysheep_helpers.client.gateway import Gateway
from holysheep_helpers.notebook.panels import Panel, buttons, float_slider, int_slider, model_choice


class Playground(Panel):
    """One question with every knob that matters; ``reply`` is the last answer."""

    title = "Playground"

    def _body(self) -> Iterable[w.Widget]:
        general = catalog.presets()["general"]
        self.reply: Reply | None = None
        self.system = w.Text(description="System", placeholder="optional")
        self.model = model_choice()
        self.preset = w.Dropdown(options=list(catalog.presets()), description="Preset")
        self.temperature = float_slider("temperature", general["temperature"], 0, 2, 0.1)
        self.max_tokens = int_slider("max_tokens", int(general["max_tokens"]), 1, 8192)
        self._follow(self._use_preset, self.preset)
        yield from (self.prompt, self.system, self.model, self.preset)
        yield from (self.temperature, self.max_tokens, buttons(self.send))
        yield from (self.answer, self.status)

    def _use_preset(self) -> None:
        chosen = catalog.presets()[str(self.preset.value)]
        self.temperature.value = chosen["temperature"]
        self.max_tokens.value = int(chosen["max_tokens"])

    def _work(self, at: Any) -> None:
        at.system = at.system or None
        reply = self.reply = ask(self.gateway, **vars(at))
        self._show(str(reply))
        self._say(f"{reply.summary()} · spent so far {self.gateway.spend}")


class ComparePanel(Panel):
    """One prompt to several models, one after the other; ``replies`` by model id.

    ``models`` are the boxes to tick, by model id. Stop asks no further one.
    """

    title = "One prompt, several models"

    def _body(self) -> Iterable[w.Widget]:
        self.replies: dict[str, Reply] = {}
        ids = [model.id for model in catalog.models(published_only=True)]
        self.models = {name: w.Checkbox(description=name, indent=False) for name in ids}
        for name in ("mistral-small-2603", "gpt-4o-mini", "gemini-2.5-flash"):
            self.models[name].value = True
        boxes = w.GridBox(list(self.models.values()))
        boxes.add_class("hs-boxes")
        yield from (self.prompt, boxes, buttons(self.send, self.stop), self.answer, self.status)

    def knobs(self) -> dict[str, w.Widget]:
        return super().knobs() | self.models

    def _work(self, at: Any) -> None:
        self.replies = {}
        chosen = [model for model in self.models if vars(at)[model]]
        for model in chosen:
            if self._stopped.is_set():
                break
            self._say(f"Asking {model} …")
            self.replies[model] = ask(self.gateway, at.prompt, model=model)
            self._show("\n\n".join(f"{reply!r}" for reply in self.replies.values()))
        self._no_more_stop()
        if not chosen:
            self._say("Choose a model, or several.", alarm=True)
            return
        left = len(chosen) - len(self.replies)
        stopped = f"Stopped, models not asked: {left}. " if left else ""
        self._say(f"{stopped}Spent so far {self.gateway.spend}")


class StreamPanel(Panel):
    """An answer that types itself, with a Stop button; ``stream`` is the last one."""

    title = "Watch it type"

    def _body(self) -> Iterable[w.Widget]:
        self.stream: AsyncStream | None = None
        self.model = model_choice()
        self.max_tokens = int_slider("max_tokens", 512, 1, 8192)
        yield from (self.prompt, self.model, self.max_tokens, buttons(self.send, self.stop))
        yield from (self.answer, self.status, self.figure)

    def _work(self, at: Any) -> None:
        self.stream = None
        try:
            self._until_stopped(self._type(at))
        except CancelledError:
            if self.stream is None:
                self._say("Stopped before any text came.")
                return
        if self.stream is not None:
            self._say(stream_facts(self.stream))
            if self.stream.timeline:
                from holysheep_helpers.lessons.plots import plot_streams

                self.figure.draw(plot_streams(self.stream))

    async def _type(self, at: Any) -> None:
        opened = astream(self.gateway, at.prompt, model=at.model, max_tokens=at.max_tokens)
        async with await opened as answer:
            self.stream = answer
            async for _ in answer:
                self._show(answer.text)


def stream_facts(answer: AsyncStream) -> str:
    """A stream's numbers in one line; times in milliseconds, as shown to people."""
    parts = [
        f"first text after {(answer.ttft_s or 0) * 1000:,.0f} ms",
        f"{'all' if answer.complete else 'left'} after {(answer.elapsed_s or 0) * 1000:,.0f} ms",
        f"{len(answer.text)} characters in {len(answer.timeline)} chunks",
        f"{answer.usage.completion_tokens} tokens" if answer.usage else "no usage came",
        f"finish_reason {answer.finish_reason}",
        *(["CUT SHORT by max_tokens"] if answer.cut_short else []),
    ]
    return " · ".join(parts)


def playground(gateway: Gateway, prompt: str = "Name three things to check before you call an API "
               "in production.") -> Playground:  # fmt: skip
    """Open lesson 2's panel: one question with every knob that matters.

    Args:
        gateway: the gateway from ``hs.connect()``.
        prompt: the question to begin with.

    Returns:
        The panel. As the last value of a cell it is shown; ``panel.send.click()`` asks from code.

    Example:
        >>> panel = hs.playground(gw)
        >>> panel
        [Playground: run this cell in JupyterLab to use the panel]
        >>> panel.close()
    """
    return Playground(gateway, prompt)


def compare_panel(
    gateway: Gateway, prompt: str = "Explain what an API gateway is in two sentences."
) -> ComparePanel:
    """Open lesson 1's panel: the same prompt to the models that you choose.

    Args:
        gateway: the gateway from ``hs.connect()``.
        prompt: the question to begin with.

    Returns:
        The panel. As the last value of a cell it is shown; ``panel.send.click()`` asks from code.

    Example:
        >>> panel = hs.compare_panel(gw)
        >>> panel
        [One prompt, several models: run this cell in JupyterLab to use the panel]
        >>> panel.close()
    """
    return ComparePanel(gateway, prompt)


def stream_panel(
    gateway: Gateway, prompt: str = "Explain step by step how streaming works."
) -> StreamPanel:
    """Open lesson 3's panel: text as it comes, a Stop button, and a figure.

    Args:
        gateway: the gateway from ``hs.connect()``.
        prompt: the question to begin with.

    Returns:
        The panel. As the last value of a cell it is shown; ``panel.send.click()`` asks from code.

    Example:
        >>> panel = hs.stream_panel(gw)
        >>> panel
        [Watch it type: run this cell in JupyterLab to use the panel]
        >>> panel.close()
    """
    return StreamPanel(gateway, prompt)
