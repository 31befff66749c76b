"""The lessons' panels: ipywidgets around the helpers, with no arithmetic of their own.

Each panel has a ``send`` button that can be pressed from code (``panel.send.click()``), a
``wait()`` for the answer and a ``text`` with what it shows, for screen readers, slow lines and
editors without widgets. What a panel is in a stored notebook is one fixed line of text.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

import ipywidgets as w
import openai

from holysheep_helpers import catalog
from holysheep_helpers.chat import Reply, ask
from holysheep_helpers.errors import HolySheepError
from holysheep_helpers.gateway import Gateway
from holysheep_helpers.panel_view import LABEL, WIDE, View
from holysheep_helpers.streaming import Stream, stream

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Panel(View):
    """What every panel that asks shares: a prompt, a send button, one request at a time."""

    def __init__(self, gateway: Gateway, prompt: str) -> None:
        self.gateway = gateway
        self.prompt = w.Textarea(
            value=prompt, description="Prompt", rows=3, layout=WIDE, style=LABEL
        )
        self.send = w.Button(description="Send", button_style="primary")
        self.send.on_click(lambda _: self._start())
        self._thread: threading.Thread | None = None
        super().__init__()

    def _work(self) -> None:
        raise NotImplementedError

    def _start(self) -> None:
        if self.send.disabled:  # the answer to the last press is still to come
            return
        self.send.disabled = True
        self.text = self.answer.value = ""  # an old answer must not stand over a new error
        self._say("Waiting for the answer …")
        # In a thread, so that the kernel stays free to hear the Stop button.
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work()
        except (HolySheepError, openai.OpenAIError) as error:
            notes = " ".join(getattr(error, "__notes__", ()))
            self._say(f"{type(error).__name__}: {error} {notes}".strip(), alarm=True)
        finally:
            self.send.disabled = False

    def wait(self, timeout_s: float = 60) -> None:
        """Wait until the request that the button sent has been answered, stopped or failed."""
        if self._thread is not None:
            self._thread.join(timeout_s)


def model_choice(value: str = catalog.DEFAULT_MODEL) -> w.Dropdown:
    known = [
        (f"{m.name} ({m.id}){', on its way out' if m.warning() else ''}", m.id)
        for m in catalog.models(published_only=True)
    ]
    return w.Dropdown(options=known, value=value, description="Model", layout=WIDE, style=LABEL)


def slider(name: str, value: int, low: int, high: int, step: int = 1) -> w.IntSlider:
    """A slider that changes once it is let go."""
    return w.IntSlider(
        value=value, min=low, max=high, step=step, description=name,
        continuous_update=False, layout=WIDE, style=LABEL,
    )  # fmt: skip


def figure_box() -> w.Image:
    """A place for a figure, which takes none until ``show_figure`` fills it."""
    box = w.Image(format="png", layout=w.Layout(width="100%", max_width="720px"))
    box.layout.display = "none"
    return box


def show_figure(box: w.Image, figure: Figure) -> None:
    """Draw a figure into its place."""
    png = io.BytesIO()
    figure.savefig(png, format="png")
    box.value = png.getvalue()
    box.layout.display = ""


class Playground(Panel):
    """One question with every knob that matters; ``reply`` is the last answer."""

    title = "Playground"

    def _body(self) -> Iterable[w.Widget]:
        general = catalog.presets()["general"]
        self.reply: Reply | None = None
        self.system = w.Text(description="System", placeholder="optional", layout=WIDE, style=LABEL)
        self.model = model_choice()
        self.preset = w.Dropdown(
            options=list(catalog.presets()), description="Preset", layout=WIDE, style=LABEL
        )
        self.temperature = w.FloatSlider(
            value=general["temperature"],
            min=0,
            max=2,
            step=0.1,
            description="temperature",
            continuous_update=False,
            layout=WIDE,
            style=LABEL,
        )
        self.max_tokens = slider("max_tokens", int(general["max_tokens"]), 1, 8192)
        self.preset.observe(lambda _: self._use_preset(), names="value")
        yield from (self.prompt, self.system, self.model, self.preset)
        yield from (self.temperature, self.max_tokens, self.send, self.answer, self.status)

    def _use_preset(self) -> None:
        chosen = catalog.presets()[str(self.preset.value)]
        self.temperature.value = chosen["temperature"]
        self.max_tokens.value = chosen["max_tokens"]

    def _work(self) -> None:
        reply = self.reply = ask(
            self.gateway,
            self.prompt.value,
            system=self.system.value or None,
            model=str(self.model.value),
            preset=str(self.preset.value),
            temperature=self.temperature.value,
            max_tokens=self.max_tokens.value,
        )
        self._show(str(reply))
        self._say(f"{reply.summary()} · spent so far {self.gateway.spend}")


class ComparePanel(Panel):
    """One prompt to several models, one after the other; ``replies`` by model id.

    ``models`` are the boxes to tick, by model id.
    """

    title = "One prompt, several models"

    def _body(self) -> Iterable[w.Widget]:
        self.replies: dict[str, Reply] = {}
        # Boxes, not a list: in JupyterLab an arrow key leaves a list for the next cell.
        self.models = {
            model.id: w.Checkbox(
                value=model.id in ("mistral-small-2603", "gpt-4o-mini", "gemini-2.5-flash"),
                description=model.id,
                indent=False,
                layout=w.Layout(width="auto"),
            )
            for model in catalog.models(published_only=True)
        }
        columns = w.Layout(grid_template_columns="repeat(3, 1fr)", width="100%", max_width="720px")
        boxes = w.GridBox(list(self.models.values()), layout=columns)
        yield from (self.prompt, boxes, self.send, self.answer, self.status)

    def _work(self) -> None:
        self.replies = {}
        for model in [model for model, box in self.models.items() if box.value]:
            self._say(f"Asking {model} …")
            self.replies[model] = ask(self.gateway, self.prompt.value, model=model)
            self._show("\n\n".join(f"{reply!r}" for reply in self.replies.values()))
        self._say(
            f"Spent so far {self.gateway.spend}" if self.replies else "Choose a model, or several.",
            alarm=not self.replies,
        )


class StreamPanel(Panel):
    """An answer that types itself, with a Stop button; ``stream`` is the last one."""

    title = "Watch it type"

    def _body(self) -> Iterable[w.Widget]:
        self.stream: Stream | None = None
        self._stopped = threading.Event()
        self.model = model_choice()
        self.max_tokens = slider("max_tokens", 512, 1, 8192)
        self.stop = w.Button(description="Stop", disabled=True)
        self.stop.on_click(lambda _: self._stopped.set())
        self.figure = figure_box()
        buttons = w.HBox([self.send, self.stop])
        yield from (self.prompt, self.model, self.max_tokens, buttons)
        yield from (self.answer, self.status, self.figure)

    def _work(self) -> None:
        self._stopped.clear()
        self.stop.disabled = False
        self.figure.layout.display = "none"
        try:
            self._type()
        finally:
            self.stop.disabled = True

    def _type(self) -> None:
        with stream(
            self.gateway,
            self.prompt.value,
            model=str(self.model.value),
            max_tokens=self.max_tokens.value,
        ) as answer:
            self.stream = answer
            for _ in answer:
                self._show(answer.text)
                if self._stopped.is_set():
                    break
        self._say(stream_facts(answer))
        self._draw(answer)

    def _draw(self, answer: Stream) -> None:
        if not answer.timeline:
            return
        from holysheep_helpers.plots import plot_streams

        show_figure(self.figure, plot_streams(answer))


def stream_facts(answer: Stream) -> str:
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
    """Lesson 2's panel: prompt, system prompt, model, preset, temperature, max_tokens."""
    return Playground(gateway, prompt)


def compare_panel(
    gateway: Gateway, prompt: str = "Explain what an API gateway is in two sentences."
) -> ComparePanel:
    """Lesson 1's panel: the same prompt to the models that you choose."""
    return ComparePanel(gateway, prompt)


def stream_panel(
    gateway: Gateway, prompt: str = "Explain step by step how streaming works."
) -> StreamPanel:
    """Lesson 3's panel: text as it comes, a Stop button, and the figure of text over time."""
    return StreamPanel(gateway, prompt)
