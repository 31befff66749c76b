"""A whole measurement in made-up time, against what the mock's journal says of each stream."""

from __future__ import annotations

from typing import Any, get_args

import pytest

import holysheep_helpers as hs
from holysheep_helpers.latency.data import TimedStream
from holysheep_helpers.mock.faults import KINDS
from holysheep_helpers.mock.stated import AS_DRAWN
from tests.support.virtual_wire import ITL_S, TTFT_S, Http, Wire

HTTP = get_args(Http)


def close(value: Any) -> Any:
    """To the microsecond, in which the journal counts."""
    return pytest.approx(value, abs=1.1e-6)


def check_times(stream: TimedStream, entry: dict[str, Any]) -> None:
    """Every moment of the stream is the journal's."""
    assert stream.id == entry["id"]
    assert stream.sent_s is not None
    assert [text.at_s - stream.sent_s for text in stream.texts] == close(entry["sent_s"])
    assert stream.ttft_s == close(entry["sent_s"][0])
    assert stream.e2e_s == close(entry["ended_s"] - entry["arrived_s"])
    assert stream.client_s == close(0.0)


def check_all(run: hs.LatencyRun, wire: Wire) -> None:
    entries = {entry["id"]: entry for entry in wire.entries}
    assert len(entries) == len(run) + len(run.warmups)
    for stream in (*run.runs, *run.warmups):
        assert stream.error is None
        check_times(stream, entries[stream.id or ""])


# --- streams as they should be


@pytest.mark.parametrize("http", HTTP)
@pytest.mark.parametrize("concurrency", [1, 4, 10])
def test_every_time_is_the_mocks_to_the_microsecond(concurrency: int, http: Http) -> None:
    wire = Wire(AS_DRAWN)
    run = wire.measure(
        20, concurrency=concurrency, warmup=1, http=http, parameters={"max_tokens": 12}
    )
    check_all(run, wire)
    assert run.most_at_once == concurrency
    assert len({round(stream.ttft_s or 0, 6) for stream in run.runs}) == 20
    for stream in run.runs:
        sent = wire.truth[stream.id or ""]
        assert stream.itl_s == close((sent[-1] - sent[0]) / (len(sent) - 1))
        assert stream.output_tokens == len(sent) == 12
        assert stream.chunks == 12 + 3  # the role, the finish reason, the usage
        assert stream.tokens_per_chunk == 1.0
        assert stream.notes == ()


def test_an_open_loop_is_as_exact() -> None:
    wire = Wire(AS_DRAWN)
    run = wire.measure(40, warmup=1, rate_per_s=30.0)
    check_all(run, wire)
    assert run.most_at_once > 3


def test_waiting_for_a_slot_of_the_server_is_part_of_it_too_and_littles_law_holds() -> None:
    wire = Wire(slots=2)
    run = wire.measure(40, concurrency=8, stagger=False, parameters={"max_tokens": 20})
    check_all(run, wire)
    served_s = TTFT_S + 19 * ITL_S
    assert run.elapsed_s == close(40 / 2 * served_s)
    late = [stream.ttft_s or 0 for stream in run.runs[12:-8]]
    assert late == close([3 * served_s + TTFT_S] * len(late))
    under_way = sum(stream.e2e_s for stream in run.runs) / run.elapsed_s
    assert under_way == pytest.approx(8, rel=0.2)  # it begins with none, and ends with none


# --- warm-up


@pytest.mark.parametrize("http", HTTP)
@pytest.mark.parametrize("stagger", [True, False])
@pytest.mark.parametrize(("warmup", "warm"), [(0, 0), (1, 4), (4, 4), (5, 8)])
def test_warm_up_opens_a_connection_for_each_asker_and_is_left_out(
    warmup: int, warm: int, stagger: bool, http: Http
) -> None:
    """Staggered, what begins before the last asker has started is left out, too."""
    wire = Wire()
    measurement = wire.measurement(8, concurrency=4, warmup=warmup, stagger=stagger, http=http)
    run = measurement.run()
    warm += 3 if stagger and warm else 0
    assert measurement.plan.count == 8 + warm
    assert (len(run), len(run.warmups), len(wire.entries)) == (8, warm, 8 + warm)
    assert [stream.index for stream in run.runs] == list(range(8))
    assert [stream.index for stream in run.warmups] == list(range(warm))
    assert sum(stream.new_connection for stream in run.runs) == (0 if warm else 4)
    assert all(stream.called_s < 0 for stream in run.warmups)
    assert min(stream.called_s for stream in run.runs) == close(0.0)
    assert wire.loop.connections == 4


# --- coarse clocks


