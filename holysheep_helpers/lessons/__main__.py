"""``python -m holysheep_helpers.lessons``: the learner's own copy of the lessons.

    python -m holysheep_helpers.lessons             make my_lessons in this folder, or renew it
    python -m holysheep_helpers.lessons reset 03    bring lesson 3 back, and keep yours beside it

It is what ``python start.py`` and ``python start.py reset 03`` run in the project's folder.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from holysheep_helpers.exceptions import InputError
from holysheep_helpers.lessons import copies

STARTED = (copies.HOME / "start.py").is_file()
RESET = f"python {'start.py' if STARTED else '-m holysheep_helpers.lessons'} reset"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("holysheep_helpers.lessons", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "task", nargs="?", choices=["reset"], help="nothing: make or renew the copy"
    )
    parser.add_argument("lessons", nargs="*", help="the numbers of the lessons to bring back")
    given = parser.parse_args(argv)
    if given.task and not given.lessons:
        parser.error(f"name the lesson to bring back, for example: {RESET} 03")
    folder, now = Path(copies.FOLDER), datetime.now().astimezone()
    try:
        if given.task:
            for lesson in given.lessons:
                _say(_reset(lesson, copies.reset(folder, lesson, now)))
        else:
            _say(_renewed(copies.renew(folder, now)))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(
            f"The copy of the lessons in {folder.absolute()} could not be written: {error}.\n"
            "  What to do: see that this folder is yours and that the disk is not full. Close what "
            "holds the file open, and run it again; what you changed is still there.",
            file=sys.stderr,
        )
        return 1
    return 0


def _say(lines: Iterator[str]) -> None:
    for line in lines:
        print(line, flush=True)


def _renewed(done: copies.Renewal) -> Iterator[str]:
    if done.made:
        yield f"Your own copy of the lessons is in {copies.FOLDER}."
    elif added := _lessons(done.added):
        yield f"New: {added}."
    for old, new in done.kept.items():
        yield f"{old} is no longer one of the lessons. Yours is kept as {new!r}."
    if renewed := _lessons(done.renewed):
        yield f"Renewed, because you had not changed them: {renewed}."
    if done.changed:
        words = " ".join(dict.fromkeys(map(copies.called, done.changed)))
        yield f"There is a newer version of: {', '.join(done.changed)}."
        yield "  You have changed yours, so it stays as it is. To get the newer version, and keep"
        yield f"  yours beside it: {RESET} {words}"


def _lessons(names: list[str]) -> str:
    return ", ".join(name for name in names if name.endswith(".ipynb"))


def _reset(lesson: str, kept: copies.Kept) -> Iterator[str]:
    for old, new in kept.items():
        yield f"{old} is back as it was. Yours is kept beside it as {new!r}."
    if kept:
        yield "If it is open in JupyterLab: File, Reload Notebook from Disk."
    else:
        yield f"You have not changed lesson {lesson}: there is nothing to bring back."


if __name__ == "__main__":
    sys.exit(main())
