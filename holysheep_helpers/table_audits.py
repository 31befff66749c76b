"""A whole table of costs audited: row by row, and as equations for its volume and mix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import combinations
from typing import TYPE_CHECKING

from holysheep_helpers import catalog
from holysheep_helpers.audits import HALF, Explanation, audit_claim, costs, half_a_digit, to_digits
from holysheep_helpers.catalog import Price, PublishedMonth
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.monthly import usd_per_mtok
from holysheep_helpers.pricing.calls import find_price
from holysheep_helpers.pricing.decimals import dollars, exactly, ratio, tidy

if TYPE_CHECKING:
    from pandas import DataFrame


def common_volume(rows: Iterable[PublishedMonth] | None = None) -> Explanation | None:
    """The one volume and mix that explain all rows of a table of costs, ``None`` if none does.

    Nothing is assumed of either. Each row says ``input * x + output * y = usd`` of the tokens in
    and out, to half of its last digit up and down: a strip. Where all strips overlap, and ``x`` and
    ``y`` are not below 0, is an area whose corners are among the crossings of their borders; its
    middle is taken, in round numbers where those fit. ``times`` is in terms of the volume that the
    first row states. ``rows`` are the published ones unless given.

    Raises ``InputError`` for rows of one price alone, which leave volume and mix open.
    """
    table = _rows(rows)
    prices = [find_price(row.model) for row in table]
    corners = _corners([(row.usd, price) for row, price in zip(table, prices, strict=True)])
    into, out = (sum((corner[i] for corner in corners), Fraction(0)) for i in (0, 1))
    if not into + out:
        return None
    tokens, mix = (into + out) / len(corners), into / (into + out)
    as_decimal = [ratio(value.numerator, value.denominator) for value in (tokens, mix)]
    stated = table[0].tokens
    for volume_, at in _rounder(*as_decimal):
        if all(costs(r.usd, p, volume_, at) for r, p in zip(table, prices, strict=True)):
            times = ratio(volume_, stated) if stated else None
            return Explanation(tidy(volume_), at, times, "table")
    return None


def _corners(rows: Sequence[tuple[Decimal, Price]]) -> set[tuple[Fraction, Fraction]]:
    """The corners of what all rows allow, in tokens in and out."""
    strips = [
        (
            Fraction(price.input_usd_per_mtok),
            Fraction(price.output_usd_per_mtok),
            *(Fraction(usd + sign * half_a_digit(usd)) * 10**6 for sign in (-1, 1)),
        )
        for usd, price in rows
    ]
    if all(a * d == b * c for (a, b, *_), (c, d, *_) in combinations(strips, 2)):
        raise InputError(
            "Rows of one price leave volume and mix open: give two models at least, or use "
            "hs.audit_claim()."
        )
    borders = [(a, b, end) for a, b, *ends in strips for end in ends]
    borders += [(Fraction(1), Fraction(0), Fraction(0)), (Fraction(0), Fraction(1), Fraction(0))]
    corners = set()
    for (a, b, e), (c, d, f) in combinations(borders, 2):
        if det := a * d - b * c:
            x, y = (d * e - b * f) / det, (a * f - c * e) / det
            if min(x, y) >= 0 and all(low <= p * x + q * y <= top for p, q, low, top in strips):
                corners.add((x, y))
    return corners


def _rounder(tokens: Decimal, mix: Decimal) -> Iterable[tuple[Decimal, Decimal]]:
    """The same in round numbers first: a table's own figures are rounded."""
    for digits in (1, 2):
        yield to_digits(tokens, digits + 1), tidy(round(mix, digits))
    yield tokens, mix


def audit_table(rows: Iterable[PublishedMonth] | None = None) -> DataFrame:
    """The published table of monthly costs, audited row by row (``rows`` of your own if given).

    Columns: ``tokens`` and ``usd`` as published; ``at_half_usd``, what that volume costs at 50/50;
    ``lowest_usd`` and ``highest_usd``, what it costs at any mix; ``possible``; ``explains``, in
    words the volume and mix that would give the figure; ``times`` and ``input_share`` of that.
    """
    from pandas import DataFrame, Index

    table = _rows(rows)
    audits = [audit_claim(row.usd, row.model, row.tokens) for row in table]
    first = [audit.explains[0] if audit.explains else None for audit in audits]
    with exactly():
        halves = [
            dollars(usd_per_mtok(audit.price, HALF) * audit.tokens.scaleb(-6)) for audit in audits
        ]
    columns = {
        "tokens": [row.tokens for row in table],
        "usd": [row.usd for row in table],
        "at_half_usd": halves,
        "lowest_usd": [audit.lowest_usd for audit in audits],
        "highest_usd": [audit.highest_usd for audit in audits],
        "possible": [audit.possible for audit in audits],
        "explains": [str(one) if one else "" for one in first],
        "times": [one.times if one else None for one in first],
        "input_share": [one.input_share if one else None for one in first],
    }
    return DataFrame(columns, index=Index([row.model for row in table], name="model"), dtype=object)


def _rows(rows: Iterable[PublishedMonth] | None) -> list[PublishedMonth]:
    table = list(catalog.published_months() if rows is None else rows)
    if not table:
        raise InputError(
            "No rows were given: a table has one at least. Leave it out for the published."
        )
    return table
