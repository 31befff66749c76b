"""The mock as a child process of a kernel or a test, and the handle on it."""

from __future__ import annotations

import atexit
import os
import secrets
import subprocess
import sys
import threading
from pathlib import Path
from queue import Empty, Queue
from typing import Self

from holysheep_helpers.mock import ADMIN_VARIABLE, MOCK_PREFIX, OWN_KEY_VARIABLE
from holysheep_helpers.mock.handle import MockError, MockHandle
from holysheep_helpers.mock.slots import checked
from holysheep_helpers.mock.stated import Stated

START_TIMEOUT_S = 20.0


class MockProcess(MockHandle):
    """A mock that runs beside this process, on loopback, and ends with it.

    Its key and its admin token are random: other users of this computer know neither.

    ``pid`` is its process; the rest is as in ``MockHandle``.
    """

    def __init__(
        self, child: subprocess.Popen[bytes], base_url: str, api_key: str, admin_token: str
    ) -> None:
        super().__init__(base_url, api_key, admin_token)
        self._child = child
        atexit.register(self.stop)

    @classmethod
    def start(
        cls,
        *,
        seed: int = 0,
        time_scale: float = 1.0,
        ttft_s: float | None = None,
        itl_s: float | None = None,
        slots: int | None = None,
        plan: str = "unlimited",
        port: int = 0,
    ) -> Self:
        """Start a mock and return when it listens.

        ``ttft_s`` and ``itl_s`` state the time to first token and the time between tokens for
        every model, exactly and at any scale; ``None`` leaves them to the model's profile.
        ``slots`` is how many requests of a key are worked on at once. Raises ``MockError`` if the
        mock does not start, ``InputError`` for a time that is none from 0 to 3600 s, or slots from
        1 to 10,000.
        """
        stated, slots = Stated(ttft_s, itl_s), checked(slots)
        command = [sys.executable, "-m", "holysheep_helpers.mock", "--parent", str(os.getpid())]
        command += ["--seed", str(seed), "--time-scale", str(time_scale)]
        command += ["--plan", plan, "--port", str(port)]
        for option, at_s in (("--ttft-ms", stated.ttft_s), ("--itl-ms", stated.itl_s)):
            if at_s is not None:
                command += [option, str(at_s * 1000)]
        if slots is not None:
            command += ["--slots", str(slots)]
        source = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH"))))
        key, token = f"{MOCK_PREFIX}{secrets.token_hex(8)}", secrets.token_urlsafe(16)
        own = {OWN_KEY_VARIABLE: key, ADMIN_VARIABLE: token}  # not in the command: all can read it
        flags = 0
        if sys.platform == "win32":
            flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **own, "PYTHONPATH": path, "PYTHONUTF8": "1"},
            start_new_session=os.name == "posix",  # a kernel's Stop button must not end it
            creationflags=flags,
        )
        line = _first_line(child)
        if not line.startswith("http"):
            child.kill()
            child.communicate()  # closes its pipes, too
            raise MockError(
                f"The mock did not start. {line}"
                if line
                else f"The mock did not start (exit code {child.returncode}). See why with: "
                f"{sys.executable} -m holysheep_helpers.mock --port {port}"
            )
        return cls(child, line, key, token)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def alive(self) -> bool:
        return self._child.poll() is None

    @property
    def exit_code(self) -> int | None:
        """The child's exit code once it has ended, ``None`` until then."""
        return self._child.poll()

    def stop(self) -> None:
        """End the mock. Stopping twice is fine."""
        atexit.unregister(self.stop)
        self.close()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None and not pipe.closed:
                pipe.close()
        if self.alive:
            self._child.terminate()
            try:
                self._child.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()

    def __repr__(self) -> str:
        return f"<MockProcess {self.base_url}, {'running' if self.alive else 'stopped'}>"


def _first_line(child: subprocess.Popen[bytes]) -> str:
    """The child's first line; empty if it ends or stays silent (a pipe has no time-out)."""
    lines: Queue[bytes] = Queue()
    output = child.stdout
    assert output is not None
    threading.Thread(target=lambda: lines.put(output.readline()), daemon=True).start()
    try:
        return lines.get(timeout=START_TIMEOUT_S).decode("utf-8").strip()
    except Empty:
        return ""
