"""What the gateway asks beyond a direct price, per model and per mix."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from holysheep_helpers import catalog
from holysheep_helpers.monthly import named, usd_per_mtok
from holysheep_helpers.pricing.calls import Offer, direct_price, list_source, offers
from holysheep_helpers.pricing.decimals import Exact, exactly, ratio, share

if TYPE_CHECKING:
    from decimal import Decimal

    from pandas import DataFrame

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
