"""Runs every notebook against the mock and stores its outputs, the same byte for byte each time.

    python start.py notebooks                    all of notebooks/*.ipynb
    python start.py notebooks 02_ask.ipynb       only these
    python start.py notebooks --check            write nothing; exit 1 if a file would change
    python start.py notebooks --twice            write nothing; run all cells twice in one kernel

Two run at once, and their lines come in the order of their names. A file that a notebook leaves
beside itself is an error, too. Where new times are to be stored, run that lesson alone.
What can't be the same twice is made so (the mock's port, widget views, metadata); outputs of cells
tagged ``nbval-ignore-output`` are kept from the last time while id and source stay the same.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import copy
import difflib
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
METADATA = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {
        "codemirror_mode": {"name": "ipython", "version": 3},
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "nbconvert_exporter": "python",
        "pygments_lexer": "ipython3",
    },
}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
IGNORED = "nbval-ignore-output"
KEPT_METADATA = {"tags", "jupyter", "slideshow", "editable", "deletable"}
PORT = re.compile(r"127\.0\.0\.1:\d+")
KERNEL_CONFIG = """\
c = get_config()
c.InlineBackend.print_figure_kwargs = {"bbox_inches": "tight", "metadata": {"Software": None}}
c.IPKernelApp.log_level = "ERROR"
c.HistoryManager.enabled = False  # kernels that run at once would wait for its one file
"""
AT_ONCE = 2
"""More would disturb what lessons measure, on a machine of two cores."""

Notebook = dict[str, Any]


def load(file: Path) -> Notebook:
    return json.loads(file.read_text("utf-8"))


def dump(notebook: Notebook) -> str:
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def text_of(value: str | list[str]) -> str:
    return value if isinstance(value, str) else "".join(value)


def code_cells(notebook: Notebook) -> Iterator[dict[str, Any]]:
    return (cell for cell in notebook["cells"] if cell["cell_type"] == "code")


def tags(cell: dict[str, Any]) -> list[str]:
    return cell["metadata"].get("tags", [])


def clean_environment(folder: Path) -> dict[str, str]:
    """This process's variables without the user's settings of the package, IPython and plots."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HOLYSHEEP_", "OPENAI_"))}
    return kept | kernel_settings(folder)


