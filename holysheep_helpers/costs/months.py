"""What a month costs, and what a year does: volume, mix, cached share, growth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from holysheep_helpers import catalog
from holysheep_helpers.catalog import ExchangeRate, Price
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.pricing.calls import (
    Offer,
    Prices,
    direct_price,
    find_price,
    list_source,
    offers,
    to_krw,
    warn_if_stale,
)
from holysheep_helpers.pricing.decimals import (
    Exact,
    dollars,
    exactly,
    grown,
    growth_rate,
    ratio,
    share,
    tidy,
    usd_text,
    volume,
    whole_months,
)

if TYPE_CHECKING:
    from decimal import Decimal

    from pandas import DataFrame


@dataclass(frozen=True, slots=True)
class MonthlyCost:
    """What ``tokens`` of one model cost: exact ``Decimal`` in US dollars.

    ``usd`` is the sum of ``input_usd`` (prompts that came out of no cache), ``cached_usd`` and
    ``output_usd``; ``input_share`` is the part of the tokens that is prompt, ``cached_share`` the
    part of the prompts that came out of a cache; ``price`` has its source and day.
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
        with exactly():
            return dollars(self.input_usd + self.cached_usd + self.output_usd)

    def __str__(self) -> str:
        cached = f", {self.cached_share:.0%} of it cached" if self.cached_share else ""
        return (
            f"{usd_text(self.usd)} USD for {self.tokens:,f} tokens of {self.model}, "
            f"{self.input_share:.0%} input{cached} ({self.price.source})"
        )


def monthly_cost(
    model: str,
    tokens: Exact,
    *,
    input_share: Exact = "0.5",
    cached_share: Exact = "0",
    prices: Prices = "published",
    today: date | None = None,
) -> MonthlyCost:
    """What so many tokens a month cost: ``tokens * share * price / 10**6`` for each of three parts.

    ``tokens`` are prompt and answer together, ``input_share`` (0 to 1) is the prompts' part of
    them, ``cached_share`` (0 to 1) the part of the prompts that comes out of a cache. Where no
    price for cached tokens is known, as for all that the gateway published, they cost the same as
    the others. ``prices`` are the gateway's ``"published"`` ones, or the ``"direct"`` ones of each
    maker (``genai-prices``). Give ``today`` to be warned of a price that is old on that day.

    Raises ``InputError`` for a float, a negative volume, a share outside 0 to 1, and
    ``UnknownPriceError`` where there is no price. Warns with ``StalePriceWarning``.
    """
    price = find_price(model, prices)
    warn_if_stale(model, price, today)
    return _cost(
        model,
        price,
        volume("tokens", tokens),
        share("input_share", input_share),
        share("cached_share", cached_share),
    )


def _cost(
    model: str, price: Price, tokens: Decimal, input_share: Decimal, cached_share: Decimal
) -> MonthlyCost:
    with exactly():
        into = tokens * input_share
        cached = into * cached_share
        parts = (
            ((into - cached) * price.input_usd_per_mtok).scaleb(-6),
            (cached * price.cached_usd_per_mtok).scaleb(-6),
            ((tokens - into) * price.output_usd_per_mtok).scaleb(-6),
        )
    into_usd, cached_usd, out_usd = map(dollars, parts)
    return MonthlyCost(
        model, tidy(tokens), tidy(input_share), tidy(cached_share),
        into_usd, cached_usd, out_usd, price,
    )  # fmt: skip


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
    """Models side by side, a row each, in the order given: what the same volume costs.

    ``models`` are those with a published price unless named. ``tokens``, ``input_share``,
    ``cached_share`` and ``prices`` as in ``hs.monthly_cost``. Over ``months`` the volume grows by
    ``growth`` each month (0.05 is 5%): ``usd`` is then the exact sum of all of them, that of
    ``tokens * (1 + growth) ** n`` for n from 0 to months - 1.

    Columns: ``usd``; ``krw`` if a ``rate`` is given (``hs.catalog.published_rate()``, say);
    ``saving_usd`` and ``saving_share`` (of its cost; ``None`` if that is 0) against ``baseline``
    if one is given, below 0 where the model costs more; ``source`` and ``as_of`` of the price. All
    amounts are ``Decimal``.

    Raises ``InputError`` and ``UnknownPriceError`` as ``hs.monthly_cost``.
    """
    from pandas import DataFrame, Index

    names = named(models)
    first = volume("tokens", tokens)
    mix = share("input_share", input_share), share("cached_share", cached_share)
    factors = grown(growth_rate(growth), whole_months(months))
    with exactly():
        total = first * sum(factors)

    def cost(name: str) -> Decimal:
        return _cost(name, find_price(name, prices), total, *mix).usd

    costs = {name: cost(name) for name in names}
    columns: dict[str, list[object]] = {"usd": list(costs.values())}
    if rate is not None:
        columns["krw"] = [tidy(to_krw(usd, rate)) for usd in costs.values()]
    if baseline is not None:
        base = cost(baseline)
        with exactly():
            saved = [dollars(base - usd) for usd in costs.values()]
        columns["saving_usd"] = list(saved)
        columns["saving_share"] = [ratio(usd, base) if base else None for usd in saved]
    found = [find_price(name, prices) for name in names]
    for name, price in zip(names, found, strict=True):
        warn_if_stale(name, price, today)
    columns["source"] = [price.source.name for price in found]
    columns["as_of"] = [price.source.as_of for price in found]
    return DataFrame(columns, index=Index(names, name="model"), dtype=object)


