"""Keys that are made up anew for each run."""

from __future__ import annotations

import secrets
import string


def made_up(length: int) -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length))
