"""What is known about the gateway: models, prices, plans, presets, each with source and date.

One data file, ``catalog.toml``, holds the facts; this module only looks them up. Nothing here is
guessed: a price or a context window that was not published is ``None``.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from holysheep_helpers.facts import (
    ClientSettings,
    ExchangeRate,
    FitRow,
    Model,
    Plan,
    Price,
    PublishedClaims,
    PublishedMonth,
    PublishedSaving,
    Source,
)

_SNAPSHOT = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{8})$")


@dataclass(frozen=True)
class _Catalog:
    models: tuple[Model, ...]
    by_id: Mapping[str, Model] = field(repr=False)
    old_ids: Mapping[str, str]
    plans: Mapping[str, Plan]
    presets: Mapping[str, Mapping[str, float | int]]
    public_list: Source
    gateway: Mapping[str, Any]
    client: ClientSettings
    rate: ExchangeRate
    months: tuple[PublishedMonth, ...]
    savings: tuple[PublishedSaving, ...]
    claims: PublishedClaims
    fit: tuple[FitRow, ...]


@cache
def _load() -> _Catalog:
    raw = tomllib.loads(
        files("holysheep_helpers").joinpath("catalog.toml").read_text(encoding="utf-8")
    )
    sources = {key: Source(**value) for key, value in raw["sources"].items()}
    models = tuple(_model(entry, sources) for entry in raw["models"])
    by_id = {name: model for model in models for name in (model.id, *model.aliases)}
    if len(by_id) != sum(1 + len(model.aliases) for model in models):
        raise ValueError("catalog.toml: an id or alias stands there twice")
    plans = {
        name: Plan(
            name,
            entry.get("requests_per_minute"),
            entry.get("note", ""),
            sources.get(entry.get("source", "")),
            entry.get("mock_tokens_per_minute"),
        )
        for name, entry in raw["plans"].items()
    }
    rate = raw["exchange_rate"]
    return _Catalog(
        models=models,
        by_id=MappingProxyType(by_id),
        old_ids=MappingProxyType(raw["old_ids"]),
        plans=MappingProxyType(plans),
        presets=MappingProxyType({k: MappingProxyType(v) for k, v in raw["presets"].items()}),
        public_list=sources["public_list"],
        gateway=MappingProxyType(raw["gateway"]),
        client=ClientSettings(**raw["gateway"]["client"]),
        rate=ExchangeRate(Decimal(rate["krw_per_usd"]), sources[rate["source"]]),
        months=tuple(PublishedMonth(**_exact(row, sources)) for row in raw["published_months"]),
        savings=tuple(PublishedSaving(**_exact(row, sources)) for row in raw["published_savings"]),
        claims=PublishedClaims(**_exact(raw["published_claims"], sources)),
        fit=tuple(FitRow(**_exact(row, sources)) for row in raw["fit"]),
    )


_AMOUNTS = {"usd", "krw", "share", "premium_low", "premium_high", "cheaper_by"}


def _exact(row: dict[str, Any], sources: Mapping[str, Source]) -> dict[str, Any]:
    """A row with its amounts as ``Decimal``, and its source found."""
    amounts = {name: Decimal(row[name]) for name in _AMOUNTS & row.keys()}
    return row | amounts | {"source": sources[row["source"]]}


def _model(entry: dict[str, Any], sources: Mapping[str, Source]) -> Model:
    source = entry.pop("source")
    price = entry.pop("price", None)
    context_source = entry.pop("context_source", source)
    released_source = entry.pop("released_source", None)
    retires_source = entry.pop("retires_source", None)
    tokenizer_source = entry.pop("tokenizer_source", None)
    aliases: tuple[str, ...] = tuple(entry.pop("aliases", ()))
    return Model(
        **entry,
        aliases=aliases,
        source=sources[source],
        published=source == "article",
        context_source=sources[context_source] if "context_window" in entry else None,
        released_source=sources[released_source] if released_source else None,
        retires_source=sources[retires_source] if retires_source else None,
        tokenizer_source=sources[tokenizer_source] if tokenizer_source else None,
        price=_price(price, sources) if price else None,
    )


def _price(entry: dict[str, str], sources: Mapping[str, Source]) -> Price:
    cached = entry.get("cached_input")
    return Price(
        Decimal(entry["input"]),
        Decimal(entry["output"]),
        sources[entry["source"]],
        Decimal(cached) if cached is not None else None,
    )


def models(*, published_only: bool = False) -> tuple[Model, ...]:
    """All models, in the order of the data file; only the article's twelve if asked."""
    every = _load().models
    return tuple(model for model in every if model.published) if published_only else every


def find(model_id: str) -> Model | None:
    """The model behind an id or alias, or ``None`` if the catalogue does not know it."""
    return _load().by_id.get(model_id)


def published_price(model_id: str) -> Price | None:
    """The published price of this id or alias, or ``None`` where none was published.

    A server may state a dated snapshot of what was asked for (``gpt-4.1-2025-04-14``): it has the
    price of the id before the date.
    """
    model = find(model_id) or find(_SNAPSHOT.sub("", model_id))
    return model.price if model else None


def nearest(model_id: str, count: int = 3) -> tuple[str, ...]:
    """Up to ``count`` known ids that resemble ``model_id``, the successor of an old id first."""
    known = _load()
    successor = known.old_ids.get(model_id)
    ranked = difflib.get_close_matches(model_id.lower(), known.by_id, n=count + 1, cutoff=0.5)
    named = dict.fromkeys(([successor] if successor else []) + ranked)
    ids = dict.fromkeys(known.by_id[name].id for name in named)
    return tuple(ids)[:count]


def plans() -> Mapping[str, Plan]:
    """Every plan by name, the mock's own ``unlimited`` among them."""
    return _load().plans


def presets() -> Mapping[str, Mapping[str, float | int]]:
    """The four published presets: temperature, max_tokens and top_p by name."""
    return _load().presets


def client_settings() -> ClientSettings:
    """The published production settings of a client."""
    return _load().client


def published_rate() -> ExchangeRate:
    """The exchange rate that the article used: 1,450 KRW for one USD, January 2026."""
    return _load().rate


def published_months() -> tuple[PublishedMonth, ...]:
    """The published table of monthly costs, as printed: its volume is off, as an audit shows."""
    return _load().months


def published_savings() -> tuple[PublishedSaving, ...]:
    """The savings that were published beside it."""
    return _load().savings


def published_claims() -> PublishedClaims:
    """What the article says of cost in words: the premium, "cheaper than", "best value"."""
    return _load().claims


def fit_rows() -> tuple[FitRow, ...]:
    """The published table "for whom", in its order, with what is known about each row."""
    return _load().fit


def public_list() -> Source:
    """The public list that models and direct prices were compared with, and its day."""
    return _load().public_list


BASE_URL: str = _load().gateway["base_url"]
KEY_VARIABLE: str = _load().gateway["key_variable"]
PLACEHOLDER_KEY: str = _load().gateway["placeholder_key"]
DEFAULT_MODEL: str = _load().gateway["default_model"]
SUPPORT: str = _load().gateway["support"]
FREE_CREDIT_KRW = Decimal(_load().gateway["free_credit_krw"])
