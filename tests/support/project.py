"""The project's folder and its files."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


LEFT_OUT = {".git", ".venv", "__pycache__", ".ruff_cache", ".pytest_cache", ".ipynb_checkpoints"}


def project_files() -> list[Path]:
    """The files that git tracks or would; all but caches where there is no git."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60)
    except (OSError, subprocess.CalledProcessError):
        found = []
        for folder, folders, names in os.walk(ROOT):
            folders[:] = sorted(set(folders) - LEFT_OUT)
            found += [Path(folder, name) for name in names if name not in (".env", "uv.lock")]
        return found
    names = listed.stdout.decode("utf-8").split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]
