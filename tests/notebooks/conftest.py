"""Runs of whole lessons, begun together and looked at one by one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.notebooks.test_notebooks import CHECK, SOLUTIONS
from tools import live_cost
from tools import notebooks as r

Run = TypeVar("Run")


@pytest.fixture(scope="session")
def solved_lesson(request: pytest.FixtureRequest) -> Iterator[Callable[[Path], r.Notebook]]:
    """Gives a lesson as it comes out with the solutions in the place of its exercises."""

    def run(file: Path, folder: Path) -> r.Notebook:
        notebook = copy.deepcopy(r.load(file))
        for cell in r.code_cells(notebook):
            for name in CHECK.findall(r.text_of(cell["source"])):
                cell["source"] = (SOLUTIONS / f"{name}.py").read_text("utf-8")
        return r.execute(notebook, file.parent, r.clean_environment(folder) | r.played_fast(file))

    with begun(request, run) as result:
        yield result


@pytest.fixture(scope="session")
def live_lesson(
    request: pytest.FixtureRequest,
) -> Iterator[Callable[[Path], tuple[r.Notebook, list[dict], str]]]:
    """Gives how a lesson comes out with a key: see ``live_cost.run_live``."""
    with begun(request, live_cost.run_live) as result:
        yield result


@contextmanager
def begun(
    request: pytest.FixtureRequest, run: Callable[[Path, Path], Run]
) -> Iterator[Callable[[Path], Run]]:
    """Begin a run of each lesson that a chosen test takes this fixture for, some at once."""
    folders = request.getfixturevalue("tmp_path_factory")
    chosen: set[Any] = {
        item.callspec.params["file"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and request.fixturename in item.fixturenames
    }
    with ThreadPoolExecutor(r.AT_ONCE) as pool:
        runs = {
            file: pool.submit(run, file, folders.mktemp(file.stem))
            for file in sorted(chosen, key=lambda file: (bool(r.played_fast(file)), file))
        }
        yield lambda file: runs[file].result()
        pool.shutdown(cancel_futures=True)
