"""The gateway object: clients of the official SDK, a budget, and a card that shows both."""

from __future__ import annotations

from asyncio import AbstractEventLoop, get_running_loop
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary, finalize

import httpx2
import openai

from holysheep_helpers import catalog
from holysheep_helpers._checks import is_loopback
from holysheep_helpers.client.budget import Budget
from holysheep_helpers.client.spend import Meter, Spend
from holysheep_helpers.diagnosis.config import Secret
from holysheep_helpers.exceptions import DeadlineError, InputError

if TYPE_CHECKING:
    from holysheep_helpers.mock.process import MockProcess

LEAST_S = 0.001


@dataclass
class Attempt:
    """One attempt under way: ``left_s()`` is the seconds that are left for it, ``None`` for any.

    A task that it began and that outlives it finds it ``over``, and is on its own.
    """

    left_s: Callable[[], float | None]
    over: bool = False


_attempt: ContextVar[Attempt | None] = ContextVar("_attempt", default=None)


@contextmanager
def attempt(left_s: Callable[[], float | None]) -> Iterator[None]:
    """What is called in here is retried as a whole, and retries nothing by itself."""
    one = Attempt(left_s)
    token = _attempt.set(one)
    try:
        yield
    finally:
        one.over = True
        _attempt.reset(token)


def is_retried() -> bool:
    """Whether a ``hs.retrying`` around this asks again."""
    one = _attempt.get()
    return one is not None and not one.over


def left_s() -> float | None:
    """Seconds until the deadline of the ``hs.retrying`` around this; ``None`` if there is none."""
    one = _attempt.get()
    return None if one is None or one.over else one.left_s()


def shortened(timeout: Any) -> Any:
    """This time-out of the SDK's, or what is left until the deadline, if that is less."""
    remains_s = left_s()
    if remains_s is None:
        return timeout
    least_s = max(remains_s, LEAST_S)
    if isinstance(timeout, openai.Timeout):
        parts = timeout.as_dict().items()
        return openai.Timeout(
            **{name: least_s if s is None else min(s, least_s) for name, s in parts}
        )
    if timeout is None:
        return least_s
    return min(timeout, least_s) if isinstance(timeout, int | float) else timeout


def in_time(
    client: openai.OpenAI | openai.AsyncOpenAI, arguments: dict[str, Any]
) -> dict[str, Any]:
    """The arguments of a request, whose time-out is what is left for it at most.

    Raises ``DeadlineError`` if nothing is: what nobody can wait for any more is not sent.
    """
    remains_s = left_s()
    if remains_s is None:
        return arguments
    if remains_s <= 0:
        raise DeadlineError("The total deadline had passed before this request. It was not sent.")
    timeout = arguments.get("timeout", openai.NOT_GIVEN)
    if isinstance(timeout, openai.NotGiven | openai.Omit):
        timeout = client.timeout
    return arguments | {"timeout": shortened(timeout)}


def check_in_time(characters: int) -> None:
    """Raise ``DeadlineError`` if the deadline has passed while a stream is read."""
    remains_s = left_s()
    if remains_s is not None and remains_s <= 0:
        raise DeadlineError(
            f"The total deadline passed in the middle of the stream: {characters} characters had "
            "come, in the stream's .text. Allow more time, or ask for less."
        )


Mode = Literal["mock", "live"]


Client = TypeVar("Client", openai.OpenAI, openai.AsyncOpenAI)


