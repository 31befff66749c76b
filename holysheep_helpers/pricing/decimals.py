"""Amounts as they are given: exact, or refused; and arithmetic on them that rounds nothing."""

from __future__ import annotations

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
from numbers import Integral
from typing import Any

from holysheep_helpers.exceptions import InputError

Exact = Decimal | int | str
"""What an amount or a share may be given as. A float is refused: it is rounded already."""


MOST_DIGITS = 30


MOST_MONTHS = 1_200


GROWTH_DIGITS = 28


_EXACT = Context(prec=60_000, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])


_SHOWN = Context(prec=200, rounding=ROUND_HALF_UP, traps=[InvalidOperation])


_CENT = Decimal("0.01")


_LARGE = Decimal(10) ** 20


_DIGITS = Context(prec=28, traps=[InvalidOperation, DivisionByZero, Overflow])


def exactly() -> Any:
    """``with exactly():`` sums, differences and products of ``Decimal`` without any rounding.

    It does not hang on the precision that the caller's own context has, and a division that does
    not come out even would raise ``Inexact``: for those there is ``ratio``.
    """
    return localcontext(_EXACT)


def to_28_digits() -> Any:
    """``with to_28_digits():`` a quotient is rounded to so many, whatever the caller has set."""
    return localcontext(_DIGITS)


def ratio(part: Decimal | int, whole: Decimal | int) -> Decimal:
    """``part / whole``, to 28 digits. The caller has made sure that ``whole`` is not 0."""
    return tidy(_DIGITS.divide(Decimal(part), Decimal(whole)))


def tidy(value: Decimal) -> Decimal:
    """The same number without zeros behind its point, and never as 1E+3."""
    if value == value.to_integral_value():
        return value.quantize(Decimal(1), context=_EXACT) or Decimal(0)  # nor minus zero
    return value.normalize(_EXACT)


def dollars(value: Decimal) -> Decimal:
    """The same amount with its cents, and with all further digits that it has."""
    plain = tidy(value)
    if abs(plain) >= _LARGE:
        return plain
    cents = plain.quantize(_CENT, context=_DIGITS)
    return cents if cents == plain else plain


def usd_text(value: Decimal) -> str:
    """Dollars for people: 1,234.50. Half a cent is rounded up, as on a bill; less than a cent is
    shown by its first two digits, 0.000023, for it is not nothing."""
    small = bool(value) and abs(value) < _CENT
    places = Decimal(1).scaleb(value.adjusted() - 1) if small else _CENT
    return _without_minus_zero(value.quantize(places, context=_SHOWN))


def krw_text(value: Decimal) -> str:
    """Won for people: 73,950. Half a won is rounded up."""
    return _without_minus_zero(value.quantize(Decimal(1), context=_SHOWN))


def _without_minus_zero(value: Decimal) -> str:
    return f"{value if value else abs(value):,f}"


def money(name: str, given: object, *, least: int | None = 0) -> Decimal:
    """An amount of money. Raises ``InputError``; below 0 only with ``least=None``."""
    return _checked(name, given, "an amount of money", least, None, "12.50")


def volume(name: str, given: object) -> Decimal:
    """A count of tokens, 0 or more; the average of several months may have a fraction."""
    return _checked(name, given, "a count of tokens", 0, None, "10_000_000")


def share(name: str, given: object) -> Decimal:
    """A share from 0 to 1. Raises ``InputError``."""
    return _checked(name, given, "a share from 0 to 1 ('0.5' is one half)", 0, 1, "0.5")


def growth_rate(given: object) -> Decimal:
    """Growth a month: '0.05' is 5% more each month, '-0.05' 5% less. Raises ``InputError``."""
    what = "growth a month ('0.05' is 5% more each month)"
    value = _checked("growth", given, what, -1, 100, "0.05")
    if len(value.as_tuple().digits) > GROWTH_DIGITS:  # its powers are worked out exactly
        raise InputError(f"growth has more than {GROWTH_DIGITS} digits: round it first.")
    return value


def whole_months(given: object) -> int:
    """A number of months, 1 to 1,200. Raises ``InputError``."""
    if isinstance(given, Integral) and not isinstance(given, bool):
        given = int(given)
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= MOST_MONTHS:
        raise InputError(
            f"months is {given!r}: a whole number from 1 to {MOST_MONTHS:,} is needed."
        )
    return given


def _checked(
    name: str, given: object, what: str, least: int | None, most: int | None, example: str
) -> Decimal:
    if isinstance(given, Integral) and not isinstance(given, bool):
        given = int(given)  # numpy's, say
    if isinstance(given, float):
        raise InputError(
            f"{name} is {given!r}, a float, which may be rounded already: give {what} exactly, as "
            f"Decimal('{given!r}'), '{given!r}' or a whole number."
        )
    if isinstance(given, bool) or not isinstance(given, Decimal | int | str):
        raise InputError(
            f"{name} is a {type(given).__name__}: {what} is needed, as text, Decimal or int."
        )
    try:
        value = Decimal(given)
    except InvalidOperation:
        raise InputError(f"{name} is {given!r}: {what} is needed, {example!r} say.") from None
    if not value.is_finite():
        raise InputError(f"{name} is {given!r}: {what} is needed, and that is a number.")
    if least is not None and value < least:
        raise InputError(f"{name} is {given!r}: {what} can't be below {least}.")
    if most is not None and value > most:
        raise InputError(f"{name} is {given!r}: {what} is needed, {most} at most.")
    if value and not -MOST_DIGITS <= value.adjusted() < MOST_DIGITS:
        raise InputError(f"{name} is {given!r}: more than {MOST_DIGITS} digits are no {name}.")
    if len(value.as_tuple().digits) > 2 * MOST_DIGITS:
        raise InputError(f"{name} has more than {2 * MOST_DIGITS} digits: round it first.")
    return value


def grown(growth: Decimal, months: int) -> list[Decimal]:
    """How many times the first month's volume each month has: ``(1 + growth) ** month``, exact."""
    factors = [Decimal(1)]
    with exactly():
        while len(factors) < months:
            factors.append(factors[-1] * (1 + growth))
    return factors
