"""One JupyterLab and one page of one browser for all lessons of this process; a kernel for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

pytest.register_assert_rewrite("tests.browser.promises")

from tests.browser import lab  # noqa: E402 (after the line above)
from tests.browser.chromium import find_browser  # noqa: E402


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, Path]]:
    """JupyterLab: its address, the folder that it shows, and that of its settings."""
    find_browser()
    root, folder = tmp_path_factory.mktemp("lessons"), tmp_path_factory.mktemp("jupyter")
    with lab.jupyterlab(root, folder) as address:
        yield address, root, folder


@pytest.fixture(scope="session")
def page() -> Iterator[Page]:
    with lab.browser_page() as page:
        yield page


@pytest.fixture(scope="class")
def lesson(
    request: pytest.FixtureRequest, server: tuple[str, Path, Path], page: Page
) -> Iterator[lab.Lesson]:
    """The lesson that the class is about, run from top to bottom."""
    assert request.cls is not None
    opened = lab.open_lesson(page, *server, request.cls.NAME)
    opened.run_all(restart=request.cls.RESTART)
    yield opened
    opened.close()
