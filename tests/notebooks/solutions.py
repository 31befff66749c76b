"""The exercises of a lesson, and the solutions that take their place.

``strict.py`` runs them in the kernel that has run the lesson, when its outputs have been looked at.
A learner does the same: runs the lesson, then puts a solution into the cell of its exercise.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

from tools import notebooks as r

CHECK = re.compile(r"""hs\.check\(\s*["'](\w+)["']""")


def exercises(file: Path) -> dict[str, dict[str, Any]]:
    """The code cells that check an exercise, by the exercise's name."""
    cells = list(r.code_cells(r.load(file)))
    return {name: cell for cell in cells for name in CHECK.findall(r.text_of(cell["source"]))}


def solved(file: Path) -> Iterator[tuple[str, str]]:
    """From the first exercise to the lesson's end: its name, or "", and what is to be run."""
    begun = False
    for cell in r.code_cells(r.load(file)):
        source = r.text_of(cell["source"])
        if names := CHECK.findall(source):
            begun, (name,) = True, names
            yield name, (file.parent / "solutions" / f"{name}.py").read_text("utf-8")
        elif begun:
            yield "", source


def bound(sources: Sequence[str]) -> set[str]:
    """The names that these cells give a value to."""
    found: set[str] = set()
    for node in _nodes(sources):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                found.add(name)
            case ast.alias(name=name, asname=other):
                found.add(other or name.partition(".")[0])
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
                | ast.ExceptHandler(name=str(name))
            ):
                found.add(name)
    return found


def needed(source: str) -> set[str]:
    """The names that a cell takes from the cells before it."""
    used = {node.id for node in _nodes([source]) if isinstance(node, ast.Name)}
    return used - bound([source]) - set(dir(builtins))


def _nodes(sources: Sequence[str]) -> Iterator[ast.AST]:
    for source in sources:
        yield from ast.walk(ast.parse(TransformerManager().transform_cell(source)))
