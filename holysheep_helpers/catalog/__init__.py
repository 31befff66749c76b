"""What is known about the gateway: models, prices, plans, presets, each with source and date.

One data file, ``catalog.toml``, holds the facts; this module only looks them up. Nothing here is
guessed: a price or a context window that was not published is ``None``. Lessons use it as
``hs.catalog``.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from holysheep_helpers.exceptions import InputError


@dataclass(frozen=True, slots=True)
class Source:
    """Where a figure comes from, and the day on which it was true.

    Attributes:
        name: who published it.
        as_of: the day.
        note: what to know about it.
    """

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
    """A price in USD per million tokens. One that the gateway published includes its fee.

    Attributes:
        input_usd_per_mtok: for a million tokens of prompts.
        output_usd_per_mtok: for a million tokens of answers.
        source: where the price comes from, and its day.
        cached_input_usd_per_mtok: for a million tokens of prompts that came out of a cache;
            ``None`` where no price of their own is known: they then cost what the others cost.
        cache_write_usd_per_mtok: for a million tokens of prompts that were written to a cache;
            ``None`` has the same meaning.
    """

    input_usd_per_mtok: Decimal
    output_usd_per_mtok: Decimal
    source: Source
    cached_input_usd_per_mtok: Decimal | None = None
    cache_write_usd_per_mtok: Decimal | None = None

    @property
    def cached_usd_per_mtok(self) -> Decimal:
        """What a million cached tokens cost: their own price, or that of input."""
        own = self.cached_input_usd_per_mtok
        return self.input_usd_per_mtok if own is None else own


@dataclass(frozen=True, slots=True)
class Caching:
    """A maker's rule of prompt caching: which tokens of a prompt come out of a cache.

    The start of a prompt is cached if an earlier prompt began with exactly the same tokens.

    Attributes:
        least_tokens: the shortest start that is cached, in tokens.
        step_tokens: by how many tokens a longer one grows.
        source: where the rule was published, and when it was read there.
    """

    least_tokens: int
    step_tokens: int
    source: Source


@dataclass(frozen=True, slots=True)
class Model:
    """One model behind the key.

    Attributes:
        id: what a request calls it.
        name: what people call it.
        family: the family that it belongs to.
        owned_by: its maker.
        source: where the model is listed.
        published: whether it is one of the article's twelve; others are out of a public list.
        aliases: other ids of the same model.
        context_window: how many tokens prompt and answer may have together.
        context_source: where that comes from.
        published_context_window: the same as the article states it, where that differs.
        price: the published price.
        released: the day of its release.
        released_source: where that comes from.
        retires: the day of its retirement, past or to come.
        retires_source: where that comes from.
        deprecated: whether public lists mark it as deprecated.
        note: what to know about it.
        max_output: the longest answer, in tokens.
        tokenizer: the name of its vocabulary, where that is public.
        tokenizer_source: where that comes from.
        refuses_temperature_with_top_p: whether a request may have only one of the two.
        refuses_source: where that comes from.
        caching: its maker's rule of prompt caching, where one is public.
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
    refuses_temperature_with_top_p: bool = False
    refuses_source: Source | None = None
    caching: Caching | None = None

    @property
    def safe_context_window(self) -> int | None:
        """The smaller one where two are stated: too much is refused, too little is not."""
        stated = (self.context_window, self.published_context_window)
        return min((window for window in stated if window is not None), default=None)

    def warning(self) -> str:
        """One sentence if this model is on its way out, else an empty string."""
        if self.retires:
            return f"{self.id} retires on {self.retires} (source: {self.retires_source})."
        if self.deprecated:
            return f"{self.id} is marked as deprecated in public model lists."
        return ""


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan and its limits; ``None`` where no number was published.

    Attributes:
        name: the name of the plan.
        requests_per_minute: how many requests a minute it allows.
        note: what to know about it.
        source: where it was published; ``None`` for the mock's own plan.
        tokens_per_minute: how many tokens a minute the mock allows. None was published for any
            plan: the figures are invented.
    """

    name: str
    requests_per_minute: int | None = None
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

    Attributes:
        krw_per_usd: won for one dollar, as a ``Decimal``. ``InputError`` is raised for what can't
            be a rate: a float, zero, less than zero.
        source: where the rate comes from, and its day.
    """

    krw_per_usd: Decimal
    source: Source

    def __post_init__(self) -> None:
        rate: object = self.krw_per_usd
        if not isinstance(rate, Decimal) or not rate.is_finite() or rate <= 0:
            raise InputError(
                f"krw_per_usd is {rate!r}: won for one US dollar, above 0, are needed, as a "
                "Decimal, such as Decimal('1450')."
            )


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """The article's settings of a client for production.

    Attributes:
        timeout_s: the time-out of a client, in seconds.
        async_timeout_s: the time-out of an asynchronous client, in seconds.
        long_timeout_s: the time-out for long answers, in seconds.
        max_retries: how often the SDK asks again.
    """

    timeout_s: float
    async_timeout_s: float
    long_timeout_s: float
    max_retries: int


