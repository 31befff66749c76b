"""Terms and their spelling, checked against docs/glossary.md, and links between the documents."""

import ast
import re
import tomllib
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import pytest

from tests.notebooks.test_notebooks import FILES, LINK, markdown
from tests.support.project import ROOT, project_files
from tests.support.prose import CODE, GENERATED
from tools import notebooks as r

GLOSSARY = ROOT / "docs" / "glossary.md"
DOCUMENTS = [file for file in project_files() if file.suffix == ".md"]
SHOWN = [
    file
    for file in sorted((ROOT / "holysheep_helpers").rglob("*.py"))
    if file.parent.name != "mock"  # it speaks as servers do
]
SPELLING = tomllib.loads((ROOT / "docs" / "words.toml").read_text("utf-8"))["spelling"]
EMPHASIS = re.compile(r"\*\*?([^*\n]+?)\*\*?(?!\*)")


class Term(NamedTuple):
    name: str
    korean: str
    meaning: str
    lesson: str
    variants: tuple[str, ...]


def terms() -> list[Term]:
    rows = re.findall(r"^\| (.+) \|$", GLOSSARY.read_text("utf-8"), re.MULTILINE)
    found = []
    for row in rows[1:]:
        name, korean, meaning, link, variants = (part.strip() for part in row.split(" | "))
        (lesson,) = LINK.findall(link)
        variants = tuple(filter(None, (one.strip() for one in variants.split(","))))
        found.append(Term(name, korean, meaning, Path(lesson).stem, variants))
    return found


TERMS = terms()
NOT = {bad: term.name for term in TERMS for bad in term.variants} | SPELLING


def misspelt(text: str) -> list[str]:
    """What stands in prose and is not the spelling of the glossary, with what should."""
    prose = CODE.sub(" ", text)
    return [
        f"{bad} (write {good})"
        for bad, good in NOT.items()
        if re.search(rf"(?<![\w.-]){re.escape(bad)}(?:s|es)?(?![\w:-])", prose)
        or (bad.islower() and re.search(rf"\b{re.escape(bad.capitalize())}\b", prose))
    ]


def shown_texts(file: Path) -> Iterator[str]:
    """Strings of a module that are more than one name: titles, labels, what panels and errors say.

    Docstrings and comments, which cite other people's words, are left out.
    """
    tree = ast.parse(file.read_text("utf-8"))
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if id(node) not in alone and not re.fullmatch(r"[\w.-]*", node.value):
            yield node.value


def test_the_glossary_is_whole_and_in_order() -> None:
    names = [term.name for term in TERMS]
    assert len(names) > 40
    assert names == sorted(names, key=str.lower)
    assert len(set(names)) == len(names)
    assert [term.name for term in TERMS if not term.meaning.endswith(".")] == []
    korean = re.compile(r"[가-힣]")
    assert [term.name for term in TERMS if not korean.search(term.korean)] == ["SDK"]
    assert set(NOT) & set(names) == set()


def told(file: Path) -> str:
    """A lesson's text, without its first cell, which promises, and what is generated."""
    return "\n".join(GENERATED.sub("", text) for text in markdown(file)[1:])


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.name)
def test_a_term_is_explained_where_it_comes_up_first(term: Term) -> None:
    stem = re.sub("y$", "(?:y|ies)", re.escape(term.name))
    word = re.compile(rf"(?<![\w.-]){stem}(?:s|es)?(?![\w(=-])(?!\.\w)", re.IGNORECASE)
    those = [file.stem for file in FILES if word.search(CODE.sub(" ", told(file)))]
    assert those, "no lesson has it"
    assert those[0] == term.lesson
    first = told(ROOT / "notebooks" / f"{term.lesson}.ipynb")
    assert any(word.search(found) for found in EMPHASIS.findall(first)), "not set off there"


@pytest.mark.parametrize("file", [*FILES, *DOCUMENTS], ids=lambda file: file.stem)
def test_lessons_and_documents_are_spelt_as_the_glossary_says(file: Path) -> None:
    if file == GLOSSARY:
        whole = " ".join(f"{term.name} {term.meaning}" for term in TERMS)
    else:
        whole = "\n\n".join(markdown(file)) if file in FILES else file.read_text("utf-8")
    assert misspelt(whole) == []


@pytest.mark.parametrize("file", SHOWN, ids=lambda file: file.stem)
def test_figures_panels_and_messages_are_spelt_as_the_glossary_says(file: Path) -> None:
    assert [(text, bad) for text in shown_texts(file) if (bad := misspelt(text))] == []


def test_the_check_finds_a_misspelling_and_lets_code_pass() -> None:
    assert misspelt("A timeout, and a Backoff.") == [
        "backoff (write back-off with jitter)",
        "timeout (write time-out)",
    ]
    assert misspelt("`timeout=3`, a time-out, back-off, hs.timeout") == []
    assert misspelt("```\ntimeout\n```\n[back-off](backoff.md)") == []


PICTOGRAMS = range(0x1F000, 0x20000)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_sign_needs_a_font_of_its_own(file: Path) -> None:
    """Emoji and dingbats are boxes where their font is missing; arrows and letters are not."""
    odd = {letter for letter in r.dump(r.load(file)) if is_odd(letter)}
    assert odd == set()


def test_no_helper_shows_a_sign_that_needs_a_font_of_its_own() -> None:
    for file in sorted((ROOT / "holysheep_helpers").rglob("*.py")):
        assert {sign for sign in file.read_text("utf-8") if is_odd(sign)} == set(), file.name


def is_odd(letter: str) -> bool:
    if ord(letter) in PICTOGRAMS or 0x2600 <= ord(letter) <= 0x27BF:
        return True
    return unicodedata.category(letter) == "So" and not 0x2190 <= ord(letter) <= 0x21FF


def anchors(file: Path) -> set[str]:
    """What ``#...`` can lead to: each heading as code hosts write it."""
    text = "\n\n".join(markdown(file)) if file.suffix == ".ipynb" else file.read_text("utf-8")
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.M)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in kept}


@pytest.mark.parametrize("file", [*FILES, *DOCUMENTS], ids=lambda file: file.stem)
def test_links_and_their_anchors_lead_somewhere(file: Path) -> None:
    whole = "\n\n".join(markdown(file)) if file in FILES else file.read_text("utf-8")
    lost = []
    for link in LINK.findall(re.sub(r"```.*?```", "", whole, flags=re.DOTALL)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (file.parent / path).resolve() if path else file
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []
