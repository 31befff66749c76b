"""start.py: says what is wrong and how to cure it, installs once, builds the right commands."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import start
from tests.support.setups import Environment, FakeRun

Run = Callable[..., int]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "한글 folder"
    folder.mkdir()
    (folder / "pyproject.toml").write_text("[project]\n", "utf-8")
    return folder


def prepared(root: Path, tests: bool = False, broken: bool = False) -> list[str]:
    run = FakeRun()
    environment = Environment(root, run=run)
    environment.broken = broken
    environment.prepare(tests)
    return run.did


@pytest.mark.parametrize("minor", [6, 10, 11])
def test_it_parses_on_old_pythons_so_that_they_can_be_told(minor: int) -> None:
    source = Path(start.__file__).read_text("utf-8")
    ast.parse(source, feature_version=(3, minor))


@pytest.mark.parametrize(
    ("platform", "cure"),
    [("win32", "winget install"), ("darwin", "brew install"), ("linux", "apt install python3")],
)
def test_an_old_python_is_named_with_its_cure(
    platform: str, cure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    told = start.too_old((3, 9, 2), "/opt/python")
    assert told is not None
    assert "Python 3.9 (/opt/python)" in told
    assert "3.11 or newer" in told
    assert cure in told
    assert start.too_old((3, 11, 0), "") is None
    assert start.too_old((4, 0, 0), "") is None


def test_the_first_run_installs_and_the_second_does_nothing(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prepared(root) == ["venv", "pip", "uv"]
    assert "Everything is installed." in capsys.readouterr().out
    assert prepared(root) == []
    assert capsys.readouterr().out == ""


def test_tests_need_more_than_lessons_and_lessons_nothing_more_than_tests(root: Path) -> None:
    prepared(root)
    assert prepared(root, tests=True) == ["pip", "uv"]
    assert prepared(root) == []
    assert prepared(root, tests=True) == []


def test_new_dependencies_are_added_to_what_is_there(root: Path) -> None:
    prepared(root, tests=True)
    (root / "pyproject.toml").write_text("[project]\nname = 'x'\n", "utf-8")
    run = FakeRun()
    Environment(root, run=run).prepare(tests=False)
    assert run.did == ["pip", "uv"]
    assert run.commands[1][-2:] == ["--group", "dev"], "what the tests need stays installed"


def test_another_python_or_a_moved_folder_makes_it_anew(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(root)
    moved = root.rename(root.with_name("moved"))
    assert prepared(moved) == ["venv", "pip", "uv"]
    monkeypatch.setattr(start.platform, "python_version", lambda: "3.99.0")
    assert prepared(moved) == ["venv", "pip", "uv"]


def test_a_broken_or_half_made_environment_is_made_anew(root: Path) -> None:
    prepared(root)
    assert prepared(root, broken=True) == ["venv", "pip", "uv"]
    (root / ".venv" / "pyvenv.cfg").unlink()
    assert prepared(root) == ["venv", "pip", "uv"]


def test_what_was_installed_elsewhere_is_told_and_not_ready(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A settings file of pip or uv, which may name the company's index, can name a target, too."""
    environment = Environment(root, run=FakeRun())
    monkeypatch.setattr(environment, "works", lambda: False)
    with pytest.raises(start.SetupError, match=r"not into .*\.venv[\s\S]*pip config list"):
        environment.prepare(tests=False)
    assert not environment.stamp.exists()


def test_an_install_that_stopped_starts_again_from_nothing(root: Path) -> None:
    with pytest.raises(start.SetupError):
        Environment(root, run=FakeRun(fail_at="--editable")).prepare(tests=False)
    assert prepared(root) == ["venv", "pip", "uv"]


@pytest.mark.process
def test_a_working_python_is_asked_not_believed(root: Path) -> None:
    assert not start.Environment(root).works()


@pytest.mark.parametrize(
    ("fail_at", "what", "cure"),
    [
        ("venv", "could not make the folder", "close JupyterLab"),
        (
            "pip",
            "The installer uv could not be installed",
            "no network: connect, then run start.py again",
        ),
        ("--editable", "The packages could not be installed", "HTTPS_PROXY"),
    ],
)
def test_what_fails_is_said_with_its_cure(root: Path, fail_at: str, what: str, cure: str) -> None:
    with pytest.raises(start.SetupError) as caught:
        Environment(root, run=FakeRun(fail_at)).prepare(tests=False)
    assert what in str(caught.value)
    assert cure in str(caught.value).split("What to do:")[1]


def test_a_python_without_venv_is_told_which_package_brings_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        start.SetupError, match=r"venv and ensurepip[\s\S]*apt install python3-venv"
    ):
        Environment(root, run=FakeRun()).prepare(tests=False)


