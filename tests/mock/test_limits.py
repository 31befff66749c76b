"""The plan's requests per minute, with a clock of our own."""

import pytest

from holysheep_helpers import catalog
from holysheep_helpers.mock.server import serve
from holysheep_helpers.mock.timing import Pacer
from tests.mock import raw

LIMITED = min(
    (plan for plan in catalog.plans().values() if plan.requests_per_minute),
    key=lambda plan: plan.requests_per_minute or 0,
)
LIMIT = LIMITED.requests_per_minute or 0


async def no_wait(seconds: float) -> None:
    pass


def test_the_minute_slides_and_says_when_to_come_back() -> None:
    now_s = 1000.0
    with serve(time_scale=1, plan=LIMITED.name, pacer=Pacer(lambda: now_s, no_wait)) as mock:
        answers = [raw.send(mock, raw.body()) for _ in range(LIMIT)]
        assert {answer.status for answer in answers} == {200}
        left = [int(answer.headers["x-ratelimit-remaining-requests"]) for answer in answers]
        assert left == list(range(LIMIT - 1, -1, -1))
        now_s += 20.5
        refused = raw.send(mock, raw.body())
        assert refused.status == 429
        assert refused.headers["retry-after"] == "40"  # 39.5, in whole seconds
        assert refused.headers["retry-after-ms"] == "39500"
        assert refused.headers["x-ratelimit-limit-requests"] == str(LIMIT)
        error = refused.json["error"]
        assert (error["type"], error["code"]) == ("requests", "rate_limit_exceeded")
        assert f"Limit {LIMIT}, Used {LIMIT}, Requested 1" in error["message"]
        now_s += 39.4
        assert raw.send(mock, raw.body()).status == 429
        now_s += 0.2
        assert raw.send(mock, raw.body()).status == 200


def test_another_key_has_a_minute_of_its_own() -> None:
    with serve(time_scale=1, plan=LIMITED.name, pacer=Pacer(lambda: 0.0, no_wait)) as mock:
        for _ in range(LIMIT):
            raw.ask(mock)
        assert raw.send(mock, raw.body()).status == 429
        mock.api_key = "hs-mock-neighbour"
        assert raw.send(mock, raw.body()).status == 200


@pytest.mark.parametrize(
    "name", [p.name for p in catalog.plans().values() if not p.requests_per_minute]
)
def test_a_plan_without_a_number_never_refuses_and_says_nothing_of_limits(name: str) -> None:
    with serve(plan=name) as mock:
        answers = [raw.ask(mock) for _ in range(LIMIT + 1)]
    assert not any("x-ratelimit" in header for answer in answers for header in answer.headers)
