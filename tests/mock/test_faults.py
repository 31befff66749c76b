"""Faults come in the order they were asked for, to the key that asked, and the journal tells."""

import time
from http.client import HTTPConnection, IncompleteRead
from typing import Any
from urllib.parse import urlsplit

import pytest

from holysheep_helpers.mock.handle import MockError, MockHandle
from holysheep_helpers.mock.server import serve
from tests.mock import raw

PROMPT = "Explain step by step how streaming works."


def test_an_exact_sequence(mock: MockHandle) -> None:
    mock.script([{"kind": "status", "status": 503}, None, {"kind": "status", "status": 429}])
    statuses = [raw.send(mock, raw.body()).status for _ in range(4)]
    assert statuses == [503, 200, 429, 200]
    journal = mock.journal()
    assert [entry["status"] for entry in journal] == statuses
    assert [entry["fault"] for entry in journal] == ["status", None, "status", None]


@pytest.mark.parametrize(
    ("status", "type_"), [(400, "invalid_request_error"), (500, "server_error")]
)
def test_a_status_fault_has_the_form_and_the_headers_of_an_error(
    mock: MockHandle, status: int, type_: str
) -> None:
    mock.script([{"kind": "status", "status": status}])
    answer = raw.send(mock, raw.body())
    assert answer.status == status
    assert answer.json["error"]["type"] == type_
    assert answer.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize("done", [True, False])
def test_a_stream_can_end_early_and_cleanly(mock: MockHandle, done: bool) -> None:
    mock.script([{"kind": "end_early", "after": 3, "done": done}])
    events = raw.ask(mock, PROMPT, stream=True).events
    assert ("[DONE]" in events) is done
    chunks = [raw.json.loads(event) for event in events if event != "[DONE]"]
    assert [bool(c["choices"][0]["delta"].get("content")) for c in chunks] == [False] + [True] * 3
    assert {chunk["choices"][0]["finish_reason"] for chunk in chunks} == {None}


def test_a_stream_can_break_off(mock: MockHandle) -> None:
    mock.script([{"kind": "disconnect", "after": 3}])
    with pytest.raises(IncompleteRead) as caught:
        raw.send(mock, raw.body(PROMPT, stream=True))
    assert caught.value.partial.count(b'"content":"') == 4  # the role's chunk, and three of text


def test_faults_and_journals_of_keys_are_apart(mock: MockHandle) -> None:
    neighbour = MockHandle(mock.base_url, f"{mock.api_key}-b")
    mock.script([{"kind": "status", "status": 500}])
    assert raw.send(neighbour, raw.body()).status == 200
    assert raw.send(mock, raw.body()).status == 500
    assert (len(mock.journal()), len(neighbour.journal())) == (1, 1)
    mock.reset()
    assert (len(mock.journal()), len(neighbour.journal())) == (0, 1)


def test_a_new_script_replaces_the_rest_of_the_old(mock: MockHandle) -> None:
    mock.script([{"kind": "status", "status": 500}] * 3)
    mock.script([])
    assert raw.send(mock, raw.body()).status == 200


@pytest.mark.parametrize(
    "script",
    [
        ["status"],
        [{}],
        [{"kind": "explode"}],
        [{"kind": "status", "status": 200}],
        [{"kind": "status", "status": "503"}],
        [{"kind": "end_early", "after": -1}],
        [{"kind": "end_early", "after": True}],
        [{"kind": "end_early", "done": 1}],
        [{"kind": "status", "often": 2}],
    ],
)
def test_what_is_no_fault_is_refused_and_the_old_script_stays(
    mock: MockHandle, script: list[Any]
) -> None:
    mock.script([{"kind": "status", "status": 503}])
    with pytest.raises(MockError, match="400"):
        mock.script(script)
    assert raw.send(mock, raw.body()).status == 503


def test_the_journal_knows_a_request(mock: MockHandle) -> None:
    answer = raw.send(
        mock,
        raw.body(PROMPT, stream=True, max_tokens=4),
        headers={"x-stainless-retry-count": "2"},
    )
    (entry,) = mock.journal()
    assert entry["id"] == answer.chunks[0]["id"]
    assert (entry["attempt"], entry["stream"], entry["status"]) == (2, True, 200)
    assert entry["completion_tokens"] == len(entry["due_s"]) == len(entry["sent_s"]) == 4
    assert entry["prompt_tokens"] > 4
    assert not entry["client_left"]


@pytest.mark.parametrize("count", ["", "two", "-1", "99999", "²"])
def test_an_odd_retry_count_is_none(mock: MockHandle, count: str) -> None:
    header = count.encode("utf-8").decode("latin-1")
    raw.send(mock, raw.body(), headers={"x-stainless-retry-count": header})
    assert mock.journal()[0]["attempt"] == 0


def test_a_client_that_leaves_stops_the_reply_and_is_noted() -> None:
    with serve(time_scale=1) as mock:
        address = urlsplit(mock.base_url)
        assert address.hostname
        connection = HTTPConnection(address.hostname, address.port, timeout=20)
        content = raw.json.dumps(raw.body(PROMPT, stream=True))
        connection.request("POST", raw.CHAT, content, {"Authorization": f"Bearer {mock.api_key}"})
        response = connection.getresponse()
        response.readline()
        response.close()
        connection.close()
        (entry,) = mock.journal(settle_s=10)
    assert entry["client_left"]
    assert len(entry["sent_s"]) < len(entry["due_s"])


@pytest.mark.parametrize("settle", ["-1", "61", "soon", "nan"])
def test_the_journal_waits_for_a_sensible_time_alone(mock: MockHandle, settle: str) -> None:
    path = f"/mock/journal?settle_s={settle}"
    assert raw.send(mock, method="GET", path=path).status == 400


def test_an_idle_journal_does_not_wait(mock: MockHandle) -> None:
    raw.ask(mock)
    start_s = time.perf_counter()
    mock.journal(settle_s=60)
    assert time.perf_counter() - start_s < 50
