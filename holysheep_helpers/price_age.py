"""A price gets old: said once, with its age."""

from __future__ import annotations

import warnings
from datetime import UTC, date, datetime

from holysheep_helpers.catalog import Price

STALE_AFTER_DAYS = 180
"""Half a year: a round figure of our own. Most of the makers' prices changed within a year."""
_warned_of: set[tuple[str, str]] = set()


class StalePriceWarning(UserWarning):
    """A price is older than ``price_age.STALE_AFTER_DAYS``, 180 days: look at today's.

    Once for each model and price list in a process. No clock is read to find that out: it comes
    where ``today`` is given, and before the first live call to a model.
    """


def today() -> date:
    """Today's day in UTC: the one place where a clock is read, for live calls alone."""
    return datetime.now(UTC).date()


def warn_if_stale(model: str, price: Price, on: date | None, stacklevel: int = 3) -> None:
    """Warn if this price is too old on that day, the first time for this model and price list."""
    key = (model, price.source.name)
    if on is None or key in _warned_of:
        return
    age_days = price.source.age_days(on)
    if age_days > STALE_AFTER_DAYS:
        _warned_of.add(key)
        warnings.warn(
            f"The price of {model} is {age_days} days old ({price.source}): check today's before "
            "you rely on it.",
            StalePriceWarning,
            stacklevel=stacklevel,
        )
