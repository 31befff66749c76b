"""A stand-in for the commands that start.py runs."""

from __future__ import annotations

from pathlib import Path

import start


class FakeRun:
    """Stands in for ``start.run``: notes the commands, makes .venv, fails where told to."""

    def __init__(self, fail_at: str = "") -> None:
        self.commands: list[list[str]] = []
        self.environments: list[dict[str, str] | None] = []
        self.fail_at = fail_at
        self.folder: Path | None = None

    def __call__(self, command: list[str], env: dict[str, str] | None = None) -> int:
        self.commands.append(command)
        self.environments.append(env)
        if command[1:3] == ["-m", "venv"]:
            self.folder = Path(command[-1])
            self.folder.mkdir(exist_ok=True)
            (self.folder / "pyvenv.cfg").touch()
        elif "--editable" in command and self.folder:
            packages = start.Environment(self.folder.parent).place
            for name in ("openai", "openai-3.50.dist-info"):
                (packages / name).mkdir(parents=True, exist_ok=True)
        return 1 if self.fail_at and self.fail_at in command else 0

    @property
    def did(self) -> list[str]:
        return [command[2] for command in self.commands if command[1] == "-m"]


class Environment(start.Environment):
    """One whose .venv works as long as its pyvenv.cfg is there, and is ``broken`` until made."""

    broken = False

    def make(self) -> None:
        super().make()
        self.broken = False

    def works(self) -> bool:
        return (self.folder / "pyvenv.cfg").is_file() and not self.broken
