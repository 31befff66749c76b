"""A room without internet: what start.py asks for, and what it says of a folder that won't do."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

import start
from tests.support.offline_folder import filled, prepare, project
from tests.support.project import ROOT
from tests.support.setups import Environment, FakeRun
from tools.offline import filling, wheels


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return project(tmp_path)


@pytest.fixture(autouse=True)
def this_computer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever runs the tests, the folder is asked for Linux and Python 3.13."""
    monkeypatch.setattr(wheels, "here", lambda: "linux-3.13")


def test_it_installs_from_the_folder_alone(root: Path) -> None:
    folder = filled(root)
    run = prepare(root, folder)
    assert run.did == ["venv", "pip", "uv"]
    for command in run.commands[1:3]:
        assert command[command.index("--find-links") + 1] == str(folder)
        assert "--no-index" in command
        pins = Path(command[command.index("--constraint") + 1])
        assert pins.read_text("utf-8").split() == ["lesson==2.0", "shared-one==1.5"]
        assert command[command.index("--only-binary") + 1] == ":all:", "nothing is built"
    assert prepare(root, folder).did == []


def test_offline_no_variable_of_pip_or_uv_counts(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*start.HOW_TO_REACH, "UV_INDEX_ROOM_PASSWORD", "PIP_TARGET", "UV_TARGET"):
        monkeypatch.setenv(name, "theirs")
    run = prepare(root, filled(root))
    for env in run.environments[1:3]:
        theirs = {name for name, value in (env or {}).items() if value == "theirs"}
        assert theirs == set()
        assert env is not None
        assert env["PIP_CONFIG_FILE"] == start.os.devnull
        assert (env["UV_NO_CONFIG"], env["UV_OFFLINE"]) == ("1", "1")


def test_with_the_network_no_folder_is_named(root: Path) -> None:
    run = FakeRun()
    Environment(root, run=run).prepare(tests=False)
    assert [c for c in run.commands if "--no-index" in c or "--find-links" in c] == []


def spoil(folder: Path, how: str) -> None:
    wheel = folder / "lesson-2.0-cp313-cp313-manylinux_2_28_x86_64.whl"
    listed = folder / "wheels.json"
    content = json.loads(listed.read_text("utf-8"))
    if how == "gone":
        shutil.rmtree(folder)
    elif how == "no list":
        listed.unlink()
    elif how == "half a list":
        listed.write_text(listed.read_text("utf-8")[:50], "utf-8")
    elif how == "missing":
        wheel.unlink()
    elif how == "cut":
        wheel.write_bytes(wheel.read_bytes()[:-1])
    elif how == "another's list":
        listed.write_text("[]", "utf-8")
    elif how == "a target without a list":
        content["targets"]["linux-3.13"] = 5
        listed.write_text(json.dumps(content), "utf-8")
    elif how == "a number for a name":
        content["targets"]["linux-3.13"].append(5)
        listed.write_text(json.dumps(content), "utf-8")
    elif how == "a name that no file has":
        content["targets"]["linux-3.13"].append("a\0b")
        listed.write_text(json.dumps(content), "utf-8")
    elif how == "a pipe":
        wheel.unlink()
        os.mkfifo(wheel)
    elif how == "a pipe as list":
        listed.unlink()
        os.mkfifo(listed)
    elif how == "deep":
        listed.write_text("[" * 100_000, "utf-8")
    elif how == "no sums":
        listed.write_text(json.dumps(content | {"sha256": {}}), "utf-8")
    elif how == "foreign":
        (folder / "lesson-2.0-1-py3-none-any.whl").write_bytes(b"a higher build number")
    elif how == "source":
        (folder / "lesson-9.0.tar.gz").write_bytes(b"a setup.py that would be run")
    elif how == "folder":
        (folder / "more").mkdir()
    elif how == "another's wheel":
        (folder / "lesson-2.0-cp312-cp312-win_amd64.whl").write_bytes(b"other")
    elif how == "other lessons":
        listed.write_text(json.dumps(content | {"needs": ["lesson>=1"]}), "utf-8")
    elif how == "other computer":
        del content["targets"]["linux-3.13"]
        listed.write_text(json.dumps(content), "utf-8")


needs_pipes = pytest.mark.skipif(
    not hasattr(os, "mkfifo"), reason="Windows has no pipes with a file's name"
)


