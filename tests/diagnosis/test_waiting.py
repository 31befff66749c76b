"""How long to wait before asking again: by a draw, or as a server says."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

import pytest

from holysheep_helpers.diagnosis.waiting import back_off_s, wait_asked


def test_the_back_off_is_full_jitter_between_a_floor_and_a_cap() -> None:
    draw = Random(1)
    for attempt, cap in ((1, 0.5), (2, 1), (3, 2), (6, 16), (12, 30)):
        drawn = [back_off_s(attempt, draw) for _ in range(500)]
        assert 0.125 <= min(drawn) < 0.125 + 0.05 * cap  # sooner is none, to a server
        assert 0.95 * cap < max(drawn) <= cap


NOW = datetime(2026, 1, 5, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "3"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "3"}, 3.0),
        ({"retry-after": "-4"}, 0.0),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "tomorrow"}, None),
        ({"retry-after": "Mon, 05 Jan 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Mon, 05 Jan 2026 11:59:00 GMT"}, 0.0),
        (
            {
                "retry-after": "Mon, 05 Jan 2026 12:00:30 GMT",
                "date": "Mon, 05 Jan 2026 12:00:10 GMT",
            },
            20.0,
        ),
        ({"retry-after": "Mon, 05 Jan 2026 12:00:30"}, None),
    ],
)
def test_retry_after_in_every_spelling(headers: dict[str, str], seconds: float | None) -> None:
    assert wait_asked(headers, NOW)[0] == seconds
