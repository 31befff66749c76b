"""nbval's run of a lesson, looked at once more: what it would store is what is stored.

nbval runs each lesson once, in a kernel of its own, and compares cell by cell. After a cell whose
output is not compared, what must hold there is tried (``expectations.py``). An item behind its
cells then looks at the whole of that same run: the file byte for byte, as ``start.py notebooks``
stores it, no warning in any cell, nothing left beside the notebook. Pictures, which another system
draws otherwise, are compared where ``HOLYSHEEP_REQUIRE_PIXELS`` is 1.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbval.plugin import IPyNbCell, IPyNbFile

from tests.notebooks.expectations import expectations, panel_words
from tools import notebooks as r

FOLDER = pytest.StashKey[tempfile.TemporaryDirectory[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Give nbval's kernels, which inherit them, the settings of ``start.py notebooks``."""
    config.stash[FOLDER] = tempfile.TemporaryDirectory()
    os.environ.update(r.kernel_settings(Path(config.stash[FOLDER].name)))


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[FOLDER].cleanup()


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if isinstance(collector, IPyNbFile) and report.passed:
        report.result.append(Stored.from_parent(collector, name="stored", cells=report.result[:]))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    yield
    if not isinstance(item, IPyNbCell):
        return
    cell: Any = item
    name, expected = cell.cell["id"], expectations(item.path)
    if cell.cell["source"].endswith("\npanel"):
        expected[name] = panel_words(item.path)
    if name in expected:
        client = cell.parent.kernel.kc
        asked = client.execute(expected[name].code(), silent=True, stop_on_error=False)
        while (reply := client.get_shell_msg(timeout=60))["parent_header"].get("msg_id") != asked:
            pass
        if reply["content"]["status"] != "ok":
            pytest.fail(f"after cell {name}: {reply['content']['evalue']}", pytrace=False)


class Stored(pytest.Item):
    """The file of a lesson beside what its cells have just put out."""

    def __init__(self, *, cells: list[IPyNbCell], **kwargs: object) -> None:
        super().__init__(**kwargs)  # pyright: ignore[reportArgumentType]
        self.cells = cells
        self.before = set(self.path.parent.iterdir())

    def runtest(self) -> None:
        if any(cell.test_outputs is None for cell in self.cells):
            pytest.skip("not all cells of this lesson were run")
        run = r.prepared(r.load(self.path))
        for cell, done in zip(r.code_cells(run), self.cells, strict=True):
            cell["outputs"] = done.test_outputs
        whole = nbformat.writes(nbformat.from_dict(run), version=nbformat.NO_CONVERT)
        wrong = r.warnings(json.loads(whole))
        pixels = os.environ.get("HOLYSHEEP_REQUIRE_PIXELS") == "1"
        wrong += r.compared(self.path, json.loads(whole), ignore_pixels=not pixels)[1]
        wrong += r.left_behind(self.before, [self.path.parent])
        if wrong:
            pytest.fail("\n".join([f"{self.path.name}: python start.py notebooks", *wrong]), False)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, f"{self.path.name}: stored"
