"""What the mock remembers stays within bounds, and its journal's file may fail."""

import io
import json

import pytest

from holysheep_helpers import catalog
from holysheep_helpers.mock.state import KEYS_KNOWN, State
from tests.support import raw
from tests.support.inside import running, tenant_of
from tests.support.sockets import STALL, chat, dial


class FullDisk(io.StringIO):
    def flush(self) -> None:
        raise OSError(28, "No space left on device")


def test_a_journal_s_file_that_can_t_be_written_is_said_once_and_costs_no_reply(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with running(journal_file=FullDisk()) as (mock, _):
        assert [raw.ask(mock).status for _ in range(3)] == [200] * 3
        assert {entry["outcome"] for entry in mock.entries()} == {"delivered"}
    said = capsys.readouterr().err
    assert said.count("can't be written any more") == 1
    assert "Traceback" not in said


def test_a_journal_s_file_has_a_line_of_json_for_each_request() -> None:
    file = io.StringIO()
    with running(journal_file=file) as (mock, _):
        raw.ask(mock)
        raw.send(mock, b"{")
        entries = mock.entries()
        lines = [json.loads(line) for line in file.getvalue().splitlines()]
    assert lines == entries
    assert mock.api_key not in file.getvalue()


def test_asking_for_the_journal_leaves_nothing_behind_while_a_reply_hangs() -> None:
    with running() as (mock, server), dial(mock) as sock:
        mock.api_key = "hs-mock-http"
        sock.sendall(chat(STALL, stream=True))
        sock.recv(1)
        for _ in range(5):
            assert mock.entries(settle_s=0.001)[-1]["outcome"] == "open"
        assert tenant_of(server, mock)._settled == []


def test_no_more_keys_are_remembered_than_a_school_has() -> None:
    with running() as (mock, server):
        for number in range(KEYS_KNOWN + 10):
            server.app.state.tenant(f"hs-mock-{number}")
        assert len(list(server.app.state.tenants())) == KEYS_KNOWN
        assert raw.ask(mock).status == 200


def test_a_key_made_apart_is_drawn_for_the_same_name_in_each_kernel() -> None:
    plan = catalog.plans()["unlimited"]
    names = []
    for own in ("hs-mock-1a2b", "hs-mock-3c4d"):  # random in life
        room = State(plan=plan, own_key=own)
        names.append([room.tenant(f"{own}{more}").name for more in ("", "-panel", "-other")])
        assert room.tenant(own) is not room.tenant(f"{own}-panel")
    assert names[0] == names[1]
    assert len(set(names[0])) == 3
