"""Small tables and cards in HTML, as results show themselves in a notebook. All text is escaped.

They are beside the diagnosis, which is the lowest wing that shows one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

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
