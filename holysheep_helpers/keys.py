"""Where a key comes from, and whether it can be right. It is never shown."""

from __future__ import annotations

import os
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from holysheep_helpers.catalog import KEY_VARIABLE
from holysheep_helpers.diagnosis.config import Secret, checked_key
from holysheep_helpers.exceptions import ConfigurationError

_logged_in: Secret | None = None


def login() -> None:
    """Ask for a key in a password field and keep it in memory, for this kernel alone.

    JupyterLab shows the field below the cell, a terminal asks on a line that shows nothing. The
    next ``hs.connect()`` uses the key. An empty answer forgets a key given before.

    Raises ``ConfigurationError`` if what was typed can't be a key.
    """
    import getpass

    global _logged_in
    typed = getpass.getpass("HolySheep API key (not shown, kept in memory only): ")
    if not typed:
        _logged_in = None
        print("No key kept.")
        return
    _logged_in = checked_key(typed, "hs.login()")
    print("The key is kept in memory, for this kernel alone. hs.connect() will use it.")


def settings() -> Mapping[str, str]:
    """The ``HOLYSHEEP_*`` settings: the environment before a ``.env`` file; empty ones left out.

    The file is the first ``.env`` in this folder or the ones above it, up to the project's top
    (where ``pyproject.toml`` or ``.git`` is). ``HOLYSHEEP_ENV_FILE`` names another.

    Raises ``ConfigurationError`` if that file is not there, can't be read, or is no UTF-8.
    """
    path = _env_file()
    found: dict[str, str | None] = {}
    if path is not None:
        found.update(_read(path))
    found.update(os.environ)
    return {name: v for name, v in found.items() if name.startswith("HOLYSHEEP_") and v}


def _read(path: Path) -> Mapping[str, str | None]:
    from dotenv import dotenv_values

    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(
            f"{path} can't be read ({error.strerror}). Mend that, or name another file in "
            "HOLYSHEEP_ENV_FILE."
        ) from None
    except UnicodeDecodeError:  # its own words would quote the file, and the file holds a key
        raise ConfigurationError(
            f"{path} is not stored as UTF-8 (Windows PowerShell's > writes UTF-16). Store it again "
            "as UTF-8: in Notepad with File, Save as, Encoding."
        ) from None
    return dotenv_values(stream=StringIO(text), interpolate=False)


def _env_file() -> Path | None:
    named = os.environ.get("HOLYSHEEP_ENV_FILE")
    if named:
        return Path(named)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / ".env").is_file():
            return folder / ".env"
        if (folder / "pyproject.toml").exists() or (folder / ".git").exists():
            break
    return None


def find_key(argument: object, found: Mapping[str, str]) -> Secret | None:
    """The key to use, checked: the argument, then ``hs.login()``, then the settings."""
    if argument is not None:
        return checked_key(argument, "the argument api_key")
    if _logged_in is not None:
        return _logged_in
    if KEY_VARIABLE in found:
        return checked_key(found[KEY_VARIABLE], KEY_VARIABLE)
    return None
