"""Checks of arguments that several wings share: one rule, one text."""

from __future__ import annotations

import math
import re
from ipaddress import ip_address
from numbers import Number
from typing import TypeGuard

from holysheep_helpers.exceptions import InputError

LONGEST_SHOWN = 40
"""Characters of a wrong value that a message quotes."""

LONGEST_ADDRESS = 100
"""Characters of an address or a path that a message or a card shows."""

_RUN = re.compile(r"[A-Za-z0-9_-]{16,}")
_KEY = re.compile(r"(?=[a-z]{0,15}[A-Z0-9])(?=\d{0,15}[A-Za-z])[A-Za-z0-9]{16}")
"""The beginning of a key within a run: no words between dashes, and no number."""
_USER_INFO = re.compile("//[^/]*@")


def shown(value: object, most: int = LONGEST_SHOWN) -> str:
    """A value as a message quotes it: shortened, and without what looks like a key."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        return f"a {type(value).__name__} of thousands of digits"
    return _cut(text, most) if isinstance(value, Number) else short(text, most)


def short(text: str, most: int = LONGEST_ADDRESS) -> str:
    """A text, such as an address, as messages and cards show it: shortened, ``…`` for keys."""
    return _cut(without_keys(text), most)


def without_keys(text: str) -> str:
    """A text with ``…`` in the place of all that looks like a key, and of an address's user."""
    hidden = _RUN.sub(lambda run: "…" if _KEY.search(run[0]) else run[0], text)
    return _USER_INFO.sub("//…@", hidden)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


def is_whole(value: object) -> TypeGuard[int]:
    """Whether this is an ``int``; ``True`` and ``False`` are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether this is a finite ``int`` or ``float``; ``True`` and ``False`` are none."""
    return is_whole(value) or (isinstance(value, float) and math.isfinite(value))


def check_whole(
    name: str, value: object, least: int = 1, *, most: int | None = None, optional: bool = False
) -> None:
    """Raise ``InputError`` unless this is a whole number from ``least`` to ``most``."""
    if optional and value is None:
        return
    if not is_whole(value) or value < least or (most is not None and value > most):
        allowed = f"{least} or more" if most is None else f"from {least:,} to {most:,}"
        raise _refused(name, value, f"a whole number, {allowed},", optional)


def check_number(
    name: str,
    value: object,
    what: str = "a number",
    *,
    least: float = -math.inf,
    above: float = -math.inf,
    most: float = math.inf,
    optional: bool = False,
) -> None:
    """Raise ``InputError`` unless this is a finite number within the bounds.

    ``what`` names it with its unit: "seconds".
    """
    if optional and value is None:
        return
    if not is_number(value) or value < least or value <= above or value > most:
        bounds = [
            f"{least:g} or more" if least > -math.inf else "",
            f"more than {above:g}" if above > -math.inf else "",
            f"{most:g} at most" if most < math.inf else "",
        ]
        raise _refused(name, value, ", ".join([what, *filter(None, bounds)]) + ",", optional)


def _refused(name: str, value: object, needed: str, optional: bool) -> InputError:
    or_none = ", or None" if optional else ""
    return InputError(f"{name} is {shown(value)}: {needed} is needed{or_none}.")


def is_loopback(host: str) -> bool:
    """Whether this host name or address means this computer."""
    return host == "localhost" or (is_address(host) and ip_address(host).is_loopback)


def is_address(host: str) -> bool:
    """Whether this is an address in numbers, and no name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
