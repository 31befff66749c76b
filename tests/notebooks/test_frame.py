"""All lessons in one frame: the same headings in the same order, the same words, one index."""

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.notebooks.test_notebooks import FILES, every_notebook, exercises
from tests.support.project import ROOT
from tests.support.prose import CODE, GENERATED, blank
from tools import course
from tools import notebooks as r

HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
STEP = re.compile(r"Step (\d+): \S")
CALLS = re.compile(r"USD in (\d+) calls?(?:, and up to \S+ USD more for (\d+) calls?)?")
FINDING = re.compile(r"\*\*(.+?)\*\*")
LIVE_ONLY = "**What to see:** *MOCK* is free; with *LIVE*, calls cost money."
KEYBOARD = "By keyboard: **Tab** moves on"
WITHOUT = "The same without widgets: change the values and run the cell."
YOUR_TURN = (
    '## Your turn\n\nHelp: `hs.hint("{0}a")`. Solution: `%load solutions/{0}a.py`.\n\n**{0}a.** '
)
QUESTION = re.compile(
    r"\*\*Question:\*\* [^\n]+\?\n\n<details><summary>Answer</summary>\n\n.+\n\n</details>",
    re.DOTALL,
)
TABLE = re.compile(r"^\|.*$", re.MULTILINE)
PARENTHESIS = re.compile(r"\([^()]*[A-Za-z][^()]*\)")
LESSONS = FILES[1:]
every_lesson = pytest.mark.parametrize("file", LESSONS, ids=lambda file: file.stem)


def cells(file: Path) -> list[tuple[str, str]]:
    """Kind and text of each cell but the folded one that installs on a hosted notebook."""
    found = r.load(file)["cells"]
    return [
        (cell["cell_type"], r.text_of(cell["source"]))
        for cell in found
        if cell["id"] != f"{file.name[:2]}-colab"
    ]


def texts(file: Path) -> list[str]:
    return [text for kind, text in cells(file) if kind == "markdown"]


def headings(file: Path) -> list[str]:
    return [heading for text in texts(file) for heading in HEADING.findall(text)]


def outputs(file: Path) -> str:
    """All that the stored cells printed, or gave as plain text."""
    found = []
    for cell in r.code_cells(r.load(file)):
        for output in cell["outputs"]:
            found.append(r.text_of(output.get("text", "")))
            found.append(r.text_of(output.get("data", {}).get("text/plain", "")))
    return "\n".join(found)


@every_notebook
def test_it_opens_with_a_promise_and_four_lines(file: Path) -> None:
    opening = texts(file)[0]
    title, promise, lines, stored, nav = opening.split("\n\n")
    assert re.fullmatch(r"# [A-Z][a-z ]+: .+", title)
    assert promise.endswith(".")
    assert [line.partition("**")[2].partition("**")[0] for line in lines.splitlines()] == [
        "You will be able to",
        "You need",
        "Time:",
        "Cost live:",
    ]
    assert stored == f"<!-- nav -->\n{course.STORED}"
    assert nav.endswith("\n<!-- /nav -->")


@every_notebook
def test_it_is_as_short_as_a_lesson_may_be(file: Path) -> None:
    lesson = course.lessons()[FILES.index(file)]
    assert lesson.minutes <= 30
    assert lesson.words <= 1500
    assert lesson.more_words <= 500


@every_notebook
def test_headings_stand_in_order_and_steps_without_a_gap(file: Path) -> None:
    found = headings(file)
    steps = [int(match[1]) for heading in found if (match := STEP.match(heading))]
    assert steps == list(range(1, len(steps) + 1))
    assert len(steps) >= 2
    before = ["The lessons", "How a lesson works"] if file == FILES[0] else []
    further = ["Go further"] if course.lessons()[FILES.index(file)].more_minutes else []
    after = ["Turn the knobs", "Your turn", *further, "What this lesson spent"]
    rest = [heading for heading in found if not STEP.match(heading)]
    assert rest == [*before, *(after if file != FILES[0] else []), "Three lines to remember"]
    first = len(before)
    assert all(STEP.match(heading) for heading in found[first : first + len(steps)])


