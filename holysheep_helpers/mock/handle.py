"""The handle on a mock, wherever it runs: its address, its script, its journal."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from holysheep_helpers.errors import HolySheepError

LEARNERS_KEY = "hs-mock-learner"


class MockError(HolySheepError):
    """The mock did not start, or does not answer."""


class MockHandle:
    """``base_url`` ends with /v1; ``api_key`` is a key that the mock accepts."""

    def __init__(self, base_url: str, api_key: str = LEARNERS_KEY) -> None:
        self.base_url = base_url
        self.api_key = api_key
        self._refusing: socket.socket | None = None

    def script(self, faults: Sequence[dict[str, Any] | None]) -> None:
        """What the next requests meet, in order: a fault, or ``None`` for none.

        ``{"kind": "end_early", "after": 8}`` ends a stream after 8 chunks of text without a finish
        reason; ``{"kind": "disconnect", "after": 8}`` breaks it; ``{"kind": "status", "status":
        503}`` answers with an error. Raises ``MockError`` for what is no fault.
        """
        self._call("POST", "script", list(faults))

    def journal(self, settle_s: float = 1.0) -> list[dict[str, Any]]:
        """Every chat request so far, oldest first: id, model, attempt, status, tokens, times.

        Waits up to ``settle_s`` seconds until no request is being answered any more.
        """
        return self._call("GET", f"journal?settle_s={settle_s}")

    def reset(self) -> None:
        """Forget script, journal and counters."""
        self._call("DELETE", "journal")

    def refused_url(self) -> str:
        """An address on this computer that refuses every connection, for as long as this lives."""
        if self._refusing is None:
            self._refusing = socket.socket()  # bound, so that nobody else gets it; never listening
            self._refusing.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{self._refusing.getsockname()[1]}/v1"

    def _call(self, method: str, what: str, body: Any = None) -> Any:
        url = self.base_url.removesuffix("/v1") + f"/mock/{what}"
        data = None if body is None else json.dumps(body).encode("utf-8")
        headers = {"Authorization": f"Bearer {self.api_key}"}
        request = Request(url, data=data, method=method, headers=headers)
        try:
            with build_opener(ProxyHandler({})).open(request, timeout=10) as answer:
                return json.load(answer)
        except OSError as error:
            raise MockError(f"The mock refused, or does not answer: {error}") from error

    def close(self) -> None:
        """Give back what the handle holds; the mock itself goes on."""
        if self._refusing is not None:
            self._refusing.close()
            self._refusing = None
