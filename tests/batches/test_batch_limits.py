"""429s, the pace, fatal errors and the budget of a batch: all of it in made-up time."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx2
import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.batches import batch
from holysheep_helpers.batches.worker import Setup
from holysheep_helpers.mock.handle import MockHandle
from tests.support import virtual
from tests.support.virtual import Server, ask, error, names

QUIET: dict[str, Any] = {"progress": False}


@pytest.fixture(autouse=True)
def virtual_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "Asker", virtual.asker_in_virtual_time())


# --- 429


def test_one_retry_after_holds_back_all_workers() -> None:
    server = Server(p3=[error(429, **{"retry-after": "20"})])
    server.takes_s = 2.0
    result = ask(server, names(40), max_concurrency=10)
    assert len(result.ok) == 40
    refused_s = result[3].timeline[0].end_s
    during = [at for at in server.times() if refused_s < at < refused_s + 20]
    assert during == []
    after = [at for at in server.times() if at >= refused_s + 20]
    assert after[0] >= refused_s + 20
    assert len({round(at, 6) for at in after[:10]}) == 10  # spread out
    assert after[9] - after[0] > 5
    assert result[3].attempts == 2


def test_429s_do_not_count_as_failed_attempts() -> None:
    limit = error(429, **{"retry-after": "1"})
    result = ask(Server(p0=[limit] * 30), names(3))
    assert result[0].attempts == 31
    assert len(result.ok) == 3


def sliding(limit: int, **headers: str) -> Callable[[float], httpx2.Response | None]:
    window: list[float] = []

    def refuse(now_s: float) -> httpx2.Response | None:
        window[:] = [at for at in window if at > now_s - 60]
        if len(window) >= limit:
            return error(429, **headers)
        window.append(now_s)
        return None

    return refuse


def test_a_limit_that_nobody_named_is_felt_out() -> None:
    server = Server()
    server.refuse = sliding(60, **{"retry-after": "1"})
    result = ask(server, names(300), max_concurrency=50)
    assert len(result.ok) == 300
    refused = len(server.seen) - 300
    assert refused < 300  # without a growing gap: about 50 a second
    assert max(item.timeline[-1].end_s for item in result) < 420


def test_429s_without_end_stop_the_batch_after_ten_minutes() -> None:
    server = Server()
    server.refuse = lambda now_s: error(429) if now_s > 3 else None
    with pytest.warns(hs.BatchStoppedWarning, match="RateLimitError"):
        result = ask(server, names(60), max_concurrency=10)
    assert isinstance(result.stopped_by, openai.RateLimitError)
    assert 600 < max(server.times()) < 700
    assert len(result.ok) == 40


def test_a_wait_of_an_hour_is_not_waited() -> None:
    server = Server(p0=[error(429, **{"retry-after": "3600"})])
    with pytest.warns(hs.BatchStoppedWarning):
        result = ask(server, names(20))
    assert max(server.times()) < 5
    assert isinstance(result.stopped_by, openai.RateLimitError)


# --- the pace


def most_in_a_minute(times: list[float]) -> int:
    return max(sum(start <= at < start + 60 for at in times) for start in times)


def test_at_60_a_minute_no_minute_sees_more_retries_included() -> None:
    server = Server(0.7, **{f"p{n}": [error(503)] for n in range(0, 200, 5)})
    result = ask(server, names(200), max_concurrency=20, requests_per_minute=60)
    assert len(result.ok) == 200
    assert most_in_a_minute(server.times()) <= 60
    assert max(server.times()) < 1.03 * 240


def test_tokens_a_minute_are_paced_and_corrected_by_the_usage() -> None:
    server = Server(0.5)
    result = ask(server, names(120), max_concurrency=20, tokens_per_minute=600, max_tokens=100)
    assert len(result.ok) == 120
    assert most_in_a_minute(server.times()) * 15 <= 600
    assert max(server.times()) < 1.6 * 120 * 15 / 10  # by the estimate alone: four times as long


def test_a_limit_in_the_headers_is_kept_from_the_first_reply_on() -> None:
    server = Server()
    server.headers = {"x-ratelimit-limit-requests": "30", "x-ratelimit-limit-tokens": "90000"}
    ask(server, names(70), max_concurrency=8)
    assert most_in_a_minute(server.times()) <= 30


def test_the_callers_limit_wins_over_the_headers() -> None:
    server = Server()
    server.headers = {"x-ratelimit-limit-requests": "1"}
    ask(server, names(20), requests_per_minute=600)
    assert max(server.times()) < 5


def limits_of(gateway: hs.Gateway, requests_per_minute: float | None = None) -> Setup:
    """The setup of a batch through this gateway, of which nothing else is said."""
    pace = {"requests_per_minute": requests_per_minute, "tokens_per_minute": None}
    others = dict.fromkeys(("models", "system", "journal", "budget_usd", "deadline_s"))
    return Setup(
        gateway, "gpt-4.1", max_concurrency=5, progress=False, sdk_parameters={}, **pace, **others
    )


def test_the_plan_of_a_gateway_is_its_pace(mock: MockHandle) -> None:
    gateway = hs.connect("live", mock.base_url, mock.api_key, plan="free")
    assert limits_of(gateway).requests_per_minute == 60
    assert limits_of(gateway, 10).requests_per_minute == 10


# --- fatal


@pytest.mark.parametrize(
    "fatal",
    [
        error(401, "invalid_api_key"),
        error(403),
        error(404, "model_not_found"),
        error(402),
        error(429, "insufficient_quota", **{"retry-after": "1"}),
        httpx2.Response(302, headers={"location": "https://elsewhere.example/v1"}),
    ],
)
def test_what_every_request_would_meet_stops_the_rest_and_keeps_what_is_done(
    fatal: httpx2.Response,
) -> None:
    server = Server(p7=[fatal])
    with pytest.warns(hs.BatchStoppedWarning) as warned:
        result = ask(server, names(100), max_concurrency=4)
    assert len(server.seen) <= 12  # nothing was begun after it
    assert result[7].error is result.stopped_by
    assert len(result.ok) == len(server.seen) - 1
    assert isinstance(result[99].error, hs.NotAskedError)
    assert result[99].error.__cause__ is result.stopped_by
    assert result[99].attempts == 0
    assert f"{len(result.ok)} of 100 are answered" in str(warned[0].message)
    assert "STOPPED early" in repr(result)


def test_waits_end_at_once_when_the_batch_is_stopped() -> None:
    late = error(429, **{"retry-after": "300"})
    server = Server(p0=[error(503, **{"retry-after": "500"})], p1=[late], p2=[2.0, 1.0])
    server.faults["p2"] = [error(401)]
    server.takes_s = 1.0
    with pytest.warns(hs.BatchStoppedWarning):
        result = ask(server, names(30), max_concurrency=3)
    assert max(at.end_s for item in result for at in item.timeline) <= 2
    assert len(server.seen) <= 6


def test_advice_comes_with_a_fatal_error() -> None:
    async def main() -> hs.BatchResult:
        client = await virtual.client_of(Server(p0=[error(404, "model_not_found")]))
        return await hs.batch(client, ["p0"], model="mistral-small", **QUIET)

    with pytest.warns(hs.BatchStoppedWarning):
        result = virtual.run(main())
    assert result[0].error is not None
    assert "mistral-small-2603" in result[0].error.__notes__[0]


# --- budget


def test_the_budget_is_never_passed_and_used_up_to_the_last_call_that_fits() -> None:
    one = Decimal("0.000005")
    most = (6 * Decimal("0.2") + 5 * Decimal("0.6")) / 1_000_000  # "p0": 6 tokens by the estimate
    server = Server()
    with pytest.warns(hs.BatchStoppedWarning, match="budget_usd is"):
        result = ask(server, names(50), max_concurrency=8, budget_usd=100 * one / 5, max_tokens=5)
    assert isinstance(result.stopped_by, hs.BudgetError)
    assert result.spent_usd <= 100 * one / 5 < result.spent_usd + max(most, one)
    assert len(server.seen) == len(result.ok) == 20


def test_calls_that_wait_for_money_do_not_go_at_once_when_it_comes() -> None:
    most = Decimal("0.00962")  # the first one's most, and two of the others'
    server = Server(takes_s=120.0)
    prompts = [{"prompt": "p0", "max_tokens": 16_000}, *({"prompt": p} for p in names(40)[1:])]
    result = ask(
        server, prompts, budget_usd=most, max_tokens=10, requests_per_minute=60, max_concurrency=40
    )
    times = server.times()
    assert len(result.ok) == 40
    assert max(times) >= 120  # some had to wait
    assert min(b - a for a, b in itertools.pairwise(times)) > 0.4


def test_a_turn_that_comes_too_late_gives_its_money_back() -> None:
    server = Server(p0=[error(503)])  # its next turn would come after 10 s
    one_call: dict[str, Any] = {"budget_usd": "0.0007", "max_concurrency": 1}
    result = ask(server, names(2), deadline_s=3.0, requests_per_minute=6, **one_call)
    assert isinstance(result[0].error, hs.DeadlineError)
    assert result.texts == [None, "P1"]


def test_a_lost_reply_counts_against_the_budget() -> None:
    server = Server(p0=[httpx2.ReadError("x")] * 6)
    with pytest.warns(hs.BatchStoppedWarning):
        result = ask(server, names(9), budget_usd="0.000015", max_concurrency=1, max_tokens=5)
    assert len(server.seen) == 3
    assert result.spent_usd == 0


def test_a_model_without_a_price_is_refused_under_a_budget_before_anything_is_sent() -> None:
    server = Server()
    prompts = ["a", {"prompt": "b", "model": "gpt-4o"}]
    with pytest.raises(hs.BudgetError, match="no price was published for 'gpt-4o'"):
        ask(server, prompts, budget_usd=1)
    assert server.seen == []


def test_an_estimate_is_printed_before_many_calls_under_a_budget(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ask(Server(), names(21), budget_usd=1, progress=True, max_tokens=100)
    assert capsys.readouterr().out == (
        "Estimate: 21 calls, at most 0.0013 USD if each used all of max_tokens; 179 tokens in, "
        "estimated by rule.\n"
    )
    ask(Server(), names(21), budget_usd=1, progress=True)
    assert "21 without max_tokens are taken for 1,000" in capsys.readouterr().out
    ask(Server(), names(20), budget_usd=1, progress=True)
    ask(Server(), names(21), progress=True)  # on this computer nothing is billed
    ask(Server(), names(21), budget_usd=1)
    assert capsys.readouterr().out == ""


def test_the_gateways_own_budget_stops_a_batch(
    live: Callable[..., hs.Gateway], mock: MockHandle
) -> None:
    gateway = live(budget_usd=Decimal("0.000001"))
    with pytest.warns(hs.BatchStoppedWarning):
        result = hs.batch_sync(gateway, names(5), max_concurrency=1, **QUIET)
    assert len(result.ok) == result.sent == len(mock.entries()) == 1
    assert isinstance(result.stopped_by, hs.BudgetError)


@pytest.mark.process
def test_a_mock_that_is_played_faster_has_shorter_minutes(
    live: Callable[..., hs.Gateway],
) -> None:
    """Free's 60 requests a minute are 600 at ten times the speed; tokens are the mock's alone."""

    def limits(gateway: hs.Gateway) -> tuple[float | None, float | None]:
        found = limits_of(gateway)
        return found.requests_per_minute, found.tokens_per_minute

    assert limits(hs.connect("mock", plan="free", time_scale=0.1)) == (600, 3_000_000)
    assert limits(hs.connect("mock", plan="free", time_scale=0)) == (None, None)
    assert limits(hs.connect("mock")) == (None, None)
    assert limits(live(plan="free")) == (60, None)
