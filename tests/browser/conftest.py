"""One JupyterLab for all lessons that this process tests; a browser and a kernel for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

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


@pytest.fixture(scope="class")
def lesson(request: pytest.FixtureRequest, server: tuple[str, Path, Path]) -> Iterator[lab.Lesson]:
    """The lesson that the class is about, run from top to bottom after a restart."""
    assert request.cls is not None
    with lab.browser_page() as page:
        opened = lab.open_lesson(page, *server, request.cls.NAME)
        opened.run_all()
        yield opened
        opened.shut_down()
