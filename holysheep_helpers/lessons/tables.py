"""Tables of the lessons: for whom the gateway fits, and messages to work on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from holysheep_helpers import catalog
from holysheep_helpers.diagnosis.display import LEFT, RIGHT
from holysheep_helpers.exceptions import InputError

if TYPE_CHECKING:
    from pandas import DataFrame

NUMBERS = (int, float, Decimal)

WIDEST = 60
"""Characters of a column of text, in a table that is printed."""

WRAPPED = f'{LEFT[:-1]};white-space:normal"'


@dataclass(frozen=True)
class Column:
    """A column of a table, as texts: numbers are at the right, with separators."""

    name: str
    values: Sequence[Any]

    @property
    def numeric(self) -> bool:
        known = [value for value in self.values if value is not None and value != ""]
        return bool(known) and all(isinstance(value, NUMBERS) for value in known)

    @property
    def texts(self) -> list[str]:
        values = ("–" if value is None else value for value in self.values)
        return [f"{value:,}" if isinstance(value, NUMBERS) else str(value) for value in values]

    @property
    def lines(self) -> list[str]:
        """Name and cells, all of one width."""
        cells = [t if len(t) <= WIDEST else f"{t[: WIDEST - 1]}…" for t in (self.name, *self.texts)]
        width = max(map(len, cells))
        return [cell.rjust(width) if self.numeric else cell.ljust(width) for cell in cells]

    @property
    def html(self) -> list[str]:
        side = RIGHT if self.numeric else WRAPPED
        cells = [f"<td{side}>{escape(text)}</td>" for text in self.texts]
        return [f'<th scope="col"{side}>{escape(self.name)}</th>', *cells]


@dataclass(frozen=True)
class Table:
    """Rows as a notebook shows them: text at the left and wrapped, numbers at the right."""

    columns: Sequence[Column]

    def __repr__(self) -> str:
        rows = zip(*(column.lines for column in self.columns), strict=True)
        return "\n".join("  ".join(row).rstrip() for row in rows)

    def _repr_html_(self) -> str:
        rows = zip(*(column.html for column in self.columns), strict=True)
        body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
        return f"<table>{body}</table>"


def table(rows: Iterable[Mapping[str, Any]] | DataFrame) -> Table:
    """Show rows as a table: text at the left and wrapped, numbers at the right.

    Args:
        rows: dictionaries with the same keys, one for each row, or a data frame, whose index is
            not shown. ``None`` is a dash, ``""`` an empty cell.

    Returns:
        A ``Table``: a notebook shows it as one, ``print()`` in columns.

    Raises:
        InputError: there are no rows, or they have different keys.

    Example:
        >>> hs.table([{"model": "one", "USD": 12}, {"model": "three", "USD": 1000}])
        model    USD
        one       12
        three  1,000
    """
    given: Any = getattr(rows, "to_dict", lambda _: rows)("records")
    found = [dict(row) for row in given]
    names = list(found[0]) if found else []
    if not found or any(row.keys() != found[0].keys() for row in found):
        raise InputError(
            f"{len(found)} rows were given, the first with the keys {names}: a table needs one row "
            "at least, and the same keys in all."
        )
    return Table([Column(name, [row[name] for row in found]) for name in names])


def fit_table() -> DataFrame:
    """Show for whom the gateway is said to fit, with what is known for and against it.

    Returns:
        A data frame with a row for each kind of user. ``published`` is what the article says of
        the running example. ``test`` is what you can do to find out for yourself, and ``lesson``
        the lesson that shows it (empty where none can). ``contradiction`` names what speaks
        against the row (empty where nothing does).

    Example:
        >>> hs.fit_table().columns[0]
        'published'
    """
    from pandas import DataFrame

    frame = DataFrame(map(asdict, catalog.fit_rows())).set_index("who")
    said = {"speaks_for": "known for it", "speaks_against": "known against it"}
    columns = ["published", *said.values(), "lesson", "test", "contradiction"]
    published = ["fits" if fits else "does not fit" for fits in frame["fits"]]
    return frame.rename(columns=said).assign(published=published).reindex(columns=columns)


def customer_messages() -> DataFrame:
    """Load 60 messages of customers to a shop, in Korean and English.

    The shop and its customers are invented: no name, address or number belongs to anyone.

    Returns:
        A data frame with the index ``id`` and the columns ``language`` (``"ko"`` or ``"en"``) and
        ``text``.

    Example:
        >>> hs.customer_messages().shape
        (60, 2)
    """
    from pandas import read_csv

    with files("holysheep_helpers.lessons").joinpath("customer_messages.csv").open("rb") as file:
        return read_csv(file, encoding="utf-8", index_col="id")
