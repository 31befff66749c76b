"""The mock as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.project import ROOT

COMMAND = [sys.executable, "-m", "holysheep_helpers.mock"]


ENV = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}


def run(*options: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *options], env=ENV | env, capture_output=True, encoding="utf-8", timeout=60
    )


@contextmanager
def standing_alone(*options: object) -> Iterator[str]:
    """A mock that nobody's process started, with these options; gives its address."""
    with subprocess.Popen(
        [*COMMAND, "--time-scale", "0", *map(str, options)],
        env=ENV,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    ) as child:
        assert child.stdout is not None
        try:
            yield child.stdout.readline().strip()
        finally:
            child.terminate()
