"""The mock as a pytest fixture, for tests of your own.

In your ``conftest.py``::

    pytest_plugins = ["holysheep_helpers.mock.testing"]

Then a test that takes ``holysheep_mock`` gets a mock that answers at once, under a key of its own,
so that scripts and journals of tests are apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

import pytest

from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.mock.server import serve


@pytest.fixture(scope="session")
def holysheep_server() -> Iterator[MockHandle]:
    """One server for all tests of a session."""
    with serve() as handle:
        yield handle


@pytest.fixture
def holysheep_mock(
    holysheep_server: MockHandle, request: pytest.FixtureRequest
) -> Iterator[MockHandle]:
    """The session's mock, under a key of this test's own.

    The key is made of the test's name, since draws depend on the key: whatever ran before, or in
    another process, a test meets the same replies and faults.
    """
    name = blake2b(request.node.nodeid.encode("utf-8"), digest_size=8).hexdigest()
    server = holysheep_server
    handle = MockHandle(server.base_url, f"hs-mock-test-{name}", server.admin_token)
    handle.reset()  # the same test, run again in this session
    yield handle
    handle.close()
