"""A room without internet: what start.py asks for, and what it says of a folder that won't do."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import start
from tests.notebooks.test_keys import ROOT
from tests.unit.test_start import Environment, FakeRun
from tools import filling, wheels

PROJECT = """\
[build-system]
requires = ["builder>=1"]
[project]
dependencies = ["lesson>=2"]
[dependency-groups]
dev = ["tester>=3"]
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "한글 folder"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(PROJECT, "utf-8")
    return folder


class FakeFilling(filling.Filling):
    """pip and uv answer at once: each target has a wheel of its own and shares another."""

    commands: list[list[str]]

    def run(self, command: list[str], what: str) -> str:
        self.__dict__.setdefault("commands", []).append(command)
        if command[:3] == ["uv", "pip", "compile"]:
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
    FakeFilling(folder, root, "python", "uv>=0.9", tests).fill(targets or wheels.TARGETS)
    return folder


def prepare(root: Path, folder: Path, tests: bool = False) -> FakeRun:
    run = FakeRun()
    Environment(root, run=run, offline=folder).prepare(tests)
    return run


@pytest.fixture(autouse=True)
def this_computer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever runs the tests, the folder is asked for Linux and Python 3.13."""
    monkeypatch.setattr(wheels, "here", lambda: "linux-3.13")


def test_twelve_targets_share_what_they_can_and_each_has_its_own(root: Path) -> None:
    folder = filled(root)
    content = json.loads((folder / "wheels.json").read_text("utf-8"))
    assert list(content["targets"]) == wheels.TARGETS
    assert len(wheels.TARGETS) == 12
    assert content["targets"]["windows-3.12"] == [
        "lesson-2.0-cp312-cp312-win_amd64.whl",
        "shared_one-1.5-py3-none-any.whl",
    ]
    assert len(list(folder.glob("*.whl"))) == 13
    others = {"wheels.json", "README.txt"}
    assert set(content["sha256"]) == {file.name for file in folder.iterdir()} - others
    readme = (folder / "README.txt").read_text("utf-8")
    assert "python start.py --offline FOLDER" in readme
    assert "Files: 13 wheels" in readme


def test_versions_are_asked_for_each_system_and_python(root: Path) -> None:
    one = FakeFilling(root.parent / "w", root, "python", "uv>=0.9", tests=True)
    one.fill(["macos-arm-3.12"])
    compiled, downloaded = one.commands
    assert compiled[compiled.index("--python-platform") + 1] == "aarch64-apple-darwin"
    assert compiled[compiled.index("--python-version") + 1] == "3.12"
    assert compiled[-2:] == ["--group", "dev"]
    assert one.more == ["builder>=1", "editables>=0.3", "uv>=0.9"]
    assert {"--no-deps", "--only-binary"} <= set(downloaded)


def test_it_installs_from_the_folder_alone(root: Path) -> None:
    folder = filled(root)
    run = prepare(root, folder)
    assert run.did == ["venv", "pip", "uv"]
    for command in run.commands[1:3]:
        assert command[command.index("--find-links") + 1] == str(folder)
        assert "--no-index" in command
        pins = Path(command[command.index("--constraint") + 1])
        assert pins.read_text("utf-8").split() == ["lesson==2.0", "shared-one==1.5"]
    settings = run.environments[1] or {}
    assert settings["UV_OFFLINE"] == "1"
    assert settings["PIP_FIND_LINKS"] == ""
    assert settings["PIP_CONFIG_FILE"] == start.os.devnull
    assert prepare(root, folder).did == []


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
    elif how == "no sums":
        listed.write_text(json.dumps(content | {"sha256": {}}), "utf-8")
    elif how == "foreign":
        (folder / "lesson-2.0-1-py3-none-any.whl").write_bytes(b"a higher build number")
    elif how == "other lessons":
        listed.write_text(json.dumps(content | {"needs": ["lesson>=1"]}), "utf-8")
    elif how == "other computer":
        del content["targets"]["linux-3.13"]
        listed.write_text(json.dumps(content), "utf-8")


@pytest.mark.parametrize(
    ("how", "what", "cure"),
    [
        ("gone", "There is no folder", "python start.py wheels FOLDER"),
        ("no list", "has no wheels.json", "Copy the whole folder again"),
        ("half a list", "is damaged", "Copy the whole folder again"),
        ("another's list", "is damaged", "Copy the whole folder again"),
        ("no sums", "3 of 3 files", "Copy the whole folder again"),
        ("foreign", "did not put there: lesson-2.0-1-py3-none-any.whl", "Take them out"),
        ("missing", "1 of 3 files .* missing or damaged: lesson-2.0", "Copy the whole folder"),
        ("cut", "1 of 3 files .* missing or damaged: lesson-2.0", "Copy the whole folder"),
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


def test_a_fill_that_fails_leaves_no_list_and_the_next_takes_what_it_left_away(root: Path) -> None:
    folder = filled(root)

    class Broken(FakeFilling):
        def run(self, command: list[str], what: str) -> str:
            if "3.13" in command:
                raise wheels.FolderError(f"{what} failed", "connect")
            return super().run(command, what)

    with pytest.raises(wheels.FolderError, match=r"versions for linux-3\.13 failed"):
        Broken(folder, root, "python", "uv>=0.9", False).fill(["linux-3.12", "linux-3.13"])
    with pytest.raises(start.SetupError, match=r"has no wheels.json"):
        prepare(root, folder)
    filled(root, targets=["linux-3.13"])
    assert len(list(folder.glob("*.whl"))) == 2


def test_a_folder_with_other_things_in_it_is_left_alone(root: Path) -> None:
    with pytest.raises(wheels.FolderError, match="other things in it"):
        FakeFilling(root, root, "python", "uv>=0.9", False).fill(["linux-3.13"])
    assert (root / "pyproject.toml").is_file()
    file = root.parent / "file"
    file.touch()
    with pytest.raises(wheels.FolderError, match="is a file"):
        FakeFilling(file, root, "python", "uv>=0.9", False).fill(["linux-3.13"])


def test_what_a_mac_writes_on_a_stick_is_in_nobodys_way(root: Path) -> None:
    folder = filled(root)
    for name in (".DS_Store", "._wheels.json", "._shared_one-1.5-py3-none-any.whl"):
        (folder / name).write_bytes(b"x")
    assert prepare(root, folder).did == ["venv", "pip", "uv"]
    filled(root)
    content = json.loads((folder / "wheels.json").read_text("utf-8"))
    assert [name for name in content["sha256"] if name.startswith(".")] == []


def test_a_disk_that_is_full_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: filling.Filling, target: str) -> list[str]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(filling.Filling, "download", full)
    with pytest.raises(wheels.FolderError, match=r"can't be filled \(No space left on device\)"):
        filling.fill(filling.options([str(root / "w")]), root, "python", "uv>=0.9")


def test_uv_and_pip_have_the_same_macos_in_mind(root: Path) -> None:
    one = filling.Filling(root, root, start.sys.executable, "uv>=0.9", tests=False)
    (root / "tell.py").write_text(
        "import os\nprint(os.environ['MACOSX_DEPLOYMENT_TARGET'])", "utf-8"
    )
    told = one.run(["tell"], "Asking").strip()
    tag = f"macosx_{told.replace('.', '_')}_"
    macs = [tags for name, (_, tags) in filling.PLATFORMS.items() if name.startswith("macos")]
    assert [tags[0].startswith(tag) for tags in macs] == [True, True]


def test_options_are_looked_at_before_anything_is_installed(root: Path) -> None:
    """With a path that leaves the script's folder out, and another package of the same name."""
    for name in ("start.py", "pyproject.toml"):
        shutil.copy(ROOT / name, root)
    shutil.copytree(ROOT / "tools", root / "tools")
    (root / "site" / "tools").mkdir(parents=True)
    (root / "site" / "tools" / "__init__.py").touch()
    env = os.environ | {"PYTHONSAFEPATH": "1", "PYTHONPATH": str(root / "site")}
    env["PYTHONIOENCODING"] = "utf-8"
    for given, code, says in (
        (["--help"], 0, "a new folder, or one filled before"),
        ([], 2, "required: folder"),
        ([str(root)], 1, "has other things in it"),
    ):
        command = [start.sys.executable, str(root / "start.py"), "wheels", *given]
        done = subprocess.run(command, env=env, capture_output=True, encoding="utf-8")
        assert (done.returncode, says in done.stdout + done.stderr) == (code, True), done.stderr
    assert not (root / ".venv").exists()


def test_a_command_that_fails_is_quoted(root: Path) -> None:
    one = filling.Filling(root / "w", root, start.sys.executable, "uv>=0.9", tests=False)
    with pytest.raises(wheels.FolderError, match=r"Trying failed:[\s\S]*no_such_module"):
        one.run(["no_such_module"], "Trying")


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
