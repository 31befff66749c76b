"""The shapes of what is known: each figure with its source and the day it was true."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

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
