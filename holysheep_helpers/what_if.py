"""What a result hangs on: each assumption turned by itself, and where two models change places."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from holysheep_helpers.catalog import ExchangeRate
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.monthly import monthly_cost, usd_per_mtok
from holysheep_helpers.pricing.calls import Prices, check_rate, find_price, to_krw
from holysheep_helpers.pricing.decimals import (
    Exact,
    dollars,
    exactly,
    growth_rate,
    money,
    ratio,
    share,
    tidy,
    volume,
)
from holysheep_helpers.returns import BreakEven, Roi, break_even, roi

if TYPE_CHECKING:
    from pandas import DataFrame

YEAR = 12


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """What a move from ``baseline`` to ``model`` is reckoned with; all of it can be changed.

    ``tokens`` are those of the first month, prompt and answer together; ``input_share`` the
    prompts' part, ``cached_share`` the part of those that comes out of a cache, ``growth`` that of
    the volume each month; ``one_off_usd`` is what the move costs once, ``monthly_running_usd`` what
    it costs each month beside the tokens. ``rate`` is for amounts in won alone. Amounts and shares
    are given as ``Decimal``, int or text, and kept as ``Decimal``.

    Raises ``InputError`` for a float, an amount below 0, a share outside 0 to 1.
    """

    tokens: Exact
    model: str
    baseline: str
    input_share: Exact = "0.5"
    cached_share: Exact = "0"
    growth: Exact = "0"
    one_off_usd: Exact = "0"
    monthly_running_usd: Exact = "0"
    rate: ExchangeRate | None = None
    prices: Prices = "published"

    def __post_init__(self) -> None:
        checked = {
            "tokens": volume("tokens", self.tokens),
            "input_share": share("input_share", self.input_share),
            "cached_share": share("cached_share", self.cached_share),
            "growth": growth_rate(self.growth),
            "one_off_usd": money("one_off_usd", self.one_off_usd),
            "monthly_running_usd": money("monthly_running_usd", self.monthly_running_usd),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if self.rate is not None:
            check_rate(self.rate)
        for model in (self.model, self.baseline):
            find_price(model, self.prices)

    @property
    def monthly_saving_usd(self) -> Decimal:
        """What is saved in the first month, running costs not yet taken off; below 0: lost."""
        there, here = (self._month(model) for model in (self.baseline, self.model))
        with exactly():
            return dollars(there - here)

    @property
    def net_gain_usd(self) -> Decimal:
        """The first year's saving, with growth, less what the move costs, once and each month."""
        return self.roi().gain_usd

    @property
    def net_gain_krw(self) -> Decimal:
        """The same in won. Raises ``InputError`` if there is no ``rate``."""
        if self.rate is None:
            raise InputError("No rate was given: Assumptions(rate=...) names one, with its day.")
        return tidy(to_krw(self.net_gain_usd, self.rate))

    def break_even(self) -> BreakEven:
        """``hs.break_even`` of this move, with growth."""
        return break_even(
            one_off_usd=self.one_off_usd,
            monthly_saving_usd=self.monthly_saving_usd,
            monthly_running_usd=self.monthly_running_usd,
            growth=self.growth,
        )

    def roi(self, months: int = YEAR) -> Roi:
        """``hs.roi`` of this move, with growth."""
        return roi(
            one_off_usd=self.one_off_usd,
            monthly_saving_usd=self.monthly_saving_usd,
            monthly_running_usd=self.monthly_running_usd,
            growth=self.growth,
            months=months,
        )

    def _month(self, model: str) -> Decimal:
        return monthly_cost(
            model,
            self.tokens,
            input_share=self.input_share,
            cached_share=self.cached_share,
            prices=self.prices,
        ).usd


def _net_gain_usd(assumptions: Assumptions) -> Decimal:
    return assumptions.net_gain_usd


TURNED = (
    *("tokens", "input_share", "cached_share", "growth"),
    *("one_off_usd", "monthly_running_usd", "rate"),
)


