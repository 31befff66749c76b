"""The closed list of what can go wrong, and what each kind of error means: ``kinds.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, slots=True)
class Kind:
    """What holds for every error of a kind; ``kinds.toml`` explains the fields."""

    what: str
    seen: str
    whose: str
    advice: str
    retryable: bool = False
    other_model: bool = False
    may_have_cost: bool = False
    codes: Iterable[str] = ()
    types: Iterable[str] = ()
    statuses: Iterable[int] = ()
    vendors: Iterable[list[str]] = ()

    @property
    def row(self) -> dict[str, str]:
        """This kind as a row of the table."""
        return {
            "what happened": self.what,
            "how it shows": self.seen,
            "whose": self.whose,
            "ask again": "yes" if self.retryable else "no",
            "another model": "may help" if self.other_model else "no help",
            "billed": "maybe" if self.may_have_cost else "no",
            "what to do": self.advice,
        }


_TEXT = files("holysheep_helpers.diagnosis").joinpath("kinds.toml").read_text(encoding="utf-8")
KINDS = MappingProxyType({name: Kind(**row) for name, row in tomllib.loads(_TEXT).items()})
KIND_OF_CODE = {code: name for name, kind in KINDS.items() for code in kind.codes}
KIND_OF_TYPE = {code: name for name, kind in KINDS.items() for code in kind.types}
KIND_OF_STATUS = {status: name for name, kind in KINDS.items() for status in kind.statuses}


def errors_table() -> DataFrame:
    """List every kind of error: what happened, how it shows, whose it is, what to do.

    Returns:
        A data frame with a row for each kind; ``kind`` is its index, and all its values are text.

    Example:
        >>> hs.errors_table().loc["rate_limit", "ask again"]
        'yes'
    """
    from pandas import DataFrame

    frame = DataFrame({name: kind.row for name, kind in KINDS.items()}).T
    return frame.rename_axis("kind")


def as_markdown() -> str:
    """The table in Markdown, folded by whose the error is; what to do stands second."""
    titles = ["kind", "what to do", "what happened, and how it shows", "ask again"]
    head = [[*titles, "another model", "billed"], ["---"] * 6]
    owners: dict[str, list[list[str]]] = {}
    for name, kind in KINDS.items():
        what, seen, whose, again, other, billed, advice = kind.row.values()
        row = [f"`{name}`", advice, f"{what}<br>{seen}", again, other, billed]
        owners.setdefault(whose, []).append(row)
    parts = []
    for whose, rows in owners.items():
        lines = "\n".join(f"| {' | '.join(line)} |" for line in (*head, *rows))
        title = f"{whose[0].upper()}{whose[1:]}: {len(rows)} kind{'s' * (len(rows) != 1)}"
        parts.append(f"<details><summary>{title}</summary>\n\n{lines}\n\n</details>\n")
    return "\n".join(parts)
