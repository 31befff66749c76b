"""Gateways for tests: both answer at once, inside this process."""

from collections.abc import Callable, Iterator
from itertools import count

import pytest

import holysheep_helpers as hs
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.mock.server import serve

_numbers = count()


@pytest.fixture(scope="session")
def server() -> Iterator[MockHandle]:
    with serve() as handle:
        yield handle


@pytest.fixture
def mock(server: MockHandle) -> Iterator[MockHandle]:
    """The session's mock under a key of this test's own: its script and journal are apart."""
    handle = MockHandle(server.base_url, f"hs-mock-test-{next(_numbers)}")
    yield handle
    handle.close()


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
