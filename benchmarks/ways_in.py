"""From a clone to the first answer: seconds of each way in that runs on this computer.

    python benchmarks/ways_in.py                 all of them, about four minutes
    python benchmarks/ways_in.py --cold          the package caches empty, too (downloads each time)
    python benchmarks/ways_in.py --room FOLDER   the offline way from this folder (start.py wheels)

Each way gets a clone and an environment of its own, in a temporary folder. What is timed is what
you would type, then a program that connects and asks (for ``start.py``: its installation, and the
start of JupyterLab until it tells its version). Nothing fails here if it is slow.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).resolve().parents[1]
INSIDE = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
ASK = "import holysheep_helpers as hs; print(hs.ask(hs.connect('mock'), 'Say hello').text[:1])"
UV = [sys.executable, "-m", "uv"]


def python_in(clone: Path, name: str = ".venv") -> str:
    return str(clone.joinpath(name, *INSIDE))


def ways(clone: Path, room: Path | None) -> Iterator[tuple[str, list[list[str]]]]:
    """Each way's name, and the commands that one would type in a clone."""
    base = getattr(sys, "_base_executable", sys.executable)
    ask = [python_in(clone), "-c", ASK]
    yield "start.py", [[base, "start.py", "lab", "--version"], ask]
    yield "start.py setup (tests, too)", [[base, "start.py", "setup"], ask]
    uv_run = [*UV, "run", "--no-python-downloads", "--python", base]
    yield "uv run", [[*uv_run, "jupyter", "lab", "--version"], [*uv_run, "python", "-c", ASK]]
    venv, own = [base, "-m", "venv", "own"], python_in(clone, "own")
    install = [own, "-m", "pip", "install", "--quiet", "--editable", "."]
    yield "pip install -e .", [venv, install, [own, "-c", ASK]]
    if room:
        offline = [base, "start.py", "lab", "--offline", str(room), "--version"]
        yield "start.py --offline", [offline, ask]


def seconds(commands: list[list[str]], clone: Path, env: dict[str, str]) -> float:
    """What the clone and the commands take; the last one must print an answer."""
    start_s, said = perf_counter(), ""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    for command in commands:
        done = subprocess.run(command, cwd=clone, env=env, capture_output=True, encoding="utf-8")
        if done.returncode:
            sys.exit(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stderr[-2000:]}")
        said = done.stdout.strip()
    if not said:
        sys.exit(f"No answer came from: {' '.join(commands[-1])}")
    return perf_counter() - start_s


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--cold", action="store_true", help="empty package caches each time")
    parser.add_argument("--room", type=Path, help="a folder that start.py wheels filled")
    given = parser.parse_args()
    cores = os.cpu_count()
    cache = "empty" if given.cold else "warm (what an earlier installation left)"
    print(f"Python {platform.python_version()}, {platform.system()}, {cores} cores; cache {cache}")
    print(f"{'way':30} {'clone to first answer':>22}")
    room = given.room.resolve() if given.room else None
    names = [name for name, _ in ways(Path(), room)]
    for at, name in enumerate(names):
        with tempfile.TemporaryDirectory() as folder:
            clone, env = Path(folder, "clone"), dict(os.environ)
            env.pop("VIRTUAL_ENV", None)
            if given.cold:
                env |= {"UV_CACHE_DIR": str(Path(folder, "uv")), "PIP_NO_CACHE_DIR": "1"}
            _, commands = list(ways(clone, room))[at]
            print(f"{name:30} {seconds(commands, clone, env):20.1f} s", flush=True)
    if not room:
        print("start.py --offline              left out: give --room FOLDER")


if __name__ == "__main__":
    main()
