"""Prints how hard each lesson is to read, beside four other courses on notebooks.

    python tools/reading_level.py                      each lesson, and the others' stored rows
    python tools/reading_level.py --measure FOLDER...  one row for all notebooks in the folders

Whole sentences of Markdown are read: no code, tables, headings or links' addresses. EFLAW is
McAlpine's index for readers of English as a foreign language: words and words of up to three
letters for each sentence. Up to 20 is very easy, 21 to 25 easy, 26 to 29 a little difficult, more
is confusing. ARI, the automated readability index, is the years at school that a reader needs in
the USA. Both come from textstat and need no syllables, for which it would download a dictionary.
They count letters and words: a riddle in short words is easy for them. The table is no gate.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from textstat import textstat

ROOT = Path(__file__).resolve().parents[1]
PEERS = "docs/reading_levels.toml"
NOT_READ = re.compile(
    r"\A---\n.*?\n---\n|^(```+|~~~+|:::+).*?^\1|<!-- nav -->.*?<!-- /nav -->|<!--.*?-->"
    r"|<(style|script)\b.*?</\2>|<[^<>\n]+>|\$\$.*?\$\$|!\[[^\]]*\]\([^)]*\)"
    r"|^#+ [^\n]*$|^\|[^\n]*$|^\s*---+\s*$",
    re.DOTALL | re.MULTILINE,
)
"""Front matter, code, directives, generated links, tags, formulas, pictures, headings, tables."""
LINK = re.compile(r"\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])")
CODE = re.compile(r"``[^`]+``|`[^`\n]+`|\$[^$\n]+\$|https?://\S+")
SHORT = {"e.g.": "for example", "i.e.": "that is", "etc.": "and so on", "vs.": "versus"}
DOT_INSIDE = re.compile(r"(?<=\w)[.](?=\w)")
BLOCK = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*+>]|\d+[.)])\s)")
SENTENCE = re.compile(r"[^.!?:]*[.!?:](?=[\s\"')\]*_]|$)")
WORD = re.compile(r"\w+(?:['’-]\w+)*")


@dataclass(frozen=True)
class Level:
    """What was read, and how hard that is: the numbers of one row."""

    words: int
    words_a_sentence: float
    eflaw: float
    ari: float


def markdown(file: Path) -> Iterator[str]:
    """The texts of a notebook: its Markdown cells, or the whole file where it is Markdown."""
    text = file.read_text("utf-8")
    if file.suffix == ".md":
        yield text
        return
    for cell in json.loads(text)["cells"]:
        if cell["cell_type"] == "markdown":
            source = cell["source"]
            yield source if isinstance(source, str) else "".join(source)


def sentences(text: str) -> list[str]:
    """The whole sentences of a Markdown text, as words, each with one full stop at its end.

    Code in a line is one word; a number is one word; a colon ends a sentence as a full stop does.
    """
    text = CODE.sub("code", LINK.sub(r"\1", NOT_READ.sub("\n\n", text)))
    for short, words in SHORT.items():
        text = text.replace(short, words)
    found = []
    for block in BLOCK.split(DOT_INSIDE.sub("", text)):
        for sentence in SENTENCE.findall(" ".join(block.split())):
            words = WORD.findall(sentence.replace("*", "").replace("_", ""))
            if len(words) > 2:  # textstat counts no shorter ones
                found.append(" ".join(words) + ".")
    return found


def level(texts: Iterator[str]) -> Level:
    """The level of all sentences in these texts together."""
    whole = " ".join(one for text in texts for one in sentences(text))
    return Level(
        textstat.lexicon_count(whole),
        round(textstat.words_per_sentence(whole), 1),
        round(textstat.mcalpine_eflaw(whole), 1),
        round(textstat.automated_readability_index(whole), 1),
    )


def notebooks(folders: Sequence[Path]) -> list[Path]:
    """All notebooks below the folders; in Markdown too, if a file says that it has a kernel."""
    files = sorted(file for folder in folders for file in folder.rglob("*"))
    return [
        file
        for file in files
        if file.suffix == ".ipynb"
        or (file.suffix == ".md" and "\nkernelspec:\n" in file.read_text("utf-8")[:1000])
    ]


def row(name: str, found: Level) -> str:
    return (
        f"{name:<30}{found.words:>9,}{found.words_a_sentence:>16.1f}"
        f"{found.eflaw:>8.1f}{found.ari:>7.1f}"
    )


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Print the table, or the one row that was asked for. The status to exit with."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--measure", nargs="+", type=Path, metavar="FOLDER")
    folders = parser.parse_args(arguments).measure
    print(f"{'':<30}{'words':>9}{'words/sentence':>16}{'EFLAW':>8}{'ARI':>7}")
    if folders:
        files = notebooks(folders)
        if not files:
            print(f"There is no notebook in {', '.join(map(str, folders))}.", file=sys.stderr)
            return 1
        print(
            row(f"{len(files)} notebooks", level(text for file in files for text in markdown(file)))
        )
        return 0
    lessons = notebooks([root / "notebooks"])
    for file in lessons:
        print(row(file.stem, level(markdown(file))))
    print(row("all lessons", level(text for file in lessons for text in markdown(file))))
    peers = tomllib.loads((root / PEERS).read_text("utf-8"))
    for name, peer in peers.items():
        print(row(name, Level(**{key: peer[key] for key in Level.__annotations__})))
    return 0


if __name__ == "__main__":
    sys.exit(main())
