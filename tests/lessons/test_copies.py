"""The learner's copy: without outputs, renewed where unchanged, and nothing of theirs is lost."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from holysheep_helpers.exceptions import InputError
from holysheep_helpers.lessons import __main__ as command
from holysheep_helpers.lessons import copies
from tests.support.processes import ENV
from tests.support.project import ROOT
from tools import notebooks as r

NOW = datetime.fromisoformat("2026-12-01T10:31:07+09:00")
KEPT = "03_stream (yours, 2026-12-01 10.31).ipynb"
LINK = re.compile(r"\]\(([^)\s]+)\)")
LESSON = "03_stream.ipynb"


def cell(name: str, source: str, kind: str = "code") -> dict[str, Any]:
    made = {"cell_type": kind, "id": name, "metadata": {}, "source": source}
    return made | ({"execution_count": 1, "outputs": [said(source)]} if kind == "code" else {})


def said(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": [f"stored: {text}"]}


def give(home: Path, name: str, *cells: dict[str, Any]) -> None:
    file = home / "notebooks" / name
    file.write_text(r.dump({"cells": list(cells), "metadata": {}, "nbformat": 4}), "utf-8")


TITLE, FIRST, SECOND = cell("a", "# Stream", "markdown"), cell("b", "x = 1"), cell("c", "print(x)")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Two lessons, a solution, a picture and the pages, as a clone or a wheel has them."""
    home = tmp_path / "한글 수업"
    for folder in ("notebooks/solutions", "notebooks/images", "docs"):
        (home / folder).mkdir(parents=True)
    give(home, LESSON, TITLE, FIRST, SECOND)
    give(home, "04_batch.ipynb", cell("a", "See [all](../docs/errors.md#x)", "markdown"))
    (home / "notebooks" / "solutions" / "03a.py").write_text("x = 2\n", "utf-8")
    (home / "notebooks" / "images" / "way.svg").write_bytes(b"<svg/>")
    for page in copies.PAGES:
        (home / "docs" / page).write_text(f"[03](../notebooks/{LESSON})\n", "utf-8")
    return home


@pytest.fixture
def folder(home: Path) -> Path:
    """The copy, made."""
    done = renew(home)
    assert done == copies.Renewal(made=True, added=done.added)
    assert {*done.added, copies.RECORD} == files(home / copies.FOLDER)
    return home / copies.FOLDER


def renew(home: Path) -> copies.Renewal:
    return copies.renew(home / copies.FOLDER, NOW, home)


def edit(file: Path, change: Callable[[list[dict[str, Any]]], object]) -> bytes:
    """Change the cells of a lesson; gives what is in the file then."""
    notebook = r.load(file)
    change(notebook["cells"])
    file.write_text(r.dump(notebook), "utf-8")
    return file.read_bytes()


def sources(file: Path) -> list[str]:
    return [r.text_of(cell["source"]) for cell in r.load(file)["cells"]]


def files(folder: Path) -> set[str]:
    return {one.relative_to(folder).as_posix() for one in folder.rglob("*") if one.is_file()}


def test_a_copy_has_all_that_a_lesson_needs_and_no_output(folder: Path) -> None:
    lessons = {LESSON, "04_batch.ipynb"}
    beside = {"solutions/03a.py", "images/way.svg", *(f"docs/{page}" for page in copies.PAGES)}
    assert files(folder) == lessons | beside | {copies.RECORD}
    for name in lessons:
        assert not [c for c in run_cells(folder / name) if c["execution_count"] or c["outputs"]]
    assert sources(folder / LESSON) == ["# Stream", "x = 1", "print(x)"]
    assert sources(folder / "04_batch.ipynb") == ["See [all](docs/errors.md#x)"]
    assert (folder / "docs" / "errors.md").read_text("utf-8") == f"[03](../{LESSON})\n"


def run_cells(file: Path) -> list[dict[str, Any]]:
    return list(r.code_cells(r.load(file)))


def test_the_stored_outputs_stay_where_they_were(home: Path, folder: Path) -> None:
    stored = run_cells(home / "notebooks" / LESSON)
    assert [cell["outputs"] for cell in stored] == [[said("x = 1")], [said("print(x)")]]


@pytest.mark.parametrize("left_out", [".ipynb_checkpoints/03_stream.ipynb", "__pycache__/a.pyc"])
def test_left_overs_are_not_given_out(home: Path, left_out: str) -> None:
    file = home / "notebooks" / left_out
    file.parent.mkdir()
    file.write_bytes(b"{}")
    renew(home)
    assert left_out not in files(home / copies.FOLDER)