class Gateway:
    """A gateway to talk to: made by ``hs.connect()``, shown as a card.

    ``mode`` is ``"mock"`` or ``"live"``; ``base_url`` the address; ``plan`` a ``catalog.Plan`` or
    ``None`` if unknown; ``budget_usd`` a ``Decimal`` or ``None``; ``spend`` what was spent through
    this object; ``mock`` the mock's handle, or ``None``; ``time_scale`` how slowly that is played
    (1 as in life, 0.05 twenty times as fast); ``why`` how the mode was decided.
    """

    def __init__(
        self,
        *,
        mode: Mode,
        base_url: str,
        key: Secret,
        why: str,
        budget: Budget,
        plan: catalog.Plan | None = None,
        mock: MockProcess | None = None,
        time_scale: float = 1.0,
    ) -> None:
        self.mode: Mode = mode
        self.base_url = base_url
        self.plan = plan
        self.mock = mock
        self.why = why
        self.time_scale = time_scale
        self._key = key
        self._budget = budget
        self._client: openai.OpenAI | None = None
        self._async_clients: WeakKeyDictionary[AbstractEventLoop, _AsyncClient] = (
            WeakKeyDictionary()
        )

    def client(self, **sdk_options: Any) -> openai.OpenAI:
        """The official SDK's client for this gateway, not wrapped.

        Without options it is one and the same client each time, so that connections are reused;
        with options (``timeout=5``, ``max_retries=0``) a new one. Time-out and retries are the
        published production settings unless given. A hook on its HTTP client counts the spend.

        Raises ``InputError`` for an ``http_client``, ``api_key`` or ``base_url`` of your own.
        """
        if sdk_options:
            return self._new_client(sdk_options)
        if self._client is None or self._client.is_closed():
            self._client = self._new_client({})
        return self._client

    def async_client(self, **sdk_options: Any) -> openai.AsyncOpenAI:
        """The SDK's asynchronous client, on its aiohttp transport; otherwise like ``client``.

        In a running event loop, and without options, it is the same client each time; it closes
        with the loop (``asyncio.run``'s end) or with this object. One with options is yours to
        close: ``async with gw.async_client(timeout=5) as client:``.
        """
        if sdk_options:
            return self._new_async_client(sdk_options)
        try:
            loop = get_running_loop()
        except RuntimeError:
            return self._new_async_client({})
        known = self._async_clients.get(loop)
        if known is None or known.client.is_closed():
            known = self._async_clients[loop] = _AsyncClient(self._new_async_client({}))
        return known.client

    def _new_client(self, options: dict[str, Any]) -> openai.OpenAI:
        meter = Meter(self.spend, self._budget.check)
        http = openai.DefaultHttpxClient(
            event_hooks={"request": [meter.on_request], "response": [meter.on_response]},
            trust_env=not self._on_this_computer,
            follow_redirects=False,  # neither key nor prompt goes to a host that nobody named
        )
        published = catalog.client_settings()
        return openai.OpenAI(
            **self._options(options, published.timeout_s, published.max_retries),
            http_client=_closes_by_itself(http),
        )

    def _new_async_client(self, options: dict[str, Any]) -> openai.AsyncOpenAI:
        meter = Meter(self.spend, self._budget.check)
        http = openai.DefaultAioHttpClient(
            event_hooks={
                "request": [meter.on_request_async],
                "response": [meter.on_response_async],
            },
            trust_env=not self._on_this_computer,
            follow_redirects=False,  # neither key nor prompt goes to a host that nobody named
        )
        published = catalog.client_settings()
        return openai.AsyncOpenAI(
            **self._options(options, published.async_timeout_s, published.max_retries),
            http_client=http,
        )

    def _options(self, given: dict[str, Any], timeout_s: float, retries: int) -> dict[str, Any]:
        for name in ("api_key", "base_url", "http_client"):
            if name in given:
                raise InputError(
                    f"{name} belongs to the gateway: give it to hs.connect(), or make "
                    "openai.OpenAI(...) yourself (its spend is then not counted)."
                )
        # Another vendor's settings, found in the environment, are not this gateway's business.
        foreign = {"OpenAI-Organization": openai.Omit(), "OpenAI-Project": openai.Omit()}
        headers = {"Accept-Encoding": "identity"} | foreign | (given.get("default_headers") or {})
        return {
            "timeout": timeout_s,
            "max_retries": retries,
            **given,
            "default_headers": headers,
            "api_key": self._key.reveal(),
            "base_url": self.base_url,
        }

    @property
    def _on_this_computer(self) -> bool:
        return is_loopback(urlsplit(self.base_url).hostname or "")

    @property
    def budget_usd(self) -> Decimal | None:
        return self._budget.limit_usd

    @property
    def spend(self) -> Spend:
        return self._budget.spend

    def without_key(self, text: str) -> str:
        """``text`` with this gateway's key, wherever it occurs, replaced by what may be shown."""
        return text.replace(self._key.reveal(), repr(self._key))

    @property
    def _speed(self) -> str:
        if not self.time_scale:
            return "answers at once"
        return f"played at {1 / self.time_scale:.3g} times the speed"

    def _rows(self) -> list[tuple[str, str]]:
        own = self.mock is not None
        return [
            ("address", "this computer, a port of its own" if own else self.base_url),
            ("key", f"{self._key!r} (the mock's own)" if own else repr(self._key)),
            ("plan", str(self.plan) if self.plan else "unknown here; the server knows"),
            *([("speed", self._speed)] if self.time_scale != 1 else []),
            ("budget", str(self._budget)),
            ("because", self.why),
        ]

    def _headline(self) -> str:
        if self.mode == "live":
            return "LIVE gateway: calls leave this computer and cost money"
        return "MOCK gateway: no key, no cost; replies are canned, times are simulated"

    def __repr__(self) -> str:
        rows = "\n".join(f"  {name:<8} {value}" for name, value in self._rows())
        return f"{self._headline()}\n{rows}"

    def _repr_html_(self) -> str:
        colour = "#b3261e" if self.mode == "live" else "#1b6e3c"
        rows = dict(self._rows()) | {"address": self.base_url, "spent": str(self.spend)}
        cells = "".join(
            f'<tr><th scope="row" style="text-align:left">{escape(name)}</th>'
            f'<td style="text-align:left">{escape(value)}</td></tr>'
            for name, value in rows.items()
        )
        return (
            f'<div class="hs-card" style="border-left:6px solid {colour};padding:.3em 1em">'
            f'<strong style="background:{colour};color:#fff;padding:.1em .5em;border-radius:3px">'
            f"{self.mode.upper()}</strong> {escape(self._headline().partition(': ')[2])}"
            f"<table>{cells}</table></div>"
        )


