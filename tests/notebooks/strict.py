"""nbval's run of a lesson, looked at once more: what it would store is what is stored.

nbval runs each lesson once, in a kernel of its own, and compares cell by cell. After a cell whose
output is not compared, what must hold there is tried (``expectations.py``). An item behind its
cells then looks at the whole of that same run: the file byte for byte, as ``start.py notebooks``
stores it, no warning in any cell, nothing left beside the notebook. Pictures, which another system
draws otherwise, are compared where ``HOLYSHEEP_REQUIRE_PIXELS`` is 1. The last item goes on in that
kernel as a learner does: with the solutions in the place of the exercises (``solutions.py``).
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

# nbformat imports jsonschema, which does without this grammar of addresses where it is missing:
# to compile it takes each process two seconds.
sys.modules.setdefault("rfc3987_syntax", None)  # pyright: ignore[reportArgumentType]

import nbformat  # noqa: E402 (after the line above)
import pytest  # noqa: E402
from nbval.plugin import IPyNbCell, IPyNbFile  # noqa: E402

from tests.notebooks.expectations import expectations, panel_words  # noqa: E402
from tests.notebooks.solutions import exercises, solved  # noqa: E402
from tools import notebooks as r  # noqa: E402

pytest_plugins = ["nbval.plugin"]
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
        cells = report.result[:]
        report.result.append(Stored.from_parent(collector, name="stored", cells=cells))
        if exercises(collector.path):
            report.result.append(Solved.from_parent(collector, name="solved", cells=cells))
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


class Behind(pytest.Item):
    """An item behind all cells of a lesson."""

    def __init__(self, *, cells: list[IPyNbCell], **kwargs: object) -> None:
        super().__init__(**kwargs)  # pyright: ignore[reportArgumentType]
        self.cells = cells

    def setup(self) -> None:
        if any(cell.test_outputs is None for cell in self.cells):
            pytest.skip("not all cells of this lesson were run")

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, f"{self.path.name}: {self.name}"


class Stored(Behind):
    """The file of a lesson beside what its cells have just put out."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.before = set(self.path.parent.iterdir())

    def runtest(self) -> None:
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


class Solved(Behind):
    """The rest of a lesson from its first exercise on, each with its solution: all are right."""

    def runtest(self) -> None:
        for name, source in solved(self.path):
            printed, failed = self._run(source)
            if failed or (name and "Right:" not in printed):
                where = f"the solution of {name}" if name else "after the solutions"
                told = "\n".join([f"{self.path.name}, {where}:", source, printed, failed])
                pytest.fail(told, pytrace=False)

    def _run(self, source: str) -> tuple[str, str]:
        """What a cell prints, and its error, if it raises one."""
        printed = []
        parent: Any = self.parent
        reply = parent.kernel.kc.execute_interactive(
            source,
            store_history=False,
            allow_stdin=False,
            timeout=60,
            output_hook=lambda message: printed.append(message["content"].get("text", "")),
        )["content"]
        return "".join(printed), "" if reply["status"] == "ok" else reply.get("evalue", "aborted")
