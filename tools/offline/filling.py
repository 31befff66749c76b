"""``start.py wheels FOLDER`` fills a folder for a whole room without internet.

Which packages they are comes from ``pyproject.toml``, with the versions of its ``exclude-newer``,
worked out for each system and Python apart.
"""

import argparse
import json
import os
import re
import subprocess
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools.offline.wheels import LISTED, README, TARGETS, FolderError, needs, sha256, wheels_in

MACOS = "13.0"  # uv works the versions out for it, pip takes wheels for it and older ones
GLIBC = [f"manylinux_2_{minor}_x86_64" for minor in range(28, 16, -1)]
# A system's name here, uv's name for it, and pip's names for the wheels that it runs.
PLATFORMS = {
    "windows": ("x86_64-pc-windows-msvc", ["win_amd64"]),
    "macos-arm": ("aarch64-apple-darwin", [f"macosx_{MACOS.replace('.', '_')}_arm64"]),
    "macos-intel": ("x86_64-apple-darwin", [f"macosx_{MACOS.replace('.', '_')}_x86_64"]),
    "linux": (
        "x86_64-manylinux_2_28",
        [*GLIBC, "manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"],
    ),
}
AT_ONCE = 3
EDITABLE = "editables>=0.3"  # hatchling asks for it when it builds what --editable needs

WORDS = """\
Wheels for HolySheep Notebooks: everything that its lessons{tests} need, for a computer without
internet. Copy this folder and the folder of the lessons to each computer (Python itself must be
there already), then in the folder of the lessons:

    python start.py --offline FOLDER

with this folder's path for FOLDER. Nothing else is asked for, and no address is called.

For: {targets} (macOS {macos} or newer, Linux with glibc 2.28 or newer)
Files: {files} wheels, {megabytes} MB. {listed} has the SHA-256 of each; start.py compares them
before it installs anything. The .txt files have the versions for each system and Python.
"""


def to_replace(folder: Path) -> list[Path]:
    """What an earlier run left in a folder that is to be filled; none if there is no such folder.

    :raises FolderError: it is a file, or has other things in it.
    """
    if folder.exists() and not folder.is_dir():
        raise FolderError(f"{folder} is a file.", "Name a folder, a new one or empty.")
    there = list(folder.iterdir()) if folder.is_dir() else []
    seen = [file for file in there if not file.name.startswith(".")]  # .DS_Store and the like
    own = {LISTED, README, *(f"{target}.txt" for target in TARGETS)}
    if any(file.name not in own and file.suffix != ".whl" for file in seen):
        raise FolderError(f"{folder} has other things in it.", "Name a new folder.")
    return seen


class Filling:
    """One run of ``start.py wheels``; ``python`` has pip and uv, ``installer`` is uv's bound.

    ``env`` has the variables for both.
    """

    def __init__(
        self, folder: Path, root: Path, python: str, installer: str, tests: bool, env: dict
    ) -> None:
        self.folder, self.root, self.python, self.tests = folder, root, python, tests
        self.env = env
        build = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["build-system"]
        self.more = [*build["requires"], EDITABLE, installer]

    def run(self, command: list[str], what: str) -> str:
        """The output of a command of ``python``.

        :raises FolderError: it failed; its own words are in the message.
        """
        done = subprocess.run(
            [self.python, "-m", *command],
            cwd=self.root,
            env=self.env | {"MACOSX_DEPLOYMENT_TARGET": MACOS},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
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
        command += ["--python-platform", PLATFORMS[system][0], "--python-version", python]
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
            command += [part for name in PLATFORMS[system][1] for part in ("--platform", name)]
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
        before = to_replace(self.folder)
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
        wheels = wheels_in(self.folder)
        files = [*wheels, *(self.folder / f"{target}.txt" for target in found)]
        megabytes = sum(wheel.stat().st_size for wheel in wheels) / 1e6
        content = {
            "tests": self.tests,
            "needs": needs(self.root, self.tests),
            "targets": found,
            "sha256": {file.name: sha256(file) for file in files},
        }
        words = WORDS.format(
            tests=" and tests" if self.tests else "",
            targets=", ".join(found),
            macos=MACOS,
            files=len(wheels),
            megabytes=f"{megabytes:.0f}",
            listed=LISTED,
        )
        (self.folder / README).write_text(words, "utf-8")
        (self.folder / LISTED).write_text(json.dumps(content, indent=1) + "\n", "utf-8")
        print(f"Together: {len(wheels)} wheels, {megabytes:.0f} MB. Next: README.txt", flush=True)


def pinned(wheel: Path) -> str:
    """A wheel's name and version as ``name==version``, the name as uv writes it."""
    name, version = wheel.name.split("-")[:2]
    return f"{re.sub('[-_.]+', '-', name).lower()}=={version}"


def options(arguments: list[str]) -> argparse.Namespace:
    """The options of ``start.py wheels``, looked at before anything is installed.

    :raises FolderError: the folder is not free.
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
    given.folder = Path(os.path.expanduser(given.folder)).resolve()
    to_replace(given.folder)
    return given


def fill(given: argparse.Namespace, root: Path, python: str, installer: str, env: dict) -> None:
    """``start.py wheels`` with its options.

    :raises FolderError: the folder is not free or can't be written, or a download failed.
    """
    filling = Filling(given.folder, root, python, installer, given.tests, env)
    try:
        filling.fill(list(dict.fromkeys(given.targets or TARGETS)))
    except OSError as error:
        raise FolderError(
            f"{given.folder} can't be filled ({error.strerror or error}).",
            "Name a folder that you may write into, on a disk with 4 GB free.",
        ) from None
