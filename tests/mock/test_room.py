"""A mock for a whole room: keys that are issued, and what each person is told."""

import os
import re
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from holysheep_helpers.mock import server
from holysheep_helpers.mock.__main__ import main
from holysheep_helpers.mock.handle import MockHandle
from tests.support import raw
from tests.support.processes import COMMAND, ENV, run, standing_alone


@pytest.mark.process
def test_only_the_keys_of_a_file_are_let_in(tmp_path: Path) -> None:
    keys = tmp_path / "keys.txt"
    keys.write_text("hs-mock-anna\nhs-mock-ben\n", encoding="utf-8")
    with standing_alone("--keys", keys) as url:
        asked = [
            raw.send(MockHandle(url, f"hs-mock-{name}"), raw.body()).status
            for name in ("anna", "ben", "eve")
        ]
    assert asked == [200, 200, 401]


@pytest.mark.process
def test_a_room_is_told_what_to_set(tmp_path: Path) -> None:
    keys = tmp_path / "keys.txt"
    keys.write_text("hs-mock-anna\n", encoding="utf-8")
    command = [*COMMAND, "--time-scale", "0", "--keys", str(keys)]
    with subprocess.Popen(
        command, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        url = child.stdout.readline().strip()
        told = "".join(child.stderr.readline() for _ in range(3))
        child.terminate()
    assert f"HOLYSHEEP_BASE_URL={url}\n" in told
    assert f"of {keys})" in told
    assert "hs-mock-anna" not in told


@pytest.mark.parametrize(("own", "host"), [("192.0.2.7", "192.0.2.7"), (None, "0.0.0.0")])
def test_a_mock_for_all_names_an_address_that_others_can_ask(
    own: str | None, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "own_address", lambda: own)
    with server.listen("0.0.0.0", 0) as sock:
        assert server.base_url(sock) == f"http://{host}:{sock.getsockname()[1]}/v1"


def test_its_own_address_is_one_of_this_computers() -> None:
    address = server.own_address()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((address or "127.0.0.1", 0))  # refused for any other computer's


@pytest.mark.process
def test_a_sheet_of_keys_for_a_room(tmp_path: Path) -> None:
    sheet = tmp_path / "room.txt"
    done = run("--issue", "30", "--keys", str(sheet))
    assert (done.returncode, done.stderr) == (0, "")
    assert f"--keys {sheet}" in done.stdout
    keys = [line for line in sheet.read_text("utf-8").splitlines() if not line.startswith("#")]
    assert len(set(keys)) == 30
    assert all(re.fullmatch(r"hs-mock-\d\d-[a-z2-9]{10}", key) for key in keys)
    assert not any(key in done.stdout for key in keys)
    before = sheet.read_bytes()
    again = run("--issue", "5", "--keys", str(sheet))
    assert again.returncode == 1
    assert "is there already, and was left as it is" in again.stderr
    assert sheet.read_bytes() == before


@pytest.mark.process
def test_without_a_file_the_sheet_is_printed() -> None:
    done = run("--issue", "3")
    assert len(re.findall(r"^hs-mock-\d\d-[a-z2-9]{10}$", done.stdout, re.MULTILINE)) == 3


@pytest.mark.process
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"# nobody\n\n", "There is no key in"),
        (b"hs-mock-anna\nsome-other-key\n", "1 of the keys in"),
        (b"\xff\xfe\x00", "it is no text"),
    ],
)
def test_a_file_without_good_keys_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "keys.txt"
    file.write_bytes(content)
    done = run("--keys", str(file))
    assert done.returncode == 2
    assert says in done.stderr
    assert "some-other-key" not in done.stderr


@pytest.mark.process
def test_a_sheet_as_an_editor_saves_it_is_read(tmp_path: Path) -> None:
    """Byte-order mark, Windows line ends, a name behind each key."""
    file = tmp_path / "keys.txt"
    file.write_bytes("\ufeffhs-mock-01-a  Anna\r\n# spare:\r\nhs-mock-02-b\r\n".encode())
    with standing_alone("--keys", file) as url:
        keys = ("hs-mock-01-a", "hs-mock-02-b", "hs-mock-03-c")
        asked = [raw.send(MockHandle(url, key), raw.body()).status for key in keys]
    assert asked == [200, 200, 401]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes of files for owner and others")
def test_a_sheet_of_keys_is_its_owners_alone(tmp_path: Path) -> None:
    sheet = tmp_path / "keys.txt"
    before = os.umask(0)
    try:
        assert main(["--issue", "2", "--keys", str(sheet)]) == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE(sheet.stat().st_mode) == 0o600
