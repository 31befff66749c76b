"""The ``HOLYSHEEP_*`` settings, from the environment and from a ``.env`` file."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from holysheep_helpers._checks import short
from holysheep_helpers.catalog import KEY_VARIABLE
from holysheep_helpers.diagnosis.config import Secret
from holysheep_helpers.exceptions import ConfigurationError, warn

FILE_VARIABLE = "HOLYSHEEP_ENV_FILE"
LARGEST = 65_536  # characters of a file; python-dotenv takes minutes for some megabytes

# File systems that make owners and modes up, for the disk behind them has others or none:
# Windows' disks in WSL, folders shared with a virtual machine or a container, network shares.
_MADE_UP = {"9p", "drvfs", "virtiofs", "vboxsf", "fakeowner", "cifs", "smb3", "vfat", "exfat"}
_MADE_UP |= {"ntfs", "ntfs3", "fuseblk", "fuse.grpcfuse", "fuse.osxfs"}
_SIGNS_OF_A_CONTAINER = (Path("/.dockerenv"), Path("/run/.containerenv"))


class EnvFileWarning(UserWarning):
    """A ``.env`` file that another user can write was left alone, or read all the same.

    The message says which, and what to do.
    """


@dataclass(frozen=True)
class Settings:
    """What was set, without empty values, and the file that a part of it came from.

    The key is a ``Secret`` from the first line on, so that no traceback shows it.
    """

    values: Mapping[str, str]
    key: Secret | None
    file: Path | None = None
    in_file: frozenset[str] = frozenset()

    def source(self, name: str) -> str:
        """Where a setting was made, for messages and the card."""
        return f"{name} in {self.file}" if name in self.in_file else name


def read_settings() -> Settings:
    """The settings of the environment, and under them those of a ``.env`` file.

    ``HOLYSHEEP_ENV_FILE`` names the file, and is trusted. Otherwise it is the first ``.env`` in
    this folder or the ones above it, up to the project's top (where ``pyproject.toml`` or ``.git``
    is) or the home folder. One that belongs to another user, or that all may write, is left alone.

    Raises ``ConfigurationError`` if that file is not there, can't be read, is too large, or is no
    UTF-8.
    """
    named = os.environ.get(FILE_VARIABLE)
    path = Path(named) if named else _found_file()
    written = {} if path is None else {k: Secret(v) for k, v in _read(path).items() if v}
    around = {k: Secret(v) for k, v in os.environ.items() if v}
    found = {k: v for k, v in {**written, **around}.items() if k.startswith("HOLYSHEEP_")}
    key = found.pop(KEY_VARIABLE, None)
    values = {name: secret.reveal() for name, secret in found.items()}
    return Settings(values, key, path, frozenset(written.keys() - around.keys()))


def _found_file() -> Path | None:
    try:
        here = Path.cwd()
    except OSError:  # it was deleted
        return None
    home = os.path.realpath(os.path.expanduser("~"))  # where no user has one, Path.home() fails
    for folder in (here, *here.parents):
        file = folder / ".env"
        if os.path.isfile(file):
            return file if _may_be_read(file) else None
        tops = (folder / "pyproject.toml", folder / ".git")
        if os.path.realpath(folder) == home or any(map(os.path.exists, tops)):
            return None
    return None


def _may_be_read(file: Path) -> bool:
    """Whether this user alone decides on what is in a file that was found, and not named."""
    getuid: Callable[[], int] | None = getattr(os, "getuid", None)
    if getuid is None:  # Windows: other users can't write into your folders
        return True
    found = file.stat()
    if not {found.st_uid, file.lstat().st_uid} <= {0, getuid()}:  # a link's owner chose its target
        what, fix = "belongs to another user", f"chown it, or name it in {FILE_VARIABLE}"
    elif found.st_mode & stat.S_IWOTH:
        what, fix = "can be written by all users", "chmod go-w .env"
    else:
        return True
    if real := owners_are_real(file):
        warn(f"{file} {what}, so it was not read. To use the file: {fix}.", EnvFileWarning, 4)
    else:
        warn(f"{file} {what}, as this file system says, and it was read.", EnvFileWarning, 4)
    return not real


def owners_are_real(file: Path, mounts: Path = Path("/proc/self/mounts")) -> bool:
    """Whether owner and mode of this file are what its disk has, as on an ordinary Linux or macOS.

    In a container, users are not those of the computer whose files it sees; WSL and shared folders
    show Windows' files as everyone's.
    """
    if any(sign.exists() for sign in _SIGNS_OF_A_CONTAINER):
        return False
    try:
        lines = mounts.read_text("utf-8", "replace").splitlines()
    except OSError:  # macOS
        return True
    path, best, kind = file.resolve(), Path("/"), ""
    for line in lines:
        _, place, found, *_ = line.split(" ")
        mounted = Path(place.replace("\\040", " "))
        if path.is_relative_to(mounted) and len(mounted.parts) >= len(best.parts):
            best, kind = mounted, found
    return kind not in _MADE_UP


def _read(path: Path) -> Mapping[str, str | None]:
    from dotenv import dotenv_values

    name = f"The settings file {short(str(path))}"
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = Secret(file.read(LARGEST + 1))
    except OSError as error:
        raise ConfigurationError(
            f"{name} can't be read ({error.strerror}). Correct that, or name another file in "
            f"{FILE_VARIABLE}."
        ) from None
    except UnicodeDecodeError:  # its own words would quote the file, and the file holds a key
        raise ConfigurationError(
            f"{name} is not stored as UTF-8 (Windows PowerShell's > writes UTF-16). Store it again "
            "as UTF-8: in Notepad with File, Save as, Encoding."
        ) from None
    if len(text.reveal()) > LARGEST:
        raise ConfigurationError(
            f"{name} has more than {LARGEST:,} characters: that is no file of settings. Name "
            f"another in {FILE_VARIABLE}, or move it away."
        )
    return dotenv_values(stream=StringIO(text.reveal()), interpolate=False)
