"""What a call costs: Decimal from the catalogue to the screen."""

from __future__ import annotations

import warnings
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from holysheep_helpers import catalog
from holysheep_helpers.catalog import ExchangeRate, Price, Source
from holysheep_helpers.exceptions import InputError, UnknownPriceError
from holysheep_helpers.pricing.decimals import exactly, money, ratio, tidy

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider
    from openai.types import CompletionUsage

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


Prices = Literal["published", "direct"]


_ANY_LENGTH = Context(prec=400, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])
"""Exact whatever precision the caller's own context has: it would raise rather than round."""


def cost_of(
    usage: CompletionUsage,
    model: str,
    *,
    prices: Prices = "published",
    today: date | None = None,
) -> Decimal:
    """The exact cost in USD of one call, from the ``usage`` that the server reported.

    A cost that the gateway itself states there wins (``usage.cost``, in USD): no price is needed.
    Otherwise it is ``(prompt - cached) * input + cached * cached_input + completion * output``,
    over 10**6, at the gateway's published price (``hs.catalog``, with its source and date). Cached
    tokens are inside ``prompt_tokens``; where no price of their own is known, and for the gateway
    none was published, they cost what the others cost. Reasoning is inside ``completion_tokens``.
    ``prices="direct"`` takes the maker's own price (``genai-prices``), which mostly has one for
    cached tokens, and leaves out what the gateway states.

    The SDK has read ``usage.cost`` as a float: its shortest decimal text is taken, which is the
    number that was sent if that had 15 digits or fewer. ``gw.spend`` reads the text itself.

    Give ``today`` to be warned (``StalePriceWarning``) of a price that is old on that day.

    Raises ``UnknownPriceError`` where there is no price, which is neither zero nor a guess, and
    ``InputError`` for what is no usage.
    """
    if prices == "published":
        stated = stated_cost(usage)
        if stated is not None:
            return stated
    tariff = _tariff(model, prices)
    if today is not None:
        warn_if_stale(model, tariff.price, today)
    return _by_price(usage, tariff)


def stated_cost(usage: object) -> Decimal | None:
    """``usage.cost``, what the gateway itself says in USD, or ``None`` where it says nothing.

    Raises ``InputError`` for what can't be a cost.
    """
    known = getattr(usage, "__pydantic_extra__", None)  # where the SDK keeps what it does not know
    stated = getattr(usage, "cost", None) if known is None else known.get("cost")
    if stated is None:
        return None
    return money("usage.cost", repr(stated) if isinstance(stated, float) else stated)


def has_stated_cost(usage: object) -> bool:
    """Whether the gateway stated a cost that can be one."""
    try:
        return stated_cost(usage) is not None
    except InputError:
        return False


def find_price(model: str, prices: object = "published") -> Price:
    """Raises ``UnknownPriceError``, or ``InputError`` for prices of another name."""
    if not isinstance(model, str):
        raise InputError(f"The model is {model!r}: an id is needed, {catalog.DEFAULT_MODEL!r} say.")
    if prices == "published":
        price = catalog.published_price(model)
        priced = ", ".join(m.id for m in catalog.models() if m.price)
        unknown = (
            f"No price was published for {model!r}, so its cost is unknown. "
            f"Models with a published price: {priced}."
        )
    elif prices == "direct":
        # MOVED

        price = direct_price(model)
        unknown = (
            f"{list_source()} has no price of {model!r} at its maker. Use prices='published', or "
            "another model."
        )
    else:
        raise InputError(f"prices is {prices!r}: 'published' and 'direct' are allowed.")
    if price is None:
        raise UnknownPriceError(unknown)
    return price


class _Tariff(NamedTuple):
    """A price in whole numbers: what one token costs, in units of ``unit_usd``.

    A cached one costs ``cached_less`` than another of the prompt; ``many`` units are 10 USD.
    """

    price: Price
    input: int
    cached_less: int
    output: int
    unit_usd: Decimal
    many: int