def named(models: Iterable[str] | None) -> list[str]:
    if models is None:
        return [model.id for model in catalog.models() if model.price]
    if isinstance(models, str):
        raise InputError(f"models is {models!r}: a list is needed, [{models!r}] for one.")
    names = list(dict.fromkeys(models))
    if not names:
        raise InputError("models is empty: name one, or leave it out for all with a price.")
    return names


MIXES = ("0", "0.5", "1")


def premium(models: Iterable[str] | None = None, *, input_share: Exact | None = None) -> DataFrame:
    """The gateway's published price against the direct one, a row for each model and mix.

    ``premium`` is ``gateway / direct - 1``: 0.10 is 10% dearer, below 0 is cheaper. It depends on
    the mix, so unless an ``input_share`` is given there are three rows: all output (0), half and
    half, all input (1). Direct prices are the maker's own, by ``genai-prices``, of the day in
    ``direct_as_of``: a call of 1,000 tokens is priced and scaled up, for a million at once would
    meet prices for long contexts.

    Columns: ``model``, ``input_share``, ``gateway_usd`` and ``direct_usd`` (a million tokens of
    that mix), ``premium`` (``None`` where a price is unknown), ``hosts`` (how many in the list
    offer this very model), ``lowest_usd`` and ``highest_usd`` among them, ``gateway_as_of``,
    ``direct_as_of``, and ``note``: what is unknown, and where hosts disagree.

    Raises ``InputError`` for a share outside 0 to 1, or a float.
    """
    from pandas import DataFrame

    mixes = [share("input_share", mix) for mix in (MIXES if input_share is None else [input_share])]
    return DataFrame([_row(name, mix) for name in named(models) for mix in mixes], dtype=object)


def _row(model: str, mix: Decimal) -> dict[str, object]:
    known = catalog.find(model)
    gateway, direct = catalog.published_price(model), direct_price(model)
    ours = usd_per_mtok(gateway, mix) if gateway else None
    theirs = usd_per_mtok(direct, mix) if direct else None
    found = offers(known.id if known else model)
    asked = sorted(usd_per_mtok(offer.price, mix) for offer in found)
    return {
        "model": model,
        "input_share": mix,
        "gateway_usd": ours,
        "direct_usd": theirs,
        "premium": _beyond(ours, theirs) if ours is not None and theirs else None,
        "hosts": len(found),
        "lowest_usd": asked[0] if asked else None,
        "highest_usd": asked[-1] if asked else None,
        "gateway_as_of": gateway.source.as_of if gateway else None,
        "direct_as_of": list_source().as_of if found else None,
        "note": _note(gateway is not None, direct is not None, found, asked),
    }


def _beyond(ours: Decimal, theirs: Decimal) -> Decimal:
    with exactly():
        return ratio(ours - theirs, theirs)


def _note(published: bool, direct: bool, found: tuple[Offer, ...], asked: list[Decimal]) -> str:
    said = []
    if not published:
        said.append("the gateway published no price")
    if not direct:
        said.append("no direct price is known")
    if asked and asked[0] != asked[-1]:
        said.append(f"{len(found)} hosts disagree: {asked[0]:.3f} to {asked[-1]:.3f} USD")
    return "; ".join(said)
