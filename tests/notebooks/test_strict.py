"""The look at the whole of a lesson's strict run: what it lets pass, and what it finds."""

import base64
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.support.project import ROOT
from tools import notebooks as r

FIGURE = "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 3, 2])\nplt.show()"
SPOILT = "import sys\nprint('careful', file=sys.stderr)\nopen('left.txt', 'w').close()"
CHECKS = "class hs:\n    check = lambda _, x: print('Right: it is.' if x else 'Not yet')"
SOLVED = {
    "behind_it": ("hs.check('behind_it', 1)\nsolved = True", "if 'solved' in globals(): 1 / 0"),
    "is_right": ("hs.check('is_right', await one())", "async def one(): return 1"),
    "is_wrong": ("hs.check('is_wrong', 0)", "pass"),
    "raises": ("hs.check('raises', 1 / 0)", "pass"),
}
"""By name: a solution, and the cell behind its exercise."""


def said(line: str) -> dict:
    return {"name": "stdout", "output_type": "stream", "text": [f"{line}\n"]}


def cell(number: int, source: str, *tags: str) -> dict:
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": f"c{number}",
        "metadata": {"tags": list(tags)} if tags else {},
        "outputs": [],
        "source": source.splitlines(keepends=True),
    }


def other_picture() -> str:
    png = io.BytesIO()
    Image.new("RGB", (40, 40), "red").save(png, "png")
    return base64.b64encode(png.getvalue()).decode()


def strictly(folder: Path, *options: str, pixels: str = "1") -> str:
    """What pytest says of the notebooks in a folder."""
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-n0", "-c", os.devnull]
    command += ["--rootdir", str(folder), "-p", "no:cacheprovider", "-p", "no:nbval"]
    command += ["-p", "tests.notebooks.strict", "--nbval", "--nbval-current-env", *options]
    env = os.environ | {"PYTHONPATH": str(ROOT), "HOLYSHEEP_REQUIRE_PIXELS": pixels}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, encoding="utf-8")
    return done.stdout


def store(file: Path, cells: list[dict]) -> None:
    counted = [one | {"execution_count": count} for count, one in enumerate(cells, 1)]
    whole = {"cells": counted, "metadata": r.METADATA, "nbformat": 4, "nbformat_minor": 5}
    file.write_text(r.dump(whole), "utf-8", newline="\n")


@pytest.mark.process
def test_a_stored_lesson_passes_and_each_fault_that_no_cell_shows_is_named(tmp_path: Path) -> None:
    cells = [cell(1, "print('one')"), cell(2, FIGURE), cell(3, SPOILT, r.IGNORED)]
    folder, settings = tmp_path / "lessons", tmp_path / "settings"
    for place in (folder, settings, folder / "solutions"):
        place.mkdir()
    file = folder / "a.ipynb"
    file.write_text(r.dump({"cells": cells[:2], "nbformat": 4, "nbformat_minor": 5}), "utf-8")
    env = r.clean_environment(settings)
    assert r.regenerate(file, check=False, ignore_pixels=False, env=env)[0]

    for name, (solution, behind) in SOLVED.items():
        asked = cell(2, f"hs.check('{name}', 0)") | {"outputs": [said("Not yet")]}
        store(folder / f"{name}.ipynb", [cell(1, CHECKS), asked, cell(3, behind)])
        (folder / "solutions" / f"{name}.py").write_text(solution, "utf-8")

    spoilt = list(r.code_cells(r.load(file)))
    spoilt.append(cells[2] | {"outputs": [said("of the last time")]})
    png = next(o["data"] for o in spoilt[1]["outputs"] if "image/png" in o.get("data", {}))
    png["image/png"] = other_picture()
    store(folder / "spoilt.ipynb", spoilt)

    told = strictly(folder)
    for words in ("careful", "cell 2 (id c2)", "only a picture's pixels", "LEFT BEHIND left.txt"):
        assert words in told
    assert "solution of is_wrong:" in told
    assert "Not yet" in told
    assert "solution of raises:" in told
    assert "division by zero" in told
    assert "behind_it.ipynb, after the solutions:" in told
    assert set(re.findall(r"^FAILED (\w+\.ipynb::\w+)", told, re.MULTILINE)) == {
        "behind_it.ipynb::solved",
        "is_wrong.ipynb::solved",
        "raises.ipynb::solved",
        "spoilt.ipynb::stored",
    }
    for passed in ("a.ipynb::stored", "is_right.ipynb::solved", "raises.ipynb::stored"):
        assert f"PASSED {passed}" in told

    (folder / "left.txt").unlink()
    told = strictly(folder, "a.ipynb::stored", "is_right.ipynb::solved", "spoilt.ipynb", pixels="")
    assert "2 skipped" in told  # no cell was run
    assert "LEFT BEHIND left.txt" in told
    assert "only a picture's pixels" not in told
