"""Stated times: exact for every model and at any scale, with nothing drawn and nothing added."""

from typing import Any

import pytest

from holysheep_helpers import catalog
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.mock.process import MockProcess
from holysheep_helpers.mock.server import serve
from tests.support import raw
from tests.support.processes import standing_alone

HUNDRED = "Explain step by step how streaming works."
"""A prompt with a reply of more than 100 tokens."""
LONG = "word " * 2000 + HUNDRED


def due_s(
    prompt: str = HUNDRED, *, fields: dict[str, Any] | None = None, **how: Any
) -> list[float]:
    """When each token of one stream on a new connection is due."""
    with serve(pacer=raw.at_once(), **how) as mock:
        raw.ask(mock, prompt, stream=True, **(fields or {}))
        return mock.entries()[-1]["due_s"]


@pytest.mark.parametrize("scale", [0, 0.05, 1, 3])
@pytest.mark.parametrize("model", [model.id for model in catalog.models()])
def test_both_stated_times_are_exact(model: str, scale: float) -> None:
    fields = {"model": model, "max_tokens": 100}
    due = due_s(LONG, fields=fields, time_scale=scale, ttft_s=0.142, itl_s=0.0112)
    assert due == [round(0.142 + nth * 0.0112, 6) for nth in range(100)]


def test_a_stated_first_token_leaves_the_others_where_they_were_after_it() -> None:
    drawn = due_s(time_scale=1)
    assert due_s(time_scale=1, ttft_s=0.5) == pytest.approx(
        [at - drawn[0] + 0.5 for at in drawn], abs=2e-6
    )
    assert due_s(LONG, time_scale=1, ttft_s=0.5)[0] == 0.5


def test_a_stated_pace_leaves_the_first_token_where_it_was() -> None:
    drawn = due_s(LONG, time_scale=1)
    assert due_s(LONG, time_scale=1, itl_s=0.01) == pytest.approx(
        [drawn[0] + nth * 0.01 for nth in range(len(drawn))], abs=2e-6
    )


def test_what_is_not_stated_is_scaled() -> None:
    drawn, half = due_s(time_scale=1), due_s(time_scale=0.5, ttft_s=0)
    assert half == pytest.approx([(at - drawn[0]) / 2 for at in drawn], abs=2e-6)


def test_a_whole_reply_comes_with_its_last_token_and_an_error_when_the_first_was_due() -> None:
    with serve(pacer=raw.at_once(), ttft_s=0.142, itl_s=0.0112) as mock:
        mock.script([None, 503])
        raw.ask(mock, HUNDRED, max_tokens=100)
        refused = raw.send(mock, raw.body(HUNDRED))
        whole, error = mock.entries()
    assert whole["due_s"] == [round(0.142 + 99 * 0.0112, 6)]
    assert (refused.status, error["status"]) == (503, 503)
    assert refused.headers["openai-processing-ms"] == "142"


def test_a_fault_still_strikes_on_top_of_them() -> None:
    with serve(time_scale=1, pacer=raw.at_once(), ttft_s=0.1, itl_s=0.01) as mock:
        mock.script({"kind": "stall", "after": 2, "delay_s": 5})
        raw.ask(mock, stream=True, max_tokens=4)
        assert mock.entries()[0]["due_s"] == [0.1, 0.11, 5.12, 5.13]


@pytest.mark.parametrize("given", [-0.1, 3601, float("nan"), float("inf"), True, "0.1"])
@pytest.mark.parametrize("name", ["ttft_s", "itl_s"])
@pytest.mark.parametrize("start", [MockProcess.start, lambda **how: serve(**how).__enter__()])
def test_what_is_no_time_is_refused(start: Any, name: str, given: Any) -> None:
    with pytest.raises(InputError) as caught:
        start(**{name: given})
    allowed = "a number of seconds, 0 or more, 3600 at most, is needed, or None."
    assert str(caught.value) == f"{name} is {given!r}: {allowed}"


def stream_due_s(mock: MockHandle) -> list[float]:
    raw.ask(mock, stream=True, max_tokens=5)
    return mock.entries()[-1]["due_s"]


@pytest.mark.process
def test_the_command_line_and_a_child_process_take_them() -> None:
    due = [0.002, 0.0032, 0.0044, 0.0056, 0.0068]
    with standing_alone("--ttft-ms", 2, "--itl-ms", 1.2) as url:
        assert stream_due_s(MockHandle(url)) == due
    child = MockProcess.start(time_scale=1, ttft_s=0.002, itl_s=0.0012)
    try:
        assert stream_due_s(child) == due
    finally:
        child.stop()