@pytest.mark.parametrize("tokens", [1, 20])
def test_a_coarse_clock_is_named_and_no_time_is_off_by_more_than_its_step(tokens: int) -> None:
    step_s = 0.0156
    wire = Wire(AS_DRAWN, step_s=step_s)
    run = wire.measure(5 if tokens == 1 else 30, warmup=1, parameters={"max_tokens": tokens})
    assert run.clock_step_s == pytest.approx(step_s)
    assert any("moves in steps of 15.6 ms" in note for note in run.summary().notes)
    for stream in run.runs:
        assert stream.ttft_s == pytest.approx(wire.truth[stream.id or ""][0], abs=step_s)
        assert stream.wait_s == 0.0


def test_a_fine_clock_is_not_named() -> None:
    run = Wire(AS_DRAWN).measure(10)
    assert run.clock_step_s is None
    assert not any("steps of" in note for note in run.summary().notes)


# --- streams as they should not be: what each kind of fault is measured as

FAULTS: list[tuple[dict[str, Any], str | None]] = [
    ({"kind": "bundle", "tokens": 4}, None),
    ({"kind": "comments"}, None),
    ({"kind": "no_choices"}, None),
    ({"kind": "no_choices", "after": 3}, None),
    ({"kind": "reasoning", "tokens": 9}, None),
    ({"kind": "usage", "cost": "0.00012", "cached": 4}, None),
    ({"kind": "no_done"}, None),
    ({"kind": "slow_first", "delay_s": 2}, None),
    ({"kind": "slow", "factor": 3, "after": 5}, None),
    ({"kind": "stall", "after": 5, "delay_s": 7}, None),
    ({"kind": "stall", "after": 0, "delay_s": 7}, None),
    ({"kind": "stall", "after": 5}, "APITimeoutError"),
    ({"kind": "end_early", "after": 5}, "IncompleteStreamError"),
    ({"kind": "end_early", "after": 5, "done": False}, "IncompleteStreamError"),
    ({"kind": "end_early", "after": 0}, "IncompleteStreamError"),
    ({"kind": "disconnect", "after": 5}, "APIConnectionError"),
    ({"kind": "cut_body", "after": 5}, "APIConnectionError"),
    ({"kind": "reset", "after": 5}, "APIConnectionError"),
    ({"kind": "reset"}, "APIConnectionError"),
    ({"kind": "error_in_stream", "after": 5}, "APIError"),
    ({"kind": "error_in_stream", "after": 0}, "APIError"),
    ({"kind": "bad_json", "after": 5}, "UnexpectedReplyError"),
    ({"kind": "status", "status": 429}, "429"),
    ({"kind": "status", "status": 503}, "503"),
    ({"kind": "rate_limit"}, "429"),
    ({"kind": "quota"}, "429"),
    ({"kind": "html", "status": 502}, "502"),
    ({"kind": "html", "status": 200}, "UnexpectedReplyError"),
    ({"kind": "content_type"}, None),
    ({"kind": "status", "status": 200, "body": {"error": {"code": 502}}}, "GatewayError"),
    ({"kind": "broken_off", "after": 5}, "GatewayError"),
]


def test_every_fault_that_the_mock_knows_is_measured_here() -> None:
    assert {fault["kind"] for fault, _ in FAULTS} == set(KINDS)


@pytest.mark.parametrize("http", HTTP)
@pytest.mark.parametrize(("fault", "error"), FAULTS, ids=str)
def test_a_fault_is_measured_as_what_it_is_and_harms_no_other_run(
    fault: dict[str, Any], error: str | None, http: Http
) -> None:
    wire = Wire().script(None, fault)
    run = wire.measure(4, http=http, concurrency=2, parameters={"max_tokens": 24})
    struck, entry = _struck(run, wire)
    assert struck.error == error
    assert struck.failed == (error is not None)
    sent, sent_s = entry["sent_s"], struck.sent_s
    assert sent_s is not None
    assert [text.at_s - sent_s for text in struck.texts] == close(sent)
    assert struck.ttft_s == (close(sent[0]) if sent else None)
    if error is None:
        check_times(struck, entry)
        tokens = entry["completion_tokens"]
        assert struck.output_tokens == tokens
        assert struck.itl_s == close((sent[-1] - sent[0]) / (tokens - tokens / len(sent)))
    else:
        assert struck.itl_s is struck.tokens_per_s is None
    for stream in run.runs:
        if stream is not struck:
            assert stream.error is None
            assert stream.ttft_s == close(TTFT_S)
            assert stream.itl_s == close(ITL_S)


def _struck(run: hs.LatencyRun, wire: Wire) -> tuple[TimedStream, dict[str, Any]]:
    """The one stream that met the fault: the second to arrive."""
    (at,) = [n for n, entry in enumerate(wire.entries) if entry["fault"] is not None]
    return sorted(run.runs, key=lambda stream: stream.sent_s or 0.0)[at], wire.entries[at]
