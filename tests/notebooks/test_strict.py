"""The look at the whole of a lesson's strict run: what it lets pass, and what it finds."""

import base64
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.support.project import ROOT
from tools import notebooks as r

FIGURE = "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 3, 2])\nplt.show()"
SPOILT = "import sys\nprint('careful', file=sys.stderr)\nopen('left.txt', 'w').close()"
KEPT = {"name": "stdout", "output_type": "stream", "text": ["of the last time\n"]}


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
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "tests.notebooks.strict", "-n0"]
    command += ["-c", os.devnull, "--rootdir", str(folder), "-p", "no:cacheprovider"]
    command += ["--nbval", "--nbval-current-env", *options]
    env = os.environ | {"PYTHONPATH": str(ROOT), "HOLYSHEEP_REQUIRE_PIXELS": pixels}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, encoding="utf-8")
    return done.stdout


@pytest.mark.process
def test_a_stored_lesson_passes_and_each_fault_that_no_cell_shows_is_named(tmp_path: Path) -> None:
    cells = [cell(1, "print('one')"), cell(2, FIGURE), cell(3, SPOILT, r.IGNORED)]
    folder, settings = tmp_path / "lessons", tmp_path / "settings"
    for place in (folder, settings):
        place.mkdir()
    file = folder / "a.ipynb"
    file.write_text(r.dump({"cells": cells[:2], "nbformat": 4, "nbformat_minor": 5}), "utf-8")
    env = r.clean_environment(settings)
    assert r.regenerate(file, check=False, ignore_pixels=False, env=env)[0]
    assert "1 skipped" in strictly(folder, "a.ipynb::stored")  # no cell was run
    assert "3 passed" in strictly(folder)

    spoilt = r.load(file)
    spoilt["cells"].append(cells[2] | {"execution_count": 3, "outputs": [KEPT]})
    png = next(o["data"] for o in spoilt["cells"][1]["outputs"] if "image/png" in o.get("data", {}))
    png["image/png"] = other_picture()
    file.write_text(r.dump(spoilt), "utf-8", newline="\n")
    told = strictly(folder)
    assert "3 passed" in told
    assert "1 failed" in told
    for words in ("careful", "cell 2 (id c2)", "only a picture's pixels", "LEFT BEHIND left.txt"):
        assert words in told
    (folder / "left.txt").unlink()
    assert "only a picture's pixels" not in strictly(folder, pixels="")
