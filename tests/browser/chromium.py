"""Where a Chromium is on this computer."""

import os
import shutil
from pathlib import Path

import pytest

BROWSERS = ("chromium", "google-chrome", "google-chrome-stable", "chromium-browser", "chrome")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)


def find_browser() -> str:
    """The path of a Chromium; without one the test is skipped, or fails where it is required."""
    named = os.environ.get("CHROMIUM")
    found = named or next(filter(None, map(shutil.which, BROWSERS)), None)
    found = found or next((place for place in PLACES if Path(place).is_file()), None)
    if found:
        return found
    reason = "no Chromium or Chrome found (CHROMIUM=path names one)"
    if os.environ.get("HOLYSHEEP_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
