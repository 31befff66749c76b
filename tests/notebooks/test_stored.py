"""The script that stores notebooks: the same bytes each time, and --check sees a change."""

import base64
import io
from pathlib import Path

import pytest
from PIL import Image

from tools import notebooks as r

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


@pytest.mark.process
def test_two_runs_store_the_same_bytes_and_check_agrees(tmp_path: Path) -> None:
    ignored = {"metadata": {"tags": [r.IGNORED], "ExecuteTime": {"start": 1}}}
    cells = [code(source, n) for n, source in enumerate(CELLS)]
    cells[-1] |= ignored
    file, settings = tmp_path / "01_ä 노트.ipynb", tmp_path / "settings"
    file.write_text(r.dump(notebook(*cells)), "utf-8", newline="\n")
    settings.mkdir()
    env = r.clean_environment(settings)

    assert r.regenerate(file, check=False, ignore_pixels=False, env=env)[0]
    first = file.read_bytes()
    assert r.regenerate(file, check=True, ignore_pixels=False, env=env) == (
        True,
        f"same     {file.name}",
    )
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
    well, told = r.regenerate(file, check=True, ignore_pixels=False, env=env)
    assert not well
    assert "DIFFERS" in told
    assert "cell 1 (id c0)" in told
    assert "something else" in told


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that takes the place of notebooks/."""
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.setattr(r, "NOTEBOOKS", place)
    return place


def store(folder: Path, name: str, *sources: str) -> Path:
    file = folder / name
    cells = [code(source, n) for n, source in enumerate(sources)]
    file.write_text(r.dump(notebook(*cells)), "utf-8", newline="\n")
    return file


@pytest.mark.process
def test_each_report_has_its_place_whoever_is_ready_first(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first one goes on only when the second, which fails, is done: two run at once."""
    slow = store(
        folder,
        "a.ipynb",
        "import asyncio, pathlib\nmark = pathlib.Path('mark')\n"
        "while not mark.exists(): await asyncio.sleep(0.01)\nmark.unlink()",
    )
    failing = store(folder, "b.ipynb", "open('mark', 'w').close()", "1 / 0")
    before = failing.read_bytes()
    assert r.main(["a.ipynb", "b.ipynb"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "stored   a.ipynb"
    assert "FAILED   b.ipynb" in lines
    assert any("ZeroDivisionError" in line for line in lines[lines.index("FAILED   b.ipynb") :])
    assert failing.read_bytes() == before
    assert r.load(slow)["cells"][0]["execution_count"] == 1


@pytest.mark.process
def test_a_file_that_a_notebook_leaves_behind_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store(folder, "a.ipynb", "open('journal.jsonl', 'w').close()")
    assert r.main([]) == 1
    assert "LEFT BEHIND journal.jsonl" in capsys.readouterr().out


@pytest.mark.process
def test_a_cell_that_works_only_once_is_found_and_nothing_is_stored(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    once = store(folder, "a.ipynb", "'name' in globals() and 1 / 0\nname = 1")
    store(folder, "b.ipynb", "name = 1", "del name")
    store(folder, "c.ipynb", "import warnings\nwarnings.warn('careful')")
    before = once.read_bytes()
    assert r.main(["--twice"]) == 1
    told = capsys.readouterr().out
    assert "FAILED   a.ipynb, run twice" in told
    assert "twice    b.ipynb" in told
    assert "WARNED   c.ipynb" in told
    assert "careful" in told
    assert once.read_bytes() == before


def test_a_report_is_told_where_the_console_lacks_its_letters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    console = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(console, "cp949", newline="\n"))
    r.tell("DIFFERS  답 – 1")
    assert console.getvalue() == "DIFFERS  답 \\u2013 1\n".encode("cp949")


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
