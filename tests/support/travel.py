"""What an error or an item says of itself; run as a program, what those in a pickled file say."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import holysheep_helpers as hs
from tests.support.processes import ENV
from tests.support.project import ROOT

SAID = ("status_code", "code", "body", "partial_text", "request_id", "page", "maybe_sent", "lost")


def told(error: BaseException | None) -> dict[str, Any] | None:
    """Type, words, kind and cause of an error, as plain data."""
    if error is None:
        return None
    found = hs.diagnose(error)
    return {
        "type": type(error).__name__,
        "text": str(error),
        "kind": found.kind,
        "what": found.what,
        "again": found.retryable,
        "notes": getattr(error, "__notes__", []),
        "cause": told(error.__cause__) if isinstance(error, hs.HolySheepError) else None,
        **{name: getattr(error, name, None) for name in SAID},
    }


def elsewhere(errors: list[Exception], file: Path) -> list[dict[str, Any]]:
    """What another process says of these errors, which ``file`` brings there."""
    file.write_bytes(pickle.dumps(errors))
    command = [sys.executable, "-m", "tests.support.travel", str(file)]
    done = subprocess.run(command, cwd=ROOT, env=ENV, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as stored:
        print(json.dumps([told(error) for error in pickle.load(stored)]))