def test_a_folder_that_cannot_be_written_is_named(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(dir: Path) -> None:  # noqa: A002 (the real one's name)
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(start.tempfile, "TemporaryFile", refuse)
    with pytest.raises(start.SetupError, match=r"can't be written: .*한글[\s\S]*copy the whole"):
        Environment(root, run=FakeRun()).prepare(tests=False)


def test_start_py_alone_out_of_a_zip_is_told_to_unpack(tmp_path: Path) -> None:
    with pytest.raises(start.SetupError, match="unpack the whole zip"):
        Environment(tmp_path, run=FakeRun()).prepare(tests=False)


def test_a_folder_of_somebody_else_is_left_alone(root: Path) -> None:
    (root / ".venv").mkdir()
    (root / ".venv" / "thesis.txt").touch()
    with pytest.raises(start.SetupError, match="is not a Python environment"):
        Environment(root, run=FakeRun()).prepare(tests=False)
    assert (root / ".venv" / "thesis.txt").exists()


@pytest.mark.parametrize("remains", ["nothing", "its list of files"])
def test_a_package_that_was_taken_away_is_found_and_brought_back(root: Path, remains: str) -> None:
    prepared(root)
    installed = Environment(root, run=FakeRun())
    stamp = installed.stamp.read_text("utf-8")
    assert "openai\n" in stamp
    (gone,) = root.glob(".venv/**/openai")
    gone.rmdir()
    if remains == "nothing":
        (listed,) = root.glob(".venv/**/openai-*.dist-info")
        listed.rmdir()
    assert prepared(root) == ["venv", "pip", "uv"]
    assert installed.stamp.read_text("utf-8") == stamp
    assert prepared(root) == []


def test_another_version_of_a_package_is_the_users_own_affair(root: Path) -> None:
    prepared(root)
    (listed,) = root.glob(".venv/**/openai-*.dist-info")
    listed.rename(listed.with_name("openai-99.dist-info"))
    assert prepared(root) == []


def test_a_link_in_the_place_of_the_environment_is_left_alone(root: Path) -> None:
    elsewhere = root.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "pyvenv.cfg").touch()
    try:
        (root / ".venv").symlink_to(elsewhere, target_is_directory=True)
    except OSError as error:  # Windows without the right to make links
        pytest.skip(f"no link can be made here: {error}")
    with pytest.raises(start.SetupError, match=r"is a link to .*elsewhere[\s\S]*delete the link"):
        Environment(root, run=FakeRun()).prepare(tests=False)
    assert (elsewhere / "pyvenv.cfg").is_file()


