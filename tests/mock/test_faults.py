"""Faults come in the order they were asked for, to the key that asked, and the journal tells."""

import time
from http.client import HTTPConnection, IncompleteRead
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import pytest

from holysheep_helpers.mock.handle import MockError, MockHandle
from holysheep_helpers.mock.server import serve
from tests.support import raw

PROMPT = "Explain step by step how streaming works."


def test_an_exact_sequence(mock: MockHandle) -> None:
    mock.script([{"kind": "status", "status": 503}, None, {"kind": "status", "status": 429}])
    statuses = [raw.send(mock, raw.body()).status for _ in range(4)]
    assert statuses == [503, 200, 429, 200]
    journal = mock.entries()
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
    assert (len(mock.entries()), len(neighbour.entries())) == (1, 1)
    mock.reset()
    assert (len(mock.entries()), len(neighbour.entries())) == (0, 1)


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
        [{"kind": []}],
        [{"kind": {}}],
        [{"kind": "slow", "factor": 10**400}],
        [{"kind": "html", "status": 204}],
        [{"kind": "status", "status": 302, "body": "x"}],
        [{"kind": "broken_off", "reason": 'a"b'}],
        [{"kind": "broken_off", "reason": ""}],
        [{"kind": "status", "status": 500, "headers": {"Content-Length": "3"}}],
        [None] * 10_001,
    ],
)
def test_what_is_no_fault_is_refused_and_the_old_script_stays(
    mock: MockHandle, script: list[Any]
) -> None:
    mock.script([{"kind": "status", "status": 503}])
    with pytest.raises(MockError, match="400"):
        mock.script(script)
    assert raw.send(mock, raw.body()).status == 503


def test_a_rule_beyond_all_numbers_is_refused(mock: MockHandle) -> None:
    with pytest.raises(MockError, match="400"):
        mock.script("reset", probability=10**400)


@pytest.mark.parametrize("carried", ['{"kind": []}', '{"a":' * 5000, "[" * 9000, '{"kind": NaN}'])
def test_a_carried_fault_that_is_none_is_a_400(mock: MockHandle, carried: str) -> None:
    answer = raw.send(mock, raw.body(), headers={"x-mock-fault": carried})
    assert (answer.status, answer.json["error"]["param"]) == (400, "x-mock-fault")


def test_a_content_type_that_was_asked_for_stands_alone(mock: MockHandle) -> None:
    headers = {"Content-Type": "a/b", "retry-after": "inf"}
    mock.script([{"kind": "status", "status": 429, "body": "x", "headers": headers}])
    assert raw.send(mock, raw.body()).headers["content-type"] == "a/b"
    assert mock.entries()[0]["retry_after_s"] is None  # and no Infinity, which is no JSON


@pytest.mark.parametrize(
    "fields", [{"temperature": 0}, {"stop": ["["]}], ids=["some text", "no text at all"]
)
def test_a_fault_after_more_chunks_than_there_are_strikes_behind_the_last(
    mock: MockHandle, fields: dict[str, Any]
) -> None:
    whole = raw.ask(mock, stream=True, **fields).chunks
    mock.script([{"kind": "end_early", "after": 10_000}])
    assert [c["choices"] for c in raw.ask(mock, stream=True, **fields).chunks] == [
        chunk["choices"] for chunk in whole[:-1]
    ]


def test_times_beyond_an_hour_are_in_the_journal(mock: MockHandle) -> None:
    with serve(time_scale=1000, pacer=raw.at_once()) as slow:
        slow.script([{"kind": "slow", "factor": 1000}])
        raw.ask(slow, PROMPT, stream=True)
        (entry,) = slow.entries()
    assert entry["due_s"][-1] > 2**32 / 1e6
    assert entry["sent_s"] == pytest.approx(entry["due_s"])


def test_the_journal_knows_a_request(mock: MockHandle) -> None:
    answer = raw.send(
        mock,
        raw.body(PROMPT, stream=True, max_tokens=4),
        headers={"x-stainless-retry-count": "2"},
    )
    (entry,) = mock.entries()
    assert entry["id"] == answer.chunks[0]["id"]
    assert (entry["attempt"], entry["stream"], entry["status"]) == (2, True, 200)
    assert entry["completion_tokens"] == len(entry["due_s"]) == len(entry["sent_s"]) == 4
    assert entry["prompt_tokens"] > 4
    assert not entry["client_left"]


