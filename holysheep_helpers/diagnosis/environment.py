"""What the environment says of the way to a server: its proxy, its certificates, more headers.

Libraries read these variables in silence. Here each is read once, and one that can't be used is a
``ConfigurationError`` that names it. A proxy's address is never shown: it may hold a password.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx2
import openai

from holysheep_helpers._checks import is_loopback
from holysheep_helpers.exceptions import ConfigurationError

CUSTOM_HEADERS = "OPENAI_CUSTOM_HEADERS"
CERTIFICATES = "SSL_CERT_FILE"
CERTIFICATE_FOLDERS = "SSL_CERT_DIR"

FOREIGN_HEADERS = ("OpenAI-Organization", "OpenAI-Project")
"""What the SDK sends of ``OPENAI_ORG_ID`` and ``OPENAI_PROJECT_ID``."""

SDK_HEADERS = {"accept": "application/json", "content-type": "application/json"}
"""What the SDK sends by itself and a request can't do without."""

SOCKS = ("socks5", "socks5h")


# --- proxies


def way_to(base_url: str, *, asynchronous: bool) -> dict[str, Any]:
    """How an HTTP client gets to this address: its arguments ``trust_env``, ``proxy``, ``verify``.

    A client that asks one server needs no other proxy than that server's. None stands between this
    computer and itself.

    Raises ``ConfigurationError`` for a variable that can't be used, if it is needed.
    """
    way: dict[str, Any] = {"trust_env": False}
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
    if proxy.url.scheme in SOCKS and (asynchronous or find_spec("socksio") is None):
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
            f"{CERTIFICATE_FOLDERS} names {folders!r}, a folder that is not there. "
            f"Correct it, or unset {CERTIFICATE_FOLDERS}."
        )
    try:
        return httpx2.create_ssl_context()
    except OSError as error:
        if not file:
            raise
        why = (
            "holds no certificate (a file in PEM form is needed)"
            if isinstance(error, ssl.SSLError)
            else f"can't be read ({error.strerror})"
        )
        raise ConfigurationError(
            f"{CERTIFICATES} names {file!r}, which {why}. Correct it, or unset {CERTIFICATES}."
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
                f"{name} is {path!r}, and certificates are checked by what is there alone. Add the "
                "certificate of the server's signer (of a company's proxy, say) to it, or "
                f"unset {name}."
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
    names = [*FOREIGN_HEADERS, *(name for name, _ in custom_headers())]
    return {
        name: SDK_HEADERS.get(name.lower(), openai.Omit())
        for name in names
        if name.lower() != "authorization"
    }


def is_custom_key(request: httpx2.Request) -> bool:
    """Whether ``OPENAI_CUSTOM_HEADERS`` has put a key in the place of the client's own."""
    sent = request.headers.get("authorization")
    return any(
        name.lower() == "authorization" and value == sent for name, value in custom_headers()
    )


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
