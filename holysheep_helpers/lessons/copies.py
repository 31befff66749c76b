"""The learner's own copy of the lessons: without outputs, renewed, and never overwritten.

A copy has all that its lessons need beside them: solutions, pictures, and the two pages of ``docs``
that they link to. Its record says, for each file, what was given out. So what the learner changed
is distinguished from what changed in a newer version:

- A lesson counts as changed when a cell's text or type is another one, or a cell was added, moved
  or taken away. To open, run or save a lesson is no change: outputs, numbers, metadata and ids do
  not count, nor do empty cells, which JupyterLab adds below the last one.
- A file that the learner did not change is renewed. Each cell of a lesson that is still the same
  stays as it is, with the output of the learner's own run.
- A file that the learner changed stays. ``reset`` brings it back and keeps the old one beside it.
- A file that is no longer part of the lessons is taken away if the learner neither changed nor ran
  it. Otherwise it gets the name of one that was kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, count
from pathlib import Path
from typing import Any

from holysheep_helpers._checks import shown
from holysheep_helpers.exceptions import InputError

FOLDER = "my_lessons"
RECORD = ".copied.json"
PAGES = ("errors.md", "glossary.md")
_PACKED = Path(__file__).parent / "course"  # in a wheel
HOME = _PACKED if _PACKED.is_dir() else Path(__file__).parents[2]
"""The folder of the lessons that are given out: ``notebooks`` and ``docs`` are in it."""

Kept = dict[str, str]
"""The new name of each file that was kept beside a fresh one, by its old name."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """What ``renew`` did, as names of files; ``made``: there was no copy before.

    For those that the learner ``changed``, there is a newer version. ``kept`` are those that are no
    longer part of the lessons.
    """

    made: bool
    added: list[str] = field(default_factory=list)
    renewed: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    kept: Kept = field(default_factory=dict)


def renew(folder: Path, now: datetime, home: Path = HOME) -> Renewal:
    """Make the copy, or bring it up to date without touching what the learner changed.

    Args:
        folder: the copy; it is made if it is not there.
        now: the time for the name of a file that is kept.
        home: the folder with the lessons that are given out.

    Returns:
        Which files were renewed, which are on offer, and which were kept under another name.

    Raises:
        OSError: a file can't be read or written.
    """
    record, fresh = _read(folder / RECORD), _fresh(home)
    done = Renewal(made=not folder.is_dir())
    for name in sorted(record.keys() - fresh.keys()):
        given, file = record.pop(name), folder / name
        if not file.is_file():
            continue
        content = file.read_bytes()
        if fingerprint(name, content) != given or b'"output_type"' in content:
            done.kept[name] = _aside(file, now)
        else:
            file.unlink()
    for name, content in fresh.items():
        file, new = folder / name, fingerprint(name, content)
        theirs = fingerprint(name, file.read_bytes()) if file.is_file() else None
        if theirs is None:
            done.added.append(name)
        elif theirs != new:
            if theirs != record.get(name):
                done.changed.extend([name] * (new != record.get(name)))
                continue
            content = _with_outputs(name, content, file.read_bytes())
            done.renewed.append(name)
        if theirs != new:
            _write(file, content)
        record[name] = new
    _write(folder / RECORD, json.dumps(record, indent=1).encode())
    return done


def reset(folder: Path, lesson: str, now: datetime, home: Path = HOME) -> Kept:
    """Bring a lesson and its solutions back as they are given out; keep each old file beside it.

    Args:
        folder: the copy.
        lesson: the lesson's number, or a file's name: ``"3"``, ``"03"``, ``"03_stream.ipynb"``.
        now: the time for the names of the files that are kept.
        home: the folder with the lessons that are given out.

    Returns:
        The new names of what was kept, by the old ones; empty if nothing had changed.

    Raises:
        InputError: no lesson has this number.
        OSError: a file can't be read or written.
    """
    record, fresh = _read(folder / RECORD), _fresh(home)
    wanted = lesson.zfill(2) if lesson.isdigit() else called(lesson)
    names = [name for name in fresh if called(name) == wanted]
    if not names:
        known = ", ".join(called(name) for name in fresh if name.endswith(".ipynb"))
        raise InputError(f"There is no lesson {shown(lesson)}. The lessons are {known}.")
    kept = {}
    for name in names:
        file, content = folder / name, fresh[name]
        if file.exists() and file.read_bytes() != content:
            kept[name] = _aside(file, now)
        _write(file, content)
        record[name] = fingerprint(name, content)
    _write(folder / RECORD, json.dumps(record, indent=1).encode())
    return kept


def called(name: str) -> str:
    """What ``reset`` brings a file back by: its lesson's number, or the name of another file."""
    number = Path(name).name[:2]
    return number if number.isdigit() else name


