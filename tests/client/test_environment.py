"""The environment's proxies, certificates and headers: used, or refused by name; never silently."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import openai
import pytest
import trustme

import holysheep_helpers as hs
from holysheep_helpers.diagnosis import config
from holysheep_helpers.mock.handle import MockHandle
from tests.support.keys import made_up

GATEWAY = "https://gateway.invalid/v1"
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")

HELLO: Any = {"model": "mistral-small-2603", "messages": [{"role": "user", "content": "hello"}]}
COMPLETION = b'{"id": "1", "object": "chat.completion", "choices": []}'
ANSWERED = "chat.completion"


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch, mock: MockHandle) -> None:
    """Nothing but a mock in this process, which ``hs.doctor`` asks."""
    monkeypatch.setenv("HOLYSHEEP_BASE_URL", mock.base_url)
    monkeypatch.setenv("HOLYSHEEP_API_KEY", mock.api_key)
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=["sync", "async"])
def asked(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Asks with a gateway's client, made with these options and copied by ``copy`` first."""

    def call(
        gateway: hs.Gateway, copy: Callable[[Any], Any] = lambda own: own, **options: Any
    ) -> str:
        if request.param == "sync":
            own = copy(gateway.client(max_retries=0, **options))
            return own.chat.completions.create(**HELLO).object

        async def main() -> str:
            async with gateway.async_client(max_retries=0, **options) as own:
                return (await copy(own).chat.completions.create(**HELLO)).object

        return asyncio.run(main())

    return call


@contextmanager
def answering(signer: trustme.CA | None = None) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A server on this computer: its address, and the headers of what it was asked."""
    seen: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            seen.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(COMPLETION)))
            self.end_headers()
            self.wfile.write(COMPLETION)

        def log_request(self, code: object = "-", size: object = "-") -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a client hung up in the handshake

    with Server(("127.0.0.1", 0), Handler) as server:
        if signer is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            signer.issue_cert("localhost", "127.0.0.1").configure_cert(context)
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"{'https' if signer else 'http'}://127.0.0.1:{server.server_port}/v1", seen
        finally:
            server.shutdown()
            thread.join()


def refused(call: Callable[..., Any], *args: Any, **options: Any) -> str:
    """The text of the ``ConfigurationError`` that this ends in."""
    with pytest.raises(hs.ConfigurationError) as caught:
        call(*args, **options)
    assert hs.diagnose(caught.value).kind == "configuration"
    return str(caught.value)


# --- proxies


@pytest.mark.parametrize("name", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize(
    "value", ["http://127.0.0.1:9", "socks5h://127.0.0.1:9", "socks://h:1", "http://h:nine"]
)
def test_the_mock_works_behind_any_proxy(
    mock: MockHandle,
    monkeypatch: pytest.MonkeyPatch,
    asked: Callable[..., Any],
    name: str,
    value: str,
) -> None:
    monkeypatch.setenv(name, value)
    gateway = hs.connect("live", mock.base_url, mock.api_key)
    assert asked(gateway) == ANSWERED


@pytest.mark.parametrize(
    "value", ["socks://me:secret@h:1", "http://me:secret@h:nine", "http://", "ftp://me:secret@h"]
)
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_what_is_no_proxy_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, asked: Callable[..., Any], name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    told = refused(asked, hs.connect("live", GATEWAY, made_up(30)))
    assert told.startswith(f"{name} holds no address of a proxy that can be used.")
    assert f"unset {name}" in told
    assert "secret" not in told + repr(hs.doctor())


@pytest.mark.parametrize("value", ["socks5://me:secret@127.0.0.1:9", "SOCKS5H://127.0.0.1:9"])
def test_a_socks_proxy_is_refused_where_nothing_speaks_socks(
    monkeypatch: pytest.MonkeyPatch, asked: Callable[..., Any], value: str
) -> None:
    """aiohttp would take it, and speak HTTP to it."""
    monkeypatch.setenv("ALL_PROXY", value)
    monkeypatch.setattr(config, "find_spec", lambda name: None)
    told = refused(asked, hs.connect("live", GATEWAY, made_up(30)))
    assert told.startswith("ALL_PROXY names a SOCKS proxy.")
    assert "pip install 'httpx2[socks]'" in told
    assert "secret" not in told
    (line,) = [one for one in hs.doctor().findings if one.name == "proxy"]
    assert (line.ok, line.fix) == (False, told)


def test_where_socks_is_spoken_asynchronous_clients_still_can_not_use_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(config, "find_spec", lambda name: name)
    proxy = ("ALL_PROXY", "socks5://127.0.0.1:9")
    assert config.usable_proxy(*proxy, asynchronous=False).url.scheme == "socks5"
    assert "SOCKS" in refused(config.usable_proxy, *proxy, asynchronous=True)


def test_a_proxy_that_is_not_needed_stops_nobody(
    monkeypatch: pytest.MonkeyPatch, asked: Callable[..., Any]
) -> None:
    """Neither another scheme's, nor one that NO_PROXY takes away: only the name is unknown."""
    monkeypatch.setenv("HTTP_PROXY", "socks://h:1")
    gateway = hs.connect("live", GATEWAY, made_up(30))
    with pytest.raises(openai.APIConnectionError) as caught:
        asked(gateway)
    assert hs.diagnose(caught.value).kind == "dns"
    monkeypatch.setenv("ALL_PROXY", "socks://h:1")
    assert "ALL_PROXY" in refused(asked, gateway)
    for names in ("*", "elsewhere.example, gateway.invalid", ".invalid"):
        monkeypatch.setenv("NO_PROXY", names)
        with pytest.raises(openai.APIConnectionError):
            asked(gateway)
    monkeypatch.setenv("NO_PROXY", "*")
    assert "proxy" not in [one.name for one in hs.doctor().findings]


