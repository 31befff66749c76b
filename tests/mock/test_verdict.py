"""The verdict: what each wrong client is named for, and that a right one is not."""

from __future__ import annotations

from typing import Any

import pytest

from holysheep_helpers.mock.handle import MockHandle, Verdict
from holysheep_helpers.mock.verdict import FINDINGS, verdict
from tests.support import raw


def entry(number: int, at_s: float, outcome: str = "delivered", **more: Any) -> dict[str, Any]:
    paid = {"delivered": "yes", "error": "no"}.get(outcome, "maybe")
    status = 503 if outcome == "error" else 200
    return {
        "id": f"chatcmpl-{number}",
        "key": "k",
        "request": "same",
        "arrived_s": at_s,
        "ended_s": at_s + 0.01,
        "status": status,
        "error": None,
        "outcome": outcome,
        "paid": paid,
        "retry_after_s": None,
    } | more


def limited(number: int, at_s: float, wait_s: float, **more: Any) -> dict[str, Any]:
    return entry(number, at_s, "error", status=429, retry_after_s=wait_s, **more)


def names(entries: list[dict[str, Any]]) -> list[str]:
    return [finding["finding"] for finding in verdict(entries)]


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ([], []),
        ([entry(0, 0)], []),
        # Repeats of what was delivered are nobody's business.
        ([entry(0, 0), entry(1, 0.02), entry(2, 0.04)], []),
        ([limited(0, 0, 2), entry(1, 2.02)], []),
        ([limited(0, 0, 2), entry(1, 1.5)], ["ignored_retry_after"]),
        ([limited(0, 0, 2), entry(1, 1.5, request="another")], []),
        ([limited(0, 0, 2), entry(1, 1.5, key="neighbour")], []),
        ([entry(0, 0, "error", status=404), entry(1, 1)], ["retried_final"]),
        ([entry(0, 0, "error", status=401), entry(1, 1)], ["retried_final"]),
        (
            [entry(0, 0, "error", status=429, error="insufficient_quota"), entry(1, 9)],
            ["retried_final"],
        ),
        ([entry(0, 0, "error"), entry(1, 0.05)], ["no_backoff"]),
        ([entry(0, 0, "error"), entry(1, 0.5)], []),
        ([entry(0, 0, "error"), entry(1, 0.005)], []),  # sent before the failure was known
        ([entry(0, 0, "truncated")], ["took_truncated"]),
        ([entry(0, 0, "truncated"), entry(1, 1)], ["may_have_paid_twice"]),
        ([entry(0, 0, "left"), entry(1, 1)], ["may_have_paid_twice"]),
        ([entry(0, 0, "broken"), entry(1, 1, "error")], []),  # the second one was not paid
        ([entry(0, 0, "broken")], []),
        ([entry(0, 0, "open", ended_s=None), entry(1, 1)], []),
    ],
)
def test_what_is_found(entries: list[dict[str, Any]], found: list[str]) -> None:
    assert names(entries) == found


def crowd(spread_s: float, size: int = 10) -> list[dict[str, Any]]:
    """Requests refused at once, and asked again from 2 s later on."""
    refused = [limited(n, 0.001 * n, 2, request=str(n)) for n in range(size)]
    again = [entry(size + n, 2.1 + n * spread_s, request=str(n)) for n in range(size)]
    return refused + again


def test_a_crowd_that_comes_back_together_is_a_stampede() -> None:
    (finding,) = verdict(crowd(spread_s=0.002))
    assert (finding["finding"], finding["count"]) == ("stampede", 10)
    assert names(crowd(spread_s=0.2)) == []


def test_five_are_a_crowd_and_four_are_none() -> None:
    assert names(crowd(spread_s=0.002, size=5)) == ["stampede"]
    assert names(crowd(spread_s=0.002, size=4)) == []


def test_each_failure_has_one_repeat() -> None:
    """Three same requests fail together; three come back: each is the repeat of one."""
    failed = [entry(n, 0, "left") for n in range(3)]
    again = [entry(3 + n, 1 + n) for n in range(3)]
    (finding,) = verdict(failed + again)
    assert (finding["finding"], finding["count"]) == ("may_have_paid_twice", 3)
    (finding,) = verdict(failed + again[:2])
    assert finding["count"] == 2


def test_the_mock_tells_the_verdict_on_a_client(mock: MockHandle) -> None:
    assert mock.verdict() == ()
    mock.script([{"kind": "rate_limit", "delay_s": 60}], every=1)
    raw.send(mock, raw.body())
    mock.script({"kind": "status", "status": 429, "headers": {"retry-after": "60"}})
    raw.send(mock, raw.body())
    raw.send(mock, raw.body())
    found = mock.verdict()
    assert "ignored_retry_after" in found.names
    assert found[0]["ids"] == [mock.entries()[2]["id"]]
    assert "ignored_retry_after, 1 x:\n  asked again before" in repr(found)
    assert "<strong>ignored_retry_after</strong>, 1 ×: asked again" in found._repr_html_()


def test_a_verdict_without_findings_says_so() -> None:
    assert repr(Verdict()) == "Nothing to blame the client for."
    assert Verdict()._repr_html_() == "<p>Nothing to blame the client for.</p>"


def test_a_stranger_who_comes_again_is_seen(mock: MockHandle) -> None:
    for _ in range(2):
        raw.send(mock, raw.body(), headers={"Authorization": "Bearer nobody-we-know"})
    answer = raw.send(mock, method="GET", path="/mock/verdict?key=*")
    assert "retried_final" in [finding["finding"] for finding in answer.json]
    assert mock.verdict() == ()


def test_every_finding_has_its_words() -> None:
    assert all(FINDINGS.values())