@every_notebook
def test_a_heading_begins_its_cell(file: Path) -> None:
    for text in texts(file)[1:]:
        assert len(re.findall(r"^#+ ", re.sub(r"```.*?```", "", text, flags=re.S), re.M)) <= 1
        assert "\n## " not in text


@every_lesson
def test_the_card_comes_first_and_what_to_see_after_it(file: Path) -> None:
    (one, _), (two, card), (three, see) = cells(file)[:3]
    assert (one, two, three) == ("markdown", "code", "markdown")
    assert card == "import holysheep_helpers as hs\n\ngw = hs.connect()\ngw"
    assert see.startswith("**What to see:** *MOCK*" if file == LESSONS[0] else LIVE_ONLY)


@every_lesson
def test_it_has_a_trap_a_guess_and_the_panel_with_its_cell(file: Path) -> None:
    assert any(re.search(r"\btraps?\b", heading) for heading in headings(file))
    whole = "\n".join(texts(file))
    assert "**Guess first:**" in whole or "**Before you run" in whole
    (knobs,) = [text for text in texts(file) if text.startswith("## Turn the knobs\n")]
    assert KEYBOARD not in knobs
    place = [text for _, text in cells(file)].index(knobs)
    assert re.match(r"panel = hs\.\w+\(.*\)\npanel$", cells(file)[place + 1][1])
    assert cells(file)[place + 2][1].startswith(WITHOUT)


@every_lesson
def test_exercises_are_asked_in_the_same_words(file: Path) -> None:
    number = file.name[:2]
    (asked,) = [text for text in texts(file) if text.startswith("## Your turn\n")]
    assert asked.startswith(YOUR_TURN.format(number))
    whole = "\n".join(texts(file))
    assert re.findall(r"^\*\*(\d\d[a-z])\.\*\* ", whole, re.MULTILINE) == sorted(exercises(file))
    assert 2 <= len(exercises(file)) <= 3


@every_lesson
def test_code_is_written_in_an_exercise(file: Path) -> None:
    number = file.name[:2]
    assert re.search(rf"^\*\*{number}[a-z]\.\*\* Write ", "\n".join(texts(file)), re.MULTILINE)


@every_lesson
def test_a_step_has_a_question_with_its_answer_folded_below(file: Path) -> None:
    asked = [text for text in texts(file) if "**Question:**" in text]
    assert asked
    assert [text for text in asked if not QUESTION.fullmatch(text)] == []
    assert sum("<details>" in text for text in texts(file)) == len(asked)


@every_notebook
def test_a_cell_has_one_parenthesis_at_most(file: Path) -> None:
    found = {}
    for cell in r.load(file)["cells"]:
        text = r.text_of(cell["source"])
        if cell["cell_type"] == "markdown":
            prose = TABLE.sub("", blank(CODE, GENERATED.sub("", text)))
            found[cell["id"]] = PARENTHESIS.findall(prose)
    assert {cell: those for cell, those in found.items() if len(those) > 1} == {}


def test_lesson_0_explains_the_parts_that_the_others_only_name() -> None:
    (parts,) = [text for text in texts(FILES[0]) if text.startswith("## How a lesson works\n")]
    for part in (KEYBOARD, "**MOCK**", "*Guess first*", "*Turn the knobs*", "`hs.check`", "%load"):
        assert part in parts


@every_notebook
def test_it_closes_with_three_lines_live_and_the_way_on(file: Path) -> None:
    heading, lines, live, nav = texts(file)[-1].split("\n\n")
    assert heading == "## Three lines to remember"
    assert re.findall(r"^(\d)\. ", lines, re.MULTILINE) == ["1", "2", "3"]
    assert live.startswith("**Live:** ")
    assert nav.startswith("<!-- nav -->\n")
    assert nav.endswith("\n<!-- /nav -->")


