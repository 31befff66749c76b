"""Where settings come from: a file that others can write decides nothing in silence."""

from __future__ import annotations

import os
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

import holysheep_helpers as hs
from holysheep_helpers.client import settings
from holysheep_helpers.client.settings import owners_are_real, read_settings
from holysheep_helpers.exceptions import ConfigurationError
from tests.support.keys import made_up

KEY = made_up(32)
IN_FILE = ("HOLYSHEEP_API_KEY", "HOLYSHEEP_BASE_URL")
Spoil = Callable[[Path, pytest.MonkeyPatch], None]
FILE = f"HOLYSHEEP_API_KEY={KEY}\nHOLYSHEEP_BASE_URL=https://file.example/v1\n"
needs_owners = pytest.mark.skipif(
    not hasattr(os, "getuid"), reason="files have no owner in numbers on Windows"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, two below the home folder; no file is named."""
    monkeypatch.delenv("HOLYSHEEP_ENV_FILE", raising=False)
    here = tmp_path / "home" / "work" / "lessons"
    here.mkdir(parents=True)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.chdir(here)
    return here


@pytest.fixture
def file(folder: Path) -> Path:
    written = folder / ".env"
    written.write_text(FILE, "utf-8")
    written.chmod(0o600)
    return written


def of_another_user(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.getuid() == 0:
        os.chown(file, 4321, -1)
    else:
        monkeypatch.setattr(os, "getuid", lambda: 4321)


def of_all(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.chmod(0o666)


def test_the_nearest_file_counts_up_to_the_home_folder(folder: Path) -> None:
    home = folder.parents[1]
    (home.parent / ".env").write_text(FILE, "utf-8")
    assert read_settings().file is None, "above the home folder others may write"
    for place in (home, folder.parent, folder):
        (place / ".env").write_text(FILE, "utf-8")
        assert read_settings().file == place / ".env"


@pytest.mark.parametrize("top", ["pyproject.toml", ".git"])
def test_a_projects_top_ends_the_search(folder: Path, top: str) -> None:
    (folder.parents[1] / ".env").write_text(FILE, "utf-8")
    (folder.parent / top).touch()
    assert read_settings().file is None


@needs_owners
@pytest.mark.parametrize("spoil", [of_another_user, of_all])
@pytest.mark.parametrize(
    ("real", "told"),
    [
        (True, r"so it was not read. To use the file: ch"),
        (False, r"this file system says, and it was read"),
    ],
)
def test_a_file_that_others_can_write_is_read_only_where_owners_are_made_up(
    file: Path, monkeypatch: pytest.MonkeyPatch, spoil: Spoil, real: bool, told: str
) -> None:
    monkeypatch.setattr(settings, "owners_are_real", lambda _: real)
    spoil(file, monkeypatch)
    with pytest.warns(hs.EnvFileWarning, match=rf"\.env .*{told}"):
        found = read_settings()
    assert found.file == (None if real else file)
    assert (found.key is None) == real
    assert found.in_file == (frozenset() if real else frozenset(IN_FILE))


@needs_owners
def test_the_administrators_file_and_a_named_one_are_trusted(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "owners_are_real", lambda _: True)
    of_all(file, monkeypatch)
    monkeypatch.setenv("HOLYSHEEP_ENV_FILE", str(file))
    assert read_settings().file == file


@needs_owners
def test_a_link_that_another_user_made_is_left_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its target is this user's own, and which one it is was chosen by somebody else."""
    monkeypatch.setattr(settings, "owners_are_real", lambda _: True)
    (folder / "notes.txt").write_text(FILE, "utf-8")
    (folder / ".env").symlink_to(folder / "notes.txt")
    assert read_settings().file == folder / ".env"
    if os.getuid() == 0:
        os.lchown(folder / ".env", 4321, -1)
    else:
        link, lstat = folder / ".env", Path.lstat
        theirs = os.stat_result((*lstat(link)[:4], 4321, *lstat(link)[5:]))
        monkeypatch.setattr(Path, "lstat", lambda path: theirs if path == link else lstat(path))
    with pytest.warns(hs.EnvFileWarning, match="belongs to another user, so it was not read"):
        assert read_settings().file is None


def test_a_home_folder_that_is_a_link_ends_the_search_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = folder.parents[1]
    (home.parent / ".env").write_text(FILE, "utf-8")
    try:
        (home.parent / "me").symlink_to(home, target_is_directory=True)
    except OSError as error:  # Windows without the right to make links
        pytest.skip(f"no link can be made here: {error}")
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home.parent / "me"))
    assert read_settings().file is None


