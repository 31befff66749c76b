"""Exact money: amounts as they are given, what a call costs, and by which price.

Money is ``Decimal`` and is never rounded on the way. A quotient is the only exception (``ratio``,
28 digits), and what is shown to people is rounded half up, as on a bill.
"""

from __future__ import annotations

import decimal
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, time
from decimal import Decimal, Inexact, InvalidOperation, localcontext
from functools import cache
from itertools import accumulate, repeat
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from pydantic import BaseModel

from holysheep_helpers import catalog
from holysheep_helpers._checks import check_whole, shown
from holysheep_helpers.catalog import ExchangeRate, Price, Source
from holysheep_helpers.exceptions import InputError, UnknownPriceError, warn

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider
    from openai.types import CompletionUsage

Exact = Decimal | int | str
"""What an amount or a share may be given as. A float is refused: it is rounded already."""

EXACT = decimal.Context(
    prec=60_000,
    rounding=decimal.ROUND_HALF_UP,
    traps=[Inexact, InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
)
"""The context of all money: it raises rather than round, whatever precision the caller has set."""

MOST_DIGITS = 30
MOST_MONTHS = 1_200
GROWTH_DIGITS = 28
QUOTIENT_DIGITS = 28

STALE_AFTER_DAYS = 180
"""Half a year: a round figure of our own. Most of the makers' prices changed within a year."""

SMALL = 1_000
"""Tokens of the call that is priced, then scaled up: a million at once would meet the tiers that
some models have for long contexts."""

_MAKERS = {"mistralai": "mistral"}


def exactly() -> Any:
    """``with exactly():`` sums, differences and products of ``Decimal`` without any rounding.

    A division that does not come out even raises ``Inexact``: for those there is ``ratio``.
    """
    return localcontext(EXACT)


def ratio(part: Decimal | int, whole: Decimal | int) -> Decimal:
    """``part / whole``, to 28 digits. The caller has made sure that ``whole`` is not 0."""
    with localcontext(EXACT, prec=QUOTIENT_DIGITS) as context:
        context.traps[Inexact] = False
        return tidy(Decimal(part) / Decimal(whole))


def rounded(value: Decimal, places: int) -> Decimal:
    """The nearest number with so many decimal places; below 0 they are tens, hundreds ..."""
    with exactly():
        return value.scaleb(places).to_integral_value().scaleb(-places)


def grown(growth: Decimal, months: int) -> Iterator[Decimal]:
    """How many times the first month's volume each month has: ``(1 + growth) ** month``, exact."""
    factors = repeat(EXACT.add(1, growth), months - 1)
    return accumulate(factors, EXACT.multiply, initial=Decimal(1))


def tidy(value: Decimal) -> Decimal:
    """The same number without zeros behind its point, and never as 1E+3."""
    if value == value.to_integral_value():
        return value.quantize(Decimal(1), context=EXACT) or Decimal(0)  # nor minus zero
    return value.normalize(EXACT)


def dollars(value: Decimal) -> Decimal:
    """The same amount with its cents, and with all further digits that it has."""
    cents = tidy(value.scaleb(2, EXACT))
    return tidy(value) if cents != cents.to_integral_value() else cents.scaleb(-2, EXACT)


def usd_text(value: Decimal) -> str:
    """Dollars for people: 1,234.50. Half a cent is rounded up, as on a bill; less than a cent is
    shown by its first two digits, 0.000023, for it is not nothing."""
    places = 1 - value.adjusted() if 0 < abs(value) < Decimal("0.01") else 2
    with exactly():
        return f"{value:z,.{places}f}"


def krw_text(value: Decimal) -> str:
    """Won for people: 73,950. Half a won is rounded up."""
    with exactly():
        return f"{value:z,.0f}"


def money(name: str, given: object, *, least: int | None = 0) -> Decimal:
    """An amount of money. Raises ``InputError``; below 0 only with ``least=None``."""
    return _checked(name, given, "an amount of money", "12.50", least)


def volume(name: str, given: object) -> Decimal:
    """A count of tokens, 0 or more; the average of several months may have a fraction."""
    return _checked(name, given, "a count of tokens", "10_000_000", 0)


def share(name: str, given: object) -> Decimal:
    """A share from 0 to 1. Raises ``InputError``."""
    return _checked(name, given, "a share from 0 to 1 ('0.5' is one half)", "0.5", 0, 1)


def growth_rate(name: str, given: object) -> Decimal:
    """Growth a month: '0.05' is 5% more each month, '-0.05' 5% less. Raises ``InputError``."""
    what = "growth a month ('0.05' is 5% more each month)"
    value = _checked(name, given, what, "0.05", -1, 100)
    if len(value.as_tuple().digits) > GROWTH_DIGITS:  # its powers are worked out exactly
        raise InputError(f"{name} has more than {GROWTH_DIGITS} digits: round it first.")
    return value


def whole_months(given: object) -> int:
    """A number of months, 1 to 1,200. Raises ``InputError``."""
    months: Any = _python_number(given)
    check_whole("months", months, most=MOST_MONTHS)
    return months


def _checked(
    name: str, given: object, what: str, example: str, least: int | None, most: int | None = None
) -> Decimal:
    number = _python_number(given)
    if isinstance(number, float):
        raise InputError(
            f"{name} is {given!r}, a float, which may be rounded already: give {what} exactly, as "
            f"Decimal('{given!r}'), '{given!r}' or a whole number."
        )
    if isinstance(number, bool) or not isinstance(number, Decimal | int | str):
        raise InputError(
            f"{name} is a {type(given).__name__}: {what} is needed, as text, Decimal or int."
        )
    try:
        value = Decimal(number)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise InputError(f"{name} is {shown(given)}: {what} is needed, such as {example!r}.")
    if least is not None and value < least:
        raise InputError(f"{name} is {shown(given)}: {what} can't be below {least}.")
    if most is not None and value > most:
        raise InputError(f"{name} is {shown(given)}: {what} is needed, {most} at most.")
    if value and not -MOST_DIGITS <= value.adjusted() < MOST_DIGITS:
        raise InputError(f"{name} is {shown(given)}: more than {MOST_DIGITS} digits are no {name}.")
    if len(value.as_tuple().digits) > 2 * MOST_DIGITS:
        raise InputError(f"{name} has more than {2 * MOST_DIGITS} digits: round it first.")
    return value


def _python_number(given: object) -> object:
    """The same as an ``int`` if it is another library's whole number, NumPy's for example."""
    return int(given) if isinstance(given, Integral) and not isinstance(given, bool) else given


Prices = Literal["published", "direct"]


class AssumedPriceWarning(UserWarning):
    """A server states a model without a published price: its calls have that of the model asked.

    It is given once for each pair of names in a process. If the price is wrong, ask for the model
    by the name that the server states. It comes, too, once for each model whose server states a
    total of tokens that is less than prompt and answer together: then these are priced.
    """

    _warned_of: ClassVar[set[tuple[str, str]]] = set()


class StalePriceWarning(UserWarning):
    """A price is more than 180 days old: look up today's price before you rely on it.

    It is given once for each model and price list in a process. No clock is read to find out: it
    comes where ``today`` is given, and before the first live call to a model.
    """

    _warned_of: ClassVar[set[tuple[str, str]]] = set()


PriceWarning = type[AssumedPriceWarning] | type[StalePriceWarning]


def cost_of(
    usage: CompletionUsage,
    model: str | None,
    *,
    prices: Prices = "published",
    today: date | None = None,
) -> Decimal:
    """Work out the exact cost of one call in USD, from the usage that the server reported.

    A cost that the gateway itself states wins (``usage.cost``, in USD): no price is needed then.
    The SDK has read it as a float; its shortest decimal text is taken, which is the number that was
    sent if that had 15 digits or fewer. ``gw.spend`` reads the text itself.

    Otherwise the cost is ``fresh * input + cached * cached_input + written * cache_write +
    completion * output``, over 10**6. Cached tokens, and those written to a cache, are inside
    ``prompt_tokens``. Where no price of their own is known, and the gateway published none, they
    cost what the others cost. Reasoning is inside ``completion_tokens``; where the total is more
    than prompt and completion, it stands outside, and completion is the total without the prompt.
    A total that is less than the two is passed over.

    Args:
        usage: the ``usage`` of a reply, as the SDK gives it.
        model: the id of the model that answered. A reply that states none has ``None``, which has
            no price: give the id that was asked for.
        prices: ``"published"`` for the gateway's own prices (``hs.catalog``, with source and date),
            or ``"direct"`` for the maker's prices (``genai-prices``), which leave out what the
            gateway states. Default: ``"published"``.
        today: the day on which the price has to be up to date. Default: the age is not checked.

    Returns:
        US dollars, as an exact ``Decimal``.

    Raises:
        UnknownPriceError: no price is known for this model.
        InputError: the usage has no counts of tokens, or ``prices`` is neither of the two.

    Warns:
        StalePriceWarning: the price is more than 180 days older than ``today``.

    Example:
        >>> reply = hs.ask(gw, "Say hello in Korean.")
        >>> hs.cost_of(reply.usage, reply.model) == reply.cost
        True
    """
    if prices == "published":
        stated = stated_cost(usage)
        if stated is not None:
            return stated
    price = find_price(model, prices)
    warn_if_stale(str(model), price, today)
    return _by_price(usage, price)


def to_krw(usd: Decimal, rate: ExchangeRate) -> Decimal:
    """Convert US dollars to won.

    Args:
        usd: US dollars, as a ``Decimal``.
        rate: the rate, which names its day: ``hs.catalog.published_rate()`` for example.

    Returns:
        Won, as an exact ``Decimal``.

    Raises:
        InputError: ``usd`` is a float, which is no longer exact, or ``rate`` is a bare number.

    Example:
        >>> from decimal import Decimal
        >>> hs.to_krw(Decimal("2.50"), hs.catalog.published_rate())
        Decimal('3625.00')
    """
    _check(usd, rate)
    with exactly():
        return usd * rate.krw_per_usd


def to_usd(krw: Decimal, rate: ExchangeRate) -> Decimal:
    """Convert won to US dollars.

    Args:
        krw: won, as a ``Decimal``.
        rate: the rate, which names its day: ``hs.catalog.published_rate()`` for example.

    Returns:
        US dollars, as a ``Decimal`` of up to 28 digits.

    Raises:
        InputError: ``krw`` is a float, which is no longer exact, or ``rate`` is a bare number.

    Example:
        >>> from decimal import Decimal
        >>> hs.to_usd(Decimal(1450), hs.catalog.published_rate())
        Decimal('1')
    """
    _check(krw, rate)
    return ratio(krw, rate.krw_per_usd)


def _check(amount: object, rate: object) -> None:
    if not isinstance(amount, Decimal):
        kind = type(amount).__name__
        raise InputError(f"{shown(amount)} is a {kind}: money is Decimal, Decimal('0.01').")
    if not amount.is_finite():
        raise InputError(f"{amount} is no amount of money.")
    check_rate(rate)


def check_rate(rate: object) -> None:
    """Raise ``InputError`` for what is no ``ExchangeRate``: a bare number has no day."""
    if not isinstance(rate, ExchangeRate):
        raise InputError(
            f"rate is {shown(rate)}: an ExchangeRate is needed, which names its day: "
            "hs.catalog.published_rate(), or one of your own."
        )


# ---- the tokens of one call ---------------------------------------------------------------------
# Spellings: public recordings of OpenRouter, Mistral, DeepSeek, Kimi, xAI and litellm.
_CACHED = ("prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens")
_WRITTEN = ("cache_creation_input_tokens", "cache_write_tokens", "cache_creation_tokens")
_OF_A_CACHE = frozenset((*_CACHED, *_WRITTEN))

MOST_TOKENS = 10**15
"""No count of tokens is as much."""


def cache_parts(usage: object, prompt: int | None) -> tuple[int, int]:
    """The tokens of the prompt that came out of a cache, and those that were written to one.

    What can't be a part of the prompt is 0: then those tokens have the price of the others.
    """
    said = fields_of(usage)
    cached = written = None
    details = fields_of(said.get("prompt_tokens_details"))
    for place in (details, fields_of(said.get("prompt_token_details")), said):
        if not _OF_A_CACHE.isdisjoint(place):
            cached = _part(place, _CACHED) if cached is None else cached
            written = _part(place, _WRITTEN) if written is None else written
    cached, written, prompt = cached or 0, written or 0, prompt or 0
    cached = cached if cached <= prompt else 0
    return cached, written if cached + written <= prompt else 0


def _part(place: dict[str, Any], names: tuple[str, ...]) -> int | None:
    for name in names:
        if name in place and (part := count(place[name])) is not None:
            return part
    return None


def count(value: Any) -> int | None:
    """A count of tokens; ``None`` for what can't be one."""
    return value if type(value) is int and 0 <= value < MOST_TOKENS else None


def fields_of(value: Any) -> dict[str, Any]:
    """The fields of a JSON object, or of the SDK's object, to be read; empty for anything else."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, BaseModel):
        return {}
    more = value.__pydantic_extra__
    return {**value.__dict__, **more} if more else vars(value)


# ---- the cost of one call -----------------------------------------------------------------------
def stated_cost(usage: object) -> Decimal | None:
    """``usage.cost``, what the gateway itself says in USD, or ``None`` where it says nothing.

    With a key of one's own for the model's vendor (OpenRouter's ``is_byok``) it is the router's fee
    alone: what the vendor takes, ``cost_details.upstream_inference_cost``, is added.
    Raises ``InputError`` for what can't be a cost.
    """
    known = getattr(usage, "__pydantic_extra__", None)  # where the SDK keeps what it does not know
    stated = getattr(usage, "cost", None) if known is None else known.get("cost")
    if stated is None:
        return None
    cost, said = _stated("usage.cost", stated), fields_of(usage)
    upstream = fields_of(said.get("cost_details")).get("upstream_inference_cost")
    if said.get("is_byok") is not True or upstream is None:
        return cost
    return EXACT.add(cost, _stated("usage.cost_details.upstream_inference_cost", upstream))


def _stated(name: str, amount: object) -> Decimal:
    return money(name, repr(amount) if isinstance(amount, float) else amount)


def cost_or_none(
    usage: CompletionUsage | None, model: str | None, asked: str | None = None
) -> Decimal | None:
    """What a call cost as far as that is known: a reply that is here and paid must not be lost.

    ``None`` where usage or price is missing, or the counts make no sense. A stated cost that can't
    be one (below 0, no number) is passed over, and the published price taken: that of the ``model``
    that the server states, or of the one that was ``asked`` for.
    """
    if usage is None:
        return None
    if (stated := possible_cost(usage)) is not None:
        return stated
    name = priced_name(model, asked)
    if name and (price := catalog.published_price(name)):
        with suppress(InputError):
            return _by_price(usage, price)
    return None


def possible_cost(usage: object) -> Decimal | None:
    """``stated_cost``, or ``None`` where what the gateway states can't be a cost."""
    try:
        return stated_cost(usage)
    except InputError:
        return None


def priced_name(model: str | None, asked: str | None) -> str | None:
    """Which of the two names has the price: the one that the server states, or that was asked."""
    return model if model and catalog.published_price(model) is not None else asked or model


def warn_if_assumed(
    usage: CompletionUsage | None, model: str | None, asked: str, stacklevel: int = 3
) -> None:
    """Warn where ``cost_or_none`` had to choose: between two models, or two counts of tokens.

    If the server stated no model at all, nothing speaks against the one that was asked for.
    """
    if usage is None:
        return
    total = fields_of(usage).get("stated_total_tokens")
    is_other = bool(model) and model != asked
    if (total is None and not is_other) or possible_cost(usage) is not None:
        return
    priced = priced_name(model, asked) or asked
    if catalog.published_price(priced) is None:
        return
    if is_other and priced == asked:
        said = f"The server states the model {shown(model)}, which has no published price: its "
        said += f"calls are priced as {shown(asked)}, which was asked for."
        _warn_once(AssumedPriceWarning, (str(model), asked), said, stacklevel)
    if total is not None:
        said = f"The server states a total of {total} tokens for {shown(priced)}, which is less "
        said += f"than prompt and answer together: their sum, {usage.total_tokens}, is priced."
        _warn_once(AssumedPriceWarning, (priced, "total_tokens"), said, stacklevel)


def _warn_once(
    category: PriceWarning, about: tuple[str, str], message: str, stacklevel: int
) -> None:
    if about not in category._warned_of:
        category._warned_of.add(about)
        warn(message, category, stacklevel=stacklevel + 1)


def most_of(input_tokens: int, output_tokens: int, model: str) -> Decimal | None:
    """What so many tokens cost, none of them cached; ``None`` where no price was published."""
    try:
        price = find_price(model)
    except UnknownPriceError:
        return None
    return _in_usd(price, input_tokens, 0, 0, output_tokens)


def _by_price(usage: CompletionUsage, price: Price) -> Decimal:
    prompt = getattr(usage, "prompt_tokens", None)
    completion = getattr(usage, "completion_tokens", None)
    total = getattr(usage, "total_tokens", None)
    details = getattr(usage, "prompt_tokens_details", None)
    cached, written = getattr(details, "cached_tokens", None) or 0, 0
    if type(prompt) is not int or prompt < 0:
        raise _no_count("prompt_tokens", prompt)
    if type(completion) is not int or completion < 0:
        raise _no_count("completion_tokens", completion)
    if type(cached) is not int or not 0 <= cached <= prompt:
        raise _no_count("prompt_tokens_details.cached_tokens", cached, f"{prompt} at most, ")
    if type(total) is int and total > prompt + completion:
        completion = total - prompt
    has_more = details is not None and (
        getattr(details, "cache_write_tokens", True) or getattr(details, "__pydantic_extra__", True)
    )
    if has_more or getattr(usage, "__pydantic_extra__", True):
        cached, written = cache_parts(usage, prompt)
    return _in_usd(price, prompt - cached - written, cached, written, completion)


def _no_count(name: str, found: object, most: str = "") -> InputError:
    return InputError(
        f"usage.{name} is {found!r}: a count of tokens, 0 or more, {most}is needed. "
        "Pass the `usage` of a reply as it came."
    )


def _in_usd(price: Price, fresh: int, cached: int, written: int, completion: int) -> Decimal:
    """The context's own methods: twice as fast as ``with exactly():``."""
    usd = EXACT.multiply(completion, price.output_usd_per_mtok)
    usd = EXACT.fma(fresh, price.input_usd_per_mtok, usd)
    if cached:
        usd = EXACT.fma(cached, price.cached_usd_per_mtok, usd)
    if written:
        usd = EXACT.fma(written, price.cache_write_usd_per_mtok or price.input_usd_per_mtok, usd)
    return tidy(usd.scaleb(-6, EXACT))


# ---- the price of a model -----------------------------------------------------------------------
def find_price(model: str | None, prices: object = "published") -> Price:
    """The price of a model, in one of two lists.

    Raises ``UnknownPriceError``, or ``InputError`` for prices of another name.
    """
    if not isinstance(model, str):
        raise InputError(
            f"The model is {shown(model)}: an id is needed, such as {catalog.DEFAULT_MODEL!r}."
        )
    if prices not in ("published", "direct"):
        raise InputError(f"prices is {shown(prices)}: 'published' and 'direct' are allowed.")
    price = catalog.published_price(model) if prices == "published" else direct_price(model)
    if price is not None:
        return price
    if prices == "direct":
        raise UnknownPriceError(
            f"{list_source()} has no price of {shown(model)} at its maker. Use prices='published', "
            "or another model."
        )
    raise UnknownPriceError(
        f"No price was published for {shown(model)}, so its cost is unknown. "
        f"Models with a published price: {', '.join(priced_models())}."
    )


def priced_models() -> list[str]:
    """The ids of all models whose price the gateway has published."""
    return [model.id for model in catalog.models() if model.price]


def warn_if_stale(model: str, price: Price, on: date | None) -> None:
    """Warn if this price is too old on that day, the first time for this model and price list."""
    age_days = 0 if on is None else price.source.age_days(on)
    if age_days > STALE_AFTER_DAYS:
        said = f"The price of {model} is {age_days} days old ({price.source})"
        said += ": check today's before you rely on it."
        _warn_once(StalePriceWarning, (model, price.source.name), said, stacklevel=3)


def today() -> date:
    """Today's day in UTC: the one place where a clock is read, for live calls alone."""
    return datetime.now(UTC).date()


# ---- direct prices: what makers and other hosts ask, by genai-prices ----------------------------
class Offer(NamedTuple):
    """A model's price at one host."""

    host: str
    price: Price


@cache
def direct_price(model: str) -> Price | None:
    """The price of a model at its own maker, or ``None`` where the list has none."""
    known = catalog.find_stated(model)
    if known is None:
        return None
    maker = _MAKERS.get(known.owned_by, known.owned_by)
    return next((o.price for o in offers(known.id) if o.host == maker), None)


@cache
def offers(model: str) -> tuple[Offer, ...]:
    """What every host in the list asks for a model of this very id, whatever stands before "/"."""
    from genai_prices.data_snapshot import get_snapshot

    return tuple(
        Offer(provider.id, price)
        for provider in get_snapshot().providers
        for info in provider.models
        if info.id.lower().rpartition("/")[2] == model.lower() and not info.deprecated
        if (price := _price(provider, info)) is not None
    )


def _price(provider: Provider, info: ModelInfo) -> Price | None:
    """The price of a small call, a million times as large; ``None`` for what is free or no chat."""
    from genai_prices import Usage

    noon = datetime.combine(list_source().as_of, time(12), UTC)

    def per_mtok(**tokens: int) -> Decimal:
        with exactly():
            got = info.calc_price(Usage(**tokens), provider, genai_request_timestamp=noon)
            return tidy(got.total_price * (1_000_000 // SMALL))

    into = per_mtok(input_tokens=SMALL, output_tokens=0)
    out = per_mtok(input_tokens=0, output_tokens=SMALL)
    if not into or not out:
        return None
    cached = per_mtok(input_tokens=SMALL, cache_read_tokens=SMALL, output_tokens=0)
    written = per_mtok(input_tokens=SMALL, cache_write_tokens=SMALL, output_tokens=0)
    return Price(
        *(into, out, list_source()),
        None if cached == into else cached,
        None if written == into else written,
    )


@cache
def list_source() -> Source:
    """The list with its version and day: the catalogue's, or the newest day that is in it."""
    from importlib.metadata import version

    name = f"genai-prices {version('genai-prices')}"
    known = catalog.public_list()
    if known.name.startswith(f"{name},"):
        return Source(name, known.as_of, "makers' and other hosts' own prices")
    return Source(name, _newest_day(), "the newest day in it; the list may be newer")


def _newest_day() -> date:
    from genai_prices.data_snapshot import get_snapshot

    models = [info for provider in get_snapshot().providers for info in provider.models]
    prices = [entry for info in models if isinstance(info.prices, list) for entry in info.prices]
    begun = (getattr(entry.constraint, "start_date", None) for entry in prices)
    return max(day for day in begun if day is not None)
