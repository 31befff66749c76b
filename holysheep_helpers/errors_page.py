"""The list of errors as a data frame and as a page.

``python -m holysheep_helpers.errors_page`` writes the page to ``docs/errors.md``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from holysheep_helpers.kinds import KINDS

if TYPE_CHECKING:
    from pandas import DataFrame


def errors_table() -> DataFrame:
    """Every kind of error, a row each: what happened, how it shows, whose it is, what to do."""
    from pandas import DataFrame

    frame = DataFrame({name: kind.row for name, kind in KINDS.items()}).T
    return frame.rename_axis("kind")


def as_markdown() -> str:
    """The table in Markdown: what happened and how it shows share a column, for its width."""
    titles = ["kind", "what happened, and how it shows", "whose", "ask again", "another model"]
    lines = [[*titles, "billed", "what to do"], ["---"] * 7]
    for name, kind in KINDS.items():
        what, seen, *rest = kind.row.values()
        lines.append([f"`{name}`", f"{what}<br>{seen}", *rest])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def page() -> str:
    """The table with its heading, for ``docs/errors.md``."""
    return "\n".join([
        "# Errors, told apart", "",
        "What `hs.diagnose(error)` knows, generated from `holysheep_helpers/kinds.py` by",
        "`python -m holysheep_helpers.errors_page`. *aiohttp* is the transport of the gateway's",
        "asynchronous clients. What an error means goes by its type, status, code and causes,",
        "never by the words of its message.", "", as_markdown(),
    ])  # fmt: skip


if __name__ == "__main__":
    file = Path(__file__).parents[1] / "docs" / "errors.md"
    file.parent.mkdir(exist_ok=True)
    file.write_text(page(), "utf-8", newline="\n")
