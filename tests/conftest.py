"""Gateways for tests: both answer at once, inside this process."""

import os
import ssl
import subprocess
from collections.abc import Callable, Iterator
from datetime import date
from functools import cache
from multiprocessing.process import BaseProcess
from typing import Any

import httpcore2
import pytest
from hypothesis import settings

import holysheep_helpers as hs
from holysheep_helpers.client import connect
from holysheep_helpers.mock.handle import MockHandle

pytest_plugins = ["holysheep_helpers.mock.testing"]

settings.register_profile("at any pace", deadline=None)  # a slow computer fails no test
settings.register_profile("quick", deadline=None, max_examples=25)  # of start.py test --quick
settings.load_profile("at any pace")


def pytest_report_header() -> str:
    name = settings.get_current_profile_name()
    fewer = " (a quarter of the examples)" if name == "quick" else ""
    return f"property tests: the profile {name!r}{fewer}"


@pytest.fixture(autouse=True, scope="session")
def certificates_are_read_once() -> Iterator[None]:
    """Each bare client of the SDK would read the system's again, for 20 ms, and use none here."""
    read = httpcore2.default_ssl_context

    @cache
    def context(file: str | None, folder: str | None, **options: Any) -> ssl.SSLContext:
        return read(**options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            httpcore2,
            "default_ssl_context",
            lambda **options: context(
                os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"), **options
            ),
        )
        yield


@pytest.fixture(autouse=True)
def the_day_of_the_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    """No price gets too old for a live call, however late these tests are run."""
    monkeypatch.setattr(connect, "today", lambda: date(2026, 1, 31))


@pytest.fixture(autouse=True)
def only_those_marked_start_processes(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``python start.py test --quick`` stays quick: what takes a process of its own says so."""
    if request.node.get_closest_marker("process") is None:
        monkeypatch.setattr(subprocess.Popen, "__init__", _refused)
        monkeypatch.setattr(BaseProcess, "start", _refused)


def _refused(*arguments: object, **options: object) -> None:
    raise AssertionError(
        f"This test starts a process, {arguments}: mark it with @pytest.mark.process."
    )


@pytest.fixture
def mock(holysheep_mock: MockHandle) -> MockHandle:
    return holysheep_mock


@pytest.fixture
def live(mock: MockHandle) -> Callable[..., hs.Gateway]:
    """A live gateway whose server is the mock; takes what ``hs.connect`` takes."""

    def connect(**options: object) -> hs.Gateway:
        options = {"base_url": mock.base_url, "api_key": mock.api_key, **options}
        return hs.connect("live", **options)  # pyright: ignore[reportArgumentType]

    return connect


@pytest.fixture
def gw(live: Callable[..., hs.Gateway]) -> hs.Gateway:
    return live(budget_usd=10)
