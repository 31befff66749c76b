"""What the user has set, a key above all, reaches no test and no notebook."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support.keys import made_up
from tests.support.project import ROOT


@pytest.mark.process
def test_no_setting_of_the_user_is_visible_here() -> None:
    import holysheep_helpers as hs

    ours = {k for k in os.environ if k.startswith(("HOLYSHEEP_", "OPENAI_"))}
    chosen = {k for k in ours if k.startswith("HOLYSHEEP_REQUIRE_")} | {"HOLYSHEEP_SCHEMA"}
    assert ours - chosen == {"HOLYSHEEP_ENV_FILE"}
    assert hs.connect().mode == "mock"


@pytest.mark.process
def test_an_exported_key_stays_unused() -> None:
    """The same test again, in a pytest of its own, with a key and an address exported."""
    key = "hs-" + made_up(40)
    env = os.environ | {
        "HOLYSHEEP_API_KEY": key,
        "HOLYSHEEP_MODE": "live",
        "HOLYSHEEP_BASE_URL": "http://127.0.0.1:9/v1",
    }
    here = "tests/project/test_isolation.py::test_no_setting_of_the_user_is_visible_here"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n0", here]
    done = subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, encoding="utf-8", timeout=120
    )
    assert "1 passed" in done.stdout, done.stdout
    assert key not in done.stdout + done.stderr