@pytest.mark.parametrize("count", ["", "two", "-1", "99999", "²"])
def test_an_odd_retry_count_is_none(mock: MockHandle, count: str) -> None:
    header = count.encode("utf-8").decode("latin-1")
    raw.send(mock, raw.body(), headers={"x-stainless-retry-count": header})
    assert mock.entries()[0]["attempt"] == 0


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
        (entry,) = mock.entries(settle_s=10)
    assert entry["client_left"]
    assert len(entry["sent_s"]) < len(entry["due_s"])


@pytest.mark.parametrize("settle", ["-1", "61", "soon", "nan"])
def test_the_journal_waits_for_a_sensible_time_alone(mock: MockHandle, settle: str) -> None:
    path = f"/mock/journal?settle_s={settle}"
    assert raw.send(mock, method="GET", path=path).status == 400


def test_an_idle_journal_does_not_wait(mock: MockHandle) -> None:
    raw.ask(mock)
    start_s = time.perf_counter()
    mock.entries(settle_s=60)
    assert time.perf_counter() - start_s < 50


def moments(fault: Any, scale: float = 1.0, **fields: Any) -> list[float]:
    """When each chunk was due, with this fault, on a clock of the test's own."""
    with serve(time_scale=scale, pacer=raw.at_once()) as mock:
        headers = {"x-mock-fault": raw.json.dumps(fault)} if fault else None
        payload = raw.body(PROMPT, **{"stream": True, "max_tokens": 20, **fields})
        raw.send(mock, payload, headers=headers)
        (entry,) = mock.entries()
    assert entry["sent_s"] == pytest.approx(entry["due_s"], abs=2e-6)
    return entry["due_s"]


def differences(fault: Any, scale: float = 1.0) -> list[float]:
    pairs = zip(moments(None, scale), moments(fault, scale), strict=True)
    return [late - usual for usual, late in pairs]


def test_a_slow_first_token_delays_all_of_them() -> None:
    fault = {"kind": "slow_first", "delay_s": 5}
    assert differences(fault) == pytest.approx([5] * 20, abs=3e-6)
    assert differences(fault, scale=0.1) == pytest.approx([0.5] * 20, abs=3e-6)


def test_a_stall_is_a_pause_in_the_middle() -> None:
    stalled = differences({"kind": "stall", "after": 8, "delay_s": 30})
    assert stalled == pytest.approx([0] * 8 + [30] * 12, abs=3e-6)


def test_a_slow_stream_has_longer_gaps() -> None:
    usual, slow = moments(None), moments({"kind": "slow", "factor": 3, "after": 5})
    gaps = [b - a for a, b in pairwise(usual)]
    slow_gaps = [b - a for a, b in pairwise(slow)]
    assert slow[:5] == usual[:5]
    assert slow_gaps[4:] == pytest.approx([gap * 3 for gap in gaps[4:]], abs=6e-6)


def test_a_bundle_is_due_with_its_last_token() -> None:
    usual = moments(None)
    assert moments({"kind": "bundle", "tokens": 8}) == [usual[7], usual[15], usual[19]]


def test_reasoning_comes_first_and_is_counted() -> None:
    with serve() as mock:
        mock.script([{"kind": "reasoning", "tokens": 7}] * 2)
        whole = raw.ask(mock, temperature=0).json
        chunks = raw.ask(mock, temperature=0, stream=True).chunks
    assert whole["usage"]["completion_tokens_details"]["reasoning_tokens"] == 7
    assert whole["usage"]["completion_tokens"] == 7 + 12
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    thoughts = [delta["reasoning_content"] for delta in deltas if "reasoning_content" in delta]
    assert "".join(thoughts) == whole["choices"][0]["message"]["reasoning_content"]
    assert [bool(delta.get("content")) for delta in deltas[1:9]] == [False] * 7 + [True]


