"""One JupyterLab and one page of one browser for all lessons of this process; a kernel for each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

pytest.register_assert_rewrite("tests.browser.promises")

from tools import lab  # noqa: E402 (after the line above)

expect.set_options(timeout=lab.ANSWER_S * 1000)  # five seconds are few on a busy computer


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, Path]]:
    """JupyterLab: its address, the folder that it shows, and that of its settings."""
    if lab.find_browser() is None:
        reason = "no Chromium or Chrome found (CHROMIUM=path names one)"
        if os.environ.get("HOLYSHEEP_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    root, folder = tmp_path_factory.mktemp("수업 folder"), tmp_path_factory.mktemp("jupyter")
    with lab.jupyterlab(root, folder) as address:
        yield address, root, folder


@pytest.fixture(scope="package")
def page() -> Iterator[Page]:
    """One page of one browser. As long as it is open an event loop runs: other tests need none."""
    with lab.browser_page() as page:
        yield page


@pytest.fixture(scope="class")
def lesson(
    request: pytest.FixtureRequest, server: tuple[str, Path, Path], page: Page
) -> Iterator[lab.Lesson]:
    """The lesson that the class is about, run from top to bottom."""
    assert request.cls is not None
    opened = lab.open_lesson(page, *server, request.cls.NAME)
    opened.run_all()
    yield opened
    opened.close()
