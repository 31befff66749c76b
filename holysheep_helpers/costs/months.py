"""What a month of tokens costs, what models cost side by side, and the premium on direct prices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from holysheep_helpers import catalog
from holysheep_helpers._checks import shown
from holysheep_helpers.catalog import ExchangeRate, Price
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.pricing import money
from holysheep_helpers.pricing.money import Exact, Prices

if TYPE_CHECKING:
    from pandas import DataFrame

HALF, ENDS = Decimal("0.5"), (Decimal(0), Decimal(1))
"""Shares of input: half, and the two ends, all output and all input."""


@dataclass(frozen=True, slots=True)
class MonthlyCost:
    """What a number of tokens of one model costs in a month. All amounts are exact ``Decimal``.

    Attributes:
        model: the id of the model.
        tokens: tokens a month, prompts and answers together.
        input_share: the part of the tokens that is prompt, 0 to 1.
        cached_share: the part of the prompts that comes out of a cache, 0 to 1.
        input_usd: the cost of the prompts that came out of no cache, in USD.
        cached_usd: the cost of the prompts that came out of a cache, in USD.
        output_usd: the cost of the answers, in USD.
        price: the price that was taken, with its source and day.

    Example:
        >>> month = hs.monthly_cost("gpt-4.1", 10_000_000)
        >>> month.usd, month.input_usd, month.output_usd
        (Decimal('55.00'), Decimal('15.00'), Decimal('40.00'))
    """

    model: str
    tokens: Decimal
    input_share: Decimal
    cached_share: Decimal
    input_usd: Decimal
    cached_usd: Decimal
    output_usd: Decimal
    price: Price

    @property
    def usd(self) -> Decimal:
        """The sum of the three parts, in USD."""
        with money.exactly():
            return money.dollars(self.input_usd + self.cached_usd + self.output_usd)

    def __str__(self) -> str:
        cached = f", {self.cached_share:.0%} of it cached" if self.cached_share else ""
        cost = f"{money.usd_text(self.usd)} USD for {self.tokens:,f} tokens of {self.model}"
        return f"{cost}, {self.input_share:.0%} input{cached} ({self.price.source})"


def monthly_cost(
    model: str,
    tokens: Exact,
    *,
    input_share: Exact = "0.5",
    cached_share: Exact = "0",
    prices: Prices = "published",
    today: date | None = None,
) -> MonthlyCost:
    """Work out what a number of tokens a month costs with one model.

    The cost is ``tokens * share * price / 10**6`` for each of three parts: prompts, cached prompts
    and answers. Where no price for cached tokens is known, they cost the same as the others; the
    gateway has published none. Amounts are given as ``Decimal``, whole number or text, never as
    float.

    Args:
        model: the id of the model.
        tokens: tokens a month, prompts and answers together.
        input_share: the prompts' part of the tokens, 0 to 1. Default: half.
        cached_share: the part of the prompts that comes out of a cache, 0 to 1. Default: 0.
        prices: ``"published"`` for the gateway's own prices, ``"direct"`` for the maker's
            (``genai-prices``). Default: ``"published"``.
        today: the day on which the price has to be up to date. Default: the age is not checked.

    Returns:
        A ``MonthlyCost``.

    Raises:
        InputError: an amount is a float, a volume is negative, or a share is not from 0 to 1.
        UnknownPriceError: no price is known for this model.

    Warns:
        StalePriceWarning: the price is more than 180 days older than ``today``.

    Example:
        >>> print(hs.monthly_cost("mistral-small-2603", 10_000_000, input_share="0.8"))
        2.80 USD for 10,000,000 tokens of mistral-small-2603, 80% input (the gateway's published
        tutorial, 2026-01-31)
    """
    price = money.find_price(model, prices)
    money.warn_if_stale(model, price, today)
    mix = money.share("input_share", input_share), money.share("cached_share", cached_share)
    return _cost(model, price, money.volume("tokens", tokens), *mix)


def _cost(
    model: str, price: Price, tokens: Decimal, input_share: Decimal, cached_share: Decimal
) -> MonthlyCost:
    with money.exactly():
        into = tokens * input_share
        cached = into * cached_share
        parts = (
            (into - cached) * price.input_usd_per_mtok,
            cached * price.cached_usd_per_mtok,
            (tokens - into) * price.output_usd_per_mtok,
        )
        input_usd, cached_usd, output_usd = (money.dollars(part.scaleb(-6)) for part in parts)
    volumes = money.tidy(tokens), money.tidy(input_share), money.tidy(cached_share)
    return MonthlyCost(model, *volumes, input_usd, cached_usd, output_usd, price)


def usd_per_mtok(price: Price, input_share: Decimal, cached_share: Decimal = Decimal(0)) -> Decimal:
    """What a million tokens of this mix cost."""
    return _cost("", price, Decimal(1_000_000), input_share, cached_share).usd


def compare_models(
    models: Iterable[str] | None = None,
    *,
    tokens: Exact,
    input_share: Exact = "0.5",
    cached_share: Exact = "0",
    baseline: str | None = None,
    rate: ExchangeRate | None = None,
    months: int = 1,
    growth: Exact = "0",
    prices: Prices = "published",
    today: date | None = None,
) -> DataFrame:
    """Compare what the same volume of tokens costs with several models.

    Args:
        models: the ids of the models. Default: all with a published price.
        tokens: tokens in the first month, prompts and answers together.
        input_share: the prompts' part of the tokens, 0 to 1. Default: half.
        cached_share: the part of the prompts that comes out of a cache, 0 to 1. Default: 0.
        baseline: the id of the model that the others are compared with. Default: none.
        rate: the rate for amounts in won, ``hs.catalog.published_rate()`` for example. Default: no
            amounts in won.
        months: how many months are added up. Default: 1.
        growth: how much the volume grows each month, "0.05" for 5%. The sum is that of
            ``tokens * (1 + growth) ** n`` for n from 0 to ``months - 1``. Default: 0.
        prices: ``"published"`` or ``"direct"``, as in ``hs.monthly_cost``.
        today: the day on which the prices have to be up to date. Default: the age is not checked.

    Returns:
        A ``DataFrame`` with a row for each model, in the order given, and the columns ``usd``;
        ``krw`` with a ``rate``; ``saving_usd`` and ``saving_share`` with a ``baseline`` (below 0
        where the model costs more; the share is ``None`` if the baseline costs nothing);
        ``source`` and ``as_of`` of the price. All amounts are ``Decimal``.

    Raises:
        InputError: an argument is out of range, or an amount is a float.
        UnknownPriceError: no price is known for one of the models.

    Warns:
        StalePriceWarning: a price is more than 180 days older than ``today``.

    Example:
        >>> table = hs.compare_models(["gpt-4.1", "deepseek-v3.2"], tokens=10_000_000)
        >>> table["usd"].to_dict()
        {'gpt-4.1': Decimal('55.00'), 'deepseek-v3.2': Decimal('2.45')}
    """
    from pandas import DataFrame

    names = model_ids(models)
    with money.exactly():
        growths = money.grown(money.growth_rate("growth", growth), money.whole_months(months))
        total = money.volume("tokens", tokens) * sum(growths)
    mix = money.share("input_share", input_share), money.share("cached_share", cached_share)
    asked = names if baseline is None else [*names, baseline]
    found = {name: _cost(name, money.find_price(name, prices), total, *mix) for name in asked}
    rows = []
    for name in names:
        usd, price = found[name].usd, found[name].price
        row: dict[str, object] = {"model": name, "usd": usd}
        if rate is not None:
            row["krw"] = money.tidy(money.to_krw(usd, rate))
        if baseline is not None:
            base = found[baseline].usd
            saved = row["saving_usd"] = money.dollars(money.EXACT.subtract(base, usd))
            row["saving_share"] = money.ratio(saved, base) if base else None
        rows.append(row | {"source": price.source.name, "as_of": price.source.as_of})
        money.warn_if_stale(name, price, today)
    return DataFrame(rows, dtype=object).set_index("model")


def less_or_more(saving: Decimal, digits: int = 1) -> str:
    """A saving in words: 0.4 is 40.0% less, -0.63 is 63.0% more."""
    return f"{saving.copy_abs():,.{digits}%} {'less' if saving >= 0 else 'more'}"


def model_ids(models: Iterable[str] | None) -> list[str]:
    """The ids that were named, each once; all with a published price if none were."""
    if isinstance(models, str):
        raise InputError(f"models is {shown(models)}: a list is needed, [{shown(models)}] for one.")
    names = money.priced_models() if models is None else list(dict.fromkeys(models))
    if not names:
        raise InputError("models is empty: name one, or leave it out for all with a price.")
    return names


def premium(models: Iterable[str] | None = None, *, input_share: Exact | None = None) -> DataFrame:
    """Compare the gateway's published prices with the makers' own, for each model and mix.

    ``premium`` is ``gateway / direct - 1``: 0.10 is 10% more, below 0 is less. It depends on the
    mix. Direct prices are the maker's own, by ``genai-prices``: a call of 1,000 tokens is priced
    and scaled up, for a million tokens at once would meet the prices for long contexts.

    Args:
        models: the ids of the models. Default: all with a published price.
        input_share: the prompts' part of the tokens, 0 to 1. Default: three rows for each model,
            with 0 (all output), 0.5 and 1 (all input).

    Returns:
        A ``DataFrame`` with the columns ``model``; ``input_share``; ``gateway_usd`` and
        ``direct_usd`` for a million tokens of that mix; ``premium`` (``None`` where a price is
        unknown); ``hosts``, how many in the list offer this very model; ``lowest_usd`` and
        ``highest_usd`` among them; ``gateway_as_of`` and ``direct_as_of``, the days of the prices;
        and ``note``: what is unknown, and where hosts disagree.

    Raises:
        InputError: the share is a float, or not from 0 to 1.

    Example:
        >>> table = hs.premium(["gpt-4.1"], input_share="0.5")
        >>> table["premium"].tolist()
        [Decimal('0.1')]
    """
    from pandas import DataFrame

    mixes = sorted([HALF, *ENDS]) if input_share is None else [input_share]
    rows = [_premium(name, mix) for name in model_ids(models) for mix in mixes]
    return DataFrame(rows, dtype=object)


def _premium(model: str, input_share: Exact) -> dict[str, object]:
    mix, known = money.share("input_share", input_share), catalog.find_stated(model)
    gateway, direct = catalog.published_price(model), money.direct_price(model)
    ours, theirs = (usd_per_mtok(price, mix) if price else None for price in (gateway, direct))
    offers = money.offers(known.id if known else model)
    asked = sorted(usd_per_mtok(offer.price, mix) for offer in offers)
    lowest, highest = (asked[0], asked[-1]) if asked else (None, None)
    notes = {
        "the gateway published no price": gateway is None,
        "no direct price is known": direct is None,
    }
    if lowest != highest:
        notes[f"{len(asked)} hosts disagree: {lowest:.3f} to {highest:.3f} USD"] = True
    beyond = None
    if ours is not None and theirs:
        beyond = money.ratio(money.EXACT.subtract(ours, theirs), theirs)
    return {
        "model": model,
        "input_share": mix,
        "gateway_usd": ours,
        "direct_usd": theirs,
        "premium": beyond,
        "hosts": len(asked),
        "lowest_usd": lowest,
        "highest_usd": highest,
        "gateway_as_of": gateway.source.as_of if gateway else None,
        "direct_as_of": money.list_source().as_of if asked else None,
        "note": "; ".join(note for note, holds in notes.items() if holds),
    }
