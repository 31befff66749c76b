"""How results show themselves: small tables and cards in HTML, and the progress of many calls.

All text in HTML is escaped. They are beside the diagnosis, the lowest wing that shows a table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from html import escape
from time import perf_counter
from typing import Any

SHOW_EVERY_S = 0.2
LEFT = ' style="text-align:left"'
RIGHT = ' style="text-align:right;padding:0 .6em"'


def fields(values: Mapping[str, str]) -> str:
    """A table of names and values, a row for each."""
    rows = (
        f'<tr><th scope="row"{LEFT}>{escape(name)}</th><td{LEFT}>{escape(value)}</td></tr>'
        for name, value in values.items()
    )
    return f"<table>{''.join(rows)}</table>"


def grid(head: Sequence[str], *rows: Sequence[str]) -> str:
    """A table of figures below a head; the first cell of a row is its name."""
    top = "".join(f'<th scope="col"{RIGHT}>{escape(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row"{LEFT}>{escape(name)}</th>'
        + "".join(f"<td{RIGHT}>{escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for name, *cells in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def answer(text: str, note: str, summary: str) -> str:
    """What a model answered, a note in bold where there is one, and a summary in small letters."""
    bold = f"<p><strong>{escape(note)}</strong></p>" if note else ""
    small = escape(summary).replace("\n", "<br>")
    body = f'<p style="white-space:pre-wrap">{escape(text)}</p>{bold}<p><small>{small}</small></p>'
    return f'<div class="hs-reply">{body}</div>'


class Progress:
    """Rate, cost so far, failures and time left, by tqdm: a bar in JupyterLab, else a line of text.

    ``total`` is ``None`` if it is unknown.
    """

    def __init__(self, total: int | None, restored: int = 0, unit: str = " prompts") -> None:
        from tqdm.auto import tqdm

        self._bar: Any = tqdm(total=total, initial=restored, unit=unit, dynamic_ncols=True)
        self._failed = 0
        self._spent = Decimal(0)
        self._count = 0
        self._shown_s = perf_counter()

    def one_more(self, cost: Decimal | None, failed: bool) -> None:
        """One call is done with."""
        self._count += 1
        self._failed += failed
        self._spent += cost or 0
        if perf_counter() - self._shown_s >= SHOW_EVERY_S:
            self._show()

    def _show(self) -> None:
        self._shown_s = perf_counter()
        self._bar.set_postfix_str(f"{self._spent:.4f} USD, {self._failed} failed", refresh=False)
        self._bar.update(self._count)
        self._count = 0

    def close(self) -> None:
        """Leave the bar as it stands now."""
        self._show()
        self._bar.close()
