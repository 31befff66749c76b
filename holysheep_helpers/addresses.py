"""Whether an address can be right, and whether it means this computer."""

from __future__ import annotations

from urllib.parse import urlsplit

from holysheep_helpers._checks import is_loopback
from holysheep_helpers.catalog import BASE_URL
from holysheep_helpers.exceptions import ConfigurationError


def checked_url(value: object, where: str, *, plain_http: bool) -> str:
    """The address without its last slash, or a ``ConfigurationError`` with the cure.

    Plain http is for this computer alone, unless ``plain_http``: a key that a mock issued.
    """
    if not isinstance(value, str):
        raise ConfigurationError(
            f"The address in {where} is a {type(value).__name__}: a string like {BASE_URL} is "
            "needed."
        )
    url = value.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError as error:
        raise ConfigurationError(f"{where} is no address: {error}. Like {BASE_URL}.") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigurationError(
            f"{where} is {value!r}, which is no address. It begins with https:// and ends with "
            f"the API's version: {BASE_URL}."
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigurationError(
            f"The address in {where} carries a user name, a query or a fragment. "
            f"Give the plain address, like {BASE_URL}, and the key on its own."
        )
    if parts.path.endswith("/chat/completions"):
        raise ConfigurationError(
            f"{where} is {url!r}: the SDK adds /chat/completions by itself. "
            f"Use {url.removesuffix('/chat/completions')!r}."
        )
    if not any(part[:1] == "v" and part[1:2].isdigit() for part in parts.path.split("/")):
        raise ConfigurationError(
            f"{where} is {url!r}, without the API's version: every call would end in a 404. "
            f"Use {url + '/v1'!r}."
        )
    if parts.scheme == "http" and not is_loopback(host) and not plain_http:
        raise ConfigurationError(
            f"{where} is {url!r}: over plain http the key would be readable on the way to another "
            "computer. Use https://. (Only a key that a mock issued may go there.)"
        )
    return url
