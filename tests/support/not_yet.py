"""Beginnings of the paths whose prose is not in plain English yet: their tests may fail.

Who has rewritten a lesson or a wing takes its line out, in the same commit (a folder's line is
replaced by those of its files that wait). ``--runxfail`` shows what a file that waits still has.
At the end this file goes, with what reads it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.project import ROOT

NOT_YET = (
)


def late(file: Path) -> object:
    """A test's argument: the file, which may fail for now if it is still to be rewritten."""
    name = file.relative_to(ROOT).as_posix()
    waits = [one for one in NOT_YET if name.startswith(one)]
    marks = [pytest.mark.xfail(reason=f"{one} is being rewritten", strict=False) for one in waits]
    return pytest.param(file, id=name, marks=marks)
