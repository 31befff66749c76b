"""``connect()``: mock or live, decided once and in the open."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from holysheep_helpers import catalog
from holysheep_helpers.catalog import KEY_VARIABLE
from holysheep_helpers.client.gateway import Gateway
from holysheep_helpers.client.settings import Settings, read_settings
from holysheep_helpers.client.spend import Budget, checked_usd
from holysheep_helpers.diagnosis import config
from holysheep_helpers.diagnosis.config import HOW_TO_SET, Secret, quoted
from holysheep_helpers.exceptions import ConfigurationError
from holysheep_helpers.mock.process import MockProcess
from holysheep_helpers.pricing.money import today

DEFAULT_LIVE_BUDGET_USD = Decimal("0.50")

IN_THE_CELL = (
    "If a key is in this cell, delete the cell and its output, and make a new key if the page "
    "was shared."
)


@dataclass
class Session:
    """What this process keeps from one ``connect`` to the next: a key, and the mocks it started."""

    key: Secret | None = None
    mocks: dict[tuple[int, float, str], MockProcess] = field(default_factory=dict)

    def mock(self, seed: int, time_scale: float, plan: str) -> MockProcess:
        """The mock that plays these settings, started again if it is gone."""
        mock = self.mocks.get((seed, time_scale, plan))
        if mock is None or not mock.alive:
            mock = MockProcess.start(seed=seed, time_scale=time_scale, plan=plan)
            self.mocks[seed, time_scale, plan] = mock
        return mock


session = Session()


def connect(
    mode: Literal["auto", "mock", "live"] | None = None,
    base_url: str | None = None,
    api_key: str | None = None,
    plan: str | None = None,
    budget_usd: Decimal | str | int | None = None,
    *,
    time_scale: float | None = None,
) -> Gateway:
    """Connect to the real gateway if there is a key, else to a mock on this computer.

    The first that says something decides: these arguments; ``HOLYSHEEP_MODE`` (``auto``,
    ``mock``, ``live``); a key in ``hs.login()``, ``HOLYSHEEP_API_KEY`` or a ``.env`` file, which
    means live; otherwise the mock, a process of this kernel's own that ends with it.

    Args:
        mode: ``"mock"``, ``"live"`` or ``"auto"``. Default: ``HOLYSHEEP_MODE``, else ``"auto"``.
        base_url: the address of an OpenAI-compatible gateway, with its ``/v1``. Default:
            ``HOLYSHEEP_BASE_URL``, else the published address.
        api_key: the key. Default: that of ``hs.login()``, else ``HOLYSHEEP_API_KEY``.
        plan: one of ``hs.catalog.plans()``: the mock plays its limits, and a live gateway is
            taken to have them. Default: ``"unlimited"`` for the mock, unknown for live.
        budget_usd: US dollars that may be spent, as ``Decimal``, text or whole number. Default:
            0.50 for live, no limit for the mock.
        time_scale: how slowly the mock plays its times and limits: 1 as in life, 0.05 twenty times
            as fast, 0 at once. Default: ``HOLYSHEEP_MOCK_TIME_SCALE``, else 1. The mock's seed is
            ``HOLYSHEEP_MOCK_SEED``, else 0.

    Returns:
        A ``Gateway``, which shows itself as a card.

    Raises:
        ConfigurationError: a mode or plan is unknown, a key is missing or malformed, an address
            has no ``/v1`` or is plain http to another computer. Its text says what to do.

    Example:
        >>> hs.connect("mock", time_scale=0).mode
        'mock'
    """
    try:
        return _connect(mode, base_url, api_key, plan, budget_usd, time_scale)
    except ConfigurationError as error:
        problem = config.without_frames(error)
    given = (mode, base_url, plan, budget_usd, time_scale)
    if api_key is not None or any(map(config.may_be_a_key, given)):
        problem.add_note(IN_THE_CELL)
    mode = base_url = api_key = plan = budget_usd = time_scale = given = None  # nor this frame
    raise problem


def _connect(
    mode: str | None,
    base_url: str | None,
    api_key: str | None,
    plan: str | None,
    budget_usd: object,
    time_scale: float | None,
) -> Gateway:
    found = read_settings()
    asked = mode or found.values.get("HOLYSHEEP_MODE") or "auto"
    if asked not in ("auto", "mock", "live"):
        raise ConfigurationError(
            f"The mode is {quoted(asked)}: 'auto', 'mock' and 'live' are allowed "
            "(argument mode, or HOLYSHEEP_MODE)."
        )
    if plan is not None and plan not in tuple(catalog.plans()):
        raise ConfigurationError(
            f"The plan is {quoted(plan)}: allowed are {', '.join(map(repr, catalog.plans()))}."
        )
    budget = checked_usd(budget_usd)
    why = "you asked for it" if mode else "HOLYSHEEP_MODE says so"
    if asked == "mock":
        if base_url is not None or api_key is not None:
            raise ConfigurationError(
                "mode 'mock' starts a mock of its own, which needs no base_url and no api_key. "
                "For a mock that runs elsewhere leave the mode out and give both."
            )
        return _own_mock(found, plan, budget, why, time_scale)

    key = find_key(api_key, found)
    named = base_url or found.values.get("HOLYSHEEP_BASE_URL")
    if asked == "auto" and key is None and named is None:
        return _own_mock(found, plan, budget, f"no {KEY_VARIABLE} is set", time_scale)
    if time_scale is not None:
        raise ConfigurationError(
            "time_scale is for a mock of this kernel's own: leave it out, or hs.connect('mock', "
            "time_scale=...)."
        )
    if key is None:
        raise ConfigurationError(
            f"Live needs a key, and there is none. {HOW_TO_SET} Without one, hs.connect('mock')."
        )
    if named is None and key.from_mock:
        raise ConfigurationError(
            "This key was issued by a mock, and the real gateway does not know it. Name the "
            "mock's address: hs.connect(base_url=...) or HOLYSHEEP_BASE_URL."
        )
    where = "base_url" if base_url is not None else found.source("HOLYSHEEP_BASE_URL")
    is_shared_mock = asked == "auto" and key.from_mock
    live_default = budget is None and not is_shared_mock
    if asked == "auto":
        why = "a mock's key and address are set" if is_shared_mock else "a key is set"
    return Gateway(
        mode="mock" if is_shared_mock else "live",
        base_url=config.checked_url(named or catalog.BASE_URL, where, plain_http=key.from_mock),
        key=key,
        plan=catalog.plans()[plan] if plan else None,
        budget=Budget(
            DEFAULT_LIVE_BUDGET_USD if live_default else budget,
            live_default,
            today=None if is_shared_mock else today,
        ),
        why=why,
        address_from="" if base_url is not None or named is None else where,
    )


def _own_mock(
    found: Settings, plan: str | None, budget: Decimal | None, why: str, time_scale: float | None
) -> Gateway:
    seed = _number("HOLYSHEEP_MOCK_SEED", found.values.get("HOLYSHEEP_MOCK_SEED", "0"), int)
    name = "HOLYSHEEP_MOCK_TIME_SCALE" if time_scale is None else "time_scale"
    given = found.values.get(name, "1") if time_scale is None else str(time_scale)
    scale = _number(name, given, float)
    played = catalog.plans()[plan or "unlimited"]
    if not played.can_be_played:
        raise ConfigurationError(
            f"The plan {played.name!r} has no published limit ({played.note}), so the mock can't "
            "play it. Choose another plan."
        )
    mock = session.mock(seed, scale, played.name)
    return Gateway(
        mode="mock",
        base_url=mock.base_url,
        key=Secret(mock.api_key),
        plan=played,
        budget=Budget(budget),
        mock=mock,
        time_scale=scale,
        why=why,
    )


def _number(name: str, text: str, kind: type[int] | type[float]) -> Any:
    try:
        value = kind(text)
    except ValueError:
        value = -1
    if not 0 <= value < float("inf"):
        raise ConfigurationError(f"{name} is {quoted(text)}: a number, 0 or more, is needed.")
    return value


def login() -> None:
    """Ask for a key in a password field and keep it in memory, for this kernel alone.

    JupyterLab shows the field below the cell, a terminal asks on a line that shows nothing. The
    next ``hs.connect()`` uses the key. An empty answer forgets a key given before.

    Returns:
        Nothing. The key is shown nowhere and written into no file.

    Raises:
        ConfigurationError: what was typed can't be a key. A key given before is kept.

    Example:
        >>> from unittest.mock import patch
        >>> with patch("getpass.getpass", return_value=""):  # somebody who only presses Enter
        ...     hs.login()
        No key kept.
    """
    import getpass

    typed = Secret(getpass.getpass("HolySheep API key (not shown, kept in memory only): "))
    session.key = config.checked_key(typed, "hs.login()") if typed.reveal() else None
    kept = "The key is kept in memory, for this kernel alone. hs.connect() will use it."
    print(kept if session.key else "No key kept.")


def find_key(argument: object, found: Settings) -> Secret | None:
    """The key to use, checked: the argument, then ``hs.login()``, then the settings."""
    if argument is not None:
        return config.checked_key(argument, "the argument api_key")
    if session.key is None and found.key is not None:
        return config.checked_key(found.key, found.source(KEY_VARIABLE))
    return session.key
