"""How long to wait before asking again: by a draw, or as a server says."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from holysheep_helpers.diagnosis.evidence import ErrorBody
from holysheep_helpers.diagnosis.waiting import MANDATORY, back_off_s, wait_asked


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
        ({"retry-after": "2m59.56s"}, 179.56),
        ({"retry-after": "1m30s"}, 90.0),
        ({"retry-after": "370ms"}, 0.37),
        ({"retry-after": "30s"}, 30.0),
        ({"retry-after": "9h10m26.49s"}, 33026.49),
        ({"retry-after": "1767614430"}, 30.0),
        ({"retry-after": "1767614430.5"}, 30.5),
        ({"retry-after": "1767614430500"}, 30.5),
        ({"retry-after": "1767614370"}, 0.0),
        ({"retry-after": "9" * 20}, None),
        ({"llm_provider-retry-after": "7"}, 7.0),
        ({"llm_provider-retry-after": "7", "retry-after": "3"}, 3.0),
    ],
)
def test_retry_after_in_every_spelling(headers: dict[str, str], seconds: float | None) -> None:
    assert wait_asked(headers, NOW)[0] == seconds


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("30", 30.0),
        ("1767614430", 30.0),
        ("1767614430.25", 30.25),
        ("1767614430250", 30.25),
        ("1m3s", 63.0),
        ("Mon, 05 Jan 2026 12:00:30 GMT", 30.0),
        ("soon", None),
    ],
)
def test_when_a_gateways_bucket_is_full_again(said: str, seconds: float | None) -> None:
    """In a header, or in a header that the body repeats; it is no wait that a retry must keep."""
    for remaining in ({"x-ratelimit-remaining": "0"}, {}):
        headers = {"X-RateLimit-Reset": said, **remaining}
        repeated = ErrorBody({"error": {"metadata": {"headers": headers}}})
        name = "x-ratelimit-reset" if seconds is not None else None
        assert wait_asked(headers, NOW) == (seconds, name)
        assert wait_asked({}, NOW, repeated) == (seconds, name)
    assert wait_asked({"x-ratelimit-reset": said, "x-ratelimit-remaining": "1"}, NOW)[0] is None


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ({"details": [{"retryDelay": "8s"}]}, (8.0, "retryDelay")),
        ({"details": [{"reason": "x"}, {"retryDelay": "45.837906927s"}]},
         (45.837906927, "retryDelay")),
        ({"metadata": {"retry_after_seconds": 11}}, (11.0, "retry_after_seconds")),
        ({"metadata": {"retry_after_seconds": 10.918}}, (10.918, "retry_after_seconds")),
        ({"availability": {"retry_after": 4}}, (4.0, "retry_after")),
        ({"retry_after": "2m"}, (120.0, "retry_after")),
        ({"retry_after": None}, (None, None)),
        ({"retry_after": True}, (None, None)),
        ({"retry_after": {"seconds": 3}}, (None, None)),
        ({"metadata": {"headers": {"Retry-After": 5}}}, (5.0, "Retry-After")),
        ({"metadata": {"headers": "none"}}, (None, None)),
    ],
)  # fmt: skip
def test_a_wait_that_the_body_names(
    inner: dict[str, Any], expected: tuple[float | None, str | None]
) -> None:
    body = ErrorBody([{"error": {"message": "x", **inner}}])
    assert wait_asked({}, NOW, body) == expected
    if expected[1]:
        assert expected[1] in MANDATORY
    assert wait_asked({"retry-after": "3"}, NOW, body) == (3.0, "Retry-After")