@every_lesson
def test_what_it_says_it_sends_live_is_what_it_sent(file: Path) -> None:
    lesson = course.lessons()[FILES.index(file)]
    certain, possible = CALLS.findall(outputs(file))[-1]
    assert int(certain) + int(possible or 0) == lesson.calls


def test_each_figure_of_the_index_stands_in_its_lesson() -> None:
    for lesson in course.lessons():
        figures = FINDING.findall(lesson.proves)
        assert figures, lesson.name
        printed = outputs(lesson.file)
        for figure in figures:
            amount, _, unit = figure.partition(" ")
            number = rf"(?<![\d.,]){re.escape(amount)}(?![\d]|[.,]\d)"
            assert re.search(number, printed), (lesson.name, figure)
            assert not unit or unit in printed, (lesson.name, figure)


def test_lesson_0_asks_and_the_readme_answers() -> None:
    (index,) = [text for text in texts(FILES[0]) if "<!-- lessons -->" in text]
    readme = (ROOT / "README.md").read_text("utf-8")
    for lesson in course.lessons()[1:]:
        assert f"| {lesson.asks} |" in index
        assert lesson.asks.endswith("?")
        assert [figure for figure in FINDING.findall(lesson.proves) if figure not in lesson.asks]
        assert f"| {lesson.proves} |" in readme


def test_the_index_the_way_on_and_the_readme_are_current() -> None:
    changed = [
        file.name
        for file, text in course.written(course.lessons()).items()
        if file.read_bytes() != text.encode("utf-8")
    ]
    assert changed == [], "python tools/course.py"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The lessons and what the course is told of them, to be spoilt."""
    for name in ("notebooks", "docs"):
        (tmp_path / name).mkdir()
    for file in (*FILES, ROOT / "docs" / "course.toml", ROOT / "README.md"):
        shutil.copy(file, tmp_path / file.relative_to(ROOT))
    return tmp_path


def spoil(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8", newline="\n")


def test_another_time_reaches_every_table(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert course.main(["--check"], copied) == 0
    spoil(copied / "docs" / "course.toml", "run_s = 14\n", "run_s = 6014\n")  # 07's: 100 minutes
    assert course.main(["--check"], copied) == 1
    told = capsys.readouterr().out
    assert re.findall(r"DIFFERS  (\S+)", told) == [
        "notebooks/00_start_here.ipynb",
        "notebooks/07_errors.ipynb",
        "README.md",
    ]
    assert course.main([], copied) == 0
    assert course.main(["--check"], copied) == 0
    start = "".join(
        json.loads((copied / "notebooks" / "00_start_here.ipynb").read_text("utf-8"))["cells"][1][
            "source"
        ]
    )
    minutes = course.lessons(copied)[7].minutes
    assert minutes > 100
    assert f"| {minutes} minutes, and 5 more |" in start
    assert f"| {minutes} minutes, and 5 more |" in (copied / "README.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("notebooks/07_errors.ipynb", "- **Time:** ", "- **Time:** about ", "first cell"),
        ("notebooks/08_retries.ipynb", "**Cost live:** 3 calls", "**Cost live:** little", "first"),
        ("notebooks/07_errors.ipynb", "<!-- /nav -->", "", "needed, once, in order"),
        ("README.md", "<!-- lessons -->", "", "README.md: the lines <!-- lessons -->"),
        ("docs/course.toml", "[07_errors]", "[07_mistakes]", "describes 00_start_here"),
        ("docs/course.toml", "proves = ", "shows = ", "proves, run_s and panel_words are"),
    ],
)
def test_what_is_missing_is_named(
    copied: Path, capsys: pytest.CaptureFixture[str], name: str, old: str, new: str, said: str
) -> None:
    spoil(copied / name, old, new)
    assert course.main([], copied) == 1
    assert said in capsys.readouterr().out
