"""Writes what lessons say of each other: the way from one to the next, the index, the table.

    python tools/course.py            write it where it has changed
    python tools/course.py --check    write nothing; exit 1 if a file would change

Titles and costs are read from each lesson's first cell, the rest from docs/course.toml. Times are
estimates: words at 120 a minute, the measured run, four minutes an exercise, rounded up to five.
Only a lesson's time is written, and what is between marks: ``<!-- nav -->`` and
``<!-- /nav -->`` in a lesson's first and last text, ``<!-- lessons -->`` and
``<!-- /lessons -->`` in lesson 00 and in README.md.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TITLE = re.compile(r"\A# (.+?)\n")
TIME = re.compile(
    r'^- \*\*Time:\*\* (\d+) minutes(?:, and (\d+) more for "Go further")?\.', re.MULTILINE
)
WORDS_A_MINUTE, EXERCISE_MINUTES, STEP_MINUTES = 120, 4, 5
EXERCISE = re.compile(r"^\*\*\d\d[a-z]\.\*\* ", re.MULTILINE)
NOT_READ = re.compile(r"<!-- nav -->.*?<!-- /nav -->|<!--.*?-->|\]\([^)]*\)|[|*#`_-]", re.DOTALL)
"""Links' addresses, comments, the way on, and the marks of Markdown."""
COST = re.compile(
    r"^- \*\*Cost live:\*\* (?:nothing|(\d+) calls?, usually under 0\.01 USD)\b", re.MULTILINE
)


class CourseError(Exception):
    """A lesson or docs/course.toml lacks what is needed: which file, and what is expected."""


@dataclass(frozen=True)
class Lesson:
    """A lesson as its first cell and docs/course.toml describe it.

    ``minutes`` is its time and ``more_minutes`` that of "Go further" (0 if there is none), and
    ``words`` and ``more_words`` are what is read in them; ``calls`` is how many requests it sends
    live, from top to bottom, and ``run_s`` how long all its cells take. ``words`` has those of the
    panel in it.
    """

    file: Path
    title: str
    words: int
    more_words: int
    exercises: int
    calls: int
    does: str
    asks: str
    proves: str
    run_s: int
    panel_words: int

    @property
    def name(self) -> str:
        """The number and the short name: ``04 Batch``."""
        return f"{self.file.name[:2]} {self.title.partition(':')[0]}"

    @property
    def minutes(self) -> int:
        read = self.words / WORDS_A_MINUTE + self.exercises * EXERCISE_MINUTES
        return _rounded_up(read + self.run_s / 60)

    @property
    def more_minutes(self) -> int:
        return _rounded_up(self.more_words / WORDS_A_MINUTE)

    @property
    def time(self) -> str:
        more = f", and {self.more_minutes} more" if self.more_minutes else ""
        return f"{self.minutes} minutes{more}"

    def link(self, folder: str = "", *, whole: bool = False) -> str:
        """A link in Markdown from a file beside ``folder``; ``whole``: with the whole title."""
        text = f"{self.file.name[:2]} {self.title}" if whole else self.name
        return f"[{text}]({folder}{self.file.name})"


def read_notebook(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text("utf-8"))


def text_of(cell: dict[str, Any]) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def lessons(root: Path = ROOT) -> list[Lesson]:
    """All lessons in their order. Raises ``CourseError`` if one lacks a line, or docs/ a lesson."""
    settings = root / "docs" / "course.toml"
    told = tomllib.loads(settings.read_text("utf-8"))
    files = sorted((root / "notebooks").glob("*.ipynb"))
    if sorted(told) != [file.stem for file in files]:
        raise CourseError(
            f"{settings.name} describes {', '.join(sorted(told))}; the lessons are "
            f"{', '.join(file.stem for file in files)}. Each needs a table: does, asks, proves."
        )
    return [_lesson(file, told[file.stem]) for file in files]


def _rounded_up(minutes: float) -> int:
    return STEP_MINUTES * ceil(minutes / STEP_MINUTES)


def words(text: str) -> int:
    """How many words of a Markdown text are read."""
    return len(NOT_READ.sub(" ", text).split())


def _lesson(file: Path, told: dict[str, Any]) -> Lesson:
    if sorted(told) != ["asks", "does", "panel_words", "proves", "run_s"]:
        raise CourseError(
            f"course.toml, [{file.stem}]: does, asks, proves, run_s and panel_words are needed, "
            "no more."
        )
    texts = [
        text_of(cell) for cell in read_notebook(file)["cells"] if cell["cell_type"] == "markdown"
    ]
    first, whole = texts[0], "\n\n".join(texts)
    further = re.search(r"^## Go further\n.*?(?=^## What)", whole, re.MULTILINE | re.DOTALL)
    more_words = words(further[0]) if further else 0
    title, time, cost = TITLE.search(first), TIME.search(first), COST.search(first)
    if not title or not time or not cost:
        raise CourseError(
            f"{file.name}, first cell: three lines are needed, '# Name: what it does', "
            "'- **Time:** 25 minutes.' (or 'minutes, and 15 more for \"Go further\".') and "
            "'- **Cost live:** 12 calls, usually under 0.01 USD' (or 'nothing')."
        )
    exercises = len(EXERCISE.findall(whole))
    read = words(whole) - more_words + told["panel_words"]
    return Lesson(file, title[1], read, more_words, exercises, int(cost[1] or 0), **told)