@pytest.mark.parametrize(
    ("how", "what", "cure"),
    [
        ("gone", "There is no folder", "python start.py wheels FOLDER"),
        ("no list", "has no wheels.json", "Copy the whole folder again"),
        ("half a list", "is damaged", "Copy the whole folder again"),
        ("another's list", "is damaged", "Copy the whole folder again"),
        ("a target without a list", "is damaged", "Copy the whole folder again"),
        ("a number for a name", "is damaged", "Copy the whole folder again"),
        ("a name that no file has", "1 of 26 files", "Copy the whole folder again"),
        pytest.param("a pipe", "1 of 25 files", "Copy the whole folder", marks=needs_pipes),
        pytest.param("a pipe as list", "has no wheels.json", "Copy the", marks=needs_pipes),
        ("deep", "is damaged", "Copy the whole folder again"),
        ("no sums", "did not put there", "copy the whole folder again"),
        ("foreign", "did not put there: lesson-2.0-1-py3-none-any.whl", "Take them out"),
        ("source", "did not put there: lesson-9.0.tar.gz", "Take them out"),
        ("folder", "did not put there: more", "Take them out"),
        ("another's wheel", "1 of [0-9]+ files .* damaged: lesson-2.0-cp312", "Copy the whole"),
        ("missing", "1 of 25 files .* missing or damaged: lesson-2.0", "Copy the whole folder"),
        ("cut", "1 of 25 files .* missing or damaged: lesson-2.0", "Copy the whole folder"),
        ("other lessons", "another version of these lessons", "python start.py wheels FOLDER"),
        ("other computer", r"nothing for .*\(linux-3.13\), only for: windows-3.11", "one of these"),
    ],
)
def test_a_folder_that_will_not_do_is_told_before_anything_is_made(
    root: Path, how: str, what: str, cure: str
) -> None:
    folder = filled(root)
    spoil(folder, how)
    with pytest.raises(start.SetupError, match=what) as caught:
        prepare(root, folder)
    assert cure in str(caught.value).split("What to do:")[1]
    assert not (root / ".venv").exists()


def test_a_folder_for_lessons_alone_is_not_enough_for_the_tests(root: Path) -> None:
    folder = filled(root)
    with pytest.raises(start.SetupError, match=r"lessons alone[\s\S]*--offline FOLDER.*--tests"):
        prepare(root, folder, tests=True)
    assert prepare(root, filled(root, tests=True), tests=True).commands[-2][-2:] == [
        "--group",
        "dev",
    ]


@pytest.mark.parametrize(
    ("system", "machine", "python_for", "name"),
    [
        ("linux", "x86_64", "linux-x86_64", "linux-3.12"),
        ("darwin", "arm64", "macosx-10.13-universal2", "macos-arm-3.12"),
        ("darwin", "x86_64", "macosx-10.13-universal2", "macos-intel-3.12"),
        ("win32", "ARM64", "win-amd64", "windows-3.12"),
        ("linux", "aarch64", "linux-aarch64", "linux-aarch64-3.12"),
    ],
)
def test_this_computer_has_a_name(
    system: str, machine: str, python_for: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(wheels.sys, "platform", system)
    monkeypatch.setattr(wheels.sys, "version_info", (3, 12, 1))
    monkeypatch.setattr(wheels.platform, "machine", lambda: machine)
    monkeypatch.setattr(wheels.sysconfig, "get_platform", lambda: python_for)
    assert wheels.here() == name


def test_what_is_needed_comes_from_pyproject() -> None:
    lessons, tests = wheels.needs(ROOT, tests=False), wheels.needs(ROOT, tests=True)
    assert any(line.startswith("jupyterlab") for line in lessons)
    assert any(line.startswith("hatchling") for line in lessons)
    assert any(line.startswith("nbval") for line in tests)
    assert not any(line.startswith("nbval") for line in lessons)


@pytest.mark.parametrize(
    ("given", "task", "extra", "folder"),
    [
        (["--offline", "w"], "lab", [], "w"),
        (["--offline=w", "--port", "9"], "lab", ["--port", "9"], "w"),
        (["test", "--offline", "w", "-x"], "test", ["-x"], "w"),
        (["--offline", "w", "setup"], "setup", [], "w"),
        (["lab", "--port", "9"], "lab", ["--port", "9"], None),
    ],
)
def test_the_folder_may_stand_anywhere(
    given: list[str], task: str, extra: list[str], folder: str | None
) -> None:
    path = folder and Path(folder).resolve()
    assert start.split(given) == (task, extra, path)


@pytest.mark.parametrize("given", [["--offline"], ["--offline="], ["--offline", "test"]])
def test_no_folder_is_told(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert start.main(given) == 1
    assert "without a folder" in capsys.readouterr().err


def test_without_the_tool_it_says_to_unpack_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(start.importlib, "import_module", missing)
    with pytest.raises(start.SetupError, match="unpack the whole zip"):
        start.tool("wheels", "check")


def test_wheels_and_their_options_are_handed_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = []
    monkeypatch.setattr(start.Environment, "prepare", lambda self, tests: asked.append(tests))
    monkeypatch.setattr(filling.Filling, "fill", lambda self, names: asked.append((self, names)))
    folder = tmp_path / "w"
    assert start.main(["wheels", str(folder), "--tests", "--for", "windows-3.12"]) == 0
    (tests, (one, names)) = asked
    assert (tests, one.folder, one.tests) == (False, folder, True)
    assert names == ["windows-3.12"]
    assert one.more[-1] == start.INSTALLER