def test_a_proxy_is_used_for_every_other_computer(
    monkeypatch: pytest.MonkeyPatch, asked: Callable[..., Any]
) -> None:
    with answering() as (address, seen):
        monkeypatch.setenv("HTTP_PROXY", address.removesuffix("/v1"))
        gateway = hs.connect(base_url="http://gateway.invalid/v1", api_key="hs-mock-x")
        assert asked(gateway) == ANSWERED
    assert seen[0]["host"] == "gateway.invalid"


def test_doctor_tells_that_plain_clients_ask_a_proxy_for_the_mock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://me:secret@127.0.0.1:9")
    report = hs.doctor()
    (line,) = [one for one in report.findings if one.name == "proxy"]
    assert not line.ok
    assert line.detail.startswith("HTTP_PROXY is set")
    assert "NO_PROXY=127.0.0.1,localhost" in line.fix
    assert "secret" not in repr(report) + report._repr_html_()
    assert [one.ok for one in report.findings if one.name == "gateway"] == [True]
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    assert "proxy" not in [one.name for one in hs.doctor().findings]


# --- certificates


def test_clients_without_tls_share_the_certificates_that_they_do_not_use(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """To read them again would take longer than all else that makes a client."""
    first = config.way_to("http://127.0.0.1:9/v1", asynchronous=False)["verify"]
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "moved.pem"))
    assert config.way_to("http://gateway.invalid/v1", asynchronous=True)["verify"] is first
    refused(config.way_to, GATEWAY, asynchronous=False)


def test_a_certificate_of_one_s_own_is_taken_on_this_computer(
    monkeypatch: pytest.MonkeyPatch, asked: Callable[..., Any], tmp_path: Path
) -> None:
    signer, own_certificate = trustme.CA(), tmp_path / "own.pem"
    signer.cert_pem.write_to_path(own_certificate)
    with answering(signer) as (address, _):
        gateway = hs.connect("live", address, made_up(30))
        with pytest.raises(openai.APIConnectionError) as caught:
            asked(gateway)
        found = hs.diagnose(caught.value)
        assert found.kind == "tls"
        assert "set SSL_CERT_FILE to the .pem file" in found.advice
        monkeypatch.setenv("HOLYSHEEP_API_KEY", made_up(30))
        monkeypatch.setenv("HOLYSHEEP_BASE_URL", address)
        (line,) = [one for one in hs.doctor().findings if one.name == "gateway"]
        assert line.fix.startswith(found.advice)
        monkeypatch.setenv("SSL_CERT_FILE", str(own_certificate))
        assert asked(gateway) == ANSWERED


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_certificates_that_do_not_hold_the_server_s_are_named(
    monkeypatch: pytest.MonkeyPatch, asked: Callable[..., Any], tmp_path: Path, name: str
) -> None:
    another = tmp_path / "another.pem"
    trustme.CA().cert_pem.write_to_path(another)
    path = str(another if name == "SSL_CERT_FILE" else tmp_path)
    monkeypatch.setenv(name, path)
    with (
        answering(trustme.CA()) as (address, _),
        pytest.raises(openai.APIConnectionError) as caught,
    ):
        asked(hs.connect("live", address, made_up(30)))
    found = hs.diagnose(caught.value)
    assert (found.kind, found.may_have_cost) == ("tls", False)
    assert found.advice.startswith(f"{name} is {path!r}: only what is there")
    assert found.advice.endswith(f"unset {name}.")