@dataclass(frozen=True, slots=True)
class PublishedMonth:
    """A row of the published table of monthly costs.

    Attributes:
        model: the id of the model.
        tokens: tokens a month, as stated.
        usd: what they are said to cost, in USD.
        krw: the same in won.
        source: where it was published.
    """

    model: str
    tokens: int
    usd: Decimal
    krw: Decimal
    source: Source


@dataclass(frozen=True, slots=True)
class PublishedSaving:
    """What a model is said to save each month.

    Attributes:
        model: the id of the model.
        baseline: the id of the model that it is compared with.
        usd: what it is said to save, in USD.
        share: the same as a share of the baseline's cost.
        source: where it was published.
    """

    model: str
    baseline: str
    usd: Decimal
    share: Decimal
    source: Source


@dataclass(frozen=True, slots=True)
class PublishedClaims:
    """What the article says of cost in words. Shares are of one.

    Attributes:
        premium_low: the least that the gateway's price is said to be above the direct price.
        premium_high: the most that it is said to be above it.
        cheaper: the id of the model that is said to be cheaper than another.
        cheaper_than: the id of the other model.
        cheaper_by: by which share it is said to be cheaper.
        cheaper_above_tokens: above how many tokens a month it is said to be.
        best_value: the id of the model that is said to be the best value of the table.
        source: where it was published.
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

    Attributes:
        who: for whom.
        fits: whether the gateway was said to be for them.
        speaks_for: what is known for it.
        speaks_against: what is known against it.
        source: where it was published.
        lesson: the two digits of the lesson that tests it; empty where none can.
        test: how to test it.
        contradiction: what the row stands against.
    """

    who: str
    fits: bool
    speaks_for: str
    speaks_against: str
    source: Source
    lesson: str = ""
    test: str = ""
    contradiction: str = ""


_AMOUNTS = ("usd", "krw", "usd_per_mtok", "share", "premium_low", "premium_high", "cheaper_by")
"""How the names of fields end that hold exact amounts, which the file has as text."""


