"""Plain English: the words that docs/words.toml refuses are nowhere in prose or in messages.

One file: ``python -m pytest tests/project/test_words.py -k 04_batch``
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.support.project import ROOT, project_files
from tests.support.prose import pieces, python

LIST = ROOT / "docs" / "words.toml"
INSTEAD: dict[str, str] = tomllib.loads(LIST.read_text("utf-8"))["instead"]
WHOLE = r"(?<![\w.-])(?:{})(?![\w=(]|-\w|\.\w)"
PATTERNS = {
    re.compile(WHOLE.format(refused.replace(" ", r"\s+")), re.IGNORECASE): write
    for refused, write in INSTEAD.items()
}
READ = {".ipynb", ".md", ".py", ".pyi", ".toml", ".js", ".css", ".csv"}
FOLDERS = ("notebooks", "docs", "holysheep_helpers", "tools", "findings", "benchmarks")
NOT_ENGLISH = {"README.ko.md", "words.toml"}


def is_read(file: Path) -> bool:
    top = file.relative_to(ROOT).parts
    ours = top[0] in FOLDERS or len(top) == 1
    return ours and file.suffix in READ and file.name not in NOT_ENGLISH


def refused(text: str) -> list[tuple[int, str, str]]:
    """The line, the words, and what to write instead."""
    found = [
        (match.start(), " ".join(match[0].split()), write)
        for pattern, write in PATTERNS.items()
        for match in pattern.finditer(text)
    ]
    return [(text.count("\n", 0, at), words, write) for at, words, write in sorted(found)]


@pytest.mark.parametrize(
    "name", sorted(file.relative_to(ROOT).as_posix() for file in project_files() if is_read(file))
)
def test_no_word_is_refused(name: str) -> None:
    found = [
        f"{name}{f' [{piece.place}]' if piece.place else ''}:{piece.line + line}: "
        f'"{words}": write {write}'
        for piece in pieces(ROOT / name)
        for line, words, write in refused(piece.text)
    ]
    if found:
        pytest.fail("\n".join(found), pytrace=False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Mended, and no one\nshall know.", ["Mended", "shall"]),
        ("It tells these two apart, and comes\nof another.", ["tells these two apart", "comes of"]),
        ("Dear customer, the dearest comes first.", ["dearest"]),
        ("What stands in the file stands for itself and stands in for it.", ["stands in"]),
        ("A hands-on course hands it on.", ["hands it on"]),
        ("`mend`, the shall.py, cure(), dear=1", []),
        ("amendment, recommend, welfare, faresheet, threshold", []),
    ],
)
def test_it_finds_words_and_lets_others_pass(text: str, words: list[str]) -> None:
    (piece,) = python(repr(text))
    assert [found for _, found, _ in refused(piece.text)] == words


def test_every_pattern_says_what_to_write() -> None:
    assert all(INSTEAD.values())
    assert not [write for write in INSTEAD.values() if refused(write)]
