"""A room without internet, played: a project, and a folder that is filled without a network."""

from __future__ import annotations

from pathlib import Path

from tests.support.setups import Environment, FakeRun
from tools.offline import filling, wheels

PROJECT = """\
[build-system]
requires = ["builder>=1"]
[project]
dependencies = ["lesson>=2"]
[dependency-groups]
dev = ["tester>=3"]
"""


def project(folder: Path) -> Path:
    """A project in a folder of that place, whose name has a space and Korean letters."""
    root = folder / "한글 folder"
    root.mkdir()
    (root / "pyproject.toml").write_text(PROJECT, "utf-8")
    return root


class FakeFilling(filling.Filling):
    """pip and uv answer at once: each target has a wheel of its own and shares another."""

    commands: list[list[str]]

    def run(self, command: list[str], what: str) -> str:
        self.__dict__.setdefault("commands", []).append(command)
        if command[:3] == ["uv", "pip", "compile"]:
            more = Path(command[command.index("pyproject.toml") + 1])
            assert more.read_text("utf-8").split() == self.more
            return "lesson==2.0\nshared-one==1.5\n"
        dest = Path(command[command.index("--dest") + 1])
        wanted = Path(command[command.index("--requirement") + 1]).read_text("utf-8").split()
        python = command[command.index("--python-version") + 1].replace(".", "")
        tag = command[command.index("--platform") + 1]
        for name in wanted:
            project, _, version = name.partition("==")
            what_for = "py3-none-any" if "shared" in name else f"cp{python}-cp{python}-{tag}"
            file = dest / f"{project.replace('-', '_')}-{version}-{what_for}.whl"
            file.write_bytes(f"{file.name}".encode())
        return ""


def filled(root: Path, tests: bool = False, targets: list[str] | None = None) -> Path:
    folder = root.parent / "room wheels"
    FakeFilling(folder, root, "python", "uv>=0.9", tests, {}).fill(targets or wheels.TARGETS)
    return folder


def prepare(root: Path, folder: Path, tests: bool = False) -> FakeRun:
    run = FakeRun()
    Environment(root, run=run, offline=folder).prepare(tests)
    return run