def test_nothing_new_does_nothing(home: Path, folder: Path) -> None:
    before = {name: (folder / name).read_bytes() for name in files(folder)}
    assert renew(home) == copies.Renewal(made=False)
    assert {name: (folder / name).read_bytes() for name in files(folder)} == before


def run_it(cells: list[dict[str, Any]]) -> None:
    """What JupyterLab does to a lesson that is opened, run to its end and saved."""
    for number, one in enumerate(cells):
        one["metadata"] = {"trusted": True, "scrolled": True}
        if one["cell_type"] == "code":
            one |= {"execution_count": number + 40, "outputs": [said("mine")]}
        one["source"] = one["source"].splitlines(keepends=True)
    cells.append(cell("new", ""))


def test_to_open_run_and_save_a_lesson_is_no_change(home: Path, folder: Path) -> None:
    saved = edit(folder / LESSON, run_it)
    assert renew(home) == copies.Renewal(made=False)
    assert (folder / LESSON).read_bytes() == saved


CHANGES: dict[str, Callable[[list[dict[str, Any]]], object]] = {
    "text": lambda cells: cells[1].update(source="x = 2"),
    "title": lambda cells: cells[0].update(source="# Stream\n\nA note of mine."),
    "type": lambda cells: cells[0].update(cell("a", "# Stream")),
    "order": lambda cells: cells.reverse(),
    "added": lambda cells: cells.append(cell("new", "print('mine')")),
    "taken away": lambda cells: cells.pop(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_lesson_is_never_overwritten_and_the_newer_one_is_offered(
    home: Path, folder: Path, change: Callable[[list[dict[str, Any]]], object]
) -> None:
    theirs = edit(folder / LESSON, change)
    assert renew(home) == copies.Renewal(made=False), "we have nothing newer"
    give(home, LESSON, TITLE, cell("b", "x = 3"), SECOND)
    for _ in range(2):
        assert renew(home) == copies.Renewal(made=False, changed=[LESSON])
        assert (folder / LESSON).read_bytes() == theirs


def test_a_damaged_lesson_is_a_changed_one(home: Path, folder: Path) -> None:
    give(home, LESSON, TITLE)
    for theirs in (b"", b"[1]", b'{"cells": 1}', b'{"cells": [{}]}', b"\xff"):
        (folder / LESSON).write_bytes(theirs)
        assert renew(home).changed == [LESSON]
        assert (folder / LESSON).read_bytes() == theirs


def test_an_unchanged_lesson_is_renewed_and_keeps_the_outputs_of_cells_that_stayed(
    home: Path, folder: Path
) -> None:
    edit(folder / LESSON, run_it)
    (folder / "solutions" / "03a.py").unlink()
    give(home, LESSON, TITLE, FIRST, cell("c", "print(x + 1)"), cell("d", "x"))
    (home / "notebooks" / "images" / "way.svg").write_bytes(b"<svg>new</svg>")
    again = ["solutions/03a.py"]
    assert renew(home) == copies.Renewal(False, again, renewed=[LESSON, "images/way.svg"])
    assert sources(folder / LESSON) == ["# Stream", "x = 1", "print(x + 1)", "x"]
    outputs = [cell["outputs"] for cell in run_cells(folder / LESSON)]
    assert outputs == [[said("mine")], [], []]
    assert (folder / "images" / "way.svg").read_bytes() == b"<svg>new</svg>"
    assert (folder / again[0]).is_file(), "what was deleted is given again"
    assert renew(home) == copies.Renewal(made=False)


def test_to_take_a_change_back_brings_the_newer_version(home: Path, folder: Path) -> None:
    before = (folder / LESSON).read_bytes()
    edit(folder / LESSON, CHANGES["text"])
    give(home, LESSON, TITLE)
    assert renew(home).changed == [LESSON]
    (folder / LESSON).write_bytes(before)
    assert renew(home).renewed == [LESSON]
    assert sources(folder / LESSON) == ["# Stream"]


@pytest.mark.parametrize("record", [None, b"", b"[]"])
def test_without_a_record_nothing_is_taken_for_unchanged(
    home: Path, folder: Path, record: bytes | None
) -> None:
    """As after a stop in the middle of a renewal, which leaves files newer than their record."""
    give(home, "04_batch.ipynb", TITLE)
    file = folder / copies.RECORD
    file.unlink() if record is None else file.write_bytes(record)
    assert renew(home) == copies.Renewal(made=False, changed=["04_batch.ipynb"])
    give(home, LESSON, TITLE)
    assert renew(home).renewed == [LESSON], "it was as it is given out, and is known from then on"


def test_a_lesson_that_is_gone_goes_unless_something_of_theirs_is_in_it(
    home: Path, folder: Path
) -> None:
    for name in ("05_run.ipynb", "06_untouched.ipynb", "07_changed.ipynb", "08_deleted.ipynb"):
        give(home, name, TITLE, FIRST)
    renew(home)
    edit(folder / "05_run.ipynb", run_it)
    edit(folder / "07_changed.ipynb", CHANGES["title"])
    (folder / "08_deleted.ipynb").unlink()
    for file in (home / "notebooks").glob("0[5-8]*"):
        file.unlink()
    kept = {
        "05_run.ipynb": "05_run (yours, 2026-12-01 10.31).ipynb",
        "07_changed.ipynb": "07_changed (yours, 2026-12-01 10.31).ipynb",
    }
    assert renew(home) == copies.Renewal(made=False, kept=kept)
    assert {name for name in files(folder) if name[:2] > "04" and name[0] == "0"} == {
        *kept.values()
    }
    (folder / "05_run.ipynb").write_bytes(b"one of their own")
    assert renew(home) == copies.Renewal(made=False)


def test_files_of_their_own_are_left_alone(home: Path, folder: Path) -> None:
    (folder / "99_mine.ipynb").write_bytes(b"mine")
    give(home, LESSON, TITLE)
    renew(home)
    copies.reset(folder, "03", NOW, home)
    assert (folder / "99_mine.ipynb").read_bytes() == b"mine"


@pytest.mark.parametrize("lesson", ["03", "3", LESSON])
def test_reset_brings_a_lesson_back_and_keeps_theirs_beside_it(
    home: Path, folder: Path, lesson: str
) -> None:
    fresh = (folder / LESSON).read_bytes()
    theirs = [edit(folder / LESSON, CHANGES["text"])]
    assert copies.reset(folder, lesson, NOW, home) == {LESSON: KEPT}
    theirs.append(edit(folder / LESSON, CHANGES["title"]))
    second = KEPT.replace("10.31", "10.31, 2")
    assert copies.reset(folder, lesson, NOW, home) == {LESSON: second}, "in the same minute"
    assert (folder / LESSON).read_bytes() == fresh
    assert [(folder / name).read_bytes() for name in (KEPT, second)] == theirs
    assert renew(home) == copies.Renewal(made=False)


def test_reset_brings_the_newer_version_with_its_solutions(home: Path, folder: Path) -> None:
    edit(folder / LESSON, CHANGES["text"])
    (folder / "solutions" / "03a.py").write_bytes(b"mine")
    give(home, LESSON, TITLE)
    (home / "notebooks" / "solutions" / "03a.py").write_bytes(b"x = 3\n")
    assert renew(home).changed == [LESSON, "solutions/03a.py"]
    kept = {LESSON: KEPT, "solutions/03a.py": "03a (yours, 2026-12-01 10.31).py"}
    assert copies.reset(folder, "03", NOW, home) == kept
    assert sources(folder / LESSON) == ["# Stream"]
    assert (folder / "solutions" / "03a.py").read_bytes() == b"x = 3\n"
    assert (folder / "solutions" / kept["solutions/03a.py"]).read_bytes() == b"mine"
    edit(folder / LESSON, CHANGES["title"])
    assert renew(home) == copies.Renewal(made=False), "what they change now is the newest version"


def test_reset_of_what_nobody_changed_keeps_nothing(home: Path, folder: Path) -> None:
    before = files(folder)
    assert copies.reset(folder, "03", NOW, home) == {}
    (folder / LESSON).unlink()
    assert copies.reset(folder, "03", NOW, home) == {}
    assert files(folder) == before


def test_reset_keeps_the_outputs_of_a_run(home: Path, folder: Path) -> None:
    run = edit(folder / LESSON, run_it)
    assert copies.reset(folder, "03", NOW, home) == {LESSON: KEPT}
    assert (folder / KEPT).read_bytes() == run


def test_a_page_is_brought_back_by_its_name(home: Path, folder: Path) -> None:
    (folder / "docs" / "glossary.md").write_bytes(b"mine")
    kept = copies.reset(folder, "docs/glossary.md", NOW, home)
    assert kept == {"docs/glossary.md": "glossary (yours, 2026-12-01 10.31).md"}


@pytest.mark.parametrize("lesson", ["99", "stream", "", "٣"])
def test_an_unknown_lesson_is_named_with_those_there_are(
    home: Path, folder: Path, lesson: str
) -> None:
    with pytest.raises(InputError, match=r"The lessons are 03, 04\.$") as caught:
        copies.reset(folder, lesson, NOW, home)
    assert repr(lesson) in str(caught.value)


def test_a_file_is_written_whole_or_not_at_all(
    home: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(home, LESSON, TITLE)
    before = (folder / LESSON).read_bytes()

    def full(self: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="No space"):
            renew(home)
    assert (folder / LESSON).read_bytes() == before
    assert renew(home).renewed == [LESSON]


@pytest.fixture
def at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The command's folder; it gives out the lessons of ``home``."""
    monkeypatch.chdir(home)
    monkeypatch.setattr(copies.renew, "__defaults__", (home,))
    monkeypatch.setattr(copies.reset, "__defaults__", (home,))
    return home


def test_the_command_says_what_it_did(at_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def told(*words: str, code: int = 0) -> str:
        assert command.main(list(words)) == code
        out, err = capsys.readouterr()
        return out if code == 0 else err

    folder = at_home / copies.FOLDER
    assert told() == "Your own copy of the lessons is in my_lessons.\n"
    assert told() == ""
    edit(folder / LESSON, CHANGES["text"])
    for name in (LESSON, "04_batch.ipynb"):
        give(at_home, name, TITLE)
    newer = told()
    assert "Renewed, because you had not changed them: 04_batch.ipynb.\n" in newer
    assert f"There is a newer version of: {LESSON}.\n  You have changed yours" in newer
    assert newer.endswith("yours beside it: python start.py reset 03\n")
    reset = told("reset", "03", "04")
    assert f"{LESSON} is back as it was. Yours is kept beside it as '03_stream (yours, 2" in reset
    assert reset.endswith("You have not changed lesson 04: there is nothing to bring back.\n")
    assert told() == ""
    assert "There is no lesson '7'" in told("reset", "7", code=2)
    give(at_home, "05_new.ipynb", TITLE)
    assert told() == "New: 05_new.ipynb.\n"
    (at_home / "notebooks" / "04_batch.ipynb").unlink()
    edit(folder / "04_batch.ipynb", CHANGES["added"])
    assert "04_batch.ipynb is no longer one of the lessons. Yours is kept as '04_batch (y" in told()
    shutil.rmtree(folder)
    folder.write_bytes(b"a file in its place")
    assert "What to do: " in told(code=1)
    assert folder.read_bytes() == b"a file in its place"


def test_reset_without_a_lesson_shows_how(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["reset"])
    assert "python start.py reset 03" in capsys.readouterr().err


@pytest.mark.process
@pytest.mark.parametrize("packed", [False, True], ids=["clone", "wheel"])
def test_the_real_lessons_are_whole_in_a_copy_of_their_own(tmp_path: Path, packed: bool) -> None:
    """Each link and each solution that a lesson names is in the copy, from a clone and a wheel."""
    place = tmp_path / "내 수업 folder"
    package = place / "holysheep_helpers"
    shutil.copytree(ROOT / "holysheep_helpers", package)
    home = package / "lessons" / "course" if packed else place
    for name in ("notebooks", "docs"):
        shutil.copytree(ROOT / name, home / name)
    work = tmp_path / "another 곳"
    work.mkdir()
    run = [sys.executable, "-m", "holysheep_helpers.lessons"]
    env = ENV | {"PYTHONPATH": str(place)}
    done = subprocess.run(run, cwd=work, env=env, capture_output=True, encoding="utf-8", timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    mine = work / copies.FOLDER
    lessons = sorted(mine.glob("*.ipynb"))
    assert [file.name for file in lessons] == [f.name for f in sorted(r.NOTEBOOKS.glob("*.ipynb"))]
    assert not [file for file in lessons if b'"output_type"' in file.read_bytes()]
    for file in [*lessons, *(mine / "docs").glob("*.md")]:
        text = file.read_text("utf-8")
        links = {unquote(link.partition("#")[0]) for link in LINK.findall(text) if ":" not in link}
        loaded = {f"solutions/{name}" for name in re.findall(r"%load solutions/(\w+\.py)", text)}
        beside = {name for name in links | loaded if name}
        assert beside or file.suffix == ".md"
        assert [name for name in beside if not (file.parent / name).is_file()] == []
        assert all((file.parent / name).resolve().is_relative_to(mine.resolve()) for name in beside)
