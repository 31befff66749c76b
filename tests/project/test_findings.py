"""The scripts in findings/: each listed, short, pinned, and tidy. None is run: they install."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.project import ROOT

FOLDER = ROOT / "findings"
SCRIPTS = sorted(FOLDER.glob("*.sh"))
PINNED = re.compile(r"[a-z0-9-]+==[\d.]+")


def rows() -> dict[str, str]:
    """Each script that the README lists, and the versions beside it."""
    text = (FOLDER / "README.md").read_text("utf-8")
    return dict(re.findall(r"^\| \[(\w+\.sh)\]\(\1\) \| ([^|]+) \|", text, re.MULTILINE))


def test_the_readme_lists_each_script_and_nothing_else() -> None:
    assert sorted(rows()) == [script.name for script in SCRIPTS] != []
    others = {file.name for file in FOLDER.iterdir()} - {script.name for script in SCRIPTS}
    assert others == {"README.md"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_is_short_pins_what_it_installs_and_removes_it(script: Path) -> None:
    lines = script.read_text("utf-8").splitlines()
    assert len(lines) <= 60
    assert "folder=$(mktemp -d)" in lines
    assert "trap 'rm -rf \"$folder\"' EXIT" in lines
    (installed,) = [line.partition("install -qq ")[2] for line in lines if "pip install" in line]
    packages = installed.split()
    assert packages
    assert [name for name in packages if not PINNED.fullmatch(name)] == []
    assert set(rows()[script.name].split(", ")) <= {name.replace("==", " ") for name in packages}
    assert "holysheep" not in script.read_text("utf-8")
