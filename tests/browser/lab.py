"""A real JupyterLab in a real browser, for tests: start, open a notebook, run it, look at it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswer
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.notebooks import regenerate

ARTIFACTS = Path(__file__).parent / "artifacts"
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
START_S, RUN_S = 60, 120


def find_browser() -> str:
    """The path of a Chromium; without one the test is skipped, or fails where it is required."""
    named = os.environ.get("CHROMIUM")
    found = named or next(filter(None, map(shutil.which, BROWSERS)), None)
    found = found or next((place for place in PLACES if Path(place).is_file()), None)
    if found:
        return found
    reason = "no Chromium or Chrome found (CHROMIUM=path names one)"
    if os.environ.get("HOLYSHEEP_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def _settings(folder: Path) -> dict[str, str]:
    """Variables that give JupyterLab settings of its own, with its question about news off."""
    settings = folder / "settings"
    for name, content in {
        "apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false}\n',
        "notebook-extension/tracker": '{"windowingMode": "none"}\n',  # all cells on the page
    }.items():
        file = settings / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(content, "utf-8")
    return {
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
    """JupyterLab on a free port over the files in ``root``; gives its address with the token."""
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.port=0"),
        f"--ServerApp.root_dir={root}",
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
        yield address.result(timeout=START_S)
    except NoAnswer:
        pytest.fail("JupyterLab did not start:\n" + "".join(log[-20:]))
    finally:
        _stop(process)
        reader.join(10)


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
def browser_page(width: int = 1280, height: int = 1400) -> Iterator[Page]:
    """A page of a fresh, headless browser."""
    path = find_browser()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            page = browser.new_page(viewport={"width": width, "height": height})
            page.set_default_timeout(30_000)
            yield page
        finally:
            browser.close()


def copy_unrun(file: Path, root: Path) -> int:
    """Copy a notebook without its stored outputs; gives the number of cells that will run."""
    notebook = regenerate.prepared(regenerate.load(file))
    (root / file.name).write_text(regenerate.dump(notebook), "utf-8")
    cells = regenerate.code_cells(notebook)
    return sum(bool(regenerate.text_of(cell["source"]).strip()) for cell in cells)


def open_notebook(page: Page, address: str, name: str) -> None:
    """Open ``name`` and wait until its kernel is there: idle alone also shows without one."""
    page.goto(address.replace("/lab?", f"/lab/tree/{name}?"))
    expect(page.locator(".jp-NotebookPanel .jp-Notebook")).to_be_visible(timeout=START_S * 1000)
    kernel = page.locator(".jp-NotebookPanel-toolbar .jp-KernelName")
    expect(kernel).to_contain_text("Python 3", timeout=START_S * 1000)
    wait_until_idle(page)


def wait_until_idle(page: Page) -> None:
    status = page.locator(".jp-NotebookPanel-toolbar .jp-Notebook-ExecutionIndicator")
    expect(status).to_have_attribute("data-status", "idle", timeout=RUN_S * 1000)


def run_all(page: Page, cells: int) -> None:
    """Run all cells and wait until so many of them have their number, or one has failed."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_function(
        """cells => {
            const shown = [...document.querySelectorAll('.jp-Notebook .jp-CodeCell')];
            const prompts = shown.map(cell => cell.querySelector('.jp-InputPrompt').innerText);
            const failed = document.querySelector("[data-mime-type$='jupyter.error']");
            return failed || prompts.filter(prompt => /\\d/.test(prompt)).length === cells;
        }""",
        arg=cells,
        timeout=RUN_S * 1000,
    )
    wait_until_idle(page)


def errors(page: Page) -> list[str]:
    """What failed: tracebacks, stderr, and widgets that could not be shown."""
    bad = "[data-mime-type='application/vnd.jupyter.error'], [data-mime-type$='.stderr']"
    shown = page.locator(f".jp-OutputArea-output:is({bad})").all_inner_texts()
    lost = page.get_by_text("Error displaying widget").all_inner_texts()
    return shown + lost


def screenshot(page: Page, name: str) -> Path:
    """A picture of the page in ``tests/browser/artifacts``, for people to look at."""
    ARTIFACTS.mkdir(exist_ok=True)
    file = ARTIFACTS / f"{name}.png"
    page.screenshot(path=file, full_page=True)
    return file
