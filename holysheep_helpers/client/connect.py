"""``connect()``: mock or live, decided once and in the open."""

from __future__ import annotations

import os
from collections.abc import Mapping
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any, Literal

from holysheep_helpers import catalog
from holysheep_helpers.catalog import KEY_VARIABLE
from holysheep_helpers.client.budget import Budget, checked_usd
from holysheep_helpers.client.gateway import Gateway
from holysheep_helpers.diagnosis.config import HOW_TO_SET, Secret, checked_key, checked_url
from holysheep_helpers.exceptions import ConfigurationError
from holysheep_helpers.mock.process import MockProcess
from holysheep_helpers.pricing.calls import today

_logged_in: Secret | None = None


def login() -> None:
    """Ask for a key in a password field and keep it in memory, for this kernel alone.

    JupyterLab shows the field below the cell, a terminal asks on a line that shows nothing. The
    next ``hs.connect()`` uses the key. An empty answer forgets a key given before.

    Raises ``ConfigurationError`` if what was typed can't be a key.
    """
    import getpass

    global _logged_in
    typed = getpass.getpass("HolySheep API key (not shown, kept in memory only): ")
    if not typed:
        _logged_in = None
        print("No key kept.")
        return
    _logged_in = checked_key(typed, "hs.login()")
    print("The key is kept in memory, for this kernel alone. hs.connect() will use it.")


def settings() -> Mapping[str, str]:
    """The ``HOLYSHEEP_*`` settings: the environment before a ``.env`` file; empty ones left out.

    The file is the first ``.env`` in this folder or the ones above it, up to the project's top
    (where ``pyproject.toml`` or ``.git`` is). ``HOLYSHEEP_ENV_FILE`` names another.

    Raises ``ConfigurationError`` if that file is not there, can't be read, or is no UTF-8.
    """
    path = _env_file()
    found: dict[str, str | None] = {}
    if path is not None:
        found.update(_read(path))
    found.update(os.environ)
    return {name: v for name, v in found.items() if name.startswith("HOLYSHEEP_") and v}


def _read(path: Path) -> Mapping[str, str | None]:
    from dotenv import dotenv_values

    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(
            f"{path} can't be read ({error.strerror}). Mend that, or name another file in "
            "HOLYSHEEP_ENV_FILE."
        ) from None
    except UnicodeDecodeError:  # its own words would quote the file, and the file holds a key
        raise ConfigurationError(
            f"{path} is not stored as UTF-8 (Windows PowerShell's > writes UTF-16). Store it again "
            "as UTF-8: in Notepad with File, Save as, Encoding."
        ) from None
    return dotenv_values(stream=StringIO(text), interpolate=False)


def _env_file() -> Path | None:
    named = os.environ.get("HOLYSHEEP_ENV_FILE")
    if named:
        return Path(named)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / ".env").is_file():
            return folder / ".env"
        if (folder / "pyproject.toml").exists() or (folder / ".git").exists():
            break
    return None


def find_key(argument: object, found: Mapping[str, str]) -> Secret | None:
    """The key to use, checked: the argument, then ``hs.login()``, then the settings."""
    if argument is not None:
        return checked_key(argument, "the argument api_key")
    if _logged_in is not None:
        return _logged_in
    if KEY_VARIABLE in found:
        return checked_key(found[KEY_VARIABLE], KEY_VARIABLE)
    return None


DEFAULT_LIVE_BUDGET_USD = Decimal("0.50")


