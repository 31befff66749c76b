"""Slots as a client meets them: over a socket, by the handle, and as an option."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from holysheep_helpers.exceptions import InputError
from holysheep_helpers.mock.handle import MockError, MockHandle
from holysheep_helpers.mock.process import MockProcess
from holysheep_helpers.mock.server import serve
from holysheep_helpers.mock.state import key_hash
from tests.support import raw
from tests.support.processes import standing_alone
from tests.support.sockets import STALL, chat, dial


@contextmanager
def one_slot() -> Iterator[MockHandle]:
    with serve() as server:
        mock = MockHandle(server.base_url, "hs-mock-http")  # the key of ``chat``
        mock.slots(1)
        yield mock


def until(mock: MockHandle, outcome: str) -> dict[str, Any]:
    """The second request, as soon as the mock has it and this has become of it."""
    for _ in range(10_000):
        second = mock.entries(settle_s=0)[1:]
        if second and second[0]["outcome"] == outcome:
            return second[0]
    raise AssertionError(f"the second request was never {outcome}")


def test_a_client_waits_until_another_has_left() -> None:
    with one_slot() as mock, dial(mock) as second:
        with dial(mock) as first:
            first.sendall(chat(STALL, stream=True))
            first.recv(1)
            second.sendall(chat())
            waiting = until(mock, "open")
        assert second.recv(15) == b"HTTP/1.1 200 OK"
        stalled, served = mock.entries()
    assert (waiting["status"], waiting["due_s"], waiting["paid"]) == (0, [], "no")
    assert (stalled["outcome"], served["outcome"]) == ("left", "delivered")
    assert served["arrived_s"] + served["queued_s"] >= stalled["ended_s"] - 1e-5


def test_a_client_that_leaves_gives_up_its_place() -> None:
    with one_slot() as mock:
        with dial(mock) as first:
            first.sendall(chat(STALL, stream=True))
            first.recv(1)
            with dial(mock) as second:
                second.sendall(chat())
                until(mock, "open")
            until(mock, "left")
        assert [entry["outcome"] for entry in mock.entries()] == ["left", "left"]
        assert raw.ask(mock).status == 200


@pytest.mark.parametrize("count", [0, -1, 10_001, 1.5, True, "4", [4], {"a": 1}])
def test_what_is_no_number_of_slots_is_refused(mock: MockHandle, count: Any) -> None:
    with pytest.raises(MockError, match=r"refused \(400\): slots is .* from 1 to 10000 is needed"):
        mock.slots(count)
    for start in (MockProcess.start, lambda **how: serve(**how).__enter__()):
        with pytest.raises(InputError, match="from 1 to 10000 is needed, or None"):
            start(slots=count)


@pytest.mark.parametrize("payload", [4, None, [], {}, {"slot": 4}, {"slots": 4, "more": 1}, b"{"])
def test_what_does_not_say_how_many_is_a_400(mock: MockHandle, payload: Any) -> None:
    answer = raw.send(mock, payload, path="/mock/slots")
    assert answer.status == 400
    assert answer.json["error"]["param"] in ("slots", None)


def test_slots_are_for_one_key_that_may_be_named(mock: MockHandle) -> None:
    raw.ask(mock)
    every = raw.send(mock, {"slots": 2}, path="/mock/slots?key=*")
    assert (every.status, every.json["error"]["param"]) == (400, "key")
    one = raw.send(mock, {"slots": 2}, path=f"/mock/slots?key={key_hash(mock.api_key)}")
    assert (one.status, one.json) == (200, {"slots": 2})
    assert raw.send(mock, {"slots": None}, path="/mock/slots").json == {"slots": None}
    assert raw.send(mock, method="GET", path="/mock/slots").status == 405


def queue_of(mock: MockHandle) -> list[int]:
    """The status of a request while another one hangs, and after that one's client has left."""
    mock = MockHandle(mock.base_url, "hs-mock-http")
    with dial(mock) as second:
        with dial(mock) as first:
            first.sendall(chat(STALL, stream=True))
            first.recv(1)
            second.sendall(chat())
            waiting = until(mock, "open")
        second.recv(1)
        served = until(mock, "delivered")
    return [waiting["status"], served["status"]]


@pytest.mark.process
def test_a_mock_can_be_started_with_slots() -> None:
    with serve(slots=1) as mock:
        assert queue_of(mock) == [0, 200]
    with standing_alone("--slots", 1) as url:
        assert queue_of(MockHandle(url)) == [0, 200]
    child = MockProcess.start(time_scale=0, slots=1)
    try:
        assert queue_of(child) == [0, 200]
    finally:
        child.stop()
