"""Warnings of a panel's thread, shown in the panel: Jupyter would print them under another cell."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any

_listener: ContextVar[list[str] | None] = ContextVar("panel_warnings", default=None)
_lock = Lock()
_open = 0
_usual: Any = None
# Where a warning counts as said already: the module that it points to.
_POINTED_TO = ("holysheep_helpers", "asyncio")


@contextmanager
def heard(said: list[str]) -> Iterator[None]:
    """Collect into ``said`` what is warned of inside, in this thread and this context alone.

    ``warnings.catch_warnings`` would take other threads' warnings too. Each is heard, also one that
    was said before: it is another answer that was cut.
    """
    global _open, _usual
    token = _listener.set(said)
    with _lock:
        _open += 1
        if warnings.showwarning is not _show:
            _usual = warnings.showwarning
            warnings.showwarning = _show
    _forget()
    try:
        yield
    finally:
        _listener.reset(token)
        with _lock:
            _open -= 1
            if not _open and warnings.showwarning is _show:
                warnings.showwarning = _usual


def _show(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, *rest: Any
) -> None:
    said = _listener.get()
    if said is None:
        _usual(message, category, filename, lineno, *rest)
    else:
        said.append(f"{category.__name__}: {message}")


def _forget() -> None:
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in _POINTED_TO:
            vars(module).get("__warningregistry__", {}).clear()
