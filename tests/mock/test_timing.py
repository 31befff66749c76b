"""Times: their distribution, and that they are kept to the moment, with a clock of our own."""

import asyncio
import json
import math
from random import Random
from statistics import NormalDist, fmean
from typing import Any

import pytest

from holysheep_helpers import catalog
from holysheep_helpers.mock.app import App
from holysheep_helpers.mock.server import serve
from holysheep_helpers.mock.state import State
from holysheep_helpers.mock.timing import NEW_CONNECTION_S, PUBLISHED, Pacer, location, profile
from tests.mock import raw

DRAWS = 20_000


class Clock:
    """Virtual seconds: each sleep oversleeps by 5 ms, as a busy system's timer would."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def read(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds + 0.005
        await asyncio.sleep(0)


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


def test_oversleeping_does_not_add_up() -> None:
    """Absolute deadlines: after 100 tokens a 5 ms late timer is late by 5 ms, not by 500."""
    clock = Clock()
    with serve(time_scale=1, pacer=Pacer(clock.read, clock.sleep)) as mock:
        raw.ask(mock, "Explain step by step how streaming works.", stream=True)
        (entry,) = mock.journal()
    late = [sent - due for sent, due in zip(entry["sent_s"], entry["due_s"], strict=True)]
    assert len(late) > 50
    assert min(late) >= 0
    assert max(late) <= 0.0051


@pytest.mark.parametrize("scale", [1.0, 0.05, 3.0])
def test_the_scale_stretches_every_time(scale: float) -> None:
    def due(scale: float) -> list[float]:
        with serve(time_scale=scale, pacer=raw.AT_ONCE) as mock:
            raw.ask(mock, temperature=0)
            return mock.journal()[0]["due_s"]

    assert due(scale) == pytest.approx([at * scale for at in due(1.0)])


def ask_app(app: App, port: int, sent: list[str], *headers: tuple[bytes, bytes]) -> None:
    """A streamed request straight to the app; ``sent`` gets the kinds of message that it sends."""
    content = json.dumps(raw.body(stream=True)).encode("utf-8")
    waiting = [{"type": "http.request", "body": content, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not waiting:
            await asyncio.Event().wait()  # the client stays
        return waiting.pop()

    async def send(message: Any) -> None:
        sent.append(message["type"])

    scope = {
        "type": "http",
        "method": "POST",
        "path": raw.CHAT,
        "client": ("127.0.0.1", port),
        "headers": [(b"authorization", b"Bearer hs-mock-app"), *headers],
        "query_string": b"",
    }

    async def run() -> None:
        await app(scope, receive, send)

    asyncio.run(run())


def new_app(pacer: Pacer) -> App:
    return App(State(plan=catalog.plans()["unlimited"]), pacer)


def first_due_s(*ports: int) -> list[float]:
    """When the first token of each request is due, asked one after the other from these ports."""
    app = new_app(raw.AT_ONCE)
    for port in ports:
        ask_app(app, port, [])
    return [entry.due_s[0] for entry in app.state.tenant("hs-mock-app").journal]


def test_a_new_connection_costs_extra_and_a_used_one_does_not() -> None:
    used, new = first_due_s(1, 1), first_due_s(1, 2)
    assert used[0] == new[0]
    assert new[1] - used[1] == pytest.approx(NEW_CONNECTION_S)


@pytest.mark.parametrize("early", [False, True])
def test_headers_wait_for_the_first_token_unless_asked(early: bool) -> None:
    sent: list[str] = []
    sent_before_waiting: list[int] = []

    async def sleep(seconds: float) -> None:
        sent_before_waiting.append(len(sent))
        await asyncio.sleep(0)

    headers = [(b"x-mock-headers", b"early")] if early else []
    ask_app(new_app(Pacer(lambda: 0.0, sleep)), 1, sent, *headers)
    assert sent[0] == "http.response.start"
    assert sent_before_waiting[0] == int(early)
