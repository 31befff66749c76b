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

from holysheep_helpers.exceptions import InputError


@dataclass(frozen=True, slots=True)
class Source:
    """Where a figure comes from, and the day it was true."""

    name: str
    as_of: date
    note: str = ""

    def __str__(self) -> str:
        return f"{self.name}, {self.as_of.isoformat()}"

    def age_days(self, today: date) -> int:
        """How old this is on that day, in days. ``today`` is an argument: no clock is read."""
        return (today - self.as_of).days


@dataclass(frozen=True, slots=True)
class Price:
    """A price in USD per million tokens; one that the gateway published includes its fee.

    ``cached_input_usd_per_mtok`` is for prompt tokens that came out of a cache, ``None`` where no
    price of their own is known: they then cost what the other prompt tokens cost.
    """

    input_usd_per_mtok: Decimal
    output_usd_per_mtok: Decimal
    source: Source
    cached_input_usd_per_mtok: Decimal | None = None

    @property
    def cached_usd_per_mtok(self) -> Decimal:
        """What a million cached tokens cost: their own price, or that of input."""
        own = self.cached_input_usd_per_mtok
        return self.input_usd_per_mtok if own is None else own


@dataclass(frozen=True, slots=True)
class Model:
    """One model behind the key.

    ``published`` tells the article's twelve from those added out of a public list;
    ``context_window`` is in tokens; ``released`` and ``retires`` are days, past or to come;
    ``tokenizer`` is the name of its vocabulary, where that is public.
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
    released: date | None = None
    released_source: Source | None = None
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
    """Won for one US dollar, on a day. A conversion always names the rate that it used.

    Raises ``InputError`` for what can't be a rate: a float, zero, less than zero.
    """

    krw_per_usd: Decimal
    source: Source

    def __post_init__(self) -> None:
        rate: object = self.krw_per_usd
        if not isinstance(rate, Decimal) or not rate.is_finite() or rate <= 0:
            raise InputError(
                f"krw_per_usd is {rate!r}: won for one US dollar, above 0, are needed, as a "
                "Decimal: Decimal('1450') say."
            )


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """The article's settings for production: time-outs in seconds, and the SDK's retries."""

    timeout_s: float
    async_timeout_s: float
    long_timeout_s: float
    max_retries: int


@dataclass(frozen=True, slots=True)
class PublishedMonth:
    """A row of the published table: what so many ``tokens`` a month are said to cost."""

    model: str
    tokens: int
    usd: Decimal
    krw: Decimal
    source: Source


@dataclass(frozen=True, slots=True)
class PublishedSaving:
    """What a model is said to save a month against ``baseline``; ``share`` is of its cost."""

    model: str
    baseline: str
    usd: Decimal
    share: Decimal
    source: Source


@dataclass(frozen=True, slots=True)
class PublishedClaims:
    """What the article says of cost in words: shares, of one.

    The gateway's premium over a direct price is said to lie between ``premium_low`` and
    ``premium_high``; ``cheaper`` to be cheaper than ``cheaper_than`` by ``cheaper_by``, above
    ``cheaper_above_tokens`` a month; and ``best_value`` to be the best value of the table.
    """

    premium_low: Decimal
    premium_high: Decimal
    cheaper: str
    cheaper_than: str
    cheaper_by: Decimal
    cheaper_above_tokens: int
    best_value: str
    source: Source


@dataclass(frozen=True, slots=True)
class FitRow:
    """A row of the published table "for whom", and what is known about it.

    ``fits`` is what was published; ``speaks_for`` and ``speaks_against`` what is known;
    ``lesson`` the two digits of the lesson that lets you test it, empty where none can;
    ``contradiction`` what the row stands against.
    """

    who: str
    fits: bool
    speaks_for: str
    speaks_against: str
    source: Source
    lesson: str = ""
    test: str = ""
    contradiction: str = ""


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
        files("holysheep_helpers.catalog").joinpath("catalog.toml").read_text(encoding="utf-8")
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
