"""The mocks that are compared, ours and others': installed apart, started, asked over a socket."""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

PROMPT = "Explain what an API gateway is in two sentences."
CHAT = "/v1/chat/completions"
START_TIMEOUT_S = 20.0


class MissingError(Exception):
    """A peer can't be installed or started; the message says why."""


@dataclass(frozen=True)
class Answer:
    """``status`` 0: nothing came. ``whole``: the reply came to its proper end. Times in seconds."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""
    whole: bool = False
    first_s: float = 0.0

    @property
    def json(self) -> Any:
        """The body, or an empty dict if it is no JSON."""
        try:
            return json.loads(self.content)
        except ValueError:
            return {}

    @property
    def error(self) -> dict[str, Any]:
        body = self.json
        error = body.get("error") if isinstance(body, dict) else None
        return error if isinstance(error, dict) else {}

    @property
    def frames(self) -> list[str]:
        """The data of a stream's events, ``[DONE]`` included."""
        lines = self.content.decode("utf-8", "replace").splitlines()
        return [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]

    @property
    def chunks(self) -> list[dict[str, Any]]:
        """The events that are JSON objects."""
        found = []
        for frame in self.frames:
            try:
                found.append(json.loads(frame))
            except ValueError:
                continue
        return found

    @property
    def deltas(self) -> list[str]:
        """The texts of a stream's chunks, without empty ones."""
        every = (choice for chunk in self.chunks for choice in chunk.get("choices", ()))
        return [text for choice in every if (text := choice["delta"].get("content"))]

    @property
    def text(self) -> str:
        if self.headers.get("content-type", "").startswith("text/event-stream"):
            return "".join(self.deltas)
        choices = self.json.get("choices") or [{"message": {}}]
        return choices[0]["message"].get("content") or ""

    @property
    def finish(self) -> str | None:
        """The finish reason of the first choice; of a stream, the last one that was sent."""
        if self.frames:
            every = (choice for chunk in self.chunks for choice in chunk.get("choices", ()))
            return next((c["finish_reason"] for c in [*every][::-1] if c["finish_reason"]), None)
        return (self.json.get("choices") or [{}])[0].get("finish_reason")


@dataclass
class Server:
    """A mock that is running."""

    program: Program
    port: int
    process: subprocess.Popen[bytes]

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        timeout_s: float = 5.0,
    ) -> Answer:
        """One request on a connection of its own; silence for ``timeout_s`` ends the reading."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        content = body if isinstance(body, bytes) else json.dumps(body).encode("utf-8")
        named = {"Authorization": f"Bearer {self.program.key}", "Content-Type": "application/json"}
        start_s, first_s, parts, whole = perf_counter(), 0.0, [], False
        try:
            connection.request(
                method, path, None if body is None else content, named | (headers or {})
            )
            response = connection.getresponse()
        except (OSError, HTTPException):
            connection.close()
            return Answer(0)
        try:
            while part := response.read1(65536):
                first_s = first_s or perf_counter() - start_s
                parts.append(part)
            whole = True
        except (OSError, HTTPException):
            pass  # cut, reset or silent: what came is in ``parts``
        finally:
            connection.close()
        lowered = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, lowered, b"".join(parts), whole, first_s)

    def ask(self, prompt: str = PROMPT, headers: dict[str, str] | None = None, **fields: Any):
        """A chat request; ``fields`` are its body's, ``None`` leaves one out."""
        messages = [{"role": "user", "content": prompt}]
        body = {"model": self.program.model, "messages": messages, **fields}
        body = {name: value for name, value in body.items() if value is not None}
        return self.call("POST", CHAT, body, headers, timeout_s=1.5)

    def cpu_s(self) -> float:
        """Processor time that it has used so far; not a number where the system doesn't say."""
        try:
            stat = Path(f"/proc/{self.process.pid}/stat").read_text("ascii").rpartition(")")[2]
        except OSError:
            return float("nan")
        return sum(map(int, stat.split()[11:13])) / os.sysconf("SC_CLK_TCK")

    def resident_mb(self) -> float:
        """Resident memory in MB (10⁶ bytes); not a number where the system doesn't say."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        except OSError:
            return float("nan")
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024 / 1e6

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass(frozen=True)
class Program:
    """How a mock is started: ``{port}`` in its command is where the port goes."""

    name: str
    version: str
    runtime: str
    command: tuple[str, ...]
    model: str
    key: str

    @contextmanager
    def running(self, *extra: str, env: dict[str, str] | None = None) -> Iterator[Server]:
        """Start it, and stop it at the end. Raises ``MissingError`` if it does not answer."""
        server = self.start(*extra, env=env)
        try:
            yield server
        finally:
            server.stop()

    def start(self, *extra: str, env: dict[str, str] | None = None) -> Server:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            port = sock.getsockname()[1]
        command = [part.format(port=port) for part in (*self.command, *extra)]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | (env or {}),
        )
        server = Server(self, port, process)
        start_s = perf_counter()
        while perf_counter() - start_s < START_TIMEOUT_S and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                sleep(0.002)
                continue
            return server
        server.stop()
        raise MissingError(f"{self.name} does not start: {' '.join(command)}")


def python_build() -> str:
    """This Python and where it is from: an optimised build, like Debian's, is 1.2 times as fast."""
    return f"Python {platform.python_version()} in {sys.base_prefix}"


