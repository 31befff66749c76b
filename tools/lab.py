"""A real JupyterLab in a real browser, for tests and pictures: start, open, run, look, shut down.

with jupyterlab(root, folder) as address, browser_page() as page:
    lesson = open_lesson(page, address, root, folder, "04_batch.ipynb")
    lesson.run_all()
    lesson.panel.screenshot(path=...)
    lesson.close()

One page serves for many lessons, one after the other: each has a kernel of its own.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswer
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qs, urlsplit

from jupyter_client.blocking.client import BlockingKernelClient
from playwright.sync_api import (
    ConsoleMessage,
    Error,
    Locator,
    Page,
    Request,
    expect,
    sync_playwright,
)

from holysheep_helpers.lessons import copies
from tools import notebooks

ENV_FILE = "lesson.env"
"""What the lessons' kernels take for a ``.env`` file, in the folder of JupyterLab's settings."""
BROWSERS = ("chromium", "google-chrome", "google-chrome-stable", "chromium-browser", "chrome")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)
FLAGS = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
ADDRESS = re.compile(r"http://(?:localhost|127\.0\.0\.1):\d+/\S*\?token=\w+")
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
BAD = "[data-mime-type$='jupyter.error'], [data-mime-type$='.stderr']"  # outputs of what failed
HEIGHT = 2000  # the tallest panel is seen at once
START_S, RUN_S, ANSWER_S = 120, 300, 60  # seconds, for a busy computer
# What JupyterLab itself writes to the console as an error, and why nothing is wrong.
HARMLESS = {
    "Could not restore the debugger state": "the kernel was restarted while the debugger asked it",
    "/images/": "a picture's address is asked for before it is made one of the lesson's folder",
}


def find_browser() -> str | None:
    """The path of a Chromium or Chrome; the variable CHROMIUM names one."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    return found or next((place for place in PLACES if Path(place).is_file()), None)


def _settings(folder: Path) -> dict[str, str]:
    """Variables that give JupyterLab settings of its own, with its question about news off."""
    settings = folder / "settings"
    (folder / ENV_FILE).touch()
    for name, content in {
        "apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false}\n',
        "notebook-extension/tracker": '{"windowingMode": "none"}\n',  # all cells on the page
    }.items():
        file = settings / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(content, "utf-8")
    return {
        "HOLYSHEEP_ENV_FILE": str(folder / ENV_FILE),
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_PREFER_ENV_PATH": "1",
    }


