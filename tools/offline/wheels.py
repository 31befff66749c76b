"""A folder of wheels for a whole room without internet, as ``start.py --offline FOLDER`` takes it.

:func:`check` is asked first, then all is installed from the folder alone; ``filling.py`` fills it.
start.py imports both before anything is installed: they must do with the standard library.
"""

import hashlib
import json
import platform
import sys
import sysconfig
import tomllib
from pathlib import Path

LISTED = "wheels.json"
README = "README.txt"
PYTHONS = ("3.11", "3.12", "3.13")
SYSTEMS = ("windows", "macos-arm", "macos-intel", "linux")
TARGETS = [f"{system}-{python}" for system in SYSTEMS for python in PYTHONS]


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
        if not (folder / LISTED).is_file():  # or a pipe, from which nothing comes
            raise FileNotFoundError
        found = json.loads((folder / LISTED).read_text("utf-8"))
    except FileNotFoundError:
        what = f"{folder} has no {LISTED}: it was not filled by start.py, or not to its end."
        raise FolderError(what, again) from None
    except OSError as error:
        raise FolderError(f"{folder} can't be read ({error.strerror}).", again) from None
    except (ValueError, RecursionError):
        found = None
    parts = {"tests": bool, "needs": list, "targets": dict, "sha256": dict}
    if (
        not isinstance(found, dict)
        or not all(isinstance(found.get(name), kind) for name, kind in parts.items())
        or not all(isinstance(names, list) for names in found["targets"].values())
        or not all(isinstance(name, str) for names in found["targets"].values() for name in names)
    ):
        raise FolderError(f"The list {LISTED} in {folder} is damaged.", again)
    return found


def wheels_in(folder: Path) -> list[Path]:
    """Its wheels, without what macOS writes beside them on a stick (``._name.whl``)."""
    return sorted(file for file in folder.glob("*.whl") if not file.name.startswith("."))


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
    there = {file.name for file in folder.iterdir() if not file.name.startswith(".")}
    foreign = sorted(there - found["sha256"].keys() - {LISTED, README})
    if foreign:
        raise FolderError(
            f"{folder} has files that start.py did not put there: {_some(foreign)}",
            "Take them out, or copy the whole folder again into an empty one.",
        )
    # All that is there is compared, for pip and uv may take what is there for another Python.
    files = sorted({f"{target}.txt", *found["targets"][target], *(there & found["sha256"].keys())})
    wrong = [name for name in files if not whole(folder / name, found["sha256"].get(name))]
    if wrong:
        raise FolderError(
            f"{len(wrong)} of {len(files)} files in {folder} are missing or "
            f"damaged: {_some(wrong)}",
            "Copy the whole folder again.",
        )
    pins = str(folder / f"{target}.txt")
    from_folder = ["--no-index", "--find-links", str(folder), "--constraint", pins]
    return [*from_folder, "--only-binary", ":all:"]  # nothing is built: a build runs its code


def _some(names: list[str]) -> str:
    return f"{', '.join(names[:3])}{' ...' if names[3:] else ''}"


def whole(file: Path, digest: str | None) -> bool:
    """Whether it is there, is a file that can be read, and has this SHA-256."""
    try:
        return file.is_file() and sha256(file) == digest
    except (OSError, ValueError):  # ValueError: no file can have such a name
        return False


def sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