def sensitivity(
    assumptions: Assumptions,
    *,
    swing: Exact = "0.2",
    result: Callable[[Assumptions], Decimal] = _net_gain_usd,
) -> DataFrame:
    """Which assumption moves the result most: each turned down and up by ``swing``, by itself.

    A swing of 0.2 turns 50 to 40 and to 60; a share ends at 0 and 1. ``result`` makes one number of
    the assumptions: the first year's net gain in US dollars unless given (``lambda a:
    a.net_gain_krw``, say).

    The frame has a row for each input (the rate, if there is one), the one that moves the result
    most first: ``low``, ``base`` and ``high`` of the input, ``result_low`` and ``result_high`` for
    those, ``result_base``, ``moves`` (the distance between the outermost of the three) and
    ``note`` where an input can't be turned in full: 0 stays 0, a share ends at 1. All amounts are
    ``Decimal``.

    Raises ``InputError`` for a swing that is not from 0 to below 1.
    """
    from pandas import DataFrame, Index

    turn = share("swing", swing)
    if turn == 1:
        raise InputError(f"swing is {swing!r}: below 1 is needed, or all would be turned to 0.")
    with exactly():
        less, more = 1 - turn, 1 + turn
    base = _result(result, assumptions, "them as they are")
    rows = []
    for name in TURNED:
        if name == "rate" and assumptions.rate is None:
            continue
        low, note_low = _turned(assumptions, name, less)
        high, note_high = _turned(assumptions, name, more)
        results = _result(result, low, name), _result(result, high, name)
        with exactly():
            moves = dollars(max(*results, base) - min(*results, base))
        rows.append({
            "input": name,
            "low": _value(low, name),
            "base": _value(assumptions, name),
            "high": _value(high, name),
            "result_low": results[0],
            "result_base": base,
            "result_high": results[1],
            "moves": moves,
            "note": note_low or note_high,
        })  # fmt: skip
    rows.sort(key=lambda row: row["moves"], reverse=True)
    names = [row.pop("input") for row in rows]
    return DataFrame(rows, index=Index(names, name="input"), dtype=object)


def _result(
    result: Callable[[Assumptions], Decimal], assumptions: Assumptions, name: str
) -> Decimal:
    found: object = result(assumptions)
    if not isinstance(found, Decimal) or not found.is_finite():
        raise InputError(
            f"result gave {found!r} for {name}: a Decimal is needed. Where a move never pays back "
            "there is no number of months; net_gain_usd always is one."
        )
    return found


def _value(assumptions: Assumptions, name: str) -> Decimal:
    value = getattr(assumptions, name)
    return tidy(value.krw_per_usd if isinstance(value, ExchangeRate) else value)


def _turned(assumptions: Assumptions, name: str, factor: Decimal) -> tuple[Assumptions, str]:
    value = _value(assumptions, name)
    with exactly():
        new = tidy(value * factor)
    note = "is 0, and stays 0" if not value else ""
    if name in ("input_share", "cached_share") and new > 1:
        new, note = Decimal(1), "a share ends at 1"
    if name == "growth" and new < -1:
        new, note = Decimal(-1), "nothing is left to shrink"
    if name == "rate":
        rate = assumptions.rate
        assert rate is not None
        return replace(assumptions, rate=replace(rate, krw_per_usd=new)), note
    return replace(assumptions, **{name: new}), note


@dataclass(frozen=True, slots=True)
class Crossover:
    """Where two models change places: ``input_share`` is the mix at which both cost the same.

    It is ``None`` if there is none; ``cheaper`` is then the one that costs less at every mix
    (``None`` if both have the same price). Else ``cheaper_below`` is the one that costs less where
    there is less input, ``cheaper_above`` the other; at the very end of the scale one of them is
    ``None``.
    """

    model: str
    other: str
    input_share: Decimal | None
    cheaper: str | None
    cheaper_below: str | None
    cheaper_above: str | None

    def __str__(self) -> str:
        if self.input_share is None:
            if self.cheaper is None:
                return f"{self.model} and {self.other} cost the same at every mix"
            dearer = self.other if self.cheaper == self.model else self.model
            return f"{self.cheaper} costs less than {dearer} at every mix"
        sides = [
            f"{name} costs less {where}"
            for name, where in ((self.cheaper_below, "below"), (self.cheaper_above, "above"))
            if name
        ]
        same = f"{self.model} and {self.other} cost the same at {self.input_share:.1%} input"
        return "; ".join([same, *sides])


def crossover(model: str, other: str, *, prices: Prices = "published") -> Crossover:
    """The input share at which two models cost the same.

    ``s * input + (1 - s) * output`` of both, set equal and solved for ``s``, which is to 28
    digits. Raises ``UnknownPriceError``.
    """
    all_output, all_input = Decimal(0), Decimal(1)
    one, two = find_price(model, prices), find_price(other, prices)
    with exactly():
        without, within = (
            usd_per_mtok(one, mix) - usd_per_mtok(two, mix) for mix in (all_output, all_input)
        )
        apart = without - within
    signs = [(d > 0) - (d < 0) for d in (without, within)]
    below, above = ((None, other, model)[sign] for sign in signs)  # 1: other, -1: model
    if not any(signs):
        return Crossover(model, other, None, None, None, None)
    if signs[0] == signs[1]:
        return Crossover(model, other, None, below, None, None)
    return Crossover(model, other, ratio(without, apart), None, below, above)