def test_no_certificate_is_to_blame_where_the_server_speaks_plain_http(
    monkeypatch: pytest.MonkeyPatch, asked: Callable[..., Any], tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    with answering() as (address, _), pytest.raises(openai.APIConnectionError) as caught:
        asked(hs.connect("live", address.replace("http:", "https:"), made_up(30)))
    found = hs.diagnose(caught.value)
    assert found.kind == "tls"
    assert "SSL_CERT" not in str(found)


# --- a plain client of the SDK


@pytest.mark.parametrize("client", [openai.OpenAI, openai.AsyncOpenAI, httpx2.Client])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "socks5h://me:secret@127.0.0.1:9"),
        ("all_proxy", "socks://me:secret@127.0.0.1:9/"),
        ("HTTPS_PROXY", "http://me:secret@h:nine"),
        ("SSL_CERT_FILE", "/moved/away/cacert.pem"),
    ],
)
def test_a_plain_client_that_can_not_be_made_is_told_by_which_variable(
    monkeypatch: pytest.MonkeyPatch, client: Callable[..., Any], name: str, value: str
) -> None:
    """Raw errors of the HTTP library: their type and what is set decide, and not their words."""
    monkeypatch.setenv(name, value)
    given: Any = {} if client is httpx2.Client else {"api_key": made_up(30)}
    with pytest.raises((ImportError, ValueError, OSError, httpx2.InvalidURL)) as caught:
        client(**given)
    found = hs.diagnose(caught.value)
    assert (found.kind, found.whose, found.retryable) == ("configuration", "yours", False)
    assert not found.may_have_cost
    assert found.what.startswith(name)
    assert f"unset {name}" in found.what
    assert "secret" not in str(found)
    monkeypatch.delenv(name)
    assert name not in str(hs.diagnose(caught.value))


def test_a_variable_is_not_to_blame_for_what_was_raised_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks://h:1")
    with pytest.raises(OSError, match="No such file") as caught:
        (tmp_path / "missing").read_bytes()
    assert hs.diagnose(caught.value).kind == "unknown"
    with httpx2.Client(trust_env=False) as http, pytest.raises(httpx2.UnsupportedProtocol) as asked:
        http.get("ftp://127.0.0.1")
    assert "ALL_PROXY" not in str(hs.diagnose(asked.value))


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "can't be read (No such file or directory)"), ("hello", "holds no certificate")],
)
def test_a_file_that_holds_no_certificates_is_named(
    monkeypatch: pytest.MonkeyPatch,
    asked: Callable[..., Any],
    tmp_path: Path,
    mock: MockHandle,
    content: str | None,
    says: str,
) -> None:
    file = tmp_path / "moved.pem"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    told = refused(asked, hs.connect("live", GATEWAY, made_up(30)))
    assert told.startswith(f"SSL_CERT_FILE names {str(file)!r}, which {says}")
    assert told.endswith("unset SSL_CERT_FILE.")
    lines = {one.name: one for one in hs.doctor().findings}
    assert (lines["certificates"].ok, lines["certificates"].fix) == (False, told)
    assert lines["gateway"].ok  # the mock needs no certificate
    assert asked(hs.connect("live", mock.base_url, mock.api_key)) == ANSWERED


