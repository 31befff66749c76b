"""Sixty messages of made-up customers, in Korean and English, for lessons and experiments."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def customer_messages() -> pd.DataFrame:
    """A data frame of 60 rows: ``id``, ``language`` (``ko`` or ``en``) and ``text``.

    The shop and its customers are invented; no name, address or number belongs to anyone.
    """
    import pandas as pd

    with files("holysheep_helpers").joinpath("customer_messages.csv").open("rb") as file:
        return pd.read_csv(file, encoding="utf-8", index_col="id")
