"""What a client is set up with: its key and address, and what the environment adds to them.

A key shows itself nowhere. Variables that libraries read in silence are read here once each, and
one that can't be used is a ``ConfigurationError`` that names it. A proxy's address is never shown:
it may hold a password.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from numbers import Number
from typing import Any, NoReturn, SupportsIndex
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx2
import openai

from holysheep_helpers._checks import LONGEST_ADDRESS, is_loopback, shown, without_keys
from holysheep_helpers.catalog import BASE_URL, KEY_VARIABLE, PLACEHOLDER_KEY
from holysheep_helpers.exceptions import ConfigurationError

MOCK_PREFIX = "hs-mock-"
HOW_TO_SET = (
    f"Set the environment variable {KEY_VARIABLE}, write it into a file named .env, "
    "or call hs.login()."
)

CUSTOM_HEADERS = "OPENAI_CUSTOM_HEADERS"
CERTIFICATES = "SSL_CERT_FILE"
CERTIFICATE_FOLDERS = "SSL_CERT_DIR"

FOREIGN_HEADERS = ("OpenAI-Organization", "OpenAI-Project")
"""What the SDK sends of ``OPENAI_ORG_ID`` and ``OPENAI_PROJECT_ID``."""

SDK_HEADERS = {"accept": "application/json", "content-type": "application/json"}
"""What the SDK sends by itself and a request can't do without."""

LONGEST_WORD = 12
"""Characters of the longest mode, plan or number; a key has more."""
QUOTES = "\"'“”‘’"


# --- the key and the address


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

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("A key is not written into a file: make a gateway where it is needed.")

    def __repr__(self) -> str:
        return f"{MOCK_PREFIX}…" if self.from_mock else "key …"


def checked_key(value: Any, where: str) -> Secret:
    """The key as a ``Secret``, or a ``ConfigurationError`` which says what is wrong with it."""
    if isinstance(value, str):
        value = Secret(value)  # from here on no frame has it, whatever a traceback shows
    if fault := fault_of_key(value.reveal() if isinstance(value, Secret) else value, where):
        raise ConfigurationError(fault)
    return value


def fault_of_key(value: object, where: str) -> str:
    """Why this can't be a key, told without it; ``""`` if it can."""
    key = f"The key in {where}"
    if not isinstance(value, str):
        return f"{key} is a {type(value).__name__}: a key is a string. {HOW_TO_SET}"
    if not value.strip():
        return f"{key} is empty. {HOW_TO_SET}"
    if is_placeholder(value):
        return (
            f"{where} still holds the placeholder {PLACEHOLDER_KEY}. Put your own key there: "
            "dashboard, API Keys, Create New Key. To work without one, take the placeholder away."
        )
    if value.strip()[0] in QUOTES or value.strip()[-1] in QUOTES:
        return f"{key} has quotes around it, which are not part of it. Take them away."
    if any(char.isspace() for char in value):
        return f"{key} has a space or a line break in or around it. Copy it again, the key alone."
    if not value.isascii() or not value.isprintable():
        only = "only plain letters, digits and punctuation"
        return f"{key} has characters that no key has ({only}). Copy it again."
    return ""


def is_placeholder(key: str) -> bool:
    """Whether this is the placeholder of the published examples, with or without quotes."""
    return key.strip().strip("\"'") == PLACEHOLDER_KEY


