"""The gateway object: clients of the official SDK, a budget, and a card that shows both."""

from __future__ import annotations

import os
from asyncio import AbstractEventLoop, get_running_loop
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import InitVar, dataclass, replace
from decimal import Decimal
from functools import partial
from html import escape
from math import inf
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from weakref import WeakKeyDictionary, finalize

import httpx2
import openai

from holysheep_helpers import catalog
from holysheep_helpers._checks import is_loopback, short
from holysheep_helpers.client.meter import Meter
from holysheep_helpers.client.spend import Budget, Spend
from holysheep_helpers.diagnosis import config
from holysheep_helpers.diagnosis.config import Secret
from holysheep_helpers.diagnosis.display import fields
from holysheep_helpers.exceptions import ConfigurationError, DeadlineError, InputError

if TYPE_CHECKING:
    from holysheep_helpers.mock.process import MockProcess

SHORTEST_S = 0.001
"""The shortest time-out that a deadline makes of another one, in seconds."""

Mode = Literal["mock", "live"]

Client = TypeVar("Client", openai.OpenAI, openai.AsyncOpenAI)

SdkClient = openai.OpenAI | openai.AsyncOpenAI


@dataclass(kw_only=True, eq=False, repr=False)
class Gateway:
    """A gateway to talk to: made by ``hs.connect()``, shown as a card.

    Attributes:
        mode: ``"mock"`` or ``"live"``.
        base_url: the address.
        plan: one of ``hs.catalog.plans()``, or ``None`` if unknown.
        budget_usd: US dollars as a ``Decimal``, or ``None`` for no limit.
        spend: what was spent through this object, in all and by model and label.
        mock: the handle of the mock that was started for it, or ``None``.
        time_scale: how slowly the mock is played: 1 as in life, 0.05 twenty times as fast.
        why: how the mode was decided.
        address_from: the variable that named the address, with its file, or ``""``.

    Example:
        >>> gw.client().base_url == gw.base_url + "/"
        True
        >>> print(gw.spend)
        0 USD in 0 calls
    """

    mode: Mode
    base_url: str
    key: InitVar[Secret]
    why: str
    budget: InitVar[Budget]
    plan: catalog.Plan | None = None
    mock: MockProcess | None = None
    time_scale: float = 1.0
    address_from: str = ""

    def __post_init__(self, key: Secret, budget: Budget) -> None:
        self._key = key
        self._budget = budget
        # It holds no gateway, which would keep its client open.
        self._meter = Meter(budget, partial(_keep_key, self.base_url, key))
        self._client: openai.OpenAI | None = None
        self._async_clients: WeakKeyDictionary[AbstractEventLoop, tuple[openai.AsyncOpenAI, Any]]
        self._async_clients = WeakKeyDictionary()

    def client(self, **sdk_options: Any) -> openai.OpenAI:
        """The official SDK's client for this gateway, not wrapped.

        Without options it is one and the same client each time, so that connections are reused;
        with options (``timeout=5``, ``max_retries=0``) a new one. Time-out and retries are the
        published production settings unless given. Its HTTP client counts the spend.

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
        client, _ = self._async_clients.get(loop, (None, None))
        if client is None or client.is_closed():
            client = self._new_async_client({})
            self._async_clients[loop] = client, _closing_with_its_loop(client)
        return client

    def _new_client(self, options: dict[str, Any]) -> openai.OpenAI:
        http = self._meter.client(**self._way(asynchronous=False))
        options = self._options(options, catalog.client_settings().timeout_s)
        return openai.OpenAI(**options, http_client=_closes_by_itself(http))

    def _new_async_client(self, options: dict[str, Any]) -> openai.AsyncOpenAI:
        http = self._meter.async_client(**self._way(asynchronous=True))
        options = self._options(options, catalog.client_settings().async_timeout_s)
        return openai.AsyncOpenAI(**options, http_client=http)

    def _way(self, *, asynchronous: bool) -> dict[str, Any]:
        try:
            return config.way_to(self.base_url, asynchronous=asynchronous)
        except ConfigurationError as error:  # a proxy's address may hold a password
            raise config.without_frames(error) from None

    def _options(self, given: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        for name in ("api_key", "base_url", "http_client"):
            if name in given:
                given.clear()  # a key among them would be in the frames
                raise InputError(
                    f"{name} belongs to the gateway: give it to hs.connect(), or make "
                    "openai.OpenAI(...) yourself (its spend is then not counted)."
                )
        headers = {
            **config.without_foreign_headers(),
            "Accept-Encoding": "identity",
            **(given.get("default_headers") or {}),
        }
        return {
            "timeout": timeout_s,
            "max_retries": catalog.client_settings().max_retries,
            **given,
            "default_headers": headers,
            "api_key": self._key.reveal(),
            "base_url": self.base_url,
        }

    @property
    def budget_usd(self) -> Decimal | None:
        return self._budget.limit_usd

    @property
    def spend(self) -> Spend:
        return self._budget.spend

    def apart(self, name: str) -> Gateway:
        """This gateway with a key of its own at its mock; without a mock, this gateway itself.

        What is scripted at one of the two does not reach the other. They share spend and budget.
        """
        if self.mock is None:
            return self
        mock = self.mock.apart(name)
        return replace(self, key=Secret(mock.api_key), budget=self._budget, mock=mock)

    def without_key(self, text: str) -> str:
        """``text`` with this gateway's key, wherever it occurs, replaced by what may be shown."""
        return text.replace(self._key.reveal(), repr(self._key))

    def _rows(self) -> list[tuple[str, str]]:
        own = self.mock is not None
        speed = f"played at {1 / self.time_scale:.3g} times the speed" if self.time_scale else ""
        return [
            ("address", "this computer, a port of its own" if own else short(self.base_url)),
            *([("named by", self.address_from)] if self.address_from else []),
            ("key", f"{self._key!r} (the mock's own)" if own else repr(self._key)),
            ("plan", str(self.plan) if self.plan else "unknown here; the server knows"),
            *([("speed", speed or "answers at once")] if self.time_scale != 1 else []),
            ("budget", str(self._budget)),
            *([("spent", str(self.spend))] if self.spend.possible else []),
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
        rows = dict(self._rows()) | {"address": short(self.base_url), "spent": str(self.spend)}
        return (
            f'<div class="hs-card" style="border-left:6px solid {colour};padding:.3em 1em">'
            f'<strong style="background:{colour};color:#fff;padding:.1em .5em;border-radius:3px">'
            f"{self.mode.upper()}</strong> {escape(self._headline().partition(': ')[2])}"
            f"{fields(rows)}</div>"
        )


def _keep_key(base_url: str, key: Secret, request: httpx2.Request) -> None:
    if config.CUSTOM_HEADERS in os.environ:
        config.keep_key(request, base_url, key.reveal())


def _closes_by_itself(http: httpx2.Client) -> httpx2.Client:
    """Its connections close when no code holds it any more, as with one that the SDK made itself.

    A stream, or a copy of its client (``with_options``), may hold it for longer than that client.
    """
    transports = [getattr(http, "_transport", None), *getattr(http, "_mounts", {}).values()]

    def close() -> None:
        for transport in filter(None, transports):
            transport.close()

    finalize(http, close)
    return http


def _closing_with_its_loop(client: openai.AsyncOpenAI) -> AsyncGenerator[None]:
    """What closes this client, at the latest when the running event loop ends.

    A loop finishes the asynchronous generators that were begun in it, so one of them holds the
    client: without that, aiohttp would complain of an unclosed session.
    """

    async def close_at_the_end() -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await client.close()

    guard = close_at_the_end()
    with suppress(StopIteration):  # its first step: begun, and known to the loop
        guard.asend(None).send(None)
    return guard


def sync_client(target: object, twin: str = "") -> openai.OpenAI:
    """The synchronous SDK client behind a gateway or a bare client.

    ``twin`` names what takes an asynchronous client, for the error's hint.
    """
    client = target.client() if isinstance(target, Gateway) else target
    return _asking_once(client, openai.OpenAI, openai.AsyncOpenAI, twin)


def async_client(target: object, twin: str = "") -> openai.AsyncOpenAI:
    """The asynchronous SDK client behind a gateway or a bare client; ``twin`` takes a sync one."""
    client = target.async_client() if isinstance(target, Gateway) else target
    return _asking_once(client, openai.AsyncOpenAI, openai.OpenAI, twin)


def _asking_once(client: object, needed: type[Client], other: type, twin: str) -> Client:
    """Inside ``hs.retrying`` a copy that does not retry, nor waits longer than there is time."""
    if not isinstance(client, needed):
        is_other = twin and isinstance(client, other)
        hint = f" For an openai.{other.__name__} client there is {twin}." if is_other else ""
        raise InputError(
            f"A {type(client).__name__} was given: hs.connect()'s gateway or an "
            f"openai.{needed.__name__} client is needed.{hint}"
        )
    if not is_retried():
        return client
    return client.with_options(max_retries=0, timeout=_shortened(client.timeout))


def is_live(target: Any) -> bool:
    """Whether calls through this gateway or bare client leave this computer, and cost money."""
    if isinstance(target, Gateway):
        return target.mode == "live"
    return not is_loopback(target.base_url.host)


@dataclass
class Attempt:
    """One running attempt of ``hs.retrying``, for whatever is called in it.

    ``left_s()`` is the seconds that are left for it, ``inf`` without a deadline. A task that was
    begun in it and outlives it finds it ``over``, and is on its own.
    """

    left_s: Callable[[], float]
    over: bool = False


_attempt: ContextVar[Attempt | None] = ContextVar("_attempt", default=None)


@contextmanager
def attempt(left_s: Callable[[], float]) -> Iterator[None]:
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


def left_s() -> float:
    """Seconds until the deadline of the ``hs.retrying`` around this; ``inf`` if there is none."""
    one = _attempt.get()
    return inf if one is None or one.over else one.left_s()


def in_time(client: SdkClient, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a request, whose time-out is what is left for it at most.

    Raises ``DeadlineError`` if nothing is: what no code can wait for any more is not sent.
    """
    remains_s = left_s()
    if remains_s == inf:
        return arguments
    if remains_s <= 0:
        raise DeadlineError("The total deadline had passed before this request. It was not sent.")
    timeout = arguments.get("timeout", openai.NOT_GIVEN)
    if isinstance(timeout, openai.NotGiven | openai.Omit):
        timeout = client.timeout
    return arguments | {"timeout": _shortened(timeout)}


def check_in_time(came: Sequence[str]) -> None:
    """Raise ``DeadlineError`` if the deadline has passed while a stream is read."""
    if left_s() <= 0:
        characters = sum(map(len, came))
        raise DeadlineError(
            f"The total deadline passed in the middle of the stream: {characters} characters had "
            "come, in the stream's .text. Allow more time, or ask for less."
        )


def _shortened(timeout: Any) -> Any:
    """This time-out of the SDK's, or what is left until the deadline, if that is less."""
    most_s = max(left_s(), SHORTEST_S)
    if most_s == inf:
        return timeout
    if isinstance(timeout, openai.Timeout):
        parts = timeout.as_dict()
        return openai.Timeout(**{name: _shortened(part) for name, part in parts.items()})
    if timeout is None:
        return most_s
    return min(timeout, most_s) if isinstance(timeout, int | float) else timeout