def _row(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of the file as the fields of its class: exact amounts, and each source looked up."""
    amounts = {name: Decimal(entry[name]) for name in entry if name.endswith(_AMOUNTS)}
    sources = {name: _SOURCES[entry[name]] for name in entry if name.endswith("source")}
    return {**entry, **amounts, **sources}


def _model(entry: Mapping[str, Any]) -> Model:
    row = _row(entry)
    if "price" in row:
        row["price"] = Price(**_row(row["price"]))
    if "caching" in row:
        row["caching"] = Caching(**_row(row["caching"]))
    row["aliases"] = tuple(row.get("aliases", ()))
    return Model(**row, published=entry["source"] == "article")


_FACTS = tomllib.loads(files(__name__).joinpath("catalog.toml").read_text(encoding="utf-8"))
_SOURCES = {key: Source(**value) for key, value in _FACTS["sources"].items()}
_MODELS = tuple(map(_model, _FACTS["models"]))
_BY_ID = {name: model for model in _MODELS for name in (model.id, *model.aliases)}
_PLANS = MappingProxyType({k: Plan(k, **_row(v)) for k, v in _FACTS["plans"].items()})
_PRESETS = MappingProxyType({k: MappingProxyType(v) for k, v in _FACTS["presets"].items()})
_SNAPSHOT = re.compile(r"[-@](?:\d{4}-\d{2}-\d{2}|\d{8})$")

BASE_URL: str = _FACTS["gateway"]["base_url"]
KEY_VARIABLE: str = _FACTS["gateway"]["key_variable"]
PLACEHOLDER_KEY: str = _FACTS["gateway"]["placeholder_key"]
DEFAULT_MODEL: str = _FACTS["gateway"]["default_model"]
SUPPORT: str = _FACTS["gateway"]["support"]
FREE_CREDIT_KRW = Decimal(_FACTS["gateway"]["free_credit_krw"])


def models(*, published_only: bool = False) -> tuple[Model, ...]:
    """All models, in the order of the data file; only the article's twelve if asked."""
    return tuple(model for model in _MODELS if model.published or not published_only)


def find(model_id: str) -> Model | None:
    """The model behind an id or alias, or ``None`` if the catalogue does not know it."""
    return _BY_ID.get(model_id)


@lru_cache(maxsize=1024)
def find_stated(model_id: str) -> Model | None:
    """The model behind an id as a server may state it, ``None`` if the catalogue does not know it.

    A server may state another spelling of what was asked for: ``openai/gpt-4.1``,
    ``models/gemini-2.5-flash``, ``DeepSeek-V3.2``, or a dated snapshot (``gpt-4.1-2025-04-14``).
    The model is that of the id without those. A preview is its base only if it is listed as an
    alias.
    """
    return find(model_id) or find(_SNAPSHOT.sub("", model_id.lower().rpartition("/")[2]))


def published_price(model_id: str) -> Price | None:
    """The published price of this id, as ``find_stated`` knows it; ``None`` if there is none."""
    model = find_stated(model_id)
    return model.price if model else None


def nearest(model_id: str, count: int = 3) -> tuple[str, ...]:
    """Up to ``count`` known ids that resemble ``model_id``, the successor of an old id first."""
    ranked = difflib.get_close_matches(model_id.lower(), _BY_ID, n=count + 1, cutoff=0.5)
    names = [_FACTS["old_ids"].get(model_id), *ranked]
    return tuple(dict.fromkeys(_BY_ID[name].id for name in names if name))[:count]


def plans() -> Mapping[str, Plan]:
    """Every plan by name, the mock's own ``unlimited`` among them."""
    return _PLANS


def presets() -> Mapping[str, Mapping[str, float | int]]:
    """The four published presets: temperature, max_tokens and top_p by name."""
    return _PRESETS


def refuses_temperature_with_top_p(model_id: str) -> bool:
    """Whether this model, as ``find_stated`` knows it, refuses both at once."""
    model = find_stated(model_id)
    return model is not None and model.refuses_temperature_with_top_p


def client_settings() -> ClientSettings:
    """The published production settings of a client."""
    return ClientSettings(**_FACTS["gateway"]["client"])


def published_rate() -> ExchangeRate:
    """The exchange rate that the article used: 1,450 KRW for one USD, January 2026."""
    return ExchangeRate(**_row(_FACTS["exchange_rate"]))


def published_months() -> tuple[PublishedMonth, ...]:
    """The published table of monthly costs, as printed: its volume is off, as an audit shows."""
    return tuple(PublishedMonth(**_row(row)) for row in _FACTS["published_months"])


def published_savings() -> tuple[PublishedSaving, ...]:
    """The savings that were published beside it."""
    return tuple(PublishedSaving(**_row(row)) for row in _FACTS["published_savings"])


def published_claims() -> PublishedClaims:
    """What the article says of cost in words: the premium, "cheaper than", "best value"."""
    return PublishedClaims(**_row(_FACTS["published_claims"]))


def fit_rows() -> tuple[FitRow, ...]:
    """The published table "for whom", in its order, with what is known about each row."""
    return tuple(FitRow(**_row(row)) for row in _FACTS["fit"])


def public_list() -> Source:
    """The public list that models and direct prices were compared with, and its day."""
    return _SOURCES["public_list"]
