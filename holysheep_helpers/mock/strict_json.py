"""JSON as the standard has it: no NaN, no half letters, and no deeper than can be sent back."""

from __future__ import annotations

import json
import sys
from typing import Any

from holysheep_helpers.mock.wire import WireError

DEEPEST = 100
"""How deep a body may be nested. Python's own limit depends on its version and on who calls."""
_LARGEST = sys.float_info.max


def _no_json(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _finite(digits: str) -> float:
    return max(-_LARGEST, min(_LARGEST, float(digits)))


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_no_json)


def parse_json(raw: bytes) -> Any:
    """The JSON in these bytes. Raises ``WireError`` (400) if there is none, or half a letter."""
    try:
        text = raw.decode("utf-8")
        body = _DECODER.decode(text)
        if text.count("[") + text.count("{") > DEEPEST:
            _check_depth(body)
        if "\\u" in text:  # half of a surrogate pair is no text, and could not be sent back
            json.dumps(body, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise WireError(400, "We could not parse the JSON body of your request.") from None
    return body


def _check_depth(body: Any) -> None:
    level = [body]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise ValueError(f"nested deeper than {DEEPEST} levels")
