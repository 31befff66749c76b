"""What a call costs: Decimal from the catalogue to the screen."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from holysheep_helpers import catalog
from holysheep_helpers.errors import InputError, UnknownPriceError

if TYPE_CHECKING:
    from openai.types import CompletionUsage

MTOK = Decimal(1_000_000)


def cost_of(usage: CompletionUsage, model: str) -> Decimal:
    """The exact cost in USD of one call, from the ``usage`` that the server reported.

    ``prompt_tokens * input / 10**6 + completion_tokens * output / 10**6``, at the gateway's
    published price (``hs.catalog``, with its source and date). Cached tokens are inside
    ``prompt_tokens`` and cost the same, as no other price was published for them.

    Raises ``UnknownPriceError`` where no price was published: that is neither zero nor a guess.
    """
    price = catalog.published_price(model)
    if price is None:
        priced = ", ".join(m.id for m in catalog.models() if m.price)
        raise UnknownPriceError(
            f"No price was published for {model!r}, so its cost is unknown. "
            f"Models with a published price: {priced}."
        )
    for name in ("prompt_tokens", "completion_tokens"):
        count = getattr(usage, name, None)
        if not isinstance(count, int) or count < 0:
            raise InputError(
                f"usage.{name} is {count!r}: a count of tokens, 0 or more, is needed. "
                "Pass the `usage` of a reply as it came."
            )
    return (
        usage.prompt_tokens * price.input_usd_per_mtok
        + usage.completion_tokens * price.output_usd_per_mtok
    ) / MTOK


def cost_or_none(usage: CompletionUsage | None, model: str) -> Decimal | None:
    """``cost_of``, or ``None`` where the usage or the price is not known."""
    if usage is None or catalog.published_price(model) is None:
        return None
    return cost_of(usage, model)


def to_krw(usd: Decimal, rate: catalog.ExchangeRate) -> Decimal:
    """US dollars in won, at a rate that the caller names: ``hs.catalog.published_rate()``, say.

    Raises ``InputError`` for a float: money that passed through one is no longer exact.
    """
    if not isinstance(usd, Decimal):
        raise InputError(f"{usd!r} is a {type(usd).__name__}: money is Decimal, Decimal('0.01').")
    return usd * rate.krw_per_usd
