"""The mock as a child process of a kernel or a test, and the handle on it."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from queue import Empty, Queue
from typing import Any, Self
from urllib.request import ProxyHandler, Request, build_opener

from holysheep_helpers.errors import HolySheepError

START_TIMEOUT_S = 20.0
LEARNERS_KEY = "hs-mock-learner"


class MockError(HolySheepError):
    """The mock did not start, or does not answer."""


class MockProcess:
    """A mock that runs beside this process, on loopback, and ends with it.

    ``base_url`` ends with /v1; ``api_key`` is a key that it accepts; ``pid`` its process.
    """

    def __init__(self, child: subprocess.Popen[bytes], base_url: str) -> None:
        self._child = child
        self.base_url = base_url
        self.api_key = LEARNERS_KEY
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
        group: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
            group = {"creationflags": flags}
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path, "PYTHONUTF8": "1"},
            **group,
        )
        line = _first_line(child)
        if not line.startswith("http"):
            child.kill()
            child.wait()
            raise MockError(
                f"The mock did not start (exit code {child.returncode}). See why with: "
                f"{sys.executable} -m holysheep_helpers.mock --port {port}"
            )
        return cls(child, line)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def alive(self) -> bool:
        return self._child.poll() is None

    def stop(self) -> None:
        """End the mock. Stopping twice is fine."""
        atexit.unregister(self.stop)
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

    def script(self, faults: Sequence[dict[str, Any] | None]) -> None:
        """What the next requests meet, in order: a fault, or ``None`` for none.

        ``{"kind": "end_early", "after": 8}`` ends a stream after 8 chunks of text without a finish
        reason; ``{"kind": "disconnect", "after": 8}`` breaks it; ``{"kind": "status", "status":
        503}`` answers with an error. Raises ``MockError`` for what is no fault.
        """
        self._call("POST", "script", list(faults))

    def journal(self) -> list[dict[str, Any]]:
        """Every chat request so far, oldest first: id, model, attempt, status, tokens, times."""
        return self._call("GET", "journal")

    def reset(self) -> None:
        """Forget script, journal and counters."""
        self._call("DELETE", "journal")

    def _call(self, method: str, what: str, body: Any = None) -> Any:
        url = self.base_url.removesuffix("/v1") + f"/mock/{what}"
        data = None if body is None else json.dumps(body).encode("utf-8")
        headers = {"Authorization": f"Bearer {self.api_key}"}
        request = Request(url, data=data, method=method, headers=headers)
        try:
            with build_opener(ProxyHandler({})).open(request, timeout=10) as answer:
                return json.load(answer)
        except OSError as error:
            raise MockError(f"The mock refused, or does not answer: {error}") from error

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
