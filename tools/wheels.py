"""A folder of wheels for a whole room without internet: ``start.py wheels FOLDER`` fills it.

``start.py --offline FOLDER`` asks :func:`check` first, then installs from the folder alone. Which
packages they are comes from ``pyproject.toml``, with the versions of its ``exclude-newer``, worked
out for each system and Python apart. start.py imports this before anything is installed: it must
do with the standard library.
"""

import argparse
import hashlib
import json
import platform
import re
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

LISTED = "wheels.json"
PYTHONS = ("3.11", "3.12", "3.13")
GLIBC = [f"manylinux_2_{minor}_x86_64" for minor in range(28, 16, -1)]
# A system's name here, uv's name for it, and pip's names for the wheels that it runs.
SYSTEMS = {
    "windows": ("x86_64-pc-windows-msvc", ["win_amd64"]),
    "macos-arm": ("aarch64-apple-darwin", ["macosx_12_0_arm64"]),
    "macos-intel": ("x86_64-apple-darwin", ["macosx_12_0_x86_64"]),
    "linux": (
        "x86_64-manylinux_2_28",
        [*GLIBC, "manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"],
    ),
}
TARGETS = [f"{system}-{python}" for system in SYSTEMS for python in PYTHONS]
AT_ONCE = 3
EDITABLE = "editables>=0.3"  # hatchling asks for it when it builds what --editable needs

README = """\
Wheels for HolySheep Notebooks: everything that its lessons{tests} need, for a computer without
internet. Copy this folder and the folder of the lessons to each computer (Python itself must be
there already), then in the folder of the lessons:

    python start.py --offline FOLDER

with this folder's path for FOLDER. Nothing else is asked for, and no address is called.

For: {targets}
Files: {files} wheels, {megabytes} MB. {listed} has the SHA-256 of each; start.py compares them
before it installs anything. The .txt files have the versions for each system and Python.
"""


class FolderError(Exception):
    """A folder can't be filled or used: what is wrong with it, and what to do."""

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(f"{what} {cure}")
        self.what, self.cure = what, cure


def here() -> str:
    """The target that this Python is, such as ``linux-3.13``; it need not be in ``TARGETS``."""
    python = "{}.{}".format(*sys.version_info)
    known = {
        "win-amd64": "windows",
        "darwin-arm64": "macos-arm",
        "darwin-x86_64": "macos-intel",
        "linux-x86_64": "linux",
    }
    found = f"{sys.platform}-{platform.machine()}"
    if sys.platform == "win32":
        found = sysconfig.get_platform()  # the machine may be another one than Python was made for
    return f"{known.get(found, found)}-{python}"


