"""A plan's requests and tokens per minute: they slide, and say truly when to come back."""

import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from holysheep_helpers import catalog
from holysheep_helpers.mock.limits import Limits, duration
from holysheep_helpers.mock.server import serve
from holysheep_helpers.mock.wire import WireError
from tests.support import raw

FREE = catalog.plans()["free"]
LIMIT = FREE.requests_per_minute or 0
TOKENS = FREE.tokens_per_minute or 0
EPOCH_S = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


class Minute:
    """Limits of one key, with a clock that the test moves."""

    def __init__(self, plan: catalog.Plan = FREE, scale: float = 1.0) -> None:
        self.now_s = 100.0
        self._limits = Limits(plan, scale)

    def ask(self, tokens: int = 10) -> dict[str, str]:
        """The headers of a request that is let in; raises the refusal of one that is not."""
        wall = lambda: EPOCH_S + self.now_s  # noqa: E731
        return dict(self._limits.admit("some-model", tokens, self.now_s, wall))

    def refusal(self, tokens: int = 10) -> WireError:
        with pytest.raises(WireError) as caught:
            self.ask(tokens)
        return caught.value


def test_as_many_as_the_plan_says_and_no_more() -> None:
    minute = Minute()
    left = [int(minute.ask()["x-ratelimit-remaining-requests"]) for _ in range(LIMIT)]
    assert left == list(range(LIMIT - 1, -1, -1))
    refusal = minute.refusal()
    assert (refusal.status, refusal.type, refusal.code) == (429, "requests", "rate_limit_exceeded")
    assert refusal.message == (
        f"Rate limit reached for some-model on requests per min (RPM): Limit {LIMIT}, "
        f"Used {LIMIT}, Requested 1. Please try again in 1m0s."
    )


def test_no_sixty_seconds_ever_see_more_than_the_limit() -> None:
    """It slides: who waits as told gets in, one at a time, never a whole new minute at once."""
    minute, let_in = Minute(), []
    for _ in range(5 * LIMIT):
        minute.now_s += 0.7
        try:
            minute.ask()
        except WireError as refusal:
            minute.now_s += int(dict(refusal.headers)["retry-after-ms"]) / 1000
            minute.ask()
        let_in.append(minute.now_s)
    spans = [late - early for early, late in zip(let_in, let_in[LIMIT:], strict=False)]
    assert min(spans) >= 60
    assert min(spans) < 60.002  # and nobody is kept out longer than must be


@pytest.mark.parametrize(("passed_s", "seconds", "ms"), [(0, "60", "60000"), (20.5, "40", "39500")])
def test_a_refusal_says_when_to_come_back_and_it_is_true(
    passed_s: float, seconds: str, ms: str
) -> None:
    minute = Minute()
    for _ in range(LIMIT):
        minute.ask()
    minute.now_s += passed_s
    headers = dict(minute.refusal().headers)
    assert (headers["retry-after"], headers["retry-after-ms"]) == (seconds, ms)
    minute.now_s += int(ms) / 1000 - 0.001
    assert minute.refusal().status == 429
    minute.now_s += 0.002
    minute.ask()


def test_reset_is_the_time_until_the_limit_is_full_again() -> None:
    minute = Minute()
    assert minute.ask()["x-ratelimit-reset-requests"] == "1m0s"
    minute.now_s += 59.5
    headers = minute.ask()
    assert headers["x-ratelimit-reset-requests"] == "1m0s"  # not the next slot's 500ms
    assert int(headers["x-ratelimit-reset"]) == math.ceil(EPOCH_S + minute.now_s + 60)
    minute.now_s += 60
    assert minute.ask()["x-ratelimit-remaining-requests"] == str(LIMIT - 1)


def test_tokens_have_a_limit_of_their_own_and_free_up_as_they_pass() -> None:
    minute = Minute()
    minute.ask(TOKENS - 100)
    minute.now_s += 10
    headers = minute.ask(100)
    assert headers["x-ratelimit-limit-tokens"] == str(TOKENS)
    assert headers["x-ratelimit-remaining-tokens"] == "0"
    refusal = minute.refusal(50)
    assert (refusal.type, refusal.status) == ("tokens", 429)
    assert f"(TPM): Limit {TOKENS}, Used {TOKENS}, Requested 50." in refusal.message
    assert dict(refusal.headers)["retry-after"] == "50"  # when the first one has passed
    minute.now_s += 50
    minute.ask(TOKENS - 100)
    assert dict(minute.refusal(1).headers)["retry-after"] == "10"


def test_what_fits_into_no_minute_is_final_and_counts_for_nothing() -> None:
    minute = Minute()
    refusal = minute.refusal(TOKENS + 1)
    assert (refusal.status, refusal.code) == (413, "request_too_large")
    assert "retry-after" not in dict(refusal.headers)
    assert minute.ask(TOKENS)["x-ratelimit-remaining-requests"] == str(LIMIT - 1)


def test_the_scale_shortens_the_minute_and_the_wait() -> None:
    minute = Minute(scale=0.05)
    for _ in range(LIMIT):
        minute.ask()
    headers = dict(minute.refusal().headers)
    assert (headers["retry-after"], headers["retry-after-ms"]) == ("3", "3000")
    minute.now_s += 3
    minute.ask()


def test_a_short_wait_is_a_whole_second_and_exact_milliseconds() -> None:
    minute = Minute(scale=0.005)
    for _ in range(LIMIT):
        minute.ask()
    headers = dict(minute.refusal().headers)
    assert (headers["retry-after"], headers["retry-after-ms"]) == ("1", "300")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0ms"), (0.0115, "12ms"), (0.9999, "1000ms"), (1, "1s"), (59.2, "1m0s"), (360, "6m0s")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_over_http_each_key_has_a_minute_of_its_own() -> None:
    clock = raw.Clock()
    with serve(time_scale=1, plan="free", pacer=clock.pacer()) as mock:
        answers = [raw.ask(mock, max_tokens=1) for _ in range(LIMIT)]
        assert answers[-1].headers["x-ratelimit-remaining-requests"] == "0"
        refused = raw.send(mock, raw.body())
        assert refused.status == 429
        assert refused.headers["x-request-id"].startswith("req_")
        assert mock.entries()[-1]["retry_after_s"] > 0
        key, mock.api_key = mock.api_key, "hs-mock-neighbour"
        raw.ask(mock)
        mock.api_key = key
        clock.now_s += int(refused.headers["retry-after-ms"]) / 1000
        raw.ask(mock)


def test_max_tokens_counts_before_it_is_used() -> None:
    with serve(plan="free", time_scale=1, pacer=raw.at_once()) as mock:
        headers = raw.ask(mock, max_tokens=1000, n=2).headers
        (entry,) = mock.entries()
    left = TOKENS - int(headers["x-ratelimit-remaining-tokens"])
    assert left == 2000 + entry["prompt_tokens"]


def test_only_requests_that_are_in_order_count() -> None:
    with serve(plan="free", time_scale=1, pacer=raw.at_once()) as mock:
        assert raw.send(mock, raw.body(model="nobody")).status == 404
        assert raw.send(mock, raw.body(n=0)).status == 400
        left = raw.ask(mock).headers["x-ratelimit-remaining-requests"]
    assert left == str(LIMIT - 1)


def test_without_limits_nothing_is_refused_or_said() -> None:
    minute = Minute(replace(FREE, requests_per_minute=None, tokens_per_minute=None))
    assert [minute.ask(10**9) for _ in range(1000)] == [{}] * 1000
