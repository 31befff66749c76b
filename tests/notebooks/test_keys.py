"""No key in any file of the project: sources, notebooks' outputs and metadata, data, settings."""

from __future__ import annotations

import re

import pytest

from tests.support.keys import made_up
from tests.support.project import ROOT, project_files

FILES = project_files()
# Twenty characters or more after a vendor's beginning. Short names for show (sk-..., hs-mock-demo)
# pass; the longest are the mock's, hs-mock- and up to 19.
KEY = re.compile(
    r"""\b(?: (?:sk|hs)-(?!mock-)[A-Za-z0-9_-]{20,} | hs-mock-[A-Za-z0-9_-]{20,}
          | AIza[A-Za-z0-9_-]{30,} | gh[pousr]_[A-Za-z0-9]{30,} | AKIA[A-Z0-9]{16}
          | [Bb]earer\s+(?!hs-mock-)[A-Za-z0-9._~+/-]{20,} )""",
    re.VERBOSE,
)


def keys_in(text: str) -> list[str]:
    """What looks like a key, shortened: a test's report must not spread what it found."""
    return [f"{found.group()[:6]}...({len(found.group())})" for found in KEY.finditer(text)]


def test_no_file_contains_a_key() -> None:
    assert len(FILES) > 30
    found = {
        str(file.relative_to(ROOT)): keys
        for file in FILES
        if (keys := keys_in(file.read_bytes().decode("utf-8", "replace")))
    }
    assert found == {}


@pytest.mark.parametrize(
    "text",
    [
        "sk-" + made_up(48),
        "hs-" + made_up(20),
        "sk-proj-" + made_up(20),
        "hs-mock-" + made_up(40),
        '"value": "sk-' + made_up(32) + '"',
        "Authorization: Bearer " + made_up(32),
        "AIza" + made_up(35),
    ],
    ids=lambda text: re.sub(r"\w{16,}", "...", text),
)
def test_the_scan_finds_a_made_up_key_and_does_not_repeat_it(text: str) -> None:
    (found,) = keys_in(text)
    assert len(found) < 20


@pytest.mark.parametrize(
    "text",
    [
        "sk-...",
        "hs-mock-demo",
        "YOUR_HOLYSHEEP_API_KEY",
        "Authorization: Bearer hs-mock-demo",
        "the class hs-panel-reply",
        "sk-" + "•" * 30,
    ],
)
def test_names_for_show_pass(text: str) -> None:
    assert keys_in(text) == []
