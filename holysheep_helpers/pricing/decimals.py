"""Amounts as they are given: exact, or refused; and the one way to reckon with them.

Money is ``Decimal`` and is never rounded on the way. A quotient is the only exception (``ratio``,
28 digits), and what is shown to people is rounded half up, as on a bill.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import (
    ROUND_HALF_UP,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
    localcontext,
)
from itertools import accumulate, repeat
from numbers import Integral
from typing import Any

from holysheep_helpers._checks import check_whole
from holysheep_helpers.exceptions import InputError

Exact = Decimal | int | str
"""What an amount or a share may be given as. A float is refused: it is rounded already."""

EXACT = Context(
    prec=60_000,
    rounding=ROUND_HALF_UP,
    traps=[Inexact, InvalidOperation, DivisionByZero, Overflow],
)
"""The context of all money: it raises rather than round, whatever precision the caller has set."""

MOST_DIGITS = 30
MOST_MONTHS = 1_200
GROWTH_DIGITS = 28
QUOTIENT_DIGITS = 28


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
        raise InputError(f"{name} is {given!r}: {what} is needed, {example!r} say.")
    if least is not None and value < least:
        raise InputError(f"{name} is {given!r}: {what} can't be below {least}.")
    if most is not None and value > most:
        raise InputError(f"{name} is {given!r}: {what} is needed, {most} at most.")
    if value and not -MOST_DIGITS <= value.adjusted() < MOST_DIGITS:
        raise InputError(f"{name} is {given!r}: more than {MOST_DIGITS} digits are no {name}.")
    if len(value.as_tuple().digits) > 2 * MOST_DIGITS:
        raise InputError(f"{name} has more than {2 * MOST_DIGITS} digits: round it first.")
    return value


def _python_number(given: object) -> object:
    """The same as an ``int`` if it is another library's whole number, NumPy's for example."""
    return int(given) if isinstance(given, Integral) and not isinstance(given, bool) else given
