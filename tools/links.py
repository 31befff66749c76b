"""Writes all that depends on where the repository is: the README's links and Colab's first cells.

    python tools/links.py            write them
    python tools/links.py --check    write nothing; exit 1 if something is not as it would be

The address is in ``pyproject.toml`` under ``[project.urls]`` and nowhere else. A notebook whose
cell is new must be run again: ``python start.py notebooks``.
"""

import argparse
import json
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
BRANCH = "main"
NOBODY = "YOUR_ACCOUNT"
BEGIN, END = "<!-- links -->", "<!-- /links -->"
FIRST = "my_lessons/00_start_here.ipynb"
CELL = """\
# Colab starts empty: this installs the lessons there, and does nothing anywhere else.
import sys
from importlib.util import find_spec

if "google.colab" in sys.modules and not find_spec("holysheep_helpers"):
    !git clone -q --depth 1 {address} /content/lessons
    %pip install -q /content/lessons
    %cd -q /content/lessons/notebooks"""


def address(root: Path = ROOT) -> str:
    """The repository's address, without a slash at its end."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    return project["urls"]["Repository"].rstrip("/")


def lessons(root: Path = ROOT) -> list[Path]:
    return sorted((root / "notebooks").glob("*.ipynb"))


def colab(repository: str, lesson: Path) -> str:
    place = urlsplit(repository).path
    return f"https://colab.research.google.com/github{place}/blob/{BRANCH}/notebooks/{lesson.name}"


def binder(repository: str) -> str:
    place = urlsplit(repository).path
    return f"https://mybinder.org/v2/gh{place}/{BRANCH}?urlpath=lab/tree/{FIRST}"


def codespaces(repository: str) -> str:
    return f"https://codespaces.new{urlsplit(repository).path}?quickstart=1"


def block(repository: str, files: list[Path]) -> str:
    """What is in the README between the two marks."""
    each = " ".join(f"[{file.stem[:2]}]({colab(repository, file)})" for file in files)
    idle = (
        f" These links work after you have pushed this repository to your own account, put the "
        f"account in the place of `{NOBODY}` in `pyproject.toml`, and run `python tools/links.py`."
    )
    return (
        f"{BEGIN}\nIn a browser, with nothing installed here: [Binder]({binder(repository)}), "
        f"[Codespaces]({codespaces(repository)}), or Google Colab, lesson by lesson:\n"
        f"{each}.{idle * (NOBODY in repository)}\n{END}"
    )


def readme(text: str, repository: str, files: list[Path]) -> str:
    """The README with a new block; without the marks there is no place for it."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"README.md has no place for the links: add the lines {BEGIN} and {END} to it.")
    return before + block(repository, files) + after


def colab_cell(lesson: Path, repository: str) -> dict[str, Any]:
    """Folded away, and without output, as long as it is not run in Colab."""
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": f"{lesson.stem[:2]}-colab",
        "metadata": {"jupyter": {"source_hidden": True}},
        "outputs": [],
        "source": CELL.format(address=repository).splitlines(keepends=True),
    }


def notebook(text: str, lesson: Path, repository: str) -> str:
    """A notebook with its cell for Colab before the first other code cell."""
    content = json.loads(text)
    cell = colab_cell(lesson, repository)
    old = next((c for c in content["cells"] if c["id"] == cell["id"]), cell)
    if old["source"] == cell["source"]:
        cell["execution_count"] = old["execution_count"]
    others = [c for c in content["cells"] if c["id"] != cell["id"]]
    at = next(n for n, c in enumerate(others) if c["cell_type"] == "code")
    content["cells"] = [*others[:at], cell, *others[at:]]
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("links.py", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 on a change")
    given = parser.parse_args(arguments)
    repository, files = address(), lessons()
    wanted = {
        ROOT / "README.md": readme((ROOT / "README.md").read_text("utf-8"), repository, files)
    }
    for file in files:
        wanted[file] = notebook(file.read_text("utf-8"), file, repository)
    stale = [file for file, text in wanted.items() if file.read_text("utf-8") != text]
    for file in stale:
        if not given.check:
            file.write_text(wanted[file], "utf-8", newline="\n")
        print(f"{'DIFFERS' if given.check else 'written'}  {file.relative_to(ROOT)}")
    if stale and not given.check and any(file.suffix == ".ipynb" for file in stale):
        print("Now run them: python start.py notebooks")
    return 1 if stale and given.check else 0


if __name__ == "__main__":
    sys.exit(main())
