"""What a panel shows and says, with or without a gateway behind it."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

import ipywidgets as w

WIDE = w.Layout(width="100%", max_width="720px")
LABEL = {"description_width": "110px"}


class View:
    """A titled column of widgets, a place for an answer and one for what there is to say.

    ``text`` has what it shows. Stored in a notebook it is one fixed line of text.
    """

    title = "Panel"

    def __init__(self) -> None:
        self.text = ""
        self.answer = w.HTML(layout=WIDE)
        self.answer.add_class("hs-panel-reply")
        self.status = w.HTML(layout=WIDE)
        self._view = w.VBox([w.HTML(f"<strong>{escape(self.title)}</strong>"), *self._body()])

    def _body(self) -> Iterable[w.Widget]:
        raise NotImplementedError

    def _show(self, text: str) -> None:
        self.text = text
        self.answer.value = (
            '<div style="white-space:pre-wrap;line-height:1.5;padding:.5em;'
            f'border-left:4px solid #0072B2" aria-live="polite">{escape(text)}</div>'
        )

    def _say(self, text: str, *, alarm: bool = False) -> None:
        colour = "#b3261e" if alarm else "inherit"
        role = "alert" if alarm else "status"
        self.status.value = f'<div role="{role}" style="color:{colour}">{escape(text)}</div>'
        if alarm:
            self.text = text

    def __repr__(self) -> str:
        return f"[{self.title}: run this cell in JupyterLab to use the panel]"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        view: Any = self._view._repr_mimebundle_(**kwargs)
        bundle = view[0] if isinstance(view, tuple) else view
        return {**bundle, "text/plain": repr(self), "text/html": f"<em>{escape(repr(self))}</em>"}
