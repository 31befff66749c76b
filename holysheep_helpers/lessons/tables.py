"""For whom: the published table, and what is known about each row."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from holysheep_helpers import catalog

if TYPE_CHECKING:
    import pandas as pd
    from pandas import DataFrame


def fit_table() -> DataFrame:
    """The published table "for whom", a row each, with what is known for and against it.

    ``published`` is what the article says of the running example; ``test`` is what you can do to
    find out for yourself, ``lesson`` the number of the lesson that shows it (empty where no lesson
    can); ``contradiction`` names what the row stands against, empty where it stands.
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


def customer_messages() -> pd.DataFrame:
    """A data frame of 60 rows: ``id``, ``language`` (``ko`` or ``en``) and ``text``.

    The shop and its customers are invented; no name, address or number belongs to anyone.
    """
    import pandas as pd

    with files("holysheep_helpers.lessons").joinpath("customer_messages.csv").open("rb") as file:
        return pd.read_csv(file, encoding="utf-8", index_col="id")