def kernel_settings(folder: Path) -> dict[str, str]:
    """Variables that keep the user's settings away from kernels; their files are in ``folder``."""
    profile = folder / "profile_default"
    profile.mkdir()
    (profile / "ipython_kernel_config.py").write_text(KERNEL_CONFIG, "utf-8")
    (folder / "matplotlibrc").touch()
    return {
        "HOLYSHEEP_ENV_FILE": os.devnull,
        "IPYTHONDIR": str(folder),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "MATPLOTLIBRC": str(folder / "matplotlibrc"),
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


FAST = {"HOLYSHEEP_MOCK_TIME_SCALE": "0.04"}
"""Variables for a run in which no times are looked at: the mock plays at 25 times the speed.

No lesson asks for this scale itself, so that its mocks stay apart.
"""


def execute(
    notebook: Notebook, folder: Path, env: dict[str, str], to_the_end: bool = False
) -> Notebook:
    """A copy of the notebook, run from top to bottom in ``folder``, as ``nbformat`` writes it.

    It raises where a cell fails, or goes on ``to_the_end``.
    """
    node = nbformat.reads(json.dumps(prepared(notebook)), as_version=4)
    client = NotebookClient(
        node,
        kernel_name="python3",
        timeout=120,
        allow_errors=to_the_end,
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    asyncio.run(client.async_execute(env=env))  # a loop of its own, closed in its own thread
    return json.loads(nbformat.writes(node, version=nbformat.NO_CONVERT))


def prepared(notebook: Notebook) -> Notebook:
    """A copy without outputs, in which each cell has an id of its own that stays."""
    notebook = copy.deepcopy(notebook)
    seen: set[str] = set()
    for number, cell in enumerate(notebook["cells"], 1):
        if cell.get("id") in seen | {None}:
            cell["id"] = f"cell-{number}"
        seen.add(cell["id"])
        cell["metadata"] = {k: v for k, v in cell["metadata"].items() if k in KEPT_METADATA}
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return notebook | {"metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}


def normalised(new: Notebook, old: Notebook) -> Notebook:
    """``new`` with all that changes from run to run made constant or kept from ``old``."""
    before = {cell.get("id"): cell for cell in code_cells(old)}
    for number, cell in enumerate(code_cells(new), 1):
        was = before.get(cell["id"], {})
        same_source = text_of(was.get("source", "")) == text_of(cell["source"])
        if IGNORED in tags(cell) and same_source and was.get("outputs"):
            cell["outputs"] = copy.deepcopy(was["outputs"])
        if text_of(cell["source"]).strip():
            cell["execution_count"] = number
        for output in cell["outputs"]:
            _normalise_output(output, cell["execution_count"])
        _keep_same_pictures(cell["outputs"], was.get("outputs", []))
    new["metadata"] = METADATA
    return new


def _normalise_output(output: dict[str, Any], count: int | None) -> None:
    if "text" in output:
        output["text"] = _constant_port(output["text"])
    if output["output_type"] == "execute_result":
        output["execution_count"] = count
    if "metadata" in output:
        output["metadata"].pop(WIDGET_VIEW, None)
    data = output.get("data", {})
    data.pop(WIDGET_VIEW, None)
    for mime, value in data.items():
        if mime.startswith("text/"):
            data[mime] = _constant_port(value)


def _constant_port(value: str | list[str]) -> str | list[str]:
    if isinstance(value, str):
        return PORT.sub("127.0.0.1:8765", value)
    return [PORT.sub("127.0.0.1:8765", line) for line in value]


def _keep_same_pictures(outputs: list[dict[str, Any]], old: list[dict[str, Any]]) -> None:
    """Another zlib writes other bytes for the same pixels: then the old bytes stay."""
    for new, was in zip(outputs, old, strict=False):
        one, other = new.get("data", {}).get("image/png"), was.get("data", {}).get("image/png")
        if one and other and one != other and pixels(one) == pixels(other):
            new["data"]["image/png"] = other


def pixels(png: str) -> tuple[tuple[int, int], bytes]:
    with Image.open(io.BytesIO(base64.b64decode(png))) as image:
        return image.size, image.convert("RGBA").tobytes()


def differences(old: Notebook, new: Notebook) -> list[str]:
    """What would change, one readable block for each cell; empty if the files are the same."""
    if dump(old) == dump(new):
        return []
    found = []
    before = {cell.get("id"): cell for cell in old["cells"]}
    for number, cell in enumerate(new["cells"], 1):
        was = before.get(cell["id"], {})
        if was != cell:
            found.append(f"cell {number} (id {cell['id']})\n{_difference(was, cell)}")
    return found or ["metadata or layout of the file (it was not stored by this script)"]


def _difference(was: dict[str, Any], cell: dict[str, Any]) -> str:
    if _without_pictures(was) == _without_pictures(cell):
        return (
            "    only a picture's pixels: the figure changed, or this is another operating "
            "system or Matplotlib\n    (--ignore-pixels leaves pictures out)"
        )
    old, new = (json.dumps(c, indent=1, ensure_ascii=False).splitlines() for c in (was, cell))
    lines = list(difflib.unified_diff(old, new, n=0, lineterm=""))[2:]
    return "\n".join(f"    {line[:160]}" for line in lines[:12])


def _without_pictures(part: Any) -> Any:
    if isinstance(part, dict):
        return {k: "" if k == "image/png" else _without_pictures(v) for k, v in part.items()}
    return [_without_pictures(one) for one in part] if isinstance(part, list) else part


def regenerate(
    file: Path, check: bool, ignore_pixels: bool, env: dict[str, str]
) -> tuple[bool, str]:
    """Run one notebook; store it, or with ``check`` compare it. Whether all is well, and a report.

    The report is handed back instead of printed, since others run at the same time.
    """
    try:
        run = execute(load(file), file.parent, env)
    except CellExecutionError as error:
        return False, f"FAILED   {file.name}\n{error}"
    new, found = compared(file, run, ignore_pixels)
    if found and not check:
        file.write_text(dump(new), "utf-8", newline="\n")
    word = ("DIFFERS" if check else "stored") if found else "same"
    report = "\n".join([f"{word:<8} {file.name}", *(f"  {each}" for each in found)])
    return not found or not check, report


def compared(file: Path, run: Notebook, ignore_pixels: bool) -> tuple[Notebook, list[str]]:
    """What to store after a run of a notebook, and what that would change in its file."""
    old = load(file)
    new = normalised(run, old)
    if ignore_pixels and _without_pictures(old) == _without_pictures(new):
        new = old
    as_stored = file.read_bytes() == dump(new).encode("utf-8")
    return new, [] if as_stored else differences(old, new)


def run_twice(file: Path, env: dict[str, str]) -> tuple[bool, str]:
    """Run all cells, and all of them again in the same kernel: no cell may work only once."""
    notebook = load(file)
    cells = copy.deepcopy(notebook["cells"])
    notebook["cells"] += [{**cell, "id": f"again-{cell['id']}"} for cell in cells]
    try:
        done = execute(notebook, file.parent, env)
    except CellExecutionError as error:
        return False, f"FAILED   {file.name}, run twice in one kernel\n{error}"
    if warned := warnings(done):
        return False, "\n".join([f"WARNED   {file.name}, run twice in one kernel", *warned])
    return True, f"twice    {file.name}"


def warnings(notebook: Notebook) -> list[str]:
    """What its cells wrote to stderr."""
    outputs = [output for cell in code_cells(notebook) for output in cell["outputs"]]
    return [text_of(one["text"]) for one in outputs if one.get("name") == "stderr"]


def errors(notebook: Notebook) -> list[str]:
    """What its cells failed with."""
    outputs = [output for cell in code_cells(notebook) for output in cell["outputs"]]
    return [f"{one['ename']}: {one['evalue']}" for one in outputs if "ename" in one]


def left_behind(before: set[Path], folders: Iterable[Path]) -> list[str]:
    """A line for each file that is in the folders now, and was not before."""
    left = {path for folder in folders for path in folder.iterdir()} - before
    return [
        f"LEFT BEHIND {path.name}: a lesson writes into a temporary folder alone"
        for path in sorted(left)
    ]


def run_all(files: list[Path], given: argparse.Namespace, env: dict[str, str]) -> bool:
    """All of them, ``AT_ONCE`` at a time; prints each report in the order of ``files``."""

    def one(file: Path) -> tuple[bool, str]:
        if given.twice:
            return run_twice(file, env)
        return regenerate(file, given.check, given.ignore_pixels, env)

    folders = sorted({file.parent for file in files})
    before = {path for folder in folders for path in folder.iterdir()}
    well = True
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for good, report in pool.map(one, files):
            tell(report)
            well = well and good
    left = left_behind(before, folders)
    for line in left:
        tell(line)
    return well and not left


def tell(report: str) -> None:
    """Print it, with escapes for letters that this console lacks: no report may be lost."""
    known = sys.stdout.encoding
    print(report.encode(known, "backslashreplace").decode(known), flush=True)


def main(arguments: list[str] | None = None) -> int:
    about = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser("start.py notebooks", description=about)
    parser.add_argument("names", nargs="*", help="files in notebooks/ (default: all)")
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 on a change")
    parser.add_argument("--twice", action="store_true", help="write nothing, run each cell twice")
    parser.add_argument("--ignore-pixels", action="store_true", help="leave pictures out")
    given = parser.parse_args(arguments)
    files = [NOTEBOOKS / Path(name).name for name in given.names]
    files = files or sorted(NOTEBOOKS.glob("*.ipynb"))
    missing = [file.name for file in files if not file.is_file()]
    if missing or not files:
        parser.error(f"not found in {NOTEBOOKS}: {', '.join(missing) or 'any notebook'}")
    with tempfile.TemporaryDirectory() as folder:
        return 0 if run_all(files, given, clean_environment(Path(folder))) else 1


if __name__ == "__main__":
    sys.exit(main())
