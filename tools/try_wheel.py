"""Builds wheel and sdist, and tries the wheel in an empty environment, outside the project.

    python tools/try_wheel.py

It compares the data files in both with a list, and the lessons in them with those here, and then
runs, from the installed wheel alone: the mock as a process, a panel, a figure, the learner's copy,
and lesson 1 by strict nbval. It needs the network, or uv's
cache. It prints what it has done, and exits with 1 where something is missing or fails.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "holysheep_helpers"
DATA = {
    "__init__.pyi",
    "catalog/catalog.toml",
    "costs/cost_report.md",
    "diagnosis/kinds.toml",
    "lessons/customer_messages.csv",
    "mock/replies.toml",
    "notebook/front/button.js",
    "notebook/front/figure.js",
    "notebook/front/frame.js",
    "notebook/front/panel.css",
    "notebook/front/slider.js",
    "notebook/lessons.mplstyle",
    "py.typed",
}
PAGES = ("errors.md", "glossary.md")
LESSON = "01_connect.ipynb"
TRIAL = """\
from pathlib import Path
import holysheep_helpers as hs

assert Path(hs.__file__).is_relative_to(Path.cwd().parent / "env"), hs.__file__
gw = hs.connect("mock", time_scale=0)
assert len(hs.customer_messages()) == 60
assert hs.ask(gw, "Say hello.").finish_reason == "stop"
panel = hs.playground(gw)
panel.send.click()
panel.wait()
assert panel.text
hs.plot_bars({"a": 1.0, "b": 2.0}, "seconds", "A figure").savefig("figure.png")
assert Path("figure.png").read_bytes().startswith(b"\\x89PNG")
print("The mock, a panel and a figure work.")
"""


def run(command: Sequence[str | Path], folder: Path) -> None:
    """Run a command without this project on the path; end the program if it fails."""
    left_out = ("PYTHON", "HOLYSHEEP_", "OPENAI_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    env["HOLYSHEEP_ENV_FILE"] = os.devnull  # no .env file is read
    done = subprocess.run(list(map(str, command)), cwd=folder, env=env)
    if done.returncode:
        sys.exit(f"This command failed: {' '.join(map(str, command))}")


def check_data(file: str, names: Iterable[str], course: str) -> None:
    """End the program unless its data files are those of the list, its lessons those of here."""
    listed = {f"{PACKAGE}/{name}" for name in DATA} | {f"{course}docs/{page}" for page in PAGES}
    beside = ("*.ipynb", "solutions/*.py", "images/*.svg")
    lessons = [file for name in beside for file in ROOT.glob(f"notebooks/{name}")]
    listed |= {f"{course}{lesson.relative_to(ROOT).as_posix()}" for lesson in lessons}
    known = (f"{PACKAGE}/", f"{course}notebooks/", f"{course}docs/")
    found = {
        name
        for name in names
        if name.startswith(known) and (name in listed or not name.endswith((".py", "/")))
    }
    if found != listed:
        wrong = f"missing {sorted(listed - found)}, not in the list {sorted(found - listed)}"
        sys.exit(f"{file}: {wrong}.")
    print(
        f"{file}: the {len(DATA)} data files of the list and {len(lessons)} of lessons, no other."
    )


def main() -> None:
    uv = [sys.executable, "-m", "uv"]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder).resolve()
        run([*uv, "build", "--quiet", "--out-dir", work / "dist", ROOT], work)
        (wheel,) = (work / "dist").glob("*.whl")
        (sdist,) = (work / "dist").glob("*.tar.gz")
        with zipfile.ZipFile(wheel) as opened:
            check_data(wheel.name, opened.namelist(), f"{PACKAGE}/lessons/course/")
        with tarfile.open(sdist) as opened:
            names = [name.partition("/")[2] for name in opened.getnames()]
            check_data(sdist.name, names, "")
        run([*uv, "venv", "--quiet", "--python", sys.executable, work / "env"], work)
        inside = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
        python = work.joinpath("env", *inside)
        run([*uv, "pip", "install", "--quiet", "--python", python, wheel, "pytest", "nbval"], work)
        empty = work / "empty"
        empty.mkdir()
        run([python, "-c", TRIAL], empty)
        run([python, "-m", "holysheep_helpers.lessons"], empty)
        run([python, "-m", "holysheep_helpers.lessons", "reset", LESSON], empty)
        shutil.copy(ROOT / "notebooks" / LESSON, empty)
        (empty / "pytest.ini").write_text("[pytest]\n", "utf-8")
        options = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=60"]
        options.append(f"--nbval-sanitize-with={ROOT / 'tests' / 'notebooks' / 'sanitize.cfg'}")
        run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, LESSON], empty)


if __name__ == "__main__":
    main()
