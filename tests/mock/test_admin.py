"""Who may see and steer what: a learner their own key, the teacher all of them, others nothing."""

from __future__ import annotations

from typing import Any

import pytest

from holysheep_helpers import catalog
from holysheep_helpers.mock import LEARNERS_KEY
from holysheep_helpers.mock.app import App
from holysheep_helpers.mock.exchange import Request
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.mock.process import MockProcess
from holysheep_helpers.mock.state import State, key_hash
from tests.support import raw

TOKEN = "the-teacher"
STEERED = [("/mock/journal", "GET"), ("/mock/script", "POST"), ("/mock/slots", "POST")]


class Answered:
    """An exchange that keeps what it was to send."""

    def __init__(self) -> None:
        self.status, self.body, self.extra = 0, None, []

    def send_json(self, status: int, body: Any, headers: Any = ()) -> None:
        self.status, self.body = status, body

    @property
    def code(self) -> str:
        assert isinstance(self.body, dict)
        return self.body["error"]["code"]


def ask(
    path: str = "/mock/journal",
    method: str = "GET",
    *,
    query: str = "",
    token: str | None = TOKEN,
    **given: str | None,
) -> Answered:
    """Anna's request; ``given`` are headers, with ``_`` for a dash and ``admin`` for the token."""
    headers = {b"authorization": b"Bearer hs-mock-anna", b"host": b"127.0.0.1:8765"}
    for name, value in given.items():
        name = {"admin": "x-mock-admin"}.get(name, name.replace("_", "-")).encode("ascii")
        headers.pop(name, None)
        if value is not None:
            headers[name] = value.encode("latin-1")
    unlimited = catalog.plans()["unlimited"]
    app = App(State(plan=unlimited, admin_token=token, names=["Room.local"]))
    app.state.tenant("hs-mock-anna")
    app.state.tenant("hs-mock-ben")
    answered = Answered()
    body = b'{"slots": 4}' if path == "/mock/slots" else b"[]"
    request = Request(method, path, query, headers, 0, body)
    app.handle(request, answered)  # pyright: ignore[reportArgumentType]
    return answered


@pytest.mark.parametrize(("path", "method"), STEERED)
def test_a_key_steers_its_own_requests_alone(path: str, method: str) -> None:
    own, other = (f"key={key_hash(f'hs-mock-{name}')}" for name in ("anna", "ben"))
    assert ask(path, method).status == 200
    for query in (own, other, "key=*"):
        refused = ask(path, method, query=query)
        assert (refused.status, refused.code) == (403, "admin_only")
    for query in (own, other):
        assert ask(path, method, query=query, admin=TOKEN).status == 200


@pytest.mark.parametrize(("path", "method"), STEERED)
def test_a_wrong_token_is_refused_everywhere(path: str, method: str) -> None:
    assert ask(path, method, admin="guess").status == 403
    assert ask(path, method, admin="").status == 403
    assert ask(path, method, admin="", token=None).status == 403
    assert ask(path, method, admin=TOKEN, token=None).status == 403


@pytest.mark.parametrize(
    "origin",
    [
        *("https://evil.example", "http://localhost:8888", "http://127.0.0.1:1", "null", ""),
        *("127.0.0.1:8765", "ftp://127.0.0.1:8765", "http://evil.example@127.0.0.1:8765"),
        *("http://127.0.0.1:8765, http://evil.example", "http://127.0.0.1:8765."),
    ],
)
@pytest.mark.parametrize(("path", "method"), STEERED)
def test_no_web_page_of_elsewhere_may_ask_even_with_the_token(
    path: str, method: str, origin: str
) -> None:
    for token in ({}, {"admin": TOKEN}):
        refused = ask(path, method, origin=origin, **token)
        assert (refused.status, refused.code) == (403, "foreign_origin")


@pytest.mark.parametrize("host", [None, ""])
@pytest.mark.parametrize("origin", ["null", "http://", "", "http://None"])
def test_without_a_host_no_page_is_the_mocks_own(host: str | None, origin: str) -> None:
    assert ask(host=host, origin=origin).code == "foreign_origin"


def test_a_page_of_the_mocks_own_address_may_ask() -> None:
    assert ask(origin="http://127.0.0.1:8765", sec_fetch_site="same-origin").status == 200


def test_a_browser_that_says_cross_site_needs_the_token() -> None:
    for said in ("cross-site", "CROSS-SITE", "cross-site, none", "none, cross-site", ""):
        assert ask(sec_fetch_site=said).code == "admin_only"
    assert ask(sec_fetch_site="none").status == 200
    assert ask(sec_fetch_site="cross-site", admin=TOKEN).status == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8765", "localhost.evil.example", "evil.example@127.0.0.1"),
        *("127.0.0.1:8765, evil.example", "evil.example, 127.0.0.1:8765", "127.0.0.1:evil"),
        *("localhost.", "127.0.0.1.", "127.1", "0x7f.0.0.1", "localhost:1:2", "[localhost]"),
        *("::1%evil.example", "[::1%evil.example]", "[[::1]]", "127.0.0.1\u00b2", "::1"),
    ],
)
def test_a_name_that_was_not_given_needs_the_token(host: str) -> None:
    """Whoever makes a name of theirs lead to this computer has their page ask under that name."""
    assert ask(host=host).code == "admin_only"
    assert ask(host=host, origin=f"http://{host}").code == "admin_only"
    assert ask(host=host, admin=TOKEN).status == 200


@pytest.mark.parametrize("name", ["127.0.0.1", "192.168.1.7", "[::1]", "LOCALHOST", "room.local"])
@pytest.mark.parametrize("port", ["", ":8765"])
def test_addresses_localhost_and_given_names_are_the_mocks_own(name: str, port: str) -> None:
    assert ask(host=name + port).status == 200


@pytest.mark.process
def test_each_kernels_mock_has_a_key_and_a_token_that_nobody_can_guess(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOLYSHEEP_MOCK_ADMIN_TOKEN", "of the room")
    first, second = MockProcess.start(time_scale=0), MockProcess.start(time_scale=0)
    try:
        keys = {first.api_key, second.api_key, LEARNERS_KEY}
        assert len(keys) == 3
        constant = MockHandle(first.base_url)
        told = {raw.ask(one).content for one in (first, second, constant)}
        assert len(told) == 1, "each learner reads the same answer"
        constant.reset()
        assert len(first.entries()) == 1
        assert constant.entries() == []
        constant.script(500)
        assert raw.ask(first).status == 200, "a key that everyone knows steers itself alone"
        every = raw.send(constant, method="GET", path="/mock/journal?key=*")
        assert every.status == 403
        assert first.api_key not in repr(first)
    finally:
        first.stop()
        second.stop()


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