def test_an_error_can_come_with_status_200_whole_or_in_the_place_of_a_stream(
    mock: MockHandle,
) -> None:
    body = {"error": {"code": 502, "message": "The model is overloaded."}}
    mock.script([{"kind": "status", "status": 200, "body": body}] * 2)
    for stream in (False, True):
        answer = raw.send(mock, raw.body(stream=stream))
        assert (answer.status, answer.json) == (200, body)
        assert answer.headers["content-type"] == "application/json"
    assert [entry["outcome"] for entry in mock.entries()] == ["error", "error"]


@pytest.mark.parametrize("after", [None, 0, 3, 12, 10_000])
def test_an_answer_breaks_off_with_a_finish_reason_that_says_so(
    mock: MockHandle, after: int | None
) -> None:
    whole = raw.ask(mock, temperature=0)
    streamed = raw.ask(mock, temperature=0, stream=True)
    mock.reset()
    mock.script([{"kind": "broken_off", "after": after, "reason": "abort"}] * 2)
    choice = raw.ask(mock, temperature=0).json
    *chunks, last = raw.ask(mock, temperature=0, stream=True).chunks
    texts = [chunk["choices"][0]["delta"]["content"] for chunk in streamed.chunks[1:-1]]
    part = "".join(texts[: after or 0])
    assert choice["choices"][0]["message"]["content"] == part
    assert choice["usage"]["completion_tokens"] == min(after or 0, 12)
    assert "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks) == part
    assert {chunk["choices"][0]["finish_reason"] for chunk in chunks} == {None}
    assert choice["choices"][0]["finish_reason"] == "abort"
    assert last["choices"][0]["finish_reason"] == "abort"
    assert whole.text.startswith(part)
    for entry in mock.entries():
        assert (entry["outcome"], entry["paid"]) == ("truncated", "maybe")
        assert (entry["finish_reason"], entry["completion_tokens"]) == (
            "abort",
            len(texts[: after or 0]),
        )


def test_the_journal_has_the_finish_reason_of_what_went_out_to_its_end(mock: MockHandle) -> None:
    mock.script([None, None, {"kind": "end_early", "after": 3}, "cut_body", 503])
    raw.ask(mock)
    raw.ask(mock, max_tokens=2)
    raw.ask(mock, stream=True)
    with pytest.raises(IncompleteRead):
        raw.send(mock, raw.body())
    raw.send(mock, raw.body())
    assert [entry["finish_reason"] for entry in mock.entries()] == [
        *("stop", "length", None, None, None)
    ]


def test_a_bare_429_tells_nothing(mock: MockHandle) -> None:
    mock.script(429)
    headers = raw.send(mock, raw.body()).headers
    assert not [name for name in headers if "retry" in name or "ratelimit" in name]


def test_a_429_for_quota_is_another_than_one_for_the_rate(mock: MockHandle) -> None:
    mock.script(["quota", {"kind": "rate_limit", "delay_s": 2}])
    quota, rate = (raw.send(mock, raw.body()) for _ in range(2))
    assert quota.json["error"]["type"] == quota.json["error"]["code"] == "insufficient_quota"
    assert "retry-after" not in quota.headers
    assert rate.json["error"]["code"] == "rate_limit_exceeded"
    assert rate.headers["retry-after"] == "1"  # at scale 0 a wait is none; seconds are 1 or more


def test_the_journal_is_a_data_frame_with_a_row_for_each_request(mock: MockHandle) -> None:
    assert len(mock.journal()) == 0
    mock.script([503])
    raw.send(mock, raw.body())
    raw.ask(mock)
    frame = mock.journal()
    assert frame["status"].tolist() == [503, 200]
    assert frame["paid"].tolist() == ["no", "yes"]
    assert len(set(frame["key"])) == 1
    assert mock.api_key not in frame.to_csv()


def test_a_reset_forgets_limits_too() -> None:
    with serve(plan="free", time_scale=1, pacer=raw.at_once()) as mock:
        left = [raw.ask(mock).headers["x-ratelimit-remaining-requests"] for _ in range(2)]
        mock.reset()
        assert raw.ask(mock).headers["x-ratelimit-remaining-requests"] == left[0] != left[1]
