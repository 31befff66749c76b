"""The mock as a child process of a kernel or a test, and the handle on it."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import threading
from pathlib import Path
from queue import Empty, Queue
from typing import Self

from holysheep_helpers.mock.handle import MockError, MockHandle

START_TIMEOUT_S = 20.0


class MockProcess(MockHandle):
    """A mock that runs beside this process, on loopback, and ends with it.

    ``pid`` is its process; the rest is as in ``MockHandle``.
    """

    def __init__(self, child: subprocess.Popen[bytes], base_url: str) -> None:
        super().__init__(base_url)
        self._child = child
        atexit.register(self.stop)

    @classmethod
    def start(
        cls, *, seed: int = 0, time_scale: float = 1.0, plan: str = "unlimited", port: int = 0
    ) -> Self:
        """Start a mock and return when it listens. Raises ``MockError`` if it does not."""
        command = [sys.executable, "-m", "holysheep_helpers.mock", "--parent", str(os.getpid())]
        command += ["--seed", str(seed), "--time-scale", str(time_scale)]
        command += ["--plan", plan, "--port", str(port)]
        source = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH"))))
        flags = 0
        if sys.platform == "win32":
            flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path, "PYTHONUTF8": "1"},
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
        return cls(child, line)

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