def needs(root: Path, tests: bool) -> list[str]:
    """What ``pyproject.toml`` in ``root`` asks for, to build, to run, and to test if ``tests``."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    found = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    return found + (project["dependency-groups"]["dev"] if tests else [])


def listed(folder: Path) -> dict:
    """What the folder says that it has.

    :raises FolderError: it is not there, or has no readable list.
    """
    again = "Copy the whole folder again, or fill it: python start.py wheels FOLDER"
    if not folder.is_dir():
        raise FolderError(f"There is no folder {folder}.", again)
    try:
        found = json.loads((folder / LISTED).read_text("utf-8"))
    except FileNotFoundError:
        found = None
    except ValueError:
        raise FolderError(f"The list {LISTED} in {folder} is damaged.", again) from None
    if found is None:
        what = f"{folder} has no {LISTED}: it was not filled by start.py, or not to its end."
        raise FolderError(what, again)
    return found


def check(folder: Path, root: Path, tests: bool) -> list[str]:
    """Make sure that all can be installed from ``folder`` here, before anything is touched.

    Gives the options by which pip and uv take just these wheels: another Python's are beside them.

    :raises FolderError: it is missing, for other lessons, for other computers, or not whole.
    """
    found, target = listed(folder), here()
    if tests and not found["tests"]:
        raise FolderError(
            f"{folder} has wheels for the lessons alone, not for the tests.",
            "Open the lessons: python start.py --offline FOLDER. Or fill it for the tests, too: "
            "python start.py wheels FOLDER --tests",
        )
    if found["needs"] != needs(root, found["tests"]):
        raise FolderError(
            f"{folder} was filled for another version of these lessons.",
            "Fill it again with this version: python start.py wheels FOLDER",
        )
    if target not in found["targets"]:
        raise FolderError(
            f"{folder} has nothing for this computer's Python ({target}), only for: "
            f"{', '.join(found['targets'])}.",
            "Run start.py with one of these Pythons, on such a system.",
        )
    wrong = [
        name
        for name in [f"{target}.txt", *found["targets"][target]]
        if not (folder / name).is_file() or sha256(folder / name) != found["sha256"][name]
    ]
    if wrong:
        raise FolderError(
            f"{len(wrong)} of {len(found['targets'][target]) + 1} files in {folder} are missing or "
            f"damaged: {', '.join(wrong[:3])}{' ...' if wrong[3:] else ''}",
            "Copy the whole folder again.",
        )
    pins = folder / f"{target}.txt"
    return ["--no-index", "--find-links", str(folder), "--constraint", str(pins)]


def sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class Filling:
    """One run of ``start.py wheels``; ``python`` has pip and uv, ``installer`` is uv's bound."""

    def __init__(self, folder: Path, root: Path, python: str, installer: str, tests: bool) -> None:
        self.folder, self.root, self.python, self.tests = folder, root, python, tests
        build = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["build-system"]
        self.more = [*build["requires"], EDITABLE, installer]

    def run(self, command: list[str], what: str) -> str:
        """The output of a command of ``python``.

        :raises FolderError: it failed; its own words are in the message.
        """
        full = [self.python, "-m", *command]
        done = subprocess.run(
            full, cwd=self.root, capture_output=True, encoding="utf-8", errors="replace"
        )
        if done.returncode:
            words = "\n  ".join(done.stderr.strip().splitlines()[-12:])
            cure = "If it speaks of a connection or a time-out: connect, then run it again."
            raise FolderError(f"{what} failed:\n  {words}", cure)
        return done.stdout

    def versions(self, target: str, scratch: Path) -> list[str]:
        """All that this target needs, as ``name==version``; no package without a wheel for it."""
        system, _, python = target.rpartition("-")
        more = scratch / "more.in"
        more.write_text("\n".join(self.more) + "\n", "utf-8")
        command = ["uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate"]
        command += ["--python-platform", SYSTEMS[system][0], "--python-version", python]
        command += ["--only-binary", ":all:", "pyproject.toml", str(more)]
        command += ["--group", "dev"] if self.tests else []
        return self.run(command, f"Working out the versions for {target}").split()

    def download(self, target: str) -> list[str]:
        """Bring the wheels of one target into the folder; gives the names of all it needs."""
        system, _, python = target.rpartition("-")
        with tempfile.TemporaryDirectory(dir=self.folder) as temporary:
            scratch = Path(temporary)
            wanted = self.versions(target, scratch)
            for_all = {pinned(wheel): wheel for wheel in self.folder.glob("*-none-any.whl")}
            there = [for_all[one].name for one in wanted if one in for_all]
            missing = [one for one in wanted if one not in for_all]
            (scratch / "needs.txt").write_text("\n".join(missing) + "\n", "utf-8")
            command = ["pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
            command += ["--implementation", "cp", "--python-version", python]
            command += [part for name in SYSTEMS[system][1] for part in ("--platform", name)]
            command += ["--dest", temporary, "--requirement", str(scratch / "needs.txt")]
            if missing:
                self.run(command, f"Downloading the wheels for {target}")
            came = sorted(scratch.glob("*.whl"))
            for wheel in came:
                wheel.replace(self.folder / wheel.name)
        names = sorted([*there, *(wheel.name for wheel in came)])
        print(f"{target}: {len(names)} wheels", flush=True)
        return names

    def fill(self, targets: list[str]) -> None:
        """Fill the folder for these targets; what an earlier run left and none needs goes."""
        if self.folder.exists() and not self.folder.is_dir():
            raise FolderError(f"{self.folder} is a file.", "Name a folder, a new one or empty.")
        before = set(self.folder.iterdir()) if self.folder.is_dir() else set()
        own = {LISTED, "README.txt", *(f"{target}.txt" for target in TARGETS)}
        if any(file.name not in own and file.suffix != ".whl" for file in before):
            raise FolderError(f"{self.folder} has other things in it.", "Name a new folder.")
        self.folder.mkdir(parents=True, exist_ok=True)
        for file in before:
            file.unlink()
        found = {targets[0]: self.download(targets[0])}  # the others share most of its wheels
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found |= zip(targets[1:], pool.map(self.download, targets[1:]), strict=True)
        self.finish(found)

    def finish(self, found: dict[str, list[str]]) -> None:
        """Write the list and the read-me: last, so that a folder filled by half has none."""
        for target, names in found.items():
            pins = "\n".join(pinned(Path(name)) for name in names)
            (self.folder / f"{target}.txt").write_text(pins + "\n", "utf-8")
        wheels = sorted(self.folder.glob("*.whl"))
        files = [*wheels, *(self.folder / f"{target}.txt" for target in found)]
        megabytes = sum(wheel.stat().st_size for wheel in wheels) / 1e6
        content = {
            "tests": self.tests,
            "needs": needs(self.root, self.tests),
            "targets": found,
            "sha256": {file.name: sha256(file) for file in files},
        }
        words = README.format(
            tests=" and tests" if self.tests else "",
            targets=", ".join(found),
            files=len(wheels),
            megabytes=f"{megabytes:.0f}",
            listed=LISTED,
        )
        (self.folder / "README.txt").write_text(words, "utf-8")
        (self.folder / LISTED).write_text(json.dumps(content, indent=1) + "\n", "utf-8")
        print(f"Together: {len(wheels)} wheels, {megabytes:.0f} MB. Next: README.txt", flush=True)


def pinned(wheel: Path) -> str:
    """A wheel's name and version as ``name==version``, the name as uv writes it."""
    name, version = wheel.name.split("-")[:2]
    return f"{re.sub('[-_.]+', '-', name).lower()}=={version}"


def fill(arguments: list[str], root: Path, python: str, installer: str) -> None:
    """``start.py wheels`` with its options.

    :raises FolderError: the folder is not free, or something could not be fetched.
    """
    parser = argparse.ArgumentParser("start.py wheels", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path, help="a new folder, or one filled before")
    parser.add_argument("--tests", action="store_true", help="what the tests need, too")
    parser.add_argument(
        *("--for", "-f"),
        dest="targets",
        metavar="TARGET",
        action="append",
        choices=TARGETS,
        help=f"only for this, may be repeated (default: all): {', '.join(TARGETS)}",
    )
    given = parser.parse_args(arguments)
    folder = given.folder.resolve()
    Filling(folder, root, python, installer, given.tests).fill(given.targets or TARGETS)
