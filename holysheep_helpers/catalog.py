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
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

_SNAPSHOT = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{8})$")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a figure comes from, and the day it was true."""

    name: str
    as_of: date
    note: str = ""

    def __str__(self) -> str:
        return f"{self.name}, {self.as_of.isoformat()}"


@dataclass(frozen=True, slots=True)
class Price:
    """A published price in USD per million tokens, the gateway's fee included."""

    input_usd_per_mtok: Decimal
    output_usd_per_mtok: Decimal
    source: Source


@dataclass(frozen=True, slots=True)
class Model:
    """One model behind the key.

    ``published`` tells the article's twelve from those added out of a public list;
    ``context_window`` is in tokens; ``retires`` is a day, past or to come; ``tokenizer`` is the
    name of its vocabulary, where that is public.
    """

    id: str
    name: str
    family: str
    owned_by: str
    source: Source
    published: bool
    aliases: tuple[str, ...] = ()
    context_window: int | None = None
    context_source: Source | None = None
    published_context_window: int | None = None
    price: Price | None = None
    retires: date | None = None
    retires_source: Source | None = None
    deprecated: bool = False
    note: str = ""
    max_output: int | None = None
    tokenizer: str | None = None
    tokenizer_source: Source | None = None

    @property
    def safe_context_window(self) -> int | None:
        """The smaller one where two are stated: too much is refused, too little is not."""
        stated = (self.context_window, self.published_context_window)
        return min((window for window in stated if window is not None), default=None)

    def warning(self) -> str:
        """One sentence if this model is on its way out, else an empty string."""
        if self.retires:
            return f"{self.id}: retirement on {self.retires.isoformat()} ({self.retires_source})."
        if self.deprecated:
            return f"{self.id}: marked deprecated in public model lists."
        return ""


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan and its limits; ``None`` where no number was published.

    ``tokens_per_minute`` was published for no plan: the figures are the mock's own, invented.
    """

    name: str
    requests_per_minute: int | None
    note: str = ""
    source: Source | None = None
    tokens_per_minute: int | None = None

    @property
    def can_be_played(self) -> bool:
        """Whether the mock can play it: it has a limit in numbers, or is the mock's own."""
        return self.requests_per_minute is not None or self.source is None

    def __str__(self) -> str:
        limit = self.requests_per_minute
        return f"{self.name} ({f'{limit:,} requests a minute' if limit else self.note})"


@dataclass(frozen=True, slots=True)
class ExchangeRate:
    """Won for one US dollar, on a day. A conversion always names the rate that it used."""

    krw_per_usd: Decimal
    source: Source


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """The article's settings for production: time-outs in seconds, and the SDK's retries."""

    timeout_s: float
    async_timeout_s: float
    long_timeout_s: float
    max_retries: int


@dataclass(frozen=True)
class _Catalog:
    models: tuple[Model, ...]
    by_id: Mapping[str, Model] = field(repr=False)
    old_ids: Mapping[str, str]
    plans: Mapping[str, Plan]
    presets: Mapping[str, Mapping[str, float | int]]
    gateway: Mapping[str, Any]
    client: ClientSettings
    rate: ExchangeRate


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
        gateway=MappingProxyType(raw["gateway"]),
        client=ClientSettings(**raw["gateway"]["client"]),
        rate=ExchangeRate(Decimal(rate["krw_per_usd"]), sources[rate["source"]]),
    )


def _model(entry: dict[str, Any], sources: Mapping[str, Source]) -> Model:
    source = entry.pop("source")
    price = entry.pop("price", None)
    context_source = entry.pop("context_source", source)
    retires_source = entry.pop("retires_source", None)
    tokenizer_source = entry.pop("tokenizer_source", None)
    aliases: tuple[str, ...] = tuple(entry.pop("aliases", ()))
    return Model(
        **entry,
        aliases=aliases,
        source=sources[source],
        published=source == "article",
        context_source=sources[context_source] if "context_window" in entry else None,
        retires_source=sources[retires_source] if retires_source else None,
        tokenizer_source=sources[tokenizer_source] if tokenizer_source else None,
        price=price
        and Price(Decimal(price["input"]), Decimal(price["output"]), sources[price["source"]]),
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


BASE_URL: str = _load().gateway["base_url"]
KEY_VARIABLE: str = _load().gateway["key_variable"]
PLACEHOLDER_KEY: str = _load().gateway["placeholder_key"]
DEFAULT_MODEL: str = _load().gateway["default_model"]
SUPPORT: str = _load().gateway["support"]
FREE_CREDIT_KRW = Decimal(_load().gateway["free_credit_krw"])
