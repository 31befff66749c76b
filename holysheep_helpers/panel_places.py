"""Which cell made which panel: to run the cell again closes the panel that it replaces."""

from __future__ import annotations

from typing import Protocol


class Closable(Protocol):
    def close(self) -> None: ...


_made: dict[str, tuple[str, list[Closable]]] = {}


def replace_earlier(panel: Closable) -> None:
    """Close what an earlier run of this cell has made; those of the same run stay side by side.

    A front end that does not say which cell it runs, and plain Python, keep all panels open.
    """
    cell, run = _running()
    if not cell:
        return
    last_run, panels = _made.get(cell, (run, []))
    if last_run != run:
        for old in panels:
            old.close()
        panels = []
    _made[cell] = (run, [*panels, panel])


def _running() -> tuple[str, str]:
    """The id of the cell that runs, and of this run of it; empty where nobody tells."""
    import IPython

    shell = IPython.get_ipython()
    parent = getattr(shell, "get_parent", dict)() if shell is not None else {}
    cell = parent.get("metadata", {}).get("cellId") or ""
    return cell, parent.get("header", {}).get("msg_id", "")
