"""Times: their distribution, and that they are kept to the moment, with a clock of our own."""

import math
from random import Random
from statistics import NormalDist, fmean

import pytest

from holysheep_helpers import catalog
from holysheep_helpers.mock.server import serve
from holysheep_helpers.mock.timing import NEW_CONNECTION_S, PUBLISHED, location, profile
from tests.support import raw

DRAWS = 20_000


def test_the_published_times_come_out() -> None:
    """142 ms on average, 118 to 198 (the gateway, January 2026), 10 ms a token after that."""
    drawn = [PUBLISHED.due_s(2, Random(seed)) for seed in range(DRAWS)]
    first = [due[0] for due in drawn]
    assert fmean(first) == pytest.approx(0.142, rel=0.003)
    assert min(first) >= 0.118
    assert max(first) <= 0.198
    gaps = [due[1] - due[0] for due in drawn]
    assert fmean(gaps) == pytest.approx(0.010, rel=0.005)
    assert min(gaps) >= 0.004
    assert max(gaps) <= 0.025


@pytest.mark.parametrize("model", [model.id for model in catalog.models()])
def test_every_profile_says_where_it_comes_from_and_keeps_its_mean(model: str) -> None:
    used = profile(model)
    assert used.source == "invented" or used is PUBLISHED
    assert (used is PUBLISHED) is (model == catalog.DEFAULT_MODEL)
    first = [used.due_s(1, Random(seed))[0] for seed in range(2000)]
    assert fmean(first) == pytest.approx(used.ttft_s, rel=0.02)


def test_times_are_log_normal() -> None:
    """Kolmogorov and Smirnov's distance to a truncated log-normal is under its 1% limit."""
    first = sorted(PUBLISHED.due_s(1, Random(seed))[0] for seed in range(DRAWS))
    low, high = 0.118, 0.198
    phi = NormalDist(location(0.142, 0.12, low, high), 0.12).cdf
    below, within = phi(math.log(low)), phi(math.log(high)) - phi(math.log(low))
    distance = max(
        abs((rank + 0.5) / DRAWS - (phi(math.log(at_s)) - below) / within)
        for rank, at_s in enumerate(first)
    )
    assert distance < 1.63 / math.sqrt(DRAWS)


def test_due_moments_rise() -> None:
    due = PUBLISHED.due_s(500, Random(7))
    assert due == sorted(set(due))


def test_a_late_timer_does_not_add_up() -> None:
    """Absolute deadlines: after 100 tokens a 5 ms late timer is late by 5 ms, not by 500."""
    with serve(time_scale=1, pacer=raw.Clock(late_s=0.005).pacer()) as mock:
        raw.ask(mock, "Explain step by step how streaming works.", stream=True)
        (entry,) = mock.entries()
    late = [sent - due for sent, due in zip(entry["sent_s"], entry["due_s"], strict=True)]
    assert len(late) > 50
    assert min(late) >= -1e-6  # both are rounded to microseconds
    assert max(late) <= 0.005 + 1e-6


def test_a_long_prompt_takes_longer_to_read() -> None:
    """20 ms for each thousand tokens beyond the first 64, which are in the published times."""
    short, usual, long = (PUBLISHED.due_s(3, Random(1), tokens) for tokens in (0, 64, 1064))
    assert short == usual
    assert [b - a for a, b in zip(usual, long, strict=True)] == pytest.approx([0.02] * 3)


@pytest.mark.parametrize("scale", [1.0, 0.05, 3.0])
def test_the_scale_stretches_every_time(scale: float) -> None:
    def due(scale: float) -> list[float]:
        with serve(time_scale=scale, pacer=raw.at_once()) as mock:
            raw.ask(mock, temperature=0)
            return mock.entries()[0]["due_s"]

    assert due(scale) == pytest.approx([at * scale for at in due(1.0)], abs=3e-6)


def first_due_s(*connections: int) -> list[float]:
    """When the first token of each request is due, the requests spread over connections."""
    with serve(time_scale=1, pacer=raw.at_once()) as mock:
        lines = {number: raw.connect(mock) for number in connections}
        for number in connections:
            raw.on(lines[number], mock, raw.body(stream=True))
        for line in lines.values():
            line.close()
        return [entry["due_s"][0] for entry in mock.entries()]


def test_a_new_connection_costs_extra_and_a_used_one_does_not() -> None:
    used, new = first_due_s(1, 1), first_due_s(1, 2)
    assert used[0] == new[0]
    assert new[1] - used[1] == pytest.approx(NEW_CONNECTION_S, abs=2e-6)


@pytest.mark.parametrize("early", [False, True])
def test_headers_wait_for_the_first_token_unless_asked(early: bool) -> None:
    headers = {"x-mock-headers": "early"} if early else {}
    with serve(time_scale=1, pacer=raw.at_once()) as mock:
        answer = raw.send(mock, raw.body(stream=True), headers=headers)
        (entry,) = mock.entries()
    spent_s = int(answer.headers["openai-processing-ms"]) / 1000
    assert spent_s == pytest.approx(0 if early else entry["due_s"][0], abs=0.0006)