def fingerprint(name: str, content: bytes) -> str:
    """What two versions of a file have in common if they count as the same.

    Args:
        name: the file's name: of a ``.ipynb`` file only the cells count.
        content: what is in the file.

    Returns:
        A hash in hexadecimal digits.
    """
    if name.endswith(".ipynb"):
        with suppress(ValueError, TypeError, KeyError):  # of a damaged notebook all counts
            cells = json.loads(content)["cells"]
            content = json.dumps([said for c in cells if (said := _said(c))[1]]).encode()
    return hashlib.sha256(content).hexdigest()


def _said(cell: dict[str, Any]) -> tuple[str, str]:
    """A cell's type and its text, which editors store as one string or as lines."""
    return cell["cell_type"], "\n".join("".join(cell["source"]).splitlines())


def _fresh(home: Path) -> dict[str, bytes]:
    """All files of a new copy, by their names in it."""
    return dict(sorted([*_lessons(home / "notebooks"), *_pages(home / "docs")]))


def _lessons(shelf: Path) -> Iterator[tuple[str, bytes]]:
    for file in shelf.rglob("*"):
        parts = file.relative_to(shelf).parts
        if file.is_file() and not any(part.startswith((".", "_")) for part in parts):
            content = file.read_bytes()
            yield "/".join(parts), _unrun(content) if file.suffix == ".ipynb" else content


def _pages(docs: Path) -> Iterator[tuple[str, bytes]]:
    for name in PAGES:
        yield f"docs/{name}", (docs / name).read_bytes().replace(b"](../notebooks/", b"](../")


def _unrun(content: bytes) -> bytes:
    """A notebook without outputs, whose links to pages lead to those of the copy."""
    notebook = json.loads(content.replace(b"](../docs/", b"](docs/"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return _dump(notebook)


def _with_outputs(name: str, content: bytes, old: bytes) -> bytes:
    """The newer file; of a lesson, each cell that is still the same stays as the learner has it."""
    if not name.endswith(".ipynb"):
        return content
    notebook = json.loads(content)
    before = {(cell.get("id"), *_said(cell)): cell for cell in json.loads(old)["cells"]}
    notebook["cells"] = [before.get((cell["id"], *_said(cell)), cell) for cell in notebook["cells"]]
    return _dump(notebook)


def _dump(notebook: dict[str, Any]) -> bytes:
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()


def _read(record: Path) -> dict[str, str]:
    """The record, empty if there is none; then nothing that differs is taken for unchanged."""
    try:
        found = json.loads(record.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(file: Path, content: bytes) -> None:
    """All of it or nothing, also where the program is stopped in the middle."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    part.write_bytes(content)
    part.replace(file)


def _aside(file: Path, now: datetime) -> str:
    """Give the learner's file a name that says so and that nothing has; gives that name."""
    numbers = chain([""], (f", {number}" for number in count(2)))
    names = (f"{file.stem} (yours, {now:%Y-%m-%d %H.%M}{more}){file.suffix}" for more in numbers)
    free = next(there for name in names if not (there := file.with_name(name)).exists())
    return file.rename(free).name
