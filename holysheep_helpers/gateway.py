"""The gateway object: clients of the official SDK, a budget, and a card that shows both."""

from __future__ import annotations

import json
import warnings
from asyncio import AbstractEventLoop, get_running_loop
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import httpx2
import openai

from holysheep_helpers import catalog
from holysheep_helpers.addresses import is_loopback
from holysheep_helpers.errors import HolySheepError, InputError
from holysheep_helpers.keys import Secret
from holysheep_helpers.spend import Meter, Spend

if TYPE_CHECKING:
    from holysheep_helpers.mock.process import MockProcess

Mode = Literal["mock", "live"]


class BudgetError(HolySheepError, openai.OpenAIError):
    """A call was refused before it was sent, because of the budget."""


class UnpricedWarning(UserWarning):
    """A call went out whose price is unknown: it does not count against the default budget."""


class Gateway:
    """A gateway to talk to: made by ``hs.connect()``, shown as a card.

    ``mode`` is ``"mock"`` or ``"live"``; ``base_url`` the address; ``plan`` a ``catalog.Plan`` or
    ``None`` if unknown; ``budget_usd`` a ``Decimal`` or ``None``; ``spend`` what was spent through
    this object; ``mock`` the mock's handle, or ``None``; ``why`` how the mode was decided.
    """

    def __init__(
        self,
        *,
        mode: Mode,
        base_url: str,
        key: Secret,
        why: str,
        plan: catalog.Plan | None = None,
        budget_usd: Decimal | None = None,
        budget_is_default: bool = False,
        mock: MockProcess | None = None,
    ) -> None:
        self.mode: Mode = mode
        self.base_url = base_url
        self.plan = plan
        self.budget_usd = budget_usd
        self.spend = Spend()
        self.mock = mock
        self.why = why
        self._key = key
        self._budget_is_default = budget_is_default
        self._warned_of: set[str] = set()
        self._client: openai.OpenAI | None = None
        self._async_clients: WeakKeyDictionary[AbstractEventLoop, openai.AsyncOpenAI] = (
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

        In a running event loop, and without options, it is the same client each time.
        """
        if sdk_options:
            return self._new_async_client(sdk_options)
        try:
            loop = get_running_loop()
        except RuntimeError:
            return self._new_async_client({})
        known = self._async_clients.get(loop)
        if known is None or known.is_closed():
            known = self._async_clients[loop] = self._new_async_client({})
        return known

    def _new_client(self, options: dict[str, Any]) -> openai.OpenAI:
        meter = Meter(self.spend, self._before_call)
        http = openai.DefaultHttpxClient(
            event_hooks={"request": [meter.on_request], "response": [meter.on_response]},
            trust_env=not self._on_this_computer,
        )
        published = catalog.client_settings()
        return openai.OpenAI(
            **self._options(options, published.timeout_s, published.max_retries), http_client=http
        )

    def _new_async_client(self, options: dict[str, Any]) -> openai.AsyncOpenAI:
        meter = Meter(self.spend, self._before_call)
        http = openai.DefaultAioHttpClient(
            event_hooks={
                "request": [meter.on_request_async],
                "response": [meter.on_response_async],
            },
            trust_env=not self._on_this_computer,
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

    def _before_call(self, request: httpx2.Request) -> None:
        """Raise ``BudgetError`` if this call may not be sent."""
        if self.budget_usd is None:
            return
        model = str(json.loads(request.content).get("model"))
        if self.spend.usd >= self.budget_usd:
            raise BudgetError(
                f"Not sent: {self.spend.usd} USD is spent and the budget is {self.budget_usd} USD. "
                "To go on, connect again with a larger one: hs.connect(budget_usd=...)."
            )
        if catalog.published_price(model) is not None:
            return
        if not self._budget_is_default:
            raise BudgetError(
                f"Not sent: no price was published for {model!r}, so a budget of "
                f"{self.budget_usd} USD can't be kept. Use a model with a price "
                "(hs.catalog.models()), or connect without a budget_usd of your own."
            )
        if model not in self._warned_of:
            self._warned_of.add(model)
            warnings.warn(
                f"No price was published for {model!r}: its calls count as unpriced, outside the "
                f"default budget of {self.budget_usd} USD.",
                UnpricedWarning,
                stacklevel=2,
            )

    def _rows(self) -> list[tuple[str, str]]:
        own = self.mock is not None
        budget = "none" if self.budget_usd is None else f"{self.budget_usd} USD"
        return [
            ("address", "this computer, a port of its own" if own else self.base_url),
            ("key", f"{self._key!r} (the mock's own)" if own else repr(self._key)),
            ("plan", str(self.plan) if self.plan else "unknown here; the server knows"),
            ("budget", budget + (" (default)" if self._budget_is_default else "")),
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


def sync_client(target: object) -> openai.OpenAI:
    """The synchronous SDK client behind a gateway or a bare client."""
    if isinstance(target, Gateway):
        return target.client()
    if isinstance(target, openai.OpenAI):
        return target
    raise InputError(
        f"A {type(target).__name__} was given: hs.connect()'s gateway or an openai.OpenAI client "
        "is needed" + (" (for an async client there is hs.astream)." if _is_async(target) else ".")
    )


def async_client(target: object) -> openai.AsyncOpenAI:
    """The asynchronous SDK client behind a gateway or a bare client."""
    if isinstance(target, Gateway):
        return target.async_client()
    if _is_async(target):
        return target  # pyright: ignore[reportReturnType]
    raise InputError(
        f"A {type(target).__name__} was given: hs.connect()'s gateway or an openai.AsyncOpenAI "
        "client is needed."
    )


def _is_async(target: object) -> bool:
    return isinstance(target, openai.AsyncOpenAI)