def ours(_: Path) -> Program:
    command = (sys.executable, "-m", "holysheep_helpers.mock", "--port", "{port}")
    return Program("ours", "this tree", python_build(), command, "mistral-small-2603", "hs-mock-x")


def aimock(folder: Path) -> Program:
    """CopilotKit's aimock, with a fixture that answers about what our mock answers."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise MissingError("node and npm are needed")
    package = folder / "node_modules" / "@copilotkit" / "aimock"
    if not package.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        _run(npm, "install", "--prefix", str(folder), "--no-audit", "@copilotkit/aimock")
    fixtures = folder / "fixtures.json"
    found = [{"match": {"userMessage": "API gateway"}, "response": {"content": CANNED}}]
    fixtures.write_text(json.dumps({"fixtures": found}), encoding="utf-8")
    version = json.loads((package / "package.json").read_text(encoding="utf-8"))["version"]
    command = (node, str(package / "dist" / "cli.js"), "-p", "{port}", "-f", str(fixtures))
    runtime = f"node {_run(node, '--version').strip().removeprefix('v')}"
    # Five characters a chunk give about as many chunks as our mock's tokens.
    options = ("--log-level", "silent", "-c", "5")
    return Program("aimock", version, runtime, (*command, *options), "gpt-4o", "mock")


def llmock(folder: Path) -> Program:
    """LLMock for Python, in an environment of its own that has this Python."""
    home = folder / "llmock"
    scripts = home / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / ("python.exe" if os.name == "nt" else "python")
    if not python.exists():
        _run(sys.executable, "-m", "uv", "venv", "--python", sys.executable, str(home))
        _run(sys.executable, "-m", "uv", "pip", "install", "--python", str(python), "llmock")
    code = "from importlib.metadata import version as v; print(v('llmock'))"
    version = _run(str(python), "-c", code).strip()
    command = (str(scripts / "llmock"), "serve", "-p", "{port}", "--log-level", "critical")
    return Program("llmock", version, python_build(), command, "gpt-4o", "mock")


ALL: dict[str, Callable[[Path], Program]] = {"ours": ours, "aimock": aimock, "llmock": llmock}
CANNED = (
    "An API gateway is one front door for many services: it checks who is asking, decides which "
    "service should answer, and sends the answer back in one agreed form. For you that means one "
    "address and one key, while limits, logging and routing are handled in a single place."
)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=300)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no word"]
        raise MissingError(f"{Path(command[0]).name} failed: {said[-1]}")
    return done.stdout


def installed(folder: Path) -> tuple[dict[str, Program], dict[str, str]]:
    """The programs that are there, installed now if need be, and why others are not."""
    found: dict[str, Program] = {}
    missing: dict[str, str] = {}
    for name, get in ALL.items():
        try:
            found[name] = get(folder)
            found[name].start().stop()
        except (MissingError, OSError, subprocess.TimeoutExpired) as error:
            found.pop(name, None)
            missing[name] = str(error)
    return found, missing
