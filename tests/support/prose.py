"""What people read in a file of the project, piece by piece, with the place of each."""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CODE = re.compile(
    r"```.*?```|~~~.*?~~~|``[^`]+``|`[^`\n]*`|<!--.*?-->|\]\([^)]*\)|https?://\S+", re.DOTALL
)
"""In Markdown and in docstrings: code, comments, addresses."""
GENERATED = re.compile(r"<!-- (\w+) -->.*?<!-- /\1 -->", re.DOTALL)
PROMPTS = re.compile(r"^ *(>>>|\.\.\. ).*$", re.MULTILINE)
TAGS = re.compile(r"<(style|script)\b.*?</\1>|<[^<>]+>", re.DOTALL)


class Piece(NamedTuple):
    """Some text, and where it begins: a line of the file, after the name of a notebook's cell."""

    place: str
    line: int
    text: str


def blank(pattern: re.Pattern[str], text: str) -> str:
    """The text without what the pattern finds; every line keeps its number."""
    return pattern.sub(lambda found: " " + "\n" * found[0].count("\n"), text)


def pieces(file: Path) -> Iterator[Piece]:
    """All that is prose in a file, by its kind."""
    text = file.read_text("utf-8")
    if file.suffix == ".ipynb":
        yield from notebook(text)
    elif file.suffix in (".py", ".pyi"):
        yield from python(text)
    elif file.suffix == ".md":
        yield Piece("", 1, blank(CODE, text))
    else:
        yield Piece("", 1, text)


def python(source: str, place: str = "") -> Iterator[Piece]:
    """Comments, a block of them at a time, and strings, as one where Python makes one of them."""
    block: list[str] = []
    began = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if block and token.start[0] != began + len(block):
                yield Piece(place, began, blank(CODE, "\n".join(block)))
                block = []
            began = began if block else token.start[0]
            block.append(token.string.lstrip("#! "))
    if block:
        yield Piece(place, began, blank(CODE, "\n".join(block)))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield Piece(place, node.lineno, blank(CODE, blank(PROMPTS, node.value)))


def notebook(text: str) -> Iterator[Piece]:
    """Markdown, a code cell's own prose, and what is stored below it."""
    for cell in json.loads(text)["cells"]:
        place, source = cell["id"], "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            yield Piece(place, 1, blank(CODE, source))
            continue
        yield from python(re.sub(r"^(\s*)[%!].*$", r"\1pass", source, flags=re.M), place)
        for output in cell["outputs"]:
            data = output.get("data", {})
            yield Piece(f"{place}, output", 1, "".join(output.get("text", "")))
            yield Piece(f"{place}, output", 1, "".join(data.get("text/plain", "")))
            html = "".join(data.get("text/html", ""))
            yield Piece(f"{place}, output", 1, blank(TAGS, html))
