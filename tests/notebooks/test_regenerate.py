"""The script that stores notebooks: the same bytes each time, and --check sees a change."""

import base64
import io
from pathlib import Path

import pytest
from PIL import Image

from tests.notebooks import regenerate as r

CELLS = [
    "import random, sys\nprint('http://127.0.0.1:%d/v1' % random.randint(2000, 60000))",
    "import ipywidgets as w\nw.VBox([w.Button(description='Send')])",
    "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 3, 2])\nplt.show()",
    "random.random()",
]


def code(source: str, number: int, **more: object) -> dict:
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": f"c{number}",
        "metadata": {},
        "outputs": [],
        "source": [line + "\n" for line in source.split("\n")],
    } | more


def notebook(*cells: dict) -> r.Notebook:
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def text(value: str) -> dict:
    return {"output_type": "stream", "name": "stdout", "text": [value]}


def picture(compress_level: int, colour: str = "red") -> dict:
    png = io.BytesIO()
    Image.new("RGB", (40, 40), colour).save(png, "png", compress_level=compress_level)
    data = {"image/png": base64.b64encode(png.getvalue()).decode(), "text/plain": ["<Figure>"]}
    return {"output_type": "display_data", "metadata": {}, "data": data}


def test_two_runs_store_the_same_bytes_and_check_agrees(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ignored = {"metadata": {"tags": [r.IGNORED], "ExecuteTime": {"start": 1}}}
    cells = [code(source, n) for n, source in enumerate(CELLS)]
    cells[-1] |= ignored
    file, settings = tmp_path / "01_ä 노트.ipynb", tmp_path / "settings"
    file.write_text(r.dump(notebook(*cells)), "utf-8", newline="\n")
    settings.mkdir()
    env = r.clean_environment(settings)

    assert r.regenerate(file, check=False, ignore_pixels=False, env=env)
    first = file.read_bytes()
    assert r.regenerate(file, check=True, ignore_pixels=False, env=env)
    assert file.read_bytes() == first
    assert b"\r" not in first
    stored = r.load(file)
    assert [cell["execution_count"] for cell in stored["cells"]] == [1, 2, 3, 4]
    assert b"127.0.0.1:8765" in first
    assert b"widget" not in first.replace(b"ipywidgets", b"")
    assert b"image/png" in first
    assert b"ExecuteTime" not in first

    stored["cells"][0]["outputs"] = [text("something else\n")]
    file.write_text(r.dump(stored), "utf-8", newline="\n")
    capsys.readouterr()
    assert not r.regenerate(file, check=True, ignore_pixels=False, env=env)
    told = capsys.readouterr().out
    assert "DIFFERS" in told
    assert "cell 1 (id c0)" in told
    assert "something else" in told


def test_a_cell_that_fails_is_told_and_nothing_is_stored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, settings = tmp_path / "x.ipynb", tmp_path / "settings"
    settings.mkdir()
    file.write_text(r.dump(notebook(code("1 / 0", 1))), "utf-8", newline="\n")
    before = file.read_bytes()
    env = r.clean_environment(settings)
    assert not r.regenerate(file, check=False, ignore_pixels=False, env=env)
    assert "ZeroDivisionError" in capsys.readouterr().out
    assert file.read_bytes() == before


def test_ignored_outputs_are_kept_while_the_source_stays() -> None:
    tagged = {"metadata": {"tags": [r.IGNORED]}}
    old = notebook(code("time()", 1, outputs=[text("12 ms")], **tagged))
    new = notebook(code("time()", 1, outputs=[text("13 ms")], **tagged))
    assert r.normalised(new, old)["cells"][0]["outputs"] == [text("12 ms")]
    other = notebook(code("time() * 2", 1, outputs=[text("13 ms")], **tagged))
    assert r.normalised(other, old)["cells"][0]["outputs"] == [text("13 ms")]


def test_other_bytes_for_the_same_pixels_are_no_change_but_other_pixels_are() -> None:
    old = r.normalised(notebook(code("plot()", 1, outputs=[picture(1)])), notebook())
    new = r.normalised(notebook(code("plot()", 1, outputs=[picture(9)])), old)
    assert picture(1) != picture(9)
    assert r.differences(old, new) == []
    changed = r.normalised(notebook(code("plot()", 1, outputs=[picture(1, "blue")])), old)
    (told,) = r.differences(old, changed)
    assert "only a picture's pixels" in told


def test_cells_without_an_id_or_with_a_doubled_one_get_one_that_stays() -> None:
    cells = [code("1", 1), code("2", 1), {"cell_type": "markdown", "metadata": {}, "source": []}]
    assert [c["id"] for c in r.prepared(notebook(*cells))["cells"]] == ["c1", "cell-2", "cell-3"]


def test_no_setting_of_the_user_reaches_a_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLYSHEEP_MODE", "live")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    env = r.clean_environment(tmp_path)
    assert {k for k in env if k.startswith(("HOLYSHEEP_", "OPENAI_"))} == {"HOLYSHEEP_ENV_FILE"}
