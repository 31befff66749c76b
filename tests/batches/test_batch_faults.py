"""What goes wrong with one prompt, and what a batch does about it: in made-up time."""

from __future__ import annotations

from random import Random
from typing import Any

import httpx2
import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.batches.worker import is_fatal
from tests.support.virtual import Server, ask, completion, error, names

QUIET: dict[str, Any] = {"progress": False}


def test_an_error_is_an_object_in_its_place_and_never_a_text() -> None:
    server = Server(p1=[error(400)], p2=[error(422)])
    result = ask(server, names(4))
    assert result.texts == ["P0", None, None, "P3"]
    assert isinstance(result[1].error, openai.BadRequestError)
    assert isinstance(result[2].error, openai.UnprocessableEntityError)
    assert [item.index for item in result.failed] == [1, 2]
    assert [item.index for item in result.ok] == [0, 3]
    assert result.stopped_by is None
    assert len(server.seen) == 4  # asking again can't help
    assert "failed: 1 BadRequestError, 1 UnprocessableEntityError" in repr(result)


@pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 529])
def test_what_may_pass_is_asked_again_after_a_growing_wait(status: int) -> None:
    server = Server(p0=[error(status) for _ in range(5)])
    result = ask(server, names(2))
    assert result.texts == ["P0", "P1"]
    assert result[0].attempts == 6
    waits = _waits(result[0])
    caps = [0.5, 1, 2, 4, 8]
    assert all(0 <= wait <= cap for wait, cap in zip(waits, caps, strict=True))
    assert result.possibly_paid_twice == 0


def _waits(item: hs.BatchItem) -> list[float]:
    pairs = zip(item.timeline, item.timeline[1:], strict=False)
    return [after.start_s - before.end_s for before, after in pairs]


def test_what_can_not_be_sent_is_that_prompts_error_alone() -> None:
    server = Server()
    bad = {"prompt": "b", "extra_headers": {"x-name": "\ud800"}}
    result = ask(server, ["a", bad, {"prompt": "c", "timeout": "soon"}, "d"], max_concurrency=1)
    assert [result[0].text, result[3].text] == ["A", "D"]
    assert isinstance(result[1].error, ValueError)
    assert (result.sent, result.possibly_paid_twice) == (len(server.seen), 0)
    assert len(result.failed) >= 1


def test_six_requests_are_enough() -> None:
    server = Server(p0=[error(500) for _ in range(99)])
    result = ask(server, names(2))
    assert isinstance(result[0].error, openai.InternalServerError)
    assert result[0].error.__notes__ == ["Given up after 6 requests."]
    assert (result[0].attempts, result[1].attempts) == (6, 1)
    assert result.stopped_by is None


def test_a_server_that_says_when_or_whether_is_obeyed() -> None:
    server = Server(
        p0=[error(503, **{"retry-after": "40"})], p1=[error(503, **{"x-should-retry": "false"})]
    )
    result = ask(server, names(2))
    assert _waits(result[0])[0] == pytest.approx(40.0)
    assert result[1].attempts == 1
    assert not result[1].ok


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"<html>Please log in</html>", "text/html"),
        (b"{}", "application/json"),
        (b'{"model": "m", "choices": []}', "application/json"),
        (b'{"model": "m", "choices": [{"message": {}}]}', "application/json"),
    ],
)
def test_status_200_with_something_else_is_that_prompts_error(
    body: bytes, content_type: str
) -> None:
    page = httpx2.Response(200, content=body, headers={"content-type": content_type})
    result = ask(Server(p0=[page]), names(2))
    assert isinstance(result[0].error, hs.UnexpectedReplyError)
    assert content_type in str(result[0].error)
    assert result.texts == [None, "P1"]
    assert result[0].lost == 1  # it may have been billed
    assert result.possibly_paid_twice == 0


@pytest.mark.parametrize("body", [b'{"model": "m", "cho', b"", b"\n\n"])
def test_broken_json_is_asked_again_and_may_have_been_paid(body: bytes) -> None:
    broken = httpx2.Response(200, content=body, headers={"content-type": "application/json"})
    result = ask(Server(p0=[broken]), names(2))
    assert result.texts == ["P0", "P1"]
    assert (result[0].attempts, result[0].lost, result.possibly_paid_twice) == (2, 1, 1)
    result = ask(Server(p0=[broken] * 99), names(2))
    assert isinstance(result[0].error, hs.UnexpectedReplyError)
    assert "application/json" in str(result[0].error)
    assert hs.diagnose(result[0].error).kind == "bad_json"


