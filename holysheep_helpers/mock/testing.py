"""The mock as a pytest fixture, for tests of your own.

In your ``conftest.py``::

    pytest_plugins = ["holysheep_helpers.mock.testing"]

Then a test that takes ``holysheep_mock`` gets a mock that answers at once, under a key of its own,
so that scripts and journals of tests are apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.mock.server import serve

_numbers = count()


@pytest.fixture(scope="session")
def holysheep_server() -> Iterator[MockHandle]:
    """One server for all tests of a session."""
    with serve() as handle:
        yield handle


@pytest.fixture
def holysheep_mock(holysheep_server: MockHandle) -> Iterator[MockHandle]:
    """The session's mock, under a key of this test's own."""
    handle = MockHandle(holysheep_server.base_url, f"hs-mock-test-{next(_numbers)}")
    yield handle
    handle.close()
