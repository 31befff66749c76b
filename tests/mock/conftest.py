"""A mock that is watched: whatever a test does to it, it must still answer at the end."""

import logging
from collections.abc import Iterator
from itertools import count

import pytest

from holysheep_helpers.mock.handle import MockHandle
from tests.support import raw
from tests.support.inside import running

numbers = count()


@pytest.fixture(scope="module")
def watched_server() -> Iterator[MockHandle]:
    """A mock whose due times are real, but come at once."""
    with running(raw.at_once(), time_scale=1) as (mock, _):
        yield mock


@pytest.fixture
def sound(
    watched_server: MockHandle, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[MockHandle]:
    """The mock under a new key; at the end it still answers, and nothing went wrong in it."""
    mock = MockHandle(watched_server.base_url, f"hs-mock-property-{next(numbers)}")
    with caplog.at_level(logging.WARNING):
        yield mock
    assert raw.ask(mock).status == 200
    assert [record.getMessage() for record in caplog.records] == []
    assert capfd.readouterr().err == ""
