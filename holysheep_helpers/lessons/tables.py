"""Tables of the lessons: for whom the gateway fits, and messages to work on."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from holysheep_helpers import catalog

if TYPE_CHECKING:
    from pandas import DataFrame


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
    from pandas import DataFrame, Index

    rows = catalog.fit_rows()
    columns = {
        "published": ["fits" if row.fits else "does not fit" for row in rows],
        "known for it": [row.speaks_for for row in rows],
        "known against it": [row.speaks_against for row in rows],
        "lesson": [row.lesson for row in rows],
        "test": [row.test for row in rows],
        "contradiction": [row.contradiction for row in rows],
    }
    return DataFrame(columns, index=Index([row.who for row in rows], name="who"))


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
