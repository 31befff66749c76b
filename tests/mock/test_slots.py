"""Slots: never more at work than there are, first come, first served, and nobody is lost."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.simulated import ITL_S, KEY, TTFT_S, Simulation, served_s, started_s
from tests.support.strategies import often

MS = 0.001


def test_the_times_of_who_waits_begin_when_a_slot_is_free() -> None:
    room = Simulation(1)
    lines = [room.ask(0.0, 3), room.ask(0.005, 2)]
    first, second = room.run()
    assert first.as_dict()["queued_s"] == 0
    assert first.as_dict()["due_s"] == [0.010, 0.011, 0.012]
    waited = second.as_dict()
    assert waited["queued_s"] == 0.007
    assert waited["due_s"] == waited["sent_s"] == [0.017, 0.018]
    at_s, head = lines[1].came[0]
    assert at_s == pytest.approx(0.005 + 0.017)  # since the arrival, as all of the journal
    assert b"openai-processing-ms: 17\r\n" in head
    assert lines[1].closed == (True, False)


def test_an_early_head_leaves_when_the_slot_is_free() -> None:
    room = Simulation(1)
    room.ask(0.0, 3)
    line = room.ask(0.0, 2, x_mock_headers="early")
    room.run()
    assert [at_s for at_s, _ in line.came[:2]] == pytest.approx([0.012, 0.022])


jobs = st.lists(
    st.tuples(st.integers(0, 15), st.integers(1, 12), st.none() | st.integers(0, 60)),
    min_size=1,
    max_size=25,
)
"""Milliseconds since the arrival before, tokens, and milliseconds until the client leaves."""


def arrivals(jobs: list[Any]) -> list[tuple[float, int, float | None]]:
    """The same in seconds; no client leaves at the moment of anything else."""
    at_ms, found = 0, []
    for nth, (gap_ms, tokens, patience_ms) in enumerate(jobs, 1):
        at_ms += gap_ms
        leaves_s = None if patience_ms is None else (patience_ms + nth / 100) * MS
        found.append((at_ms * MS, tokens, leaves_s))
    return found


@given(jobs=jobs, slots=st.integers(1, 4))
@often
def test_a_queue_is_the_one_of_the_textbook(jobs: list[Any], slots: int) -> None:
    """Worked out apart: each takes the slot that is free first, unless its client leaves before."""
    room = Simulation(slots)
    free_s = [0.0] * slots
    expected = []
    for at_s, tokens, patience_s in arrivals(jobs):
        room.ask(at_s, tokens, patience_s=patience_s)
        left_s = float("inf") if patience_s is None else at_s + patience_s
        start_s = max(at_s, min(free_s))
        if start_s >= left_s:
            expected.append(("left", left_s - at_s, left_s))
            continue
        end_s = start_s + served_s(tokens)
        free_s[free_s.index(min(free_s))] = min(end_s, left_s)
        outcome = "left" if left_s < end_s else "delivered"
        expected.append((outcome, start_s - at_s, min(end_s, left_s)))
    entries = room.run()
    assert [entry.outcome for entry in entries] == [outcome for outcome, _, _ in expected]
    assert [entry.queued_s for entry in entries] == pytest.approx([q for _, q, _ in expected])
    assert [entry.ended_s for entry in entries] == pytest.approx([end for _, _, end in expected])
    assert room.tenant.slots.taken == 0


sizes = st.lists(st.tuples(st.integers(0, 150), st.none() | st.integers(1, 5)), max_size=6)


@given(jobs=jobs, sizes=sizes)
@often
def test_while_the_number_changes_the_right_ones_are_let_go(
    jobs: list[Any], sizes: list[Any]
) -> None:
    room = Simulation(1)
    changes: list[tuple[float, int | None]] = [(0.0, 1)]
    for at_ms, count in sorted(sizes, key=lambda change: change[0]):
        changes.append(((at_ms + 0.5) * MS, count))
        room.at(changes[-1][0], lambda count=count: room.tenant.slots.resize(count))
    for at_s, tokens, patience_s in arrivals(jobs):
        room.ask(at_s, tokens, patience_s=patience_s)
    entries = room.run()
    assert "open" not in {entry.outcome for entry in entries}
    begun = [entry for entry in entries if not entry.waiting]
    starts = [started_s(entry) for entry in begun]
    assert starts == sorted(starts)
    for entry, start_s in zip(begun, starts, strict=True):
        count = [count for at_s, count in changes if at_s <= start_s][-1]
        at_work = [e for e in begun if started_s(e) <= start_s < (e.ended_s or 0) - 1e-9]
        assert count is None or len(at_work) <= count
        if entry.queued_s:  # and not a moment later than it could
            frees = {round(e.ended_s or 0, 9) for e in begun} | {round(at, 9) for at, _ in changes}
            assert round(start_s, 9) in frees


def test_those_at_work_before_there_were_slots_are_counted() -> None:
    room = Simulation()
    for _ in range(3):
        room.ask(0.0, 1)
    room.at(0.005, lambda: room.tenant.slots.resize(2))
    room.ask(0.006, 1)
    room.ask(0.006, 1)
    room.ask(0.006, 1)
    assert [entry.queued_s for entry in room.run()] == pytest.approx([0, 0, 0, 0.004, 0.004, 0.014])


def test_a_crowd_that_is_answered_at_once_goes_through_one_slot() -> None:
    """Each ends as it begins, thousands in a row."""
    room = Simulation(1, scale=0)
    room.ask(0.0, patience_s=1.0, x_mock_fault="stall")
    lines = [room.ask(0.5, 2) for _ in range(3000)]
    stalled, *others = room.run()
    assert stalled.outcome == "left"
    assert {entry.outcome for entry in others} == {"delivered"}
    assert {entry.queued_s for entry in others} == {0.5}
    assert all(line.closed == (True, False) for line in lines)


@pytest.mark.parametrize(
    ("fault", "held_s"),
    [
        ({"kind": "status", "status": 503}, TTFT_S),
        ({"kind": "html"}, TTFT_S),
        ({"kind": "rate_limit"}, TTFT_S),
        ({"kind": "quota"}, TTFT_S),
        ({"kind": "disconnect", "after": 2}, TTFT_S + ITL_S),
        ({"kind": "reset"}, TTFT_S),
        ({"kind": "end_early", "after": 2}, TTFT_S + ITL_S),
        ({"kind": "stall"}, 1.0),
    ],
)
def test_a_fault_holds_its_slot_until_its_exchange_ends(
    fault: dict[str, Any], held_s: float
) -> None:
    room = Simulation(1)
    room.ask(0.0, 3, patience_s=1.0, x_mock_fault=json.dumps(fault))
    room.ask(0.0, 1)
    met, other = room.run()
    assert met.fault == fault["kind"]
    assert other.queued_s == pytest.approx(held_s)
    assert other.outcome == "delivered"


def test_a_refusal_needs_no_slot() -> None:
    """One by a limit, and one of a request that is wrong itself."""
    room = Simulation(1, plan="free")
    room.ask(0.0, patience_s=60.0, x_mock_fault="stall")
    room.ask(1.0, tokens=0)
    for _ in range(200):
        room.ask(2.0, patience_s=1.0)
    entries = room.run()
    assert (entries[1].status, entries[1].ended_s) == (400, 1.0)
    limited = [entry for entry in entries if entry.status == 429]
    assert len(limited) > 100
    assert {entry.ended_s for entry in limited} == {2.0}
    assert {entry.queued_s for entry in limited} == {0.0}


def test_who_leaves_while_waiting_has_cost_nothing() -> None:
    room = Simulation(1)
    room.ask(0.0, patience_s=1.0, x_mock_fault="stall")
    line = room.ask(0.1, patience_s=0.5)
    stalled, left = (entry.as_dict() for entry in room.run())
    assert line.came == []
    assert (left["status"], left["outcome"], left["paid"]) == (0, "left", "no")
    assert (left["queued_s"], left["due_s"], left["sent_s"]) == (0.5, [], [])
    assert stalled["paid"] == "maybe"


def test_keys_have_slots_apart() -> None:
    room = Simulation()
    room.tenant.slots.resize(1)
    for key in (KEY, "hs-mock-neighbour"):
        for _ in range(3):
            room.ask(0.0, 1, key=key)
    assert [entry.queued_s for entry in room.run()] == pytest.approx([0.0, 0.01, 0.02])
    neighbour = room.state.tenant("hs-mock-neighbour")
    assert [entry.queued_s for entry in neighbour.journal.entries] == [0.0] * 3


@pytest.mark.parametrize(("started_with", "queued_s"), [(None, [0.5, 0.5]), (1, [1.0, 1.01])])
def test_reset_brings_back_what_the_mock_was_started_with(
    started_with: int | None, queued_s: list[float]
) -> None:
    room = Simulation(started_with)
    tenant = room.tenant
    tenant.slots.resize(1)
    room.ask(0.0, patience_s=1.0, x_mock_fault="stall")
    room.ask(0.0, 1)
    room.ask(0.0, 1)
    room.at(0.5, lambda: room.state.forget(tenant))
    waited = room.run()[1:]
    assert [entry.queued_s for entry in waited] == pytest.approx(queued_s)
    assert room.state.tenant(tenant.key).slots.count == started_with