STORED = (
    "If there are outputs below the cells already, choose *Edit → Clear Outputs of All Cells*: "
    "they show the answers."
)
"""For those who did not open a copy."""


def navigation(course: Sequence[Lesson], number: int, *, closing: bool) -> str:
    """The line that leads on; the last cell names the next lesson by its whole title."""
    start, links = course[0], []
    if number > 1:
        links.append(f"**Previous:** {course[number - 1].link()}")
    if number > 0:
        links.append(f"**Start:** {start.link()}")
    if number + 1 < len(course):
        links.append(f"**Next:** {course[number + 1].link(whole=closing)}")
    return ("" if closing else f"{STORED}\n\n") + " · ".join(links)


def table(course: Sequence[Lesson], folder: str = "", *, answers: bool = False) -> str:
    """The index, with the time of all lessons below it. ``folder`` comes before each link.

    ``answers`` says what each lesson proves, where it stands otherwise what it asks.
    """
    lines = [
        f"| lesson | what you will do | {'what it proves' if answers else 'what it asks'} | time |",
        "|---|---|---|---|",
    ]
    for one in course:
        finding = one.proves if answers else one.asks
        lines.append(f"| {one.link(folder)} | {one.does} | {finding} | {one.time} |")
    all_of_it, more = (sum(getattr(one, name) for one in course) for name in TIMES)
    return "\n".join(
        [*lines, "", f'In all {_hours(all_of_it)}, and {_hours(more)} more for "Go further".']
    )


TIMES = ("minutes", "more_minutes")


def _hours(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    parts = [f"{hours} hour{'s' * (hours != 1)}"] if hours else []
    return " ".join([*parts, f"{rest} minutes"] if rest or not hours else parts)


def between(text: str, mark: str, new: str, where: str) -> str:
    """``text`` with ``new`` between the marks, which must be in it once (``CourseError``)."""
    begins, ends = f"<!-- {mark} -->\n", f"<!-- /{mark} -->"
    if text.count(begins) != 1 or text.count(ends) != 1 or text.index(begins) > text.index(ends):
        raise CourseError(
            f"{where}: the lines {begins.strip()} and {ends} are needed, once, in order."
        )
    before, _, rest = text.partition(begins)
    return f"{before}{begins}{new}\n{ends}{rest.partition(ends)[2]}"


def written(course: Sequence[Lesson], root: Path = ROOT) -> dict[Path, str]:
    """Each file that the course writes into, as it should be."""
    files: dict[Path, str] = {}
    for number, lesson in enumerate(course):
        notebook = read_notebook(lesson.file)
        texts = [cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
        for cell, closing in ((texts[0], False), (texts[-1], True)):
            line = navigation(course, number, closing=closing)
            _put(cell, "nav", line, lesson.file)
        more = f', and {lesson.more_minutes} more for "Go further"' * bool(lesson.more_minutes)
        timed = TIME.sub(f"- **Time:** {lesson.minutes} minutes{more}.", text_of(texts[0]))
        texts[0]["source"] = timed.splitlines(keepends=True)
        if number == 0:
            (index,) = (cell for cell in texts if "<!-- lessons -->" in text_of(cell))
            _put(index, "lessons", table(course[1:]), lesson.file)
        files[lesson.file] = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    readme = root / "README.md"
    new = table(course, "notebooks/", answers=True)
    files[readme] = between(readme.read_text("utf-8"), "lessons", new, readme.name)
    return files


def _put(cell: dict[str, Any], mark: str, new: str, file: Path) -> None:
    where = f"{file.name}, cell {cell['id']}"
    cell["source"] = between(text_of(cell), mark, new, where).splitlines(keepends=True)


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser("course.py", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 on a change")
    given = parser.parse_args(arguments)
    try:
        files = written(lessons(root), root)
    except CourseError as error:
        print(error)
        return 1
    changed = [file for file, text in files.items() if file.read_bytes() != text.encode("utf-8")]
    for file in changed:
        if not given.check:
            file.write_text(files[file], "utf-8", newline="\n")
        print(f"{'DIFFERS' if given.check else 'written'}  {file.relative_to(root).as_posix()}")
    if changed and given.check:
        print("What to do: python tools/course.py")
    return 1 if changed and given.check else 0


if __name__ == "__main__":
    sys.exit(main())
