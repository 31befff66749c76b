"""Who may see and steer what: a learner their own key, the teacher all of them, others nothing."""

from __future__ import annotations

from typing import Any

import pytest

from holysheep_helpers import catalog
from holysheep_helpers.mock.app import App
from holysheep_helpers.mock.exchange import Request
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.mock.state import State, key_hash
from tests.support import raw

TOKEN = "the-teacher"


class Answered:
    """An exchange that keeps what it was to send."""

    def __init__(self) -> None:
        self.status, self.body, self.extra = 0, None, []

    def send_json(self, status: int, body: Any, headers: Any = ()) -> None:
        self.status, self.body = status, body


def ask(
    host: str,
    path: str = "/mock/journal",
    *,
    query: str = "",
    method: str = "GET",
    admin: str | None = None,
    token: str | None = TOKEN,
) -> Answered:
    headers = {b"authorization": b"Bearer hs-mock-anna"}
    if admin is not None:
        headers[b"x-mock-admin"] = admin.encode("latin-1")
    app = App(State(plan=catalog.plans()["unlimited"], admin_token=token))
    answered = Answered()
    body = b'{"slots": 4}' if path == "/mock/slots" else b"[]"
    request = Request(method, path, query, headers, host, 0, body)
    app.handle(request, answered)  # pyright: ignore[reportArgumentType]
    return answered


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "127.0.0.9"])
def test_this_computer_needs_no_token(host: str) -> None:
    assert ask(host).status == 200
    assert ask(host, "/mock/script", method="POST").status == 200
    assert ask(host, "/mock/slots", method="POST").status == 200


@pytest.mark.parametrize("host", ["192.168.1.7", "10.0.0.1", "fe80::1", ""])
def test_another_computer_needs_the_token(host: str) -> None:
    steered = [("/mock/journal", "GET"), ("/mock/script", "POST"), ("/mock/slots", "POST")]
    for path, method in steered:
        assert ask(host, path, method=method).status == 403
        assert ask(host, path, method=method, admin="guess").status == 403
        assert ask(host, path, method=method, admin=TOKEN).status == 200
        assert ask(host, path, method=method, admin="", token=None).status == 403


def test_a_wrong_token_is_refused_here_too() -> None:
    assert ask("127.0.0.1", admin="guess").status == 403


def test_a_teacher_sees_all_keys_and_a_learner_one(mock: MockHandle) -> None:
    neighbour = MockHandle(mock.base_url, f"{mock.api_key}-b")
    raw.ask(mock)
    raw.ask(neighbour)
    hashes = {key_hash(mock.api_key), key_hash(neighbour.api_key)}
    every = raw.send(mock, method="GET", path="/mock/journal?key=*").json
    assert hashes <= {entry["key"] for entry in every}
    one = raw.send(mock, method="GET", path=f"/mock/journal?key={key_hash(neighbour.api_key)}")
    assert {entry["key"] for entry in one.json} == {key_hash(neighbour.api_key)}
    assert {entry["key"] for entry in mock.entries()} == {key_hash(mock.api_key)}


def test_a_script_is_for_one_key(mock: MockHandle) -> None:
    raw.ask(mock)
    answer = raw.send(mock, [500], path="/mock/script?key=*")
    assert (answer.status, answer.json["error"]["param"]) == (400, "key")
    raw.send(mock, [500], path=f"/mock/script?key={key_hash(mock.api_key)}")
    assert raw.send(mock, raw.body()).status == 500


def test_a_hash_that_nobody_has_is_a_404(mock: MockHandle) -> None:
    answer = raw.send(mock, method="GET", path="/mock/journal?key=0000")
    assert (answer.status, answer.json["error"]["param"]) == (404, "key")


def test_browsers_may_ask_but_not_steer(mock: MockHandle) -> None:
    origin: dict[str, str | None] = {"Origin": "http://127.0.0.1:8888"}
    asked = raw.send(mock, raw.body(), headers=origin)
    assert asked.headers["access-control-allow-origin"] == "*"
    refused = raw.send(mock, b"{", headers=origin)
    assert (refused.status, refused.headers["access-control-allow-origin"]) == (400, "*")
    for path in ("/mock/journal", "/mock/journal?key=*"):
        steered = raw.send(mock, method="GET", path=path, headers=origin)
        assert "access-control-allow-origin" not in steered.headers
    assert raw.send(mock, method="OPTIONS", path="/mock/journal", headers=origin).status == 405


def test_strangers_are_in_the_journal_without_their_keys(mock: MockHandle) -> None:
    raw.send(mock, raw.body(), headers={"Authorization": "Bearer a-strangers-key"})
    answer = raw.send(mock, method="GET", path="/mock/journal?key=*")
    assert key_hash("a-strangers-key") in {entry["key"] for entry in answer.json}
    assert "a-strangers-key" not in answer.content.decode("utf-8")
