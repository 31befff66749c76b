"""The figures of the package: its files, its lines of code, its floors, the way of one prompt.

    python tools/house.py                  of this project
    python tools/house.py --root FOLDER    of another checkout

A line of code is a line with any token of code on it. Comments, blank lines and strings that stand
alone (docstrings, and those below an attribute) are not counted; the lines of other strings are.

The floors are those of the layers contract in ``pyproject.toml``, checked by import-linter itself.
Circles are searched by grimp, the library below it: imports without which no circle would be left.

The way of a prompt is each file with a function that runs, by ``sys.setprofile``, while a gateway
in mock mode answers one prompt. Each call is made once before, so that neither imports nor values
that are kept count, and each has an event loop, and so an asynchronous client, of its own.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import io
import subprocess
import sys
import threading
import tokenize
from collections import Counter
from collections.abc import Callable
from pathlib import Path, PurePath
from types import FrameType
from typing import Any

import grimp
from importlinter import api
from importlinter.contracts.layers import LayersContract

PACKAGE = "holysheep_helpers"
NO_CODE = {
    tokenize.COMMENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
    tokenize.INDENT,
    tokenize.NEWLINE,
    tokenize.NL,
}


def lines_of_code(source: str) -> int:
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(value=ast.Constant(value=str()), lineno=first, end_lineno=int(last)):
                lines.difference_update(range(first, last + 1))
    return len(lines)


def python_files(root: Path) -> list[PurePath]:
    """The project's Python files and stubs, relative to its root, as git knows them."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py", "*.pyi"]
    done = subprocess.run(
        command, cwd=root, check=True, capture_output=True, text=True, encoding="utf-8"
    )
    names = sorted(set(done.stdout.splitlines()))
    return [PurePath(name) for name in names if (root / name).exists()]


def place(file: PurePath) -> str:
    """The row of the table in which a file is counted."""
    if file.suffix == ".pyi":
        return "stubs"
    if file.parts[0] == PACKAGE:
        return f"{PACKAGE}/{file.parts[1] if len(file.parts) > 2 else '*.py'}"
    return file.parts[0]


def show_sizes(root: Path) -> None:
    code = {
        file: lines_of_code((root / file).read_text(encoding="utf-8"))
        for file in python_files(root)
    }
    own = [file for file in code if file.parts[0] == PACKAGE and file.parts[1] != "mock"]
    modules = [file for file in own if file.suffix == ".py" and code[file]]
    at_the_top = [file.name for file in modules if len(file.parts) == 2]
    print(f"Files with code beside the mock: {len(modules)}")
    few = f" ({', '.join(at_the_top)})" if len(at_the_top) <= 10 else ""
    print(f"  directly at the top: {len(at_the_top)}{few}")

    files, lines = Counter(map(place, code)), Counter[str]()
    for file, count in code.items():
        lines[place(file)] += count
    print(f"\n{'Lines of code':<32}{'files':>8}{'lines':>8}")
    for name in sorted(lines):
        print(f"{name:<32}{files[name]:>8,}{lines[name]:>8,}")
    stubs = sum(code[file] for file in own if file.suffix == ".pyi")
    total = sum(code[file] for file in own)
    print(f"The package beside the mock: {total - stubs:,}, and {total:,} with its stubs")


def show_floors(root: Path) -> None:
    try:
        contracts = api.read_configuration(str(root / "pyproject.toml"))
    except FileNotFoundError:  # import-linter's error for a file without a section for it
        contracts = {"session_options": {}, "contracts_options": []}
    session = contracts["session_options"]
    graph = grimp.build_graph(
        PACKAGE,
        cache_dir=None,
        exclude_type_checking_imports=session.get("exclude_type_checking_imports") == "True",
    )
    for options in contracts["contracts_options"]:
        if options["type"] == "layers":
            show_contract(graph, options, session)
    if not any(options["type"] == "layers" for options in contracts["contracts_options"]):
        print("Floors: no layers contract in pyproject.toml")
    packages = sorted(name for name in graph.modules if graph.find_children(name))
    closing = {name: graph.nominate_cycle_breakers(name) for name in packages}
    inside = sum(len(imports) for name, imports in closing.items() if name != PACKAGE)
    print(f"Circles: {len(closing[PACKAGE])} among wings, {inside} among the rooms of a wing")
    upward = sorted(graph.find_modules_that_directly_import(PACKAGE))
    print(f"Modules that import the face: {', '.join(upward) or 0}")


def show_contract(
    graph: grimp.ImportGraph, options: dict[str, Any], session: dict[str, Any]
) -> None:
    contract = LayersContract(options["name"], session, options)
    layers: Any = contract.layers
    found = contract.check(graph, verbose=False).metadata
    prefixes = [f"{container}." for container in options.get("containers", ())] or [""]
    wings = [
        [prefix + tail.name for prefix in prefixes for tail in layer.module_tails]
        for layer in layers
    ]
    floors = [[name for name in layer if graph.find_children(name)] for layer in wings]
    print(f"Floors of wings: {sum(map(bool, floors))}, in {len(wings)} layers of the contract")
    chains = found["invalid_dependencies"]
    print(f"Imports against the floors: {sum(len(chain['routes']) for chain in chains)}")
    for chain in chains:
        print(f"  {chain['importer']} imports {chain['imported']}")
    if undeclared := found["undeclared_modules"]:
        print(f"On no floor: {', '.join(sorted(undeclared))}")


def files_that_run(call: Callable[[], object], package: Path) -> list[str]:
    call()  # imports, and what is kept from one call to the next
    run: set[Path] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        file = Path(frame.f_code.co_filename)
        if event == "call" and file.is_relative_to(package):
            run.add(file.relative_to(package))

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return sorted(file.as_posix() for file in run if file.parts[0] != "mock")


def show_way(root: Path, names: bool) -> None:
    import holysheep_helpers as hs

    gateway = hs.connect("mock")
    models = [hs.catalog.DEFAULT_MODEL]
    ask = "What is the capital of Korea?"
    calls: dict[str, Callable[[], object]] = {
        "batch": lambda: asyncio.run(hs.batch(gateway, [ask], progress=False)),
        "ask_long": lambda: asyncio.run(hs.ask_long(gateway, ask, "Seoul.", progress=False)),
        "failover": lambda: hs.failover(gateway, ask, models=models),
    }
    print("Files that run for one prompt:")
    for name, call in calls.items():
        found = files_that_run(call, root / PACKAGE)
        print(f"  hs.{name}: {len(found)}{' (' + ', '.join(found) + ')' if names else ''}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[1])
    parser.add_argument("--names", action="store_true", help="name the files that run")
    options = parser.parse_args()
    root = options.root.resolve()
    sys.path.insert(0, str(root))
    show_sizes(root)
    print()
    show_floors(root)
    print()
    show_way(root, options.names)


if __name__ == "__main__":
    main()