def _closes_by_itself(http: httpx2.Client) -> httpx2.Client:
    """Its connections close when nobody holds it any more, as with one that the SDK made itself.

    A stream, or a copy of its client (``with_options``), may hold it for longer than that client.
    """
    parts = [getattr(http, "_transport", None), *getattr(http, "_mounts", {}).values()]
    finalize(http, _close, [part for part in parts if part is not None])
    return http


def _close(transports: list[httpx2.BaseTransport]) -> None:
    for transport in transports:
        transport.close()


class _AsyncClient:
    """An async client that closes by itself, at the latest when its event loop ends.

    A loop finishes the asynchronous generators that were begun in it, so one of them holds the
    client: without that, aiohttp would complain of an unclosed session.
    """

    def __init__(self, client: openai.AsyncOpenAI) -> None:
        self.client = client
        self._guard = _closed_at_the_end(client)
        with suppress(StopIteration):  # its first step: begun, and known to the loop
            self._guard.asend(None).send(None)


async def _closed_at_the_end(client: openai.AsyncOpenAI) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        await client.close()


def sync_client(target: object) -> openai.OpenAI:
    """The synchronous SDK client behind a gateway or a bare client."""
    if isinstance(target, Gateway):
        return _asking_once(target.client())
    if isinstance(target, openai.OpenAI):
        return _asking_once(target)
    raise InputError(
        f"A {type(target).__name__} was given: hs.connect()'s gateway or an openai.OpenAI client "
        "is needed"
        + (" (for an asynchronous client there is hs.astream)." if _is_async(target) else ".")
    )


def async_client(target: object) -> openai.AsyncOpenAI:
    """The asynchronous SDK client behind a gateway or a bare client."""
    if isinstance(target, Gateway):
        return _asking_once(target.async_client())
    if isinstance(target, openai.AsyncOpenAI):
        return _asking_once(target)
    raise InputError(
        f"A {type(target).__name__} was given: hs.connect()'s gateway or an openai.AsyncOpenAI "
        "client is needed."
    )


def _asking_once(client: Client) -> Client:
    """Inside ``hs.retrying`` a copy that does not retry, nor waits longer than there is time."""
    if not is_retried():
        return client
    return client.with_options(max_retries=0, timeout=shortened(client.timeout))


def is_live(target: Any) -> bool:
    """Whether calls through this gateway or bare client leave this computer, and cost money."""
    if isinstance(target, Gateway):
        return target.mode == "live"
    return not is_loopback(target.base_url.host)


def _is_async(target: object) -> bool:
    return isinstance(target, openai.AsyncOpenAI)
