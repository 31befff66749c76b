"""Why no answer came, told apart under the SDK's three transports: sync, async, aiohttp."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.mock.handle import MockHandle
from tests.support.errors import GATEWAY, every_transport, sync


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@every_transport
@pytest.mark.parametrize(
    ("address", "kind", "retryable"),
    [
        ("{refused}", "refused", True),
        ("http://gateway.invalid/v1", "dns", False),
        ("https://127.0.0.1:{plain}/v1", "tls", False),
        ("https://127.0.0.1:{silent}/v1", "connect_timeout", True),
        ("http://127.0.0.1:{silent}/v1", "first_token_timeout", True),
        ("ftp://127.0.0.1/v1", "configuration", False),
    ],
)
def test_no_connection_is_told_apart(
    mock: MockHandle, silent: int, monkeypatch: pytest.MonkeyPatch,
    fail: Callable[..., Exception], address: str, kind: str, retryable: bool,
) -> None:  # fmt: skip
    if kind == "dns":  # no name server is asked

        def unknown(*_: Any, **__: Any) -> Any:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
    plain = mock.base_url.removesuffix("/v1").rpartition(":")[2]
    url = address.format(refused=mock.refused_url(), plain=plain, silent=silent)
    timeout = 0.2 if "silent" in address else 30
    found = hs.diagnose(fail(base_url=url, api_key="hs-mock-x", timeout=timeout))
    assert (found.kind, found.retryable) == (kind, retryable)
    assert found.may_have_cost == (kind == "first_token_timeout")
    assert not found.other_model or found.may_have_cost
    assert url.removesuffix("/v1") in found.what or kind == "configuration"


def test_a_name_server_that_is_busy_may_answer_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", busy)
    found = hs.diagnose(sync(base_url="http://gateway.invalid/v1", api_key="k", timeout=30))
    assert (found.kind, found.retryable) == ("dns", True)


@every_transport
def test_an_error_that_was_handled_before_is_no_cause(
    mock: MockHandle, silent: int, fail: Callable[..., Exception]
) -> None:
    """The second call is made while the first one's error is still being handled."""
    refused = {"base_url": mock.refused_url(), "api_key": "hs-mock-x", "timeout": 30}
    late = refused | {"base_url": f"http://127.0.0.1:{silent}/v1", "timeout": 0.2}
    try:
        raise fail(**refused)
    except openai.APIConnectionError:
        assert hs.diagnose(fail(**late)).kind == "first_token_timeout"
    try:
        raise ConnectionRefusedError(111, "of another program")
    except OSError:
        assert hs.diagnose(fail(**late)).kind == "first_token_timeout"


def test_a_full_pool_is_the_callers(silent: int) -> None:
    request = httpx2.Request("POST", GATEWAY)
    error = openai.APITimeoutError(request)
    error.__cause__ = httpx2.PoolTimeout("full")
    found = hs.diagnose(error)
    assert (found.kind, found.whose, found.may_have_cost) == ("pool_timeout", "yours", False)
