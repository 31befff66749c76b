"""What the pages for teachers and Korean readers say of the lessons is what the lessons say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.notebooks.test_notebooks import FILES, every_notebook, markdown
from tests.support.project import ROOT
from tests.support.prose import pieces
from tools import pictures

QUOTE = re.compile(r"\*([^*]+)\*")
PARTS = re.compile(r" ?\.\.\. ?| venv / ensurepip|Python 3\.11 ")
"""What stands for any text in a quoted message, or is filled in."""
SECURITY = (ROOT / "docs" / "security.md").read_text("utf-8")


TEACHING = (ROOT / "docs" / "teaching.md").read_text("utf-8")


AGENDA = re.compile(r"^\| (\d+) \| (\d\d) \|(.*)\|$", re.MULTILINE)


TIME = re.compile(r"\*\*Time:\*\* (\d+) minutes(?:, and (\d+) more)?")


def minutes(file: Path) -> tuple[int, int]:
    """What the lesson says that it takes, and what "Go further" takes."""
    found = TIME.search(markdown(file)[0])
    assert found, file
    return int(found[1]), int(found[2] or 0)


LESSONS = {file.stem[:2]: file for file in FILES}


@pytest.mark.parametrize("row", AGENDA.findall(TEACHING), ids=lambda row: f"{row[1]}-{row[0]}")
def test_an_agenda_has_the_times_of_the_lessons(row: tuple[str, str, str]) -> None:
    stated, lesson, note = row
    usual, further = minutes(LESSONS[lesson])
    assert int(stated) == usual + (further if note.strip().startswith("with ") else 0)


def test_two_days_have_every_lesson_in_order() -> None:
    days = TEACHING.split("## Two days")[1].split("## The evening before")[0]
    assert [lesson for _, lesson, _ in AGENDA.findall(days)] == list(LESSONS)


@every_notebook
def test_teachers_are_told_what_goes_wrong_at_each_step(file: Path) -> None:
    rows = TEACHING.split(f"### {file.stem[:2]} ")[1].split("###")[0]
    told = {int(step) for step in re.findall(r"^\| (\d+) \|", rows, re.MULTILINE)}
    steps = re.findall(r"^## Step (\d+)", "\n".join(markdown(file)), re.MULTILINE)
    assert told == set(map(int, steps))


def test_korean_readers_find_every_lesson_and_both_commands() -> None:
    korean = (ROOT / "README.ko.md").read_text("utf-8")
    assert re.findall(r"\]\(notebooks/(\S+)\)", korean) == [file.name for file in FILES]
    assert "\npython start.py\n" in korean
    assert "\npython start.py test\n" in korean


@pytest.mark.parametrize(
    "row", [line for line in SECURITY.splitlines() if line.startswith("| ") and "::" in line]
)
def test_each_test_that_the_security_page_names_is_there(row: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
    assert len(named) == row.count("::") > 0
    for file, test in named:
        text = (ROOT / file).read_text("utf-8")
        assert re.search(rf"^ *(async )?def {test}\(", text, re.MULTILINE), test


def test_the_security_page_has_no_promise_without_a_test_and_is_found() -> None:
    for table in SECURITY.split("| promise | test |\n|---|---|\n")[1:]:
        rows = table.split("\n\n")[0].splitlines()
        assert [row for row in rows if "::test_" not in row] == []
    for page in ("README.md", "SECURITY.md"):
        assert "(docs/security.md)" in (ROOT / page).read_text("utf-8")


def test_the_readmes_figure_is_the_lessons() -> None:
    assert pictures.FIGURE.read_bytes() == pictures.figure(), "python tools/pictures.py --figure"
    readme = (ROOT / "README.md").read_text("utf-8")
    assert f"a figure of lesson {int(pictures.FIGURE_LESSON[:2])} " in readme
    assert f"a panel of lesson {int(pictures.PANEL_LESSON[:2])}, " in readme


def test_the_readme_quotes_messages_that_are_in_the_code() -> None:
    rows = (ROOT / "README.md").read_text("utf-8").split("| you see | what to do |\n|---|---|\n")[1]
    seen = [row.split(" | ")[0] for row in rows.split("\n\n")[0].splitlines()]
    quoted = {part for row in seen for quote in QUOTE.findall(row) for part in PARTS.split(quote)}
    ours = ROOT / "holysheep_helpers"
    files = [ROOT / "start.py", *(ROOT / "tools" / "offline").glob("*.py")]
    files += [*ours.rglob("*.py"), *ours.rglob("*.toml")]
    said = "\n".join(piece.text for file in files for piece in pieces(file)).lower()
    missing = {part for part in quoted if part and part.lower() not in said}
    assert missing == {"Starting", "Error displaying widget"}  # these are JupyterLab's
