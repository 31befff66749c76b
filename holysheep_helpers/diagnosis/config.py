"""Whether an address can be right, and whether it means this computer."""

from __future__ import annotations

from urllib.parse import urlsplit

from holysheep_helpers._checks import is_loopback
from holysheep_helpers.catalog import BASE_URL, KEY_VARIABLE, PLACEHOLDER_KEY
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


MOCK_PREFIX = "hs-mock-"


HOW_TO_SET = (
    f"Set the environment variable {KEY_VARIABLE}, write it into a file named .env, "
    "or call hs.login()."
)


class Secret:
    """A key that no repr, traceback, log or format string shows; ``reveal()`` gives it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    @property
    def from_mock(self) -> bool:
        return self._value.startswith(MOCK_PREFIX)

    def __repr__(self) -> str:
        return f"{MOCK_PREFIX}…" if self.from_mock else "key …"

    __str__ = __repr__


def checked_key(value: object, where: str) -> Secret:
    """The key as a ``Secret``, or a ``ConfigurationError`` that says what is off without it."""
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str):
        raise ConfigurationError(
            f"The key in {where} is a {type(value).__name__}: a key is a string. {HOW_TO_SET}"
        )
    if not value.strip():
        raise ConfigurationError(f"The key in {where} is empty. {HOW_TO_SET}")
    if value.strip().strip("\"'") == PLACEHOLDER_KEY:
        raise ConfigurationError(
            f"{where} still holds the placeholder {PLACEHOLDER_KEY}. Put your own key there: "
            "dashboard, API Keys, Create New Key. To work without one, take the placeholder away."
        )
    if value.strip()[0] in "\"'“”‘’" or value.strip()[-1] in "\"'“”‘’":
        raise ConfigurationError(
            f"The key in {where} has quotes around it, which are not part of it. Take them away."
        )
    if any(char.isspace() for char in value):
        raise ConfigurationError(
            f"The key in {where} has a space or a line break in or around it. "
            "Copy it again, the key alone."
        )
    if not value.isascii() or not value.isprintable():
        raise ConfigurationError(
            f"The key in {where} has characters that no key has (only plain letters, digits and "
            "punctuation). Copy it again."
        )
    return Secret(value)
