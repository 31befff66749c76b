"""How many words a panel says before a knob is turned. Read by a lesson's kernel, from its path."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any


def says(panel: Any, told: int) -> bool:
    """Whether it says so many words, those of its figures' alternative text included."""
    count = len(" ".join(_said(panel._view)).split())
    assert count == told, f"docs/course.toml: panel_words = {count} is right, not {told}"
    return True


def _said(widget: Any) -> Iterator[str]:
    if type(widget).__name__ == "HTML":
        yield unescape(re.sub(r"<[^>]*>", " ", widget.value))
    yield from (str(getattr(widget, name, "")) for name in ("title", "description", "alt"))
    for child in getattr(widget, "children", ()):
        yield from _said(child)