@contextmanager
def jupyterlab(root: Path, folder: Path) -> Iterator[str]:
    """JupyterLab on a free port over the files in ``root``; gives its address with the token.

    Its settings, and its kernels' connection files, are in ``folder``.
    """
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.port=0"),
        *(f"--ServerApp.root_dir={root}", "--LabApp.expose_app_in_browser=True"),
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    process = subprocess.Popen(
        command,
        env=os.environ | _settings(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )
    assert process.stderr is not None
    address: Future[str] = Future()
    log: list[str] = []
    reader = threading.Thread(target=_read, args=(process.stderr, address, log), daemon=True)
    reader.start()
    try:
        yield _started(address, log)
    finally:
        _stop(process)
        reader.join(10)


def _started(address: Future[str], log: list[str]) -> str:
    try:
        return address.result(timeout=START_S)
    except NoAnswer:
        raise RuntimeError("JupyterLab did not start:\n" + "".join(log[-20:])) from None


def _read(stream: IO[str], address: Future[str], log: list[str]) -> None:
    """Read all that JupyterLab says, so that it never waits for us; its address is in it."""
    with stream:
        for line in stream:
            log.append(line)
            found = ADDRESS.search(line)
            if found and not address.done():
                address.set_result(found.group())
    if not address.done():
        address.set_exception(NoAnswer())


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(20)


@contextmanager
def browser_page(width: int = 1280, height: int = HEIGHT) -> Iterator[Page]:
    """A page of a fresh, headless browser."""
    path = find_browser()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            page = browser.new_page(viewport={"width": width, "height": height})
            page.set_default_timeout(ANSWER_S * 1000)
            yield page
        finally:
            browser.close()


def cells_shown(file: Path) -> int:
    """How many cells will show a number: all that have something to run, but for folded ones."""
    cells = notebooks.code_cells(notebooks.load(file))
    shown = (cell for cell in cells if not cell["metadata"].get("jupyter", {}).get("source_hidden"))
    return sum(bool(notebooks.text_of(cell["source"]).strip()) for cell in shown)


@dataclass
class Lesson:
    """A lesson of the learner's copy, open in JupyterLab; its kernels' files are in ``folder``.

    ``outside`` and ``console`` say what went wrong.
    """

    page: Page
    address: str
    folder: Path
    file: Path
    cells: int
    outside: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)

    def open(self) -> None:
        """Open it, and wait until its kernel is there: idle alone also shows without one."""
        for event, seen in self._watched.items():
            self.page.on(event, seen)  # pyright: ignore[reportArgumentType, reportCallIssue]
        if not self.page.url.startswith(self.address.partition("?")[0]):
            self.page.goto(self.address)
            self.page.wait_for_function("window.jupyterapp", timeout=START_S * 1000)
            self.page.evaluate("window.jupyterapp.restored")
        self._command("docmanager:open", path=self._path)
        notebook = self.page.locator(".jp-NotebookPanel .jp-Notebook")
        expect(notebook).to_be_visible(timeout=START_S * 1000)
        kernel = self.page.locator(".jp-NotebookPanel-toolbar .jp-KernelName")
        expect(kernel).to_contain_text("Python 3", timeout=START_S * 1000)
        self.wait_until_idle()

    @property
    def _path(self) -> str:
        """The lesson's path in JupyterLab's root."""
        return f"{self.file.parent.name}/{self.file.name}"

    def save(self) -> None:
        """Save it, as Ctrl+S does."""
        self._command("docmanager:save")

    @property
    def _watched(self) -> dict[str, Callable[[Any], None]]:
        """What is heard of the page while this lesson is open in it."""
        return {"request": self._see, "console": self._hear, "pageerror": self._hear_error}

    def _command(self, name: str, **arguments: str) -> None:
        """Run one of JupyterLab's commands, as its menus and settings call them, to its end."""
        self.page.evaluate(
            "async ([name, arguments_]) => {"
            " await window.jupyterapp.commands.execute(name, arguments_); }",
            [name, arguments],
        )

    def _see(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.hostname not in LOOPBACK:
            self.outside.append(request.url)

    def _hear(self, message: ConsoleMessage) -> None:
        told = f"{message.text} ({message.location.get('url', '')})"
        if message.type == "error" and not any(part in told for part in HARMLESS):
            self.console.append(told)

    def _hear_error(self, error: Error) -> None:
        self.console.append(str(error))

    def wait_until_idle(self) -> None:
        status = self.page.locator(".jp-NotebookPanel-toolbar .jp-Notebook-ExecutionIndicator")
        expect(status).to_have_attribute("data-status", "idle", timeout=RUN_S * 1000)

    def run_all(self) -> None:
        """Run all cells in the fresh kernel, until each has its number or one has failed."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        self.page.wait_for_function(
            """([cells, bad]) => {
                const all = [...document.querySelectorAll('.jp-Notebook .jp-CodeCell')];
                const prompts = all.map(cell => cell.querySelector('.jp-InputPrompt').textContent);
                const failed = document.querySelector(bad);
                return failed || prompts.filter(prompt => /\\d/.test(prompt)).length === cells;
            }""",
            arg=[self.cells, BAD],
            polling=200,  # ms: at each frame, as is usual, would take half of a processor
            timeout=RUN_S * 1000,
        )
        self.wait_until_idle()

    def run_cell(self, text: str) -> None:
        """Run again the cell that has this in its source."""
        cell = self.page.locator(".jp-CodeCell", has_text=text).first
        cell.locator(".jp-InputPrompt").click()
        self.page.keyboard.press("Control+Enter")
        self.wait_until_idle()

    @property
    def panel(self) -> Locator:
        """The lesson's panel."""
        return self.page.locator(".hs-panel")

    def errors(self) -> list[str]:
        """What failed: tracebacks, stderr, and widgets that could not be shown."""
        shown = self.page.locator(f".jp-OutputArea-output:is({BAD})").all_inner_texts()
        lost = self.page.get_by_text("Error displaying widget").all_inner_texts()
        return shown + lost

    def show_in(self, theme: str) -> None:
        """Change JupyterLab's theme to one of ``THEMES``."""
        self._command("apputils:change-theme", theme=THEMES[theme])
        light = str(theme == "light").lower()
        expect(self.page.locator("body")).to_have_attribute("data-jp-theme-light", light)

    def picture(self, file: Path, width: int = 1280, theme: str = "light") -> Path:
        """A picture of the panel in a window so wide, in ``theme``."""
        self.page.set_viewport_size({"width": width, "height": HEIGHT})
        self.show_in(theme)
        self.panel.scroll_into_view_if_needed()
        file.parent.mkdir(parents=True, exist_ok=True)
        self.panel.screenshot(path=file, animations="disabled")
        return file

    def kernel(self, expression: str) -> Any:
        """What a Python expression gives in the lesson's kernel, as a literal."""
        client = BlockingKernelClient(
            connection_file=str(self.folder / "runtime" / f"kernel-{self._session()[1]}.json")
        )
        client.load_connection_file()
        client.start_channels(stdin=False, hb=False)
        try:
            client.wait_for_ready(timeout=ANSWER_S)
            asked = {"x": expression}
            reply = client.execute_interactive(
                "", silent=True, user_expressions=asked, allow_stdin=False, timeout=ANSWER_S
            )
            found = reply["content"]["user_expressions"]["x"]
        finally:
            client.stop_channels()
        if found["status"] != "ok":
            raise AssertionError(f"{expression}: {found['ename']}: {found['evalue']}")
        return ast.literal_eval(found["data"]["text/plain"])

    def _session(self) -> tuple[str, str]:
        """The ids of this notebook's session and of its kernel."""
        sessions = json.loads(self._call("GET", "api/sessions"))
        return next((s["id"], s["kernel"]["id"]) for s in sessions if s["path"] == self._path)

    def close(self) -> None:
        """End the lesson's kernel, and leave the page to the next lesson."""
        for event, seen in self._watched.items():
            self.page.remove_listener(event, seen)
        # Not closed but disposed of: nothing asks whether to save it.
        self.page.evaluate(
            "[...window.jupyterapp.shell.widgets('main')].forEach(one => one.dispose())"
        )
        expect(self.page.locator(".jp-NotebookPanel")).to_have_count(0)
        self._call("DELETE", f"api/sessions/{self._session()[0]}")

    def _call(self, method: str, path: str) -> bytes:
        parts = urlsplit(self.address)
        token = parse_qs(parts.query)["token"][0]
        request = urllib.request.Request(
            f"{parts.scheme}://{parts.netloc}/{path}",
            method=method,
            headers={"Authorization": f"token {token}"},
        )
        with urllib.request.urlopen(request, timeout=ANSWER_S) as reply:
            return reply.read()


def open_lesson(page: Page, address: str, root: Path, folder: Path, name: str) -> Lesson:
    """Open a lesson of the learner's copy in the server's ``root``, with the mock played fast."""
    copies.renew(root / copies.FOLDER, datetime.now(UTC))
    file = root / copies.FOLDER / name
    fast = "".join(f"{key}={value}\n" for key, value in notebooks.FAST.items())
    (folder / ENV_FILE).write_text(fast, "utf-8")
    lesson = Lesson(page, address, folder, file, cells_shown(file))
    lesson.open()
    return lesson
