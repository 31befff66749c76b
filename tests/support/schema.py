"""The public schema of chat completions."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.project import ROOT

DEFAULT = ROOT.parent / "shared" / "data" / "openai-chat.schema.json"


@cache
def schema() -> dict[str, Any]:
    file = Path(os.environ.get("HOLYSHEEP_SCHEMA") or DEFAULT)
    if not file.is_file():
        reason = f"left out: there is no schema at {file.name} (HOLYSHEEP_SCHEMA names another)"
        if os.environ.get("HOLYSHEEP_REQUIRE_SCHEMA"):
            pytest.fail(reason)
        pytest.skip(reason)
    return json.loads(file.read_text(encoding="utf-8"))