def checked_url(value: object, where: str, *, plain_http: bool) -> str:
    """The address without its last slash, or a ``ConfigurationError`` that says what to do.

    Plain http is for this computer alone, unless ``plain_http``: a key that a mock issued.
    """
    if not isinstance(value, str):
        raise ConfigurationError(
            f"The address in {where} is a {type(value).__name__}: it is a text, like {BASE_URL}."
        )
    url = value.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:  # its own words would quote a part, and that may be a key
        raise ConfigurationError(f"{where} is no address. It looks like {BASE_URL}.") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigurationError(
            f"{where} is {quoted(value)}, which is no address. It begins with https:// and ends "
            f"with the API's version: {BASE_URL}."
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigurationError(
            f"The address in {where} carries a user name, a query or a fragment. "
            f"Give the plain address, like {BASE_URL}, and the key on its own."
        )
    if parts.path.endswith("/chat/completions"):
        raise ConfigurationError(
            f"{where} is {quoted(url)}: the SDK adds /chat/completions by itself. "
            f"Use {quoted(url.removesuffix('/chat/completions'))}."
        )
    if not has_version(parts.path):
        raise ConfigurationError(
            f"{where} is {quoted(url)}, without the API's version: every call would end in a 404. "
            f"Use {quoted(url + '/v1')}."
        )
    if parts.scheme == "http" and not is_loopback(host) and not plain_http:
        raise ConfigurationError(
            f"{where} is {quoted(url)}: over plain http the key would be readable on the way to "
            "another computer. Use https://. (Only a key that a mock issued may go there.)"
        )
    return url


def quoted(value: object) -> str:
    """A wrong setting as a message quotes it: shortened, and never what may be a key."""
    if isinstance(value, str) and "://" in value:
        return shown(value, LONGEST_ADDRESS)
    if not may_be_a_key(value):
        return shown(value)
    what = f"text of {len(value)} characters" if isinstance(value, str) else type(value).__name__
    return f"a {what}, which may hold a key and is not shown"


def may_be_a_key(value: object) -> bool:
    """Whether this setting may hold a key: it is no number, no short word and no plain address."""
    if not isinstance(value, str):
        return not (value is None or isinstance(value, Number))
    if "://" in value:
        return without_keys(value) != value
    return len(value) > LONGEST_WORD and any(map(str.isalpha, value))


def without_frames(error: ConfigurationError) -> ConfigurationError:
    """This error without its frames and without its cause: both may hold a key."""
    error.__context__ = None
    return error.with_traceback(None)


def has_version(path: str) -> bool:
    """Whether a path names the API's version, such as ``/v1``."""
    return any(part[:1] == "v" and part[1:2].isdigit() for part in path.split("/"))


# --- proxies


def way_to(base_url: str, *, asynchronous: bool) -> dict[str, Any]:
    """How an HTTP client gets to this address: its arguments ``trust_env``, ``proxy``, ``verify``
    and ``follow_redirects``.

    A client that asks one server needs no other proxy than that server's. None stands between this
    computer and itself. Neither key nor prompt goes to a host that you did not name.

    Raises ``ConfigurationError`` for a variable that can't be used, if it is needed.
    """
    way: dict[str, Any] = {"trust_env": False, "follow_redirects": False}
    parts = urlsplit(base_url)
    if not is_loopback(parts.hostname or "") and (found := proxy_of(base_url)) is not None:
        way["proxy"] = usable_proxy(*found, asynchronous=asynchronous)
    way["verify"] = certificates() if parts.scheme == "https" else _of_the_system()
    return way


def proxy_of(base_url: str) -> tuple[str, str] | None:
    """The variable that names a proxy for this address, and the proxy; ``None`` if none does."""
    parts = urlsplit(base_url)
    if proxy_bypass(parts.hostname or ""):
        return None
    return next(named_proxies(parts.scheme, "all"), None)


def named_proxies(*schemes: str) -> Iterator[tuple[str, str]]:
    """The variables that name proxies for these schemes, and the proxies; ``"all"`` is a scheme."""
    known = getproxies()
    if "*" in known.get("no", "").split(","):  # NO_PROXY: for no address
        return
    for scheme in schemes:
        if address := known.get(scheme):
            variables = (f"{scheme}_proxy", f"{scheme.upper()}_PROXY")
            name = next((one for one in variables if os.environ.get(one)), "")
            yield name or "the proxy in the system's settings", address


def usable_proxy(name: str, address: str, *, asynchronous: bool) -> httpx2.Proxy:
    """This proxy for an HTTP client. Raises ``ConfigurationError`` for one that can't be used."""
    try:
        proxy = httpx2.Proxy(address if "://" in address else f"http://{address}")
    except (httpx2.InvalidURL, ValueError):
        proxy = None
    if proxy is None or not proxy.url.host:
        raise ConfigurationError(
            f"{name} holds no address of a proxy that can be used. It looks like "
            f"http://proxy.example:3128. Correct it, or unset {name} if no proxy is needed."
        )
    if proxy.url.scheme.startswith("socks5") and (asynchronous or find_spec("socksio") is None):
        raise ConfigurationError(
            f"{name} names a SOCKS proxy. Asynchronous clients can't use one, and others need "
            "pip install 'httpx2[socks]'. Set HTTPS_PROXY to an http:// proxy if there is one, or "
            f"unset {name} if no proxy is needed."
        )
    return proxy


# --- certificates


def certificates() -> ssl.SSLContext:
    """What a server's certificate is checked against: ``SSL_CERT_FILE``, else the system's.

    Raises ``ConfigurationError`` if that variable, or ``SSL_CERT_DIR``, names nothing that is one.
    """
    file, folders = os.environ.get(CERTIFICATES), os.environ.get(CERTIFICATE_FOLDERS)
    if folders and not file and not any(map(os.path.isdir, folders.split(os.pathsep))):
        raise ConfigurationError(
            f"{CERTIFICATE_FOLDERS} names {shown(folders, LONGEST_ADDRESS)}, a folder that is not "
            f"there. Correct it, or unset {CERTIFICATE_FOLDERS}."
        )
    try:
        return httpx2.create_ssl_context()
    except OSError as error:
        if not file:
            raise
        why = f"can't be read ({error.strerror})"
        if isinstance(error, ssl.SSLError):
            why = "holds no certificate (a file in PEM form is needed)"
        raise ConfigurationError(
            f"{CERTIFICATES} names {shown(file, LONGEST_ADDRESS)}, which {why}. "
            f"Correct it, or unset {CERTIFICATES}."
        ) from None


@cache
def _of_the_system() -> ssl.SSLContext:
    """The system's certificates, read once: an address without TLS needs none, an HTTP client does.

    To read them takes about 20 ms, many times what the rest of a client takes.
    """
    return httpx2.create_ssl_context(trust_env=False)


def fault() -> ConfigurationError | None:
    """What is wrong with the variables that keep a plain HTTP client from being made."""
    try:
        for proxy in named_proxies("http", "https", "all"):
            usable_proxy(*proxy, asynchronous=False)
        certificates()
    except ConfigurationError as error:
        return error
    except OSError:  # of the system's own certificates: no variable is to blame
        pass
    return None


def certificate_advice() -> str:
    """What to do where a server's certificate is not trusted; names the variable that is set."""
    for name in (CERTIFICATES, CERTIFICATE_FOLDERS):
        if path := os.environ.get(name):
            return (
                f"{name} is {shown(path, LONGEST_ADDRESS)}: only what is there is trusted. Add the "
                "certificate of who signed the server's, such as a company's proxy, or unset "
                f"{name}."
            )
    return (
        "Is the clock of this computer right? For a certificate of its own, or a company's proxy, "
        f"set {CERTIFICATES} to the .pem file with the certificate of who signed it."
    )


# --- headers that the SDK adds


def custom_headers() -> list[tuple[str, str]]:
    """What ``OPENAI_CUSTOM_HEADERS`` makes the SDK send with each request: lines of name: value."""
    lines = os.environ.get(CUSTOM_HEADERS, "").split("\n")
    pairs = (line.partition(":") for line in lines if ":" in line)
    return [(name.strip(), value.strip()) for name, _, value in pairs]


def without_foreign_headers() -> dict[str, Any]:
    """A client's ``default_headers`` by which nothing of another vendor's settings is sent.

    A key is not among them: a client without any key can't be made. See ``keep_key``.
    """
    names = [name for name, _ in custom_headers() if name.lower() != "authorization"]
    names += FOREIGN_HEADERS
    return {name: SDK_HEADERS.get(name.lower(), openai.Omit()) for name in names}


def is_custom_key(request: httpx2.Request) -> bool:
    """Whether ``OPENAI_CUSTOM_HEADERS`` has put a key in the place of the client's own."""
    sent = request.headers.get("authorization")
    return ("authorization", sent) in [(name.lower(), value) for name, value in custom_headers()]


def keep_key(request: httpx2.Request, base_url: str, key: str) -> None:
    """Put the gateway's key back into a request where ``is_custom_key``.

    The SDK reads the variable again for each copy of a client, and prefers it to any ``api_key``.
    """
    if not is_custom_key(request):
        return
    own = httpx2.URL(base_url)
    if (request.url.host, request.url.port) == (own.host, own.port):
        request.headers["authorization"] = f"Bearer {key}"
    else:  # a copy with another address: neither key is that server's
        del request.headers["authorization"]
