"""The figures, panel and exercises of lessons 7 and 8: what they show, and what they refuse."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.batches import batch
from holysheep_helpers.batches.worker import Asker
from holysheep_helpers.lessons.exercises import verdict
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.resilience.plots import most_at_once
from tests.support.watched import NoWait


@pytest.fixture
def drill(mock: MockHandle) -> hs.Gateway:
    gateway = hs.connect("live", mock.base_url, mock.api_key)
    gateway.mock = mock  # pyright: ignore[reportAttributeAccessIssue]
    return gateway


# --- figures


def entry(arrived_s: float, ended_s: float | None, paid: str) -> dict[str, Any]:
    return {"arrived_s": arrived_s, "ended_s": ended_s, "paid": paid}


def test_a_bar_for_each_request_counted_from_the_first() -> None:
    seen = {
        "one": [entry(5, 5.5, "no")],
        "two": [entry(7, 7.1, "maybe"), entry(9, 9.25, "yes")],
    }
    figure = hs.plot_attempts(seen)
    (axes,) = figure.axes
    bars: Any = axes.patches
    assert [(bar.get_x(), pytest.approx(bar.get_width())) for bar in bars] == [
        (0, 0.5), (0, 0.1), (2, 0.25),
    ]  # fmt: skip
    assert axes.get_title("left") == "1 of 2 ways to ask got their answer"
    assert [text.get_text() for text in axes.texts] == ["1 request", "2 requests"]
    assert len(figure.legends[0].get_texts()) == 3
    assert len({(bar.get_facecolor(), bar.get_hatch()) for bar in bars}) == 3


@pytest.mark.parametrize(
    ("seen", "title"),
    [
        ([entry(1, 1.01, "no")], "No answer after 1 request"),
        ([entry(1, 1.01, "no"), entry(2, 2.1, "yes")], "Answered after 2 requests"),
    ],
)
def test_one_way_alone_is_told_by_its_end(seen: list[dict[str, Any]], title: str) -> None:
    (axes,) = hs.plot_attempts({"none": seen}).axes
    assert axes.get_title("left") == title
    assert axes.get_xlim()[1] >= 0.1, "a refusal at once shall not fill the figure"


def test_a_request_that_is_still_open_is_drawn() -> None:
    (axes,) = hs.plot_attempts({"": [entry(1, None, "maybe")]}).axes
    assert axes.patches[0].get_width() > 0  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("times", "most"),
    [([1.0], 1), ([1.0] * 7, 7), ([0, 0.03, 0.06, 0.09], 2), ([0.3, 0.0, 0.31, 0.32], 3)],
)
def test_the_most_within_50_ms_whenever_they_begin(times: list[float], most: int) -> None:
    assert most_at_once(times) == most


def test_the_herd_is_counted_in_its_title() -> None:
    axes = hs.plot_herd({"all": [1.0] * 9, "apart": [1.0, 1.2, 1.4]}).axes
    assert [ax.get_title("left") for ax in axes] == [
        "all: at most 9 of 9 within any 50 ms",
        "apart: at most 1 of 3 within any 50 ms",
    ]
    assert [sum(bar.get_height() for bar in ax.patches) for ax in axes] == [9, 3]  # pyright: ignore[reportAttributeAccessIssue]


def test_nothing_to_draw_is_said() -> None:
    for nothing in ({}, {"a": []}):
        with pytest.raises(hs.InputError, match="nothing to draw"):
            hs.plot_attempts(nothing)
        with pytest.raises(hs.InputError, match="There are no times"):
            hs.plot_herd(nothing)


# --- the two traps behind a status 200

IN_THE_BODY = {"kind": "status", "status": 200, "body": {"error": {"code": 502, "message": "busy"}}}
BROKEN_OFF = {"kind": "broken_off", "reason": "error", "after": 12}


@pytest.mark.parametrize(
    ("fault", "outcome", "lost_by_the_sdk"),
    [(IN_THE_BODY, "error", None), (BROKEN_OFF, "truncated", 12)],
)
def test_each_fifth_answer_is_lost_to_a_plain_loop_and_none_to_a_batch(
    drill: hs.Gateway, mock: MockHandle, monkeypatch: pytest.MonkeyPatch,
    fault: dict[str, Any], outcome: str, lost_by_the_sdk: int | None,
) -> None:  # fmt: skip
    monkeypatch.setattr(batch, "Asker", partial(Asker, random=NoWait()))
    prompts = [f"Name three uses of the number {number}." for number in range(20)]
    mock.script(fault, every=5)
    plain = drill.client(max_retries=0)
    replies = [
        plain.chat.completions.create(
            model=hs.catalog.DEFAULT_MODEL, messages=[{"role": "user", "content": prompt}]
        )
        for prompt in prompts
    ]
    assert [entry["outcome"] for entry in mock.entries()] == ([*["delivered"] * 4, outcome] * 4)
    for reply in replies[4::5]:
        tokens = reply.usage and reply.usage.completion_tokens
        assert tokens == lost_by_the_sdk

    mock.reset()
    mock.script(fault, every=5)
    result = hs.batch_sync(drill, prompts, progress=False)
    delivered = [entry for entry in mock.entries() if entry["outcome"] == "delivered"]
    assert [item.finish_reason for item in result] == ["stop"] * 20
    assert (result.sent, len(delivered), result.possibly_paid_twice) == (24, 20, 4)


# --- panel


@pytest.mark.parametrize(
    ("policy", "times", "attempts", "requests", "says"),
    [
        ("none", 0, 1, 1, "[canned reply]"),
        ("none", 1, 3, 1, "server_error: "),
        ("the SDK's own", 2, 3, 3, "[canned reply]"),
        ("hs.retrying", 2, 3, 3, "[canned reply]"),
        ("a loop around the SDK's own", 12, 3, 9, "server_error: "),
    ],
)
def test_the_panel_shows_what_the_server_saw(
    drill: hs.Gateway, mock: MockHandle, monkeypatch: pytest.MonkeyPatch,
    policy: str, times: int, attempts: int, requests: int, says: str,
) -> None:  # fmt: skip
    monkeypatch.setattr("holysheep_helpers.resilience.retry.back_off_s", lambda *_: 0.0)
    monkeypatch.setattr(
        openai._base_client.BaseClient, "_calculate_retry_timeout", lambda *_, **__: 0.001
    )
    hs.ask(drill, "an earlier request, which is none of the panel's")
    panel = hs.errors_panel(drill)
    panel.policy.value, panel.times.value, panel.attempts.value = policy, times, attempts
    panel.send.click()
    panel.wait()
    assert len(panel.entries) == requests
    assert panel.text.startswith(says)
    count = f"{requests} request{'s' * (requests > 1)}"
    assert f"The server saw {count} ·" in panel.status.value
    assert bytes(panel.figure.value).startswith(b"\x89PNG")
    assert len(mock.entries()) == 1  # the panel asks with a key of its own


def test_what_was_lost_is_on_the_panels_bill(drill: hs.Gateway) -> None:
    panel = hs.errors_panel(drill)
    panel.fault.value, panel.times.value, panel.policy.value = "cut_body", 1, "none"
    panel.send.click()
    panel.wait()
    assert "billed 0 USD, and up to 1 more that were lost" in panel.status.value


def test_live_there_is_no_panel_of_faults(gw: hs.Gateway) -> None:
    with pytest.raises(hs.InputError, match="at a mock alone"):
        hs.errors_panel(gw)


def test_stored_in_a_notebook_it_is_one_line(drill: hs.Gateway) -> None:
    one, other = hs.errors_panel(drill), hs.errors_panel(drill)
    assert repr(one) == repr(other) == one._repr_mimebundle_()["text/plain"]


# --- exercises


@pytest.mark.parametrize(
    ("answer", "right", "says"),
    [
        (["rate_limit", "server_error", "connect_timeout"], True, "You must fix the other three"),
        (("connect_timeout", "server_error", "rate_limit"), True, "You must fix the other three"),
        (["rate_limit"], False, "3 of the six end by themselves, and you have 1"),
        ([], False, "you have 0 of them"),
        (["quota", "rate_limit"], False, "'quota' does not end by itself"),
        (["429"], False, "'429' is not one of the six"),
        ("rate_limit", False, "you have 1 of them"),
        (429, False, "a list of kinds is needed"),
    ],
)
def test_07a_wants_what_can_pass_by_itself(answer: Any, right: bool, says: str) -> None:
    assert verdict("07a", answer)[0] == right
    assert says in verdict("07a", answer)[1]


@pytest.mark.parametrize(
    ("retries", "times", "right", "says"),
    [
        (0, 3, True, "one place retries"),
        (2, 3, False, "the server saw 3 requests, because the SDK also retries"),
        (0, 2, False, "the server saw 2 requests. Ask again after each error"),
        (0, 5, False, "the server saw 5 requests. Stop at the first answer"),
        (0, 0, False, "the server saw no request"),
    ],
)
def test_08a_wants_one_place_that_retries(
    drill: hs.Gateway, mock: MockHandle, retries: int, times: int, right: bool, says: str
) -> None:
    mock.script([{"kind": "status", "status": 503, "headers": {"retry-after-ms": "1"}}] * 2)
    for _ in range(1 if retries else times):
        with suppress(openai.InternalServerError):
            hs.ask(drill.client(max_retries=retries), "hello")
    assert verdict("08a", mock.entries())[0] is right
    assert says in verdict("08a", mock.entries())[1]


def test_08a_wants_what_the_server_saw() -> None:
    assert "hand over what the server saw" in verdict("08a", 3)[1]
    assert "hand over what the server saw" in verdict("08a", [{"x": 1}] * 3)[1]


def by_kind(error: Exception) -> float | None:
    found = hs.diagnose(error)
    return (found.wait_s or 1.0) if found.retryable else None


def by_type(error: Exception) -> float | None:
    return 7.0 if isinstance(error, openai.RateLimitError) else None


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (by_kind, "Right: "),
        (lambda error: 1.0 if "429" in str(error) else None, "a 400 with 429 in its message"),
        (by_type, "waiting does not help"),
        (lambda error: 1.0 if error.status_code == 401 else by_kind(error), "a wrong key stays"),
        (lambda error: None, "for a rate limit, return the number"),
        (lambda error: 1.0 if by_kind(error) else None, "said Retry-After: 7, and your"),
        (lambda error: by_kind(error) if error.code else None, "a 503 without Retry-After"),
        (5, "hand over the function itself"),
        (lambda: None, "the check can't read this answer (TypeError)"),
    ],
)
def test_07b_wants_the_kind_and_the_servers_word(answer: Any, says: str) -> None:
    assert says in verdict("07b", answer)[1]


def test_the_errors_of_07b_are_what_they_claim_to_be() -> None:
    kinds = []
    verdict("07b", lambda error: kinds.append((type(error).__name__, hs.diagnose(error).kind)))
    assert kinds[:3] == [
        ("RateLimitError", "rate_limit"),
        ("BadRequestError", "bad_request"),
        ("RateLimitError", "quota"),
    ]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda attempt, draw: draw.uniform(0, 2.0 ** (attempt - 1)), "its limit doubles"),
        (lambda attempt, draw: 2.0 ** (attempt - 1), "The wait must be random"),
        (
            lambda attempt, draw: draw.uniform(0, 2.0**attempt),
            "attempt 1 waits from 0.0 to 2.0 s. From 0 to 1 s",
        ),
        (
            lambda attempt, draw: 2.0 ** (attempt - 1) * draw.uniform(0.5, 1),
            "attempt 1 waits from 0.5 to 1.0 s",
        ),
        (lambda attempt, draw: draw.uniform(0, 1.0), "attempt 2 waits from 0.0 to 1.0 s"),
        (lambda attempt, draw: draw.uniform(-1, 1), "attempt 1 waits from -1.0 to 1.0 s"),
        (2.0, "hand over the function"),
    ],
)
def test_full_jitter_is_random_from_0_to_a_limit_that_doubles(answer: Any, says: str) -> None:
    good, said = verdict("08b", answer)
    assert good == (says == "its limit doubles")
    assert says in said
