"""Checks of arguments that several wings share: one text for each rule."""

from __future__ import annotations

from ipaddress import ip_address

from holysheep_helpers.exceptions import InputError


def is_loopback(host: str) -> bool:
    """Whether this host name or address means this computer."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_whole(name: str, value: object, least: int) -> None:
    """Raise ``InputError`` for what is no whole number, or less."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(f"{name} is {value!r}: a whole number, {least} or more, is needed.")


def check_size(name: str, value: object, least: int) -> None:
    """Raises ``InputError`` unless this is a whole number that is large enough."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(f"{name} is {value!r}: a whole number, {least} or more, is needed.")
