"""The mock as a process: ready when it says so, on loopback alone, gone with its parent."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from threading import Thread
from urllib.parse import urlsplit

import pytest

from holysheep_helpers.mock.handle import MockError, MockHandle
from holysheep_helpers.mock.process import MockProcess
from tests.support import raw
from tests.support.processes import COMMAND, ENV, run, standing_alone

pytestmark = pytest.mark.process


@pytest.fixture
def process() -> Iterator[MockProcess]:
    with_own = MockProcess.start(time_scale=0)
    yield with_own
    with_own.stop()


def wait_until_refused(url: str) -> None:
    """Return when nothing listens there any more; a time-out of the test's own ends it."""
    address = urlsplit(url)
    closed: Queue[bool] = Queue()

    def knock() -> None:
        while True:
            try:
                with socket.create_connection((address.hostname, address.port), 1) as sock:
                    sock.recv(1)  # returns when the process ends
            except ConnectionRefusedError:
                return closed.put(True)
            except OSError:
                continue

    Thread(target=knock, daemon=True).start()
    assert closed.get(timeout=20)


def test_it_answers_as_soon_as_it_has_started_and_is_gone_after_stop(process: MockProcess) -> None:
    assert raw.ask(process).status == 200
    assert repr(process) == f"<MockProcess {process.base_url}, running>"
    assert urlsplit(process.base_url).hostname == "127.0.0.1"
    process.stop()
    process.stop()
    assert not process.alive
    wait_until_refused(process.base_url)
    with pytest.raises(MockError, match="does not answer"):
        process.entries()


PARENT = """
import sys
from holysheep_helpers.mock.process import MockProcess
mock = MockProcess.start(time_scale=0)
print(mock.base_url, mock.pid, flush=True)
{then}
"""


@pytest.mark.parametrize(
    "then",
    [
        "import os, signal; os.kill(os.getpid(), signal.SIGTERM if os.name == 'nt' else 9)",
        "import os; os._exit(1)",
        "raise SystemExit",
        "raise RuntimeError",
    ],
    ids=["killed hard", "exits at once", "ends", "crashes"],
)
def test_it_ends_with_its_parent(then: str) -> None:
    command = [sys.executable, "-c", PARENT.format(then=then)]
    done = subprocess.run(command, env=ENV, capture_output=True, encoding="utf-8", timeout=60)
    assert re.match(r"http://127\.0\.0\.1:\d+/v1 \d+$", done.stdout), done.stderr
    wait_until_refused(done.stdout.split()[0])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_it_ends_with_its_parent_though_a_forked_child_holds_the_pipe() -> None:
    then = (
        "import os\n"
        "if os.fork():\n"
        "    os.kill(os.getpid(), 9)\n"
        "os.close(1); os.close(2)\n"
        "import socket\n"
        "from urllib.parse import urlsplit\n"
        "a = urlsplit(mock.base_url)\n"
        "socket.create_connection((a.hostname, a.port)).recv(1)\n"  # until the mock is gone
    )
    command = [sys.executable, "-c", PARENT.format(then=then)]
    done = subprocess.run(command, env=ENV, capture_output=True, encoding="utf-8", timeout=60)
    wait_until_refused(done.stdout.split()[0])


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process hard instead")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_on_its_own_it_ends_cleanly_when_asked_to(sent: signal.Signals) -> None:
    with subprocess.Popen(
        [*COMMAND, "--time-scale", "0"],
        env=ENV,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as child:
        assert child.stdout is not None
        url = child.stdout.readline().strip()
        assert raw.ask(MockHandle(url)).status == 200
        child.send_signal(sent)
        rest, errors = child.communicate(timeout=20)
    assert (child.returncode, rest, errors) == (0, "", "")


def test_a_port_that_is_taken_is_said_in_words(process: MockProcess) -> None:
    port = str(urlsplit(process.base_url).port)
    done = run("--port", port)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Can't listen on 127.0.0.1 port {port}: ")
    assert "Choose another, or --port 0" in done.stderr
    assert "Traceback" not in done.stderr
    with pytest.raises(MockError, match=rf"did not start. Can't listen on 127.0.0.1 port {port}"):
        MockProcess.start(port=int(port))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--host", "0.0.0.0"], "needs --keys FILE"),
        (["--keys", "no-such-file"], "The keys can't be read from no-such-file"),
        (["--plan", "platinum"], "invalid choice: 'platinum'"),
        (["--time-scale", "-1"], "-1 is not a number from 0 to 1000"),
        (["--time-scale", "fast"], "fast is not a number from 0 to 1000"),
        (["--slots", "0"], "0 is not a number from 1 to 10000"),
        (["--slots", "2.5"], "2.5 is not a number from 1 to 10000"),
        (["--ttft-ms", "-1"], "-1 is not a number from 0 to 3600000"),
        (["--itl-ms", "nan"], "nan is not a number from 0 to 3600000"),
        (["--port", "many"], "many is not a number from 0 to 65535"),
    ],
)
def test_bad_options_are_refused(options: list[str], says: str) -> None:
    done = run(*options)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_its_address_is_not_reachable_from_outside(process: MockProcess) -> None:
    port = urlsplit(process.base_url).port
    hosts = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), port)}
    outside = [host for host in hosts if not str(host).startswith(("127.", "::1"))]
    for host in outside:
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((str(host), port), timeout=2)


def test_the_journal_goes_to_a_file_too(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    with standing_alone("--journal", file) as url:
        assert os.name == "nt" or stat.S_IMODE(file.stat().st_mode) == 0o600, "prompts are in it"
        mock = MockHandle(url, "hs-mock-secret")
        mock.script([503])
        raw.send(mock, raw.body("안녕하세요"))
        raw.ask(mock, stream=True)
        listed = mock.entries()
    text = file.read_text("utf-8")
    assert [json.loads(line) for line in text.splitlines()] == listed
    assert "hs-mock-secret" not in text


def test_a_journal_that_can_t_be_written_is_said(tmp_path: Path) -> None:
    done = run("--journal", str(tmp_path / "nowhere" / "journal.jsonl"))
    assert done.returncode == 2
    assert done.stderr.startswith("The journal can't be written to")


def test_it_ends_at_once_though_a_stream_stalls(process: MockProcess) -> None:
    """Whoever stops the mock does not wait for its clients."""
    connection = raw.connect(process)
    named = {"Authorization": f"Bearer {process.api_key}", "x-mock-fault": "stall"}
    connection.request("POST", raw.CHAT, json.dumps(raw.body(stream=True)), named)
    response = connection.getresponse()
    assert response.status == 200
    process.stop()
    connection.close()
    assert process.exit_code == (1 if os.name == "nt" else 0)  # not killed after a time-out