def test_a_system_whose_own_certificates_cannot_be_read_has_a_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unreadable() -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(config, "certificates", unreadable)
    found = {one.name: one for one in hs.doctor().findings}["certificates"]
    assert (found.ok, found.detail) == (
        False,
        "this system's certificates can't be read: Permission denied",
    )
    assert "SSL_CERT_FILE" in found.fix


def test_a_folder_of_certificates_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, asked: Callable[..., Any], tmp_path: Path
) -> None:
    """Python takes it for an empty one, and every server's certificate for a wrong one."""
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "moved"))
    told = refused(asked, hs.connect("live", GATEWAY, made_up(30)))
    assert told.startswith("SSL_CERT_DIR names")
    assert "certificates" in [one.name for one in hs.doctor().findings]
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert "certificates" not in [one.name for one in hs.doctor().findings]


# --- headers


THEIRS = "Authorization: Bearer theirs\nX-Their-Token: theirs\ncontent-TYPE: text/theirs\nno header"


def plain(own: Any) -> Any:
    return own


def copied(own: Any) -> Any:
    return own.with_options(timeout=20)


def twice_copied(own: Any) -> Any:
    return own.with_options(default_headers={"X-Ours": "ours"}).copy(max_retries=0)


def test_our_key_is_sent_where_a_copy_s_headers_are_set_anew(
    monkeypatch: pytest.MonkeyPatch, asked: Callable[..., Any]
) -> None:
    """The SDK reads the variable again for such a copy: the docs say so."""
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", THEIRS)
    key = made_up(30)
    with answering() as (address, seen):
        own = {"X-Ours": "ours"}
        asked(hs.connect("live", address, key), lambda one: one.copy(set_default_headers=own))
    assert seen[0]["authorization"] == f"Bearer {key}"
    assert (seen[0]["x-ours"], seen[0]["x-their-token"]) == ("ours", "theirs")


@pytest.mark.parametrize("copy", [plain, copied, twice_copied])
def test_headers_for_another_vendor_are_not_sent_and_our_key_is(
    monkeypatch: pytest.MonkeyPatch, asked: Callable[..., Any], copy: Callable[[Any], Any]
) -> None:
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", THEIRS)
    key = made_up(30)
    with answering() as (address, seen):
        assert asked(hs.connect("live", address, key), copy) == ANSWERED
    assert "theirs" not in str(seen)
    assert seen[0]["authorization"] == f"Bearer {key}"
    assert seen[0]["content-type"] == "application/json"


def test_what_the_caller_gives_is_sent(
    monkeypatch: pytest.MonkeyPatch, asked: Callable[..., Any]
) -> None:
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", THEIRS)
    with answering() as (address, seen):
        gateway = hs.connect("live", address, made_up(30))
        asked(gateway, default_headers={"x-their-token": "theirs, on purpose"})
    assert seen[0]["x-their-token"] == "theirs, on purpose"


def test_a_copy_with_another_address_carries_neither_key(
    monkeypatch: pytest.MonkeyPatch, asked: Callable[..., Any]
) -> None:
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", THEIRS)
    with answering() as (elsewhere, seen), answering() as (address, _):
        asked(hs.connect("live", address, made_up(30)), lambda own: own.copy(base_url=elsewhere))
    assert "authorization" not in seen[0]


def test_doctor_names_the_headers_and_not_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", THEIRS.replace("theirs", "secret"))
    report = hs.doctor()
    (line,) = [one for one in report.findings if one.name == "headers"]
    assert not line.ok
    assert "Authorization, X-Their-Token, content-TYPE" in line.detail
    assert "Unset OPENAI_CUSTOM_HEADERS" in line.fix
    assert "secret" not in repr(report) + report._repr_html_()


def test_a_plain_client_whose_key_was_replaced_is_told_by_what(
    mock: MockHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "authorization: Bearer hs-mock")
    client = openai.OpenAI(base_url=mock.base_url, api_key=mock.api_key, max_retries=0)
    with pytest.raises(openai.AuthenticationError) as caught:
        hs.ask(client, "hello")
    found = hs.diagnose(caught.value)
    assert (found.kind, found.may_have_cost) == ("configuration", False)
    assert found.what.startswith("OPENAI_CUSTOM_HEADERS put another key")
    assert "unset OPENAI_CUSTOM_HEADERS" in found.advice