def test_an_answer_without_usage_is_unpriced_and_one_without_text_is_empty() -> None:
    silent = completion("", usage=None)
    silent["choices"][0]["message"]["content"] = None
    result = ask(Server(p0=[httpx2.Response(200, json=silent)]), names(1))
    assert (result[0].text, result[0].usage, result[0].cost) == ("", None, None)
    assert result.unpriced == 1
    assert "1 answers of unknown cost" in repr(result)


def test_a_cut_answer_is_named_in_the_summary() -> None:
    cut = completion("half")
    cut["choices"][0]["finish_reason"] = "length"
    result = ask(Server(p1=[httpx2.Response(200, json=cut)]), names(2))
    assert [item.cut_short for item in result] == [False, True]
    assert "1 answers were CUT SHORT by max_tokens" in repr(result)


def test_a_lost_reply_is_asked_again_and_counted() -> None:
    broken = [httpx2.ReadError("reset"), httpx2.ReadTimeout("slow"), httpx2.ConnectError("no")]
    result = ask(Server(p0=list(broken)), names(2))
    assert [attempt.outcome for attempt in result[0].timeline] == [
        *("connection", "time-out", "no connection", "ok")
    ]
    assert (result[0].lost, result.possibly_paid_twice) == (2, 2)
    assert "2 possibly paid twice" in repr(result)


def test_a_reply_that_never_came_is_at_most_paid_once() -> None:
    result = ask(Server(p0=[httpx2.ReadError("reset")] * 6), names(1))
    assert (result[0].lost, result.possibly_paid_twice) == (6, 5)


def test_the_deadline_is_a_total_for_one_prompt_its_waits_included() -> None:
    server = Server(1.0, p0=[error(500) for _ in range(99)], p1=[3.9], p2=[4.1])
    result = ask(server, names(4), deadline_s=5)
    assert [type(item.error) for item in result] == [
        *(hs.DeadlineError, type(None), hs.DeadlineError, type(None))
    ]
    assert isinstance(result[0].error, hs.DeadlineError)
    assert isinstance(result[0].error.__cause__, openai.InternalServerError)
    assert "deadline_s=5" in str(result[2].error)
    assert max(item.elapsed_s for item in result) <= 5.0
    assert (result[0].lost, result[2].lost) == (0, 1)  # the second was under way
    assert isinstance(result[2].error, TimeoutError)


def test_the_deadline_begins_with_the_first_request_not_in_the_queue() -> None:
    result = ask(Server(1.0), names(10), max_concurrency=1, deadline_s=1.5)
    assert len(result.ok) == 10
    paced = ask(Server(1.0), names(5), requests_per_minute=6, deadline_s=1.5)
    assert len(paced.ok) == 5


@pytest.mark.parametrize("seed", range(3))
def test_a_random_day_at_the_gateway_ends_with_every_prompt_answered_or_explained(
    seed: int,
) -> None:
    draw = Random(seed)
    server = Server(1.0)
    kinds = [
        *(lambda: error(500), lambda: error(429, **{"retry-after": "2"}), lambda: 30.0),
        *(lambda: httpx2.ReadError("x"), lambda: httpx2.ConnectError("x"), lambda: error(400)),
    ]
    for name in names(400):
        server.faults[name] = [draw.choice(kinds)() for _ in range(6) if draw.random() < 0.2]

    def without_a_line() -> int:
        still_to_come = (fault for faults in server.faults.values() for fault in faults)
        return sum(isinstance(fault, httpx2.ConnectError) for fault in still_to_come)

    drawn = without_a_line()
    result = ask(server, names(400), max_concurrency=20, deadline_s=300)
    answered = [item for item in result if item.ok]
    assert [item.text for item in answered] == [f"P{item.index}" for item in answered]
    assert {type(item.error) for item in result.failed} <= {openai.BadRequestError}
    assert sum(item.attempts for item in result) == len(server.seen)
    assert result.sent == len(server.seen) - (drawn - without_a_line()) < len(server.seen)


def test_what_every_other_prompt_would_meet_stops_a_batch() -> None:
    url = "https://api.holysheep.ai/v1"

    page_headers = {"content-type": "text/html"}

    def page(status: int) -> openai.APIStatusError:
        request = httpx2.Request("POST", url)
        response = httpx2.Response(status, text="<html>", headers=page_headers, request=request)
        return openai.APIStatusError("x", response=response, body=None)

    assert [is_fatal(hs.diagnose(page(status))) for status in (403, 407, 502)] == [
        True,
        True,
        False,
    ]
    no_address = openai.APIConnectionError(request=httpx2.Request("POST", "ftp://127.0.0.1/v1"))
    no_address.__cause__ = httpx2.UnsupportedProtocol("x")
    assert is_fatal(hs.diagnose(no_address))