_mocks: dict[tuple[int, float, str], MockProcess] = {}


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
    ``HOLYSHEEP_BASE_URL`` names any other OpenAI-compatible address. ``budget_usd`` is in US
    dollars (live: 0.50 unless given). ``plan`` is one of ``hs.catalog.plans()``: what the mock
    plays (``unlimited`` unless given), and what live is taken to be.
    ``time_scale`` is the mock's alone: 0.05 plays it at 20 times the speed, its limits and
    Retry-After too, 0 at once (``HOLYSHEEP_MOCK_TIME_SCALE`` unless given, else 1).
    ``HOLYSHEEP_MOCK_SEED`` gives it another seed than 0.

    Raises ``ConfigurationError``, each with its cure: an unknown mode or plan, a missing,
    malformed or placeholder key, an address without ``/v1``, plain http to another computer.
    """
    found = settings()
    asked = mode or found.get("HOLYSHEEP_MODE") or "auto"
    if asked not in ("auto", "mock", "live"):
        raise ConfigurationError(
            f"The mode is {asked!r}: 'auto', 'mock' and 'live' are allowed "
            "(argument mode, or HOLYSHEEP_MODE)."
        )
    if plan is not None and plan not in tuple(catalog.plans()):
        raise ConfigurationError(
            f"The plan is {plan!r}: allowed are {', '.join(map(repr, catalog.plans()))}."
        )
    budget = checked_usd(budget_usd)
    decided_by = "you asked for it" if mode else "HOLYSHEEP_MODE says so"
    if asked == "mock":
        if base_url is not None or api_key is not None:
            raise ConfigurationError(
                "mode 'mock' starts a mock of its own, which needs no base_url and no api_key. "
                "For a mock that runs elsewhere leave the mode out and give both."
            )
        return _own_mock(found, plan, budget, decided_by, time_scale)

    key = find_key(api_key, found)
    named = base_url or found.get("HOLYSHEEP_BASE_URL")
    if asked == "auto" and key is None and named is None:
        return _own_mock(found, plan, budget, f"no {catalog.KEY_VARIABLE} is set", time_scale)
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
    where = "base_url" if base_url is not None else "HOLYSHEEP_BASE_URL"
    url = checked_url(named or catalog.BASE_URL, where, plain_http=key.from_mock)
    shared = asked == "auto" and key.from_mock
    live_default = budget is None and not shared
    clock = None if shared else today
    if asked == "auto":
        decided_by = "a mock's key and address are set" if shared else "a key is set"
    return Gateway(
        mode="mock" if shared else "live",
        base_url=url,
        key=key,
        plan=catalog.plans()[plan] if plan else None,
        budget=Budget(DEFAULT_LIVE_BUDGET_USD if live_default else budget, live_default, clock),
        why=decided_by,
    )


def _own_mock(
    found: Mapping[str, str],
    plan: str | None,
    budget: Decimal | None,
    decided_by: str,
    time_scale: float | None,
) -> Gateway:
    seed = _number(found, "HOLYSHEEP_MOCK_SEED", int, 0)
    if time_scale is None:
        scale = _number(found, "HOLYSHEEP_MOCK_TIME_SCALE", float, 1.0)
    else:
        scale = _number({"time_scale": str(time_scale)}, "time_scale", float, 1.0)
    played = catalog.plans()[plan or "unlimited"]
    settings_of_it = (seed, scale, played.name)
    if not played.can_be_played:
        raise ConfigurationError(
            f"The plan {played.name!r} has no published limit ({played.note}), so the mock can't "
            "play it. Choose another plan."
        )
    mock = _mocks.get(settings_of_it)
    if mock is None or not mock.alive:
        mock = MockProcess.start(seed=seed, time_scale=scale, plan=played.name)
        _mocks[settings_of_it] = mock
    return Gateway(
        mode="mock",
        base_url=mock.base_url,
        key=Secret(mock.api_key),
        plan=played,
        budget=Budget(budget),
        mock=mock,
        time_scale=scale,
        why=decided_by,
    )


def _number(
    found: Mapping[str, str], name: str, kind: type[int] | type[float], default: float
) -> Any:
    text = found.get(name)
    if text is None:
        return default
    try:
        value = kind(text)
    except ValueError:
        value = -1
    if not 0 <= value < float("inf"):
        raise ConfigurationError(f"{name} is {text!r}: a number, 0 or more, is needed.")
    return value
