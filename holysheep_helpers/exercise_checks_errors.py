"""What is off in an answer to an exercise of lesson 6: a sentence, or ``None``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import httpx2
import openai

from holysheep_helpers.catalog import BASE_URL

CURABLE = {"rate_limit", "server_error", "connect_timeout"}
_ASKED = ("wrong_key", "rate_limit", "quota", "server_error", "unknown_model", "connect_timeout")


def curable(answer: Any) -> str | None:
    if not isinstance(answer, list | tuple | set) or not all(isinstance(a, str) for a in answer):
        return "a list of kinds is needed, ['rate_limit'] say."
    given = set(answer)
    if strange := sorted(given - set(_ASKED)):
        return f"{strange[0]!r} is none of the six."
    if wrong := sorted(given - CURABLE):
        return f"{wrong[0]!r} stays as it is, however often you ask."
    if len(given) < len(CURABLE):
        return f"{len(CURABLE)} of the six can pass by themselves; you have {len(given)} of them."
    return None


def asked_three_times(answer: Any) -> str | None:
    if not isinstance(answer, list) or not all(isinstance(a, dict) for a in answer):
        return "hand over what the mock saw: hs.check('06b', drill.mock.entries())."
    if not all("attempt" in entry for entry in answer):
        return "those are no entries of the mock's journal."
    if any(entry["attempt"] for entry in answer):
        return f"the server saw {len(answer)} requests: the SDK retries inside your loop."
    if len(answer) != 3:
        return f"the server saw {len(answer)} requests: the loop is to ask three times."
    return None


def _error(status: int, code: str | None = None, **headers: str) -> openai.APIStatusError:
    kinds = {
        400: openai.BadRequestError,
        401: openai.AuthenticationError,
        429: openai.RateLimitError,
    }
    request = httpx2.Request("POST", f"{BASE_URL}/chat/completions")
    response = httpx2.Response(status, headers=headers, request=request)
    body = {"code": code, "message": "x", "param": None, "type": "x"}
    said = "Invalid prompt: 'What is error 429?'" if status == 400 else f"Error code: {status}"
    kind = kinds.get(status, openai.InternalServerError)
    return kind(said, response=response, body=body)


def waits_rightly(answer: Any) -> str | None:
    if not callable(answer):
        return "hand over the function itself: hs.check('06c', again_in_s)."
    with redirect_stdout(StringIO()):  # it may print as it likes
        return _asked(answer)


def _asked(answer: Callable[[Exception], Any]) -> str | None:
    limited = answer(_error(429, "rate_limit_exceeded", **{"retry-after": "7"}))
    if answer(_error(400)) is not None:
        return "a 400 that quotes a prompt with 429 in it is asked again. Don't read messages."
    if answer(_error(429, "insufficient_quota")) is not None:
        return "with the credit used up (insufficient_quota) no waiting helps: None."
    if answer(_error(401, "invalid_api_key")) is not None:
        return "a wrong key stays wrong, however long you wait: None."
    if isinstance(limited, bool) or not isinstance(limited, int | float):
        return "for a rate limit a number is needed: seconds to wait."
    if not 7 <= limited <= 10:
        return f"the server said Retry-After: 7, and your function waits {limited:g} s."
    later = answer(_error(503))
    if isinstance(later, bool) or not isinstance(later, int | float) or not 0 < later <= 60:
        return "a 503 without Retry-After can be asked again: after a short wait of your own."
    return None
