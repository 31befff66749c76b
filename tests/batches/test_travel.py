"""Results and errors in another process: read back whole, without request and key."""

from __future__ import annotations

import copy
import json
import pickle
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers import exceptions
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.mock.server import serve
from tests.support.keys import made_up
from tests.support.travel import elsewhere, told

KEY = made_up(32)
QUIET: dict[str, Any] = {"progress": False, "temperature": 0}
REPEATED = {"error": {"message": f"no model for the key {KEY}", "code": "x", "param": KEY}}
FAULTS = [
    {"kind": "status", "status": 404, "body": REPEATED},
    {"kind": "status", "status": 400, "body": REPEATED},
    {"kind": "status", "status": 200, "body": {"error": REPEATED["error"] | {"code": 400}}},
    {"kind": "html", "status": 200},
    {"kind": "status", "status": 403},
    {"kind": "status", "status": 401},
]
"""What a batch gives up at, each in its own way."""


@pytest.fixture
def server() -> Iterator[MockHandle]:
    with serve(time_scale=0, keys=frozenset({KEY})) as mock:
        mock.api_key = KEY
        yield mock


@pytest.fixture
def gateway(server: MockHandle) -> hs.Gateway:
    return hs.connect("live", server.base_url, KEY)


def batch_of_one(gateway: hs.Gateway, mock: MockHandle, fault: dict[str, Any]) -> hs.BatchResult:
    mock.reset()
    mock.script([fault] * 10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hs.BatchStoppedWarning)
        return hs.batch_sync(gateway, ["one", "two"], max_concurrency=1, **QUIET)


@pytest.fixture
def results(gateway: hs.Gateway, server: MockHandle) -> list[hs.BatchResult]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [batch_of_one(gateway, server, fault) for fault in FAULTS]


def kinds(error: type[hs.HolySheepError] = hs.HolySheepError) -> Iterator[type[hs.HolySheepError]]:
    yield error
    for one in error.__subclasses__():
        yield from kinds(one)


def made(kind: type[hs.HolySheepError], cause: Exception) -> hs.HolySheepError:
    """One of this kind, as the helpers make it."""
    more: dict[type, dict[str, Any]] = {
        exceptions.IncompleteStreamError: {"partial_text": "half"},
        exceptions.ClientClosedError: {"maybe_sent": True},
        exceptions.AllFailedError: {"tried": ()},
        hs.LongPromptError: {"rounds": ()},
    }
    error = kind("said", **more.get(kind, {}))
    error.add_note("noted")
    error.__cause__ = cause
    return error


@pytest.mark.process
def test_every_error_is_read_back_in_another_process(
    results: list[hs.BatchResult], tmp_path: Path
) -> None:
    kept = [item.error for result in results for item in result.failed if item.error is not None]
    assert len(kept) == 2 * len(FAULTS)
    of_the_sdk = next(error for error in kept if isinstance(error, openai.NotFoundError))
    helpers = [made(kind, of_the_sdk) for kind in kinds() if kind.__module__.startswith("holys")]
    assert len(helpers) > 12
    carried = [exceptions.Portable(error) for error in (*kept, *helpers)]
    file = tmp_path / "errors.pickle"
    there: Any = elsewhere(carried, file)  # pyright: ignore[reportArgumentType]
    assert there == json.loads(json.dumps([told(error) for error in (*kept, *helpers)]))
    assert KEY.encode() not in file.read_bytes()
    assert {one["type"] for one in there} >= {"NotFoundError", "BadRequestError", "GatewayError"}


def test_a_server_that_repeats_the_key_shows_it_nowhere(results: list[hs.BatchResult]) -> None:
    for result in results:
        shown = f"{result!r}{result[0]!r}{result.stopped_by!r}{result.to_frame().to_csv()}"
        for item in result:
            error = item.error
            shown += f"{error!r}{error}{getattr(error, 'body', None)}{getattr(error, 'param', '')}"
            shown += f"{hs.diagnose(error)}{getattr(error, '__notes__', '')}"
        assert KEY not in shown


def test_it_shows_it_nowhere_in_what_a_call_raises(gateway: hs.Gateway, server: MockHandle) -> None:
    for ask in (hs.ask, lambda *a: hs.stream(*a).read(), hs.retrying(hs.ask)):
        for fault in FAULTS[:3]:
            server.reset()
            server.script([fault] * 10)
            with pytest.raises((openai.APIStatusError, hs.GatewayError)) as caught:
                ask(gateway, "hello")
            error: Any = caught.value
            assert KEY not in f"{error!r}{error}{error.body}{getattr(error, '__notes__', '')}"


def test_a_result_is_pickled_and_copied_whole(results: list[hs.BatchResult]) -> None:
    for result in results:
        stored = pickle.dumps(result)
        assert KEY.encode() not in stored
        for again in (pickle.loads(stored), copy.deepcopy(result)):
            assert again.summary() == result.summary()
            assert again.to_frame().equals(result.to_frame())
            assert [item.timeline for item in again] == [item.timeline for item in result]
            with pytest.raises(hs.InputError, match=r"ask its failed prompts again with hs.batch"):
                again.retry_failed_sync()


def test_a_read_back_error_has_a_bare_request_and_no_key(
    gateway: hs.Gateway, server: MockHandle
) -> None:
    error: Any = pickle.loads(pickle.dumps(batch_of_one(gateway, server, FAULTS[0])))[0].error
    assert isinstance(error, openai.NotFoundError)
    assert (error.status_code, error.response.status_code, error.code) == (404, 404, "x")
    assert str(error.request.url) == f"{server.base_url}/chat/completions"
    assert KEY not in str(error.request.headers)


def test_replies_and_runs_are_pickled(gateway: hs.Gateway) -> None:
    reply = hs.ask(gateway, "hello", temperature=0)
    run = hs.measure_latency(gateway, "hello", runs=2, max_tokens=5, progress=False)
    failover = hs.failover(gateway, "hello", models=["mistral-small-2603"], temperature=0)
    stored = pickle.dumps((reply, run, failover))
    assert KEY.encode() not in stored
    other, again, third = pickle.loads(stored)
    assert (other.text, other.usage, other.cost) == (reply.text, reply.usage, reply.cost)
    assert again == run
    assert (third.text, third.tried) == (failover.text, failover.tried)


def test_a_transports_error_goes_along_as_its_words() -> None:
    class OddError(OSError):
        pass

    other = pickle.loads(pickle.dumps(exceptions.Portable(OddError("no such socket"))))
    assert (type(other), str(other)) == (hs.HolySheepError, "OddError: no such socket")


def test_a_frame_with_failed_prompts_goes_to_parquet(
    results: list[hs.BatchResult], tmp_path: Path
) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow writes Parquet files, and is not installed")
    import pandas as pd

    for result in results:
        frame = result.to_frame()
        frame.to_parquet(tmp_path / "frame.parquet")
        read = pd.read_parquet(tmp_path / "frame.parquet")
        assert list(read["error"]) == list(frame["error"])
        assert list(read["text"]) == list(frame["text"])