@lru_cache(maxsize=1024)
def _tariff(model: str, prices: Prices) -> _Tariff:
    """Whole numbers add up exactly, and twice as fast as ``Decimal``."""
    price = find_price(model, prices)
    each = (price.input_usd_per_mtok, price.cached_usd_per_mtok, price.output_usd_per_mtok)
    places = max(0, *(-amount.as_tuple().exponent for amount in each))  # pyright: ignore[reportOperatorIssue]
    with exactly():
        into, cached, out = (int(amount.scaleb(places)) for amount in each)
    unit_usd = Decimal(1).scaleb(-places - 6)
    return _Tariff(price, into, into - cached, out, unit_usd, 10 ** (places + 7))


def _by_price(usage: CompletionUsage, tariff: _Tariff) -> Decimal:
    try:  # the SDK's own usage has all of these: attributes are read three times as fast so
        prompt, completion = usage.prompt_tokens, usage.completion_tokens
        details = usage.prompt_tokens_details
        cached = 0 if details is None else details.cached_tokens or 0
    except AttributeError:
        prompt = getattr(usage, "prompt_tokens", None)
        completion = getattr(usage, "completion_tokens", None)
        cached = 0
    if type(prompt) is not int or prompt < 0:
        raise _no_count("prompt_tokens", prompt)
    if type(completion) is not int or completion < 0:
        raise _no_count("completion_tokens", completion)
    if type(cached) is not int or not 0 <= cached <= prompt:
        raise _no_count("prompt_tokens_details.cached_tokens", cached, f"{prompt} at most, ")
    return _in_usd(tariff, prompt, cached, completion)


def _no_count(name: str, found: object, most: str = "") -> InputError:
    return InputError(
        f"usage.{name} is {found!r}: a count of tokens, 0 or more, {most}is needed. "
        "Pass the `usage` of a reply as it came."
    )


def _in_usd(tariff: _Tariff, prompt: int, cached: int, completion: int) -> Decimal:
    _, into, less, out, unit_usd, many = tariff
    units = prompt * into + completion * out
    if cached:
        units -= cached * less
    usd = _ANY_LENGTH.multiply(units, unit_usd).normalize(_ANY_LENGTH)
    return usd if units < many else tidy(usd)  # which never writes 1E+1


def most_of(input_tokens: int, output_tokens: int, model: str) -> Decimal | None:
    """What so many tokens cost, none of them cached; ``None`` where no price was published."""
    try:
        tariff = _tariff(model, "published")
    except UnknownPriceError:
        return None
    return _in_usd(tariff, input_tokens, 0, output_tokens)


def cost_or_none(usage: CompletionUsage | None, model: str) -> Decimal | None:
    """What a call cost as far as that is known: a reply that is here and paid must not be lost.

    ``None`` where usage or price is missing, or the counts make no sense. A stated cost that can't
    be one (below 0, no number) is passed over, and the published price taken.
    """
    if usage is None:
        return None
    if has_stated_cost(usage):
        return stated_cost(usage)
    with suppress(InputError, UnknownPriceError):
        return _by_price(usage, _tariff(model, "published"))
    return None


def to_krw(usd: Decimal, rate: ExchangeRate) -> Decimal:
    """US dollars in won, at a rate that the caller names: ``hs.catalog.published_rate()``, say.

    Raises ``InputError`` for a float: money that passed through one is no longer exact.
    """
    _check(usd, rate)
    with exactly():
        return usd * rate.krw_per_usd


def to_usd(krw: Decimal, rate: ExchangeRate) -> Decimal:
    """Won in US dollars, at a rate that the caller names, to 28 digits.

    Raises ``InputError`` for a float: money that passed through one is no longer exact.
    """
    _check(krw, rate)
    return ratio(krw, rate.krw_per_usd)


def _check(amount: object, rate: object) -> None:
    if not isinstance(amount, Decimal):
        kind = type(amount).__name__
        raise InputError(f"{amount!r} is a {kind}: money is Decimal, Decimal('0.01').")
    if not amount.is_finite():
        raise InputError(f"{amount} is no amount of money.")
    check_rate(rate)


def check_rate(rate: object) -> None:
    """Raises ``InputError`` for what is no ``ExchangeRate``: a bare number has no day."""
    if not isinstance(rate, ExchangeRate):
        raise InputError(
            f"rate is {rate!r}: an ExchangeRate is needed, which names its day: "
            "hs.catalog.published_rate(), or one of your own."
        )