def test_without_a_current_or_a_home_folder_nothing_fails(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as for a user without an entry
    (folder.parents[2] / "pyproject.toml").touch()
    assert read_settings().file is None

    def deleted() -> str:
        raise FileNotFoundError

    monkeypatch.setattr(os, "getcwd", deleted)
    assert read_settings().file is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no pipes with a file's name")
def test_a_pipe_or_a_folder_of_that_name_is_no_file(folder: Path) -> None:
    os.mkfifo(folder / ".env")
    (folder.parent / ".env").mkdir()
    (folder.parents[1] / ".env").write_text(FILE, "utf-8")
    assert read_settings().file == folder.parents[1] / ".env"


@pytest.mark.parametrize("named", ["a large file", "/dev/zero"])
def test_a_file_without_end_is_refused_before_it_is_read(
    file: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    file.write_text("A=1\n" + FILE + "#" * settings.LARGEST, "utf-8")
    if named == "/dev/zero":
        if not Path(named).exists():
            pytest.skip(f"there is no {named} here")
        monkeypatch.setenv("HOLYSHEEP_ENV_FILE", named)
    with pytest.raises(ConfigurationError, match=r"has more than 65,536 characters") as ex:
        hs.connect()
    shown = traceback.TracebackException.from_exception(ex.value, capture_locals=True)
    assert KEY not in str([frame.locals for frame in shown.stack])
    file.write_text(FILE + "#" * (settings.LARGEST - len(FILE)), "utf-8")
    monkeypatch.delenv("HOLYSHEEP_ENV_FILE", raising=False)
    assert read_settings().file == file


def test_without_owners_as_on_windows_it_is_read(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "getuid", raising=False)
    of_all(file, monkeypatch)
    assert read_settings().file == file


@pytest.mark.parametrize(
    ("mounts", "real"),
    [
        ("/dev/sda1 / ext4 rw 0 0\n", True),
        ("/dev/sda1 / ext4 rw 0 0\nC:\\040 {place} 9p rw 0 0\n", False),
        ("none / overlay rw 0 0\nshare {place} virtiofs rw 0 0\n", False),
        ("share {place} vboxsf rw 0 0\ntmpfs {place}/work tmpfs rw 0 0\n", True),
        ("share {place}2 vboxsf rw 0 0\n", True),
    ],
)
def test_file_systems_that_make_owners_up_are_known(
    file: Path, mounts: str, real: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "_SIGNS_OF_A_CONTAINER", ())
    home = file.parents[2]
    (home / "mounts").write_text(mounts.format(place=home), "utf-8")
    assert owners_are_real(file, home / "mounts") is real
    assert owners_are_real(file, home / "none"), "as on macOS"
    monkeypatch.setattr(settings, "_SIGNS_OF_A_CONTAINER", (file,))
    assert not owners_are_real(file, home / "none")


def test_the_card_names_the_file_that_an_address_came_from(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = hs.connect()
    assert gateway.base_url == "https://file.example/v1"
    for card in (repr(gateway), gateway._repr_html_()):
        assert f"HOLYSHEEP_BASE_URL in {file}" in card
    monkeypatch.setenv("HOLYSHEEP_BASE_URL", "https://here.example/v1")
    assert hs.connect().address_from == "HOLYSHEEP_BASE_URL"
    assert hs.connect(base_url="https://given.example/v1").address_from == ""


def test_no_frame_shows_a_key_of_a_file_that_cannot_be_right(file: Path) -> None:
    file.write_text(f"HOLYSHEEP_API_KEY='{KEY} '\n", "utf-8")
    with pytest.raises(ConfigurationError, match=r"in HOLYSHEEP_API_KEY in .*\.env has a sp") as ex:
        hs.connect()
    with warnings.catch_warnings(action="ignore"):
        shown = traceback.TracebackException.from_exception(ex.value, capture_locals=True)
    ours = [f.locals for f in shown.stack if "holysheep_helpers" in f.filename]
    assert ours
    assert KEY not in str(ours)
