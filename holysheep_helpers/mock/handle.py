"""The handle on a mock, wherever it runs: its address, its script, its journal."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from copy import copy
from html import escape
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from holysheep_helpers.exceptions import HolySheepError
from holysheep_helpers.mock import LEARNERS_KEY
from holysheep_helpers.mock.journal import Entry

if TYPE_CHECKING:
    from pandas import DataFrame

Fault = int | str | dict[str, Any]


class MockError(HolySheepError):
    """The mock did not start, or does not answer."""


class Verdict(tuple[dict[str, Any], ...]):
    """What the client did wrong, as the mock saw it; empty if nothing.

    Each finding is a dict: ``finding`` (its name), ``what`` it means, ``count`` and the ``ids`` of
    the requests.
    """

    @property
    def names(self) -> list[str]:
        return [finding["finding"] for finding in self]

    def __repr__(self) -> str:
        lines = [f"{one['finding']}, {one['count']} x:\n  {one['what']}" for one in self]
        return "\n".join(lines) or "Nothing to blame the client for."

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<li><strong>{escape(one['finding'])}</strong>, {one['count']} ×: "
            f"{escape(one['what'])}</li>"
            for one in self
        )
        return f"<ul>{rows}</ul>" if rows else f"<p>{escape(repr(self))}</p>"


class MockHandle:
    """``base_url`` ends with /v1; ``api_key`` is a key that the mock accepts.

    ``headers`` are those of its requests to /mock/. With the mock's ``admin_token`` they may ask
    for other keys, and under any name of its computer.
    """

    def __init__(
        self, base_url: str, api_key: str = LEARNERS_KEY, admin_token: str | None = None
    ) -> None:
        self.base_url = base_url
        self.api_key = api_key
        self.admin_token = admin_token
        self._refusing: socket.socket | None = None

    @property
    def headers(self) -> dict[str, str]:
        token = {} if self.admin_token is None else {"x-mock-admin": self.admin_token}
        return {"Authorization": f"Bearer {self.api_key}", **token}

    def apart(self, name: str) -> Self:
        """The same mock for a key of its own, which has its own script, slots, limits and journal.

        What is scripted there does not reach the requests of this key. ``name`` has letters,
        digits and hyphens; the same name is the same key each time.
        """
        other = copy(self)
        other.api_key, other._refusing = f"{self.api_key}-{name}", None
        return other

    def script(
        self,
        faults: Fault | Sequence[Fault | None],
        *,
        every: int | None = None,
        probability: float | None = None,
        model: str | None = None,
    ) -> None:
        """What this key's next requests meet: one fault, or several, ``None`` standing for none.

        Without a rule they strike in order, then no more: ``[503, 503]`` lets the third request
        work. ``every=5``: each fifth request meets one, in turn. ``probability=0.2``: each
        request meets one with this probability, the same requests each time. With a ``model``, only
        that model's requests meet them: the others go on as if nothing were. A fault is a status,
        the name of a kind (``"stall"``), or a dict such as ``{"kind": "disconnect", "after": 8}``;
        ``holysheep_helpers.mock.faults.KINDS`` lists all. A new script replaces the old; ``[]``
        ends it.

        Raises ``MockError`` for what is no fault or no rule, and leaves the old script then.
        """
        listed = [faults] if isinstance(faults, str | int | dict) else list(faults)
        rules = {"every": every, "probability": probability, "model": model}
        body: dict[str, Any] = {"faults": listed}
        self._call("POST", "script", body | {k: v for k, v in rules.items() if v is not None})

    def slots(self, count: int | None) -> None:
        """How many of this key's requests are worked on at once; ``None``: any number.

        The others wait in the order of their arrival, as at a server with so many places in its
        batch: nothing of a reply leaves, and its own times do not begin, before one that has a
        slot has ended or its client has left. A reply that hangs keeps its slot until then. A
        request refused by a limit or an error of its own needs none, a scripted fault does. Who
        has a slot keeps it when the number changes. ``reset`` brings back what the mock was
        started with.

        Raises ``MockError`` for what is no whole number from 1 to 10,000; the old number stays.
        """
        self._call("POST", "slots", {"slots": count})

    def entries(self, settle_s: float = 1.0) -> list[dict[str, Any]]:
        """Every chat request of this key, oldest first; the last 10,000 are kept.

        ``status`` (0 if nothing was sent), ``attempt`` (the SDK's own count of its retries),
        tokens, ``fault``, ``outcome`` (``delivered``, ``error``, ``truncated``, ``broken``,
        ``left``, ``open``), ``finish_reason`` (of a reply that went out to its end), ``paid``
        (``yes``, ``no``, ``maybe``). ``arrived_s`` and ``ended_s`` are seconds on the clock
        ``time.perf_counter()``; ``due_s`` and ``sent_s`` seconds since the arrival, one for each
        chunk with text; ``queued_s``, which ``due_s`` contains, how long it waited for a slot.
        Waits up to ``settle_s`` seconds until no request is being answered any more. Raises
        ``MockError`` if the mock does not answer.
        """
        return self._call("GET", f"journal?settle_s={settle_s}")

    def journal(self, settle_s: float = 1.0) -> DataFrame:
        """``entries`` as a data frame, a row for each request."""
        from pandas import DataFrame

        return DataFrame(self.entries(settle_s), columns=list(Entry(0.0).as_dict()))

    def verdict(self, settle_s: float = 1.0) -> Verdict:
        """What the client did wrong: Retry-After ignored, no back-off, a stampede, and so on."""
        return Verdict(self._call("GET", f"verdict?settle_s={settle_s}"))

    def reset(self) -> None:
        """Forget script, slots, journal, limits and counters of this key."""
        self._call("DELETE", "journal")

    def refused_url(self) -> str:
        """An address on this computer that refuses every connection, for as long as this lives."""
        if self._refusing is None:
            self._refusing = (
                socket.socket()
            )  # bound, so that no other program gets it; never listening
            self._refusing.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{self._refusing.getsockname()[1]}/v1"

    def _call(self, method: str, what: str, body: Any = None) -> Any:
        # Not urllib: since 3.13 its opener reads all certificates each time, for 30 ms. And here,
        # since a mock's own process has no use for it.
        from http.client import HTTPConnection, HTTPException, HTTPSConnection

        address = urlsplit(self.base_url)
        kind = HTTPSConnection if address.scheme == "https" else HTTPConnection
        connection = kind(address.hostname or "", address.port, timeout=70)
        path = address.path.removesuffix("/v1") + f"/mock/{what}"
        data = None if body is None else json.dumps(body).encode("utf-8")
        try:
            connection.request(method, path, data, self.headers)
            answer = connection.getresponse()
            said = json.loads(answer.read())
        except (OSError, HTTPException, ValueError) as error:
            raise MockError(f"The mock does not answer: {error}") from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise MockError(f"The mock refused ({answer.status}): {said['error']['message']}")
        return said

    def close(self) -> None:
        """Give back what the handle holds; the mock itself goes on."""
        if self._refusing is not None:
            self._refusing.close()
            self._refusing = None