def test_a_junction_of_windows_is_found_where_it_leads(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no symbolic link to Python, and what stands behind it would be cleared all the same."""
    real = os.path.realpath
    monkeypatch.setattr(
        os.path, "realpath", lambda path: "D:/all" if Path(path).name == ".venv" else real(path)
    )
    with pytest.raises(start.SetupError, match="is a link to D:/all"):
        Environment(root, run=FakeRun()).prepare(tests=False)


WHERE_AND_WHETHER = [
    *("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_DRY_RUN", "PIP_NO_DEPS", "PIP_IGNORE_INSTALLED"),
    *("PIP_PYTHON", "PIP_NO_BINARY", "PIP_ONLY_BINARY", "PIP_REQUIRE_VIRTUALENV", "PIP_NO_INDEX"),
    *("PIP_CONSTRAINT", "PIP_REQUIREMENT", "PIP_BREAK_SYSTEM_PACKAGES", "PIP_PRE"),
    *("UV_PROJECT_ENVIRONMENT", "UV_SYSTEM_PYTHON", "UV_TARGET", "UV_PREFIX", "UV_NO_DEPS"),
    *("UV_PYTHON", "UV_CONSTRAINT", "UV_OVERRIDE", "UV_BREAK_SYSTEM_PACKAGES", "UV_RESOLUTION"),
    *("UV_PRERELEASE", "UV_NO_BINARY", "UV_NO_BUILD", "UV_NO_INDEX", "UV_REQUIRE_HASHES"),
    *("PYTHONPATH", "PYTHONHOME"),
]


def test_no_variable_says_where_or_whether_to_install(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*WHERE_AND_WHETHER, "PIP_USER"):
        monkeypatch.setenv(name, "theirs")
    run = FakeRun()
    environment = Environment(root, run=run)
    environment.prepare(tests=False)
    assert [command[0] == environment.python for command in run.commands] == [False, *3 * [True]]
    for env in run.environments:
        assert env is not None
        assert [name for name in WHERE_AND_WHETHER if name in env] == []
        assert env["PIP_USER"] == "0"
    uv = run.commands[2]
    assert uv[uv.index("--python") + 1] == environment.python


def test_variables_that_say_how_to_reach_packages_count(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [*sorted(start.HOW_TO_REACH), "UV_INDEX_OURS_USERNAME", "UV_INDEX_OURS_PASSWORD"]
    names += ["HTTPS_PROXY", "SSL_CERT_FILE"]
    for name in names:
        monkeypatch.setenv(name, "theirs")
    run = FakeRun()
    Environment(root, run=run).prepare(tests=False)
    for env in run.environments[1:3]:
        assert [name for name in names if (env or {}).get(name) != "theirs"] == []
    both = {f"{tool}_{what}" for tool in ("PIP", "UV") for what in ("INDEX_URL", "FIND_LINKS")}
    needed = {"PIP_PROXY", "PIP_CERT", "PIP_TIMEOUT", "PIP_CACHE_DIR", "UV_HTTP_TIMEOUT"}
    needed |= {"UV_SYSTEM_CERTS", "UV_CACHE_DIR", "UV_EXCLUDE_NEWER"}
    assert both | needed <= start.HOW_TO_REACH


def test_jupyterlab_and_tests_take_their_packages_from_the_environment_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = FakeRun()
    monkeypatch.setattr(start.Environment, "prepare", lambda self, tests: None)
    monkeypatch.setattr(start, "run", run)
    monkeypatch.setenv("PYTHONPATH", "theirs")
    monkeypatch.setenv("HOLYSHEEP_MODE", "mock")
    assert start.main([]) == 0
    assert run.did == ["holysheep_helpers.lessons", "jupyterlab"]
    for env in run.environments:
        assert env is not None
        assert "PYTHONPATH" not in env
        assert env["HOLYSHEEP_MODE"] == "mock"


@pytest.mark.parametrize("chosen", [None, "0"])
def test_the_systems_certificates_are_used_unless_the_user_decided(
    root: Path, chosen: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UV_SYSTEM_CERTS", raising=False)
    if chosen:
        monkeypatch.setenv("UV_SYSTEM_CERTS", chosen)
    run = FakeRun()
    Environment(root, run=run).prepare(tests=False)
    assert [(e or {})["UV_SYSTEM_CERTS"] for e in run.environments[1:3]] == [chosen or "1"] * 2


@pytest.mark.parametrize(
    ("on", "inside"), [("win32", ("Scripts", "python.exe")), ("linux", ("bin", "python"))]
)
def test_commands_name_the_environments_python(on: str, inside: tuple[str, str]) -> None:
    environment = start.Environment(on=on)
    python = str(start.ROOT.joinpath(".venv", *inside))
    lab = environment.command("lab", ["--port", "9999"], as_root=False)
    assert lab[:3] == [python, "-m", "jupyterlab"]
    assert lab[-2:] == ["--port", "9999"]
    assert "--LabApp.default_url=/lab/tree/my_lessons/00_start_here.ipynb" in lab
    assert "--allow-root" not in lab
    assert "--allow-root" in environment.command("lab", [], as_root=True)
    quick = environment.command("test", ["--quick", "-x"], as_root=False)
    assert quick[3:] == [*start.QUICK, "-x"]
    assert quick[quick.index("-m", 3) + 1] == "not process"
    tests = environment.command("test", ["-k", "mock"], as_root=True)
    assert tests[:3] == [python, "-m", "pytest"]
    assert tests[-2:] == ["-k", "mock"]
    assert environment.command("notebooks", ["--check"], as_root=True)[-1] == "--check"
    reset = environment.command("reset", ["03"], as_root=True)
    assert reset == [python, "-m", "holysheep_helpers.lessons", "reset", "03"]


def test_the_news_question_is_off_in_this_environment_alone(root: Path) -> None:
    prepared(root)
    settings = root / ".venv" / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
    assert '"fetchNews": "false"' in settings.read_text("utf-8")


def test_this_computer_is_reached_past_a_proxy() -> None:
    env = start.loopback_past_proxies({"no_proxy": "intra", "HOME": "h"})
    assert env["NO_PROXY"] == env["no_proxy"] == "intra,127.0.0.1,localhost"
    assert env["HOME"] == "h"


@pytest.mark.parametrize(
    ("arguments", "task", "extra"),
    [
        ([], "lab", []),
        (["--no-browser"], "lab", ["--no-browser"]),
        (["lab", "--port", "9999"], "lab", ["--port", "9999"]),
        (["test", "-x"], "test", ["-x"]),
        (["reset", "03"], "reset", ["reset", "03"]),
    ],
)
def test_main_hands_the_rest_on(
    arguments: list[str], task: str, extra: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = FakeRun()
    monkeypatch.setattr(start.Environment, "prepare", lambda self, tests: None)
    monkeypatch.setattr(start, "run", run)
    assert start.main(arguments) == 0
    *before, command = run.commands
    copy = start.Environment().copy
    assert before == ([copy] if task == "lab" else [])
    assert command[2] == {"lab": "jupyterlab", "test": "pytest", "reset": copy[2]}[task]
    assert command[len(command) - len(extra) :] == extra


@pytest.mark.parametrize("task", ["lab", "setup"])
def test_nothing_is_opened_without_the_learners_copy(
    task: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = FakeRun(fail_at="holysheep_helpers.lessons")
    monkeypatch.setattr(start.Environment, "prepare", lambda self, tests: None)
    monkeypatch.setattr(start, "run", run)
    assert start.main([task]) == 1
    assert run.did == ["holysheep_helpers.lessons"]
    assert capsys.readouterr().out == ""


def test_main_reports_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start.main(["tset"]) == 1
    assert "'tset'" in capsys.readouterr().err

    def interrupted(self: start.Environment, tests: bool) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(start.Environment, "prepare", interrupted)
    assert start.main([]) == 130
    assert "Stopped" in capsys.readouterr().err


@pytest.mark.process
def test_a_real_command_gives_its_exit_code() -> None:
    assert start.run([sys.executable, "-c", "raise SystemExit(3)"]) == 3
