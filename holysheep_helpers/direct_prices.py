"""What models cost at their makers and at other hosts, by the public list ``genai-prices``.

It comes with the package of that name, so nothing is fetched. Its prices have days, and some have
hours: each is looked up for noon (UTC) of the day of the list, so that today's clock changes none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

from holysheep_helpers import catalog
from holysheep_helpers.amounts import exactly, tidy
from holysheep_helpers.catalog import Price, Source

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider

SMALL = 1_000
"""Tokens of the call that is priced, then scaled up: a million at once would meet the tiers that
some models have for long contexts."""
_MAKERS = {"mistralai": "mistral"}


@dataclass(frozen=True, slots=True)
class Offer:
    """A model's price at one host; ``id`` is what it is called there."""

    host: str
    id: str
    price: Price


def direct_price(model: str) -> Price | None:
    """The price of a model at its own maker, or ``None`` where the list has none."""
    known = catalog.find(model)
    if known is None:
        return None
    maker = _MAKERS.get(known.owned_by, known.owned_by)
    return next((o.price for o in offers(known.id) if o.host == maker), None)


@cache
def offers(model: str) -> tuple[Offer, ...]:
    """What every host in the list asks for a model of this very id, whatever stands before "/"."""
    from genai_prices.data_snapshot import get_snapshot

    found = []
    for provider in get_snapshot().providers:
        for info in provider.models:
            same = info.id.lower().rpartition("/")[2] == model.lower()
            price = _price(provider, info) if same and not info.deprecated else None
            if price is not None:
                found.append(Offer(provider.id, info.id, price))
    return tuple(found)


def _price(provider: Provider, info: ModelInfo) -> Price | None:
    """The price of a small call, a million times as large; ``None`` for what is free or no chat."""
    from genai_prices import Usage

    noon = datetime.combine(list_source().as_of, time(12), UTC)

    def per_mtok(usage: Usage) -> Decimal:
        with exactly():
            got = info.calc_price(usage, provider, genai_request_timestamp=noon).total_price
            return tidy(got * (1_000_000 // SMALL))

    into = per_mtok(Usage(input_tokens=SMALL, output_tokens=0))
    out = per_mtok(Usage(input_tokens=0, output_tokens=SMALL))
    if not into or not out:
        return None
    cached = per_mtok(Usage(input_tokens=SMALL, cache_read_tokens=SMALL, output_tokens=0))
    return Price(into, out, list_source(), None if cached == into else cached)


@cache
def list_source() -> Source:
    """The list with its version and day: the catalogue's, or the newest day that stands in it."""
    from importlib.metadata import version

    name = f"genai-prices {version('genai-prices')}"
    known = catalog.public_list()
    if known.name.startswith(f"{name},"):
        return Source(name, known.as_of, "makers' and other hosts' own prices")
    return Source(name, _newest_day(), "the newest day that stands in it; it may be younger")


def _newest_day() -> date:
    from genai_prices.data_snapshot import get_snapshot

    models = [info for provider in get_snapshot().providers for info in provider.models]
    prices = [entry for info in models if isinstance(info.prices, list) for entry in info.prices]
    begun = (getattr(entry.constraint, "start_date", None) for entry in prices)
    return max(day for day in begun if day is not None)
