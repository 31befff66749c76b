"""Filling a folder with wheels: what is asked of uv and pip, and what it does to what is there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import start
from tests.support.offline_folder import FakeFilling, filled, prepare, project
from tests.support.project import ROOT
from tools.offline import filling, wheels


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return project(tmp_path)


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
    one = FakeFilling(root.parent / "w", root, "python", "uv>=0.9", tests=True, env={})
    one.fill(["macos-arm-3.12"])
    compiled, downloaded = one.commands
    assert compiled[compiled.index("--python-platform") + 1] == "aarch64-apple-darwin"
    assert compiled[compiled.index("--python-version") + 1] == "3.12"
    assert compiled[-2:] == ["--group", "dev"]
    assert compiled[compiled.index("--only-binary") + 1] == ":all:"
    assert one.more == ["builder>=1", "editables>=0.3", "uv>=0.9"]
    assert {"--no-deps", "--only-binary"} <= set(downloaded)


def test_a_fill_that_fails_leaves_no_list_and_the_next_takes_what_it_left_away(root: Path) -> None:
    folder = filled(root)

    class Broken(FakeFilling):
        def run(self, command: list[str], what: str) -> str:
            if "3.13" in command:
                raise wheels.FolderError(f"{what} failed", "connect")
            return super().run(command, what)

    with pytest.raises(wheels.FolderError, match=r"versions for linux-3\.13 failed"):
        Broken(folder, root, "python", "uv>=0.9", False, env={}).fill(["linux-3.12", "linux-3.13"])
    with pytest.raises(start.SetupError, match=r"has no wheels.json"):
        prepare(root, folder)
    filled(root, targets=["linux-3.13"])
    assert len(list(folder.glob("*.whl"))) == 2


def test_a_folder_with_other_things_in_it_is_left_alone(root: Path) -> None:
    with pytest.raises(wheels.FolderError, match="other things in it"):
        FakeFilling(root, root, "python", "uv>=0.9", False, env={}).fill(["linux-3.13"])
    assert (root / "pyproject.toml").is_file()
    file = root.parent / "file"
    file.touch()
    with pytest.raises(wheels.FolderError, match="is a file"):
        FakeFilling(file, root, "python", "uv>=0.9", False, env={}).fill(["linux-3.13"])


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
        filling.fill(filling.options([str(root / "w")]), root, "python", "uv>=0.9", {})


@pytest.mark.process
def test_uv_and_pip_have_the_same_macos_in_mind(root: Path) -> None:
    one = filling.Filling(root, root, start.sys.executable, "uv>=0.9", tests=False, env={})
    (root / "tell.py").write_text(
        "import os\nprint(os.environ['MACOSX_DEPLOYMENT_TARGET'])", "utf-8"
    )
    told = one.run(["tell"], "Asking").strip()
    tag = f"macosx_{told.replace('.', '_')}_"
    macs = [tags for name, (_, tags) in filling.PLATFORMS.items() if name.startswith("macos")]
    assert [tags[0].startswith(tag) for tags in macs] == [True, True]


@pytest.mark.process
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


@pytest.mark.process
def test_a_command_that_fails_is_quoted(root: Path) -> None:
    one = filling.Filling(root / "w", root, start.sys.executable, "uv>=0.9", tests=False, env={})
    with pytest.raises(wheels.FolderError, match=r"Trying failed:[\s\S]*no_such_module"):
        one.run(["no_such_module"], "Trying")
