"""Keys: where they come from, what is wrong with one, and that none is ever shown."""

from __future__ import annotations

import getpass
import logging
import traceback
from collections.abc import Callable, Iterator

import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.client import connect
from holysheep_helpers.client.settings import Settings
from holysheep_helpers.diagnosis import config
from holysheep_helpers.diagnosis.config import Secret
from holysheep_helpers.exceptions import ConfigurationError
from tests.support.keys import made_up

LIVE_KEY = made_up(32)


@pytest.fixture(autouse=True)
def nobody_logged_in() -> Iterator[None]:
    yield
    connect.session.key = None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda key: f" {key}", "has a space or a line break"),
        (lambda key: f"{key}\n", "has a space or a line break"),
        (lambda key: f"{key[:9]} {key[9:]}", "has a space or a line break"),
        (lambda key: f'"{key}"', "has quotes around it"),
        (lambda key: f"'{key}", "has quotes around it"),
        (lambda key: f"“{key}”", "has quotes around it"),
        (lambda key: f"{key}키", "characters that no key has"),
        (lambda key: f"{key}\x00", "characters that no key has"),
    ],
)
@pytest.mark.parametrize("where", ["argument", "variable"])
def test_a_key_that_was_copied_badly_is_told_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[str], str], says: str, where: str
) -> None:
    bad = change(LIVE_KEY)
    given = bad if where == "argument" else None
    if given is None:
        found = Settings({}, Secret(bad))  # no variable can hold all of these
        monkeypatch.setattr(connect, "read_settings", lambda: found)
    with pytest.raises(ConfigurationError, match=says) as caught:
        hs.connect(api_key=given)
    shown = "".join(traceback.format_exception(caught.value))
    assert LIVE_KEY[:9] not in shown
    assert ("HOLYSHEEP_API_KEY" if given is None else "api_key") in str(caught.value)


@pytest.mark.parametrize("key", [hs.catalog.PLACEHOLDER_KEY, f'"{hs.catalog.PLACEHOLDER_KEY}"'])
def test_the_placeholder_is_recognised(key: str) -> None:
    with pytest.raises(ConfigurationError, match="Create New Key"):
        hs.connect(api_key=key)


def test_no_way_of_showing_a_gateway_shows_its_key(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HOLYSHEEP_API_KEY", LIVE_KEY)
    caplog.set_level(logging.DEBUG)
    gateway = hs.connect(base_url="http://127.0.0.1:9/v1")
    client = gateway.client(max_retries=0)
    with pytest.raises(openai.APIConnectionError) as caught:
        hs.ask(client, "hello")
    shown = [
        repr(gateway),
        str(gateway),
        f"{gateway}",
        gateway._repr_html_(),
        repr(gateway._key),
        repr(client),
        "".join(traceback.format_exception(caught.value)),
        repr(caught.value),
        caplog.text,
        repr(hs.doctor()),
    ]
    assert [text for text in shown if LIVE_KEY in text] == []
    assert "sk-" not in str(shown)


def test_a_secret_gives_itself_away_to_reveal_alone() -> None:
    secret = config.Secret(LIVE_KEY)
    assert secret.reveal() == LIVE_KEY
    assert LIVE_KEY not in f"{secret} {secret!r} {secret!s} {[secret]}"
    assert not hasattr(secret, "__dict__")


@pytest.fixture
def typing(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """Someone who types this into the password field; gives the prompts that were shown."""

    def types(text: str) -> list[str]:
        prompts: list[str] = []

        def answer(prompt: str) -> str:
            prompts.append(prompt)
            return text

        monkeypatch.setattr(getpass, "getpass", answer)
        return prompts

    return types


@pytest.mark.process
def test_login_keeps_a_key_in_memory(
    typing: Callable[[str], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    prompts = typing(LIVE_KEY)
    hs.login()
    assert len(prompts) == 1
    gateway = hs.connect()
    assert gateway.mode == "live"
    assert gateway.client().api_key == LIVE_KEY
    typing("")
    hs.login()
    assert hs.connect().mode == "mock"
    printed = capsys.readouterr()
    assert LIVE_KEY not in printed.out + printed.err
    assert "for this kernel alone" in printed.out


def test_login_wins_over_the_environment(
    typing: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLYSHEEP_API_KEY", "from-the-environment")
    typing(LIVE_KEY)
    hs.login()
    assert hs.connect().client().api_key == LIVE_KEY


def test_a_bad_key_at_login_keeps_what_was_there(typing: Callable[[str], list[str]]) -> None:
    typing(LIVE_KEY)
    hs.login()
    typing(f"{LIVE_KEY} {LIVE_KEY}")
    with pytest.raises(ConfigurationError, match=r"The key in hs\.login\(\)"):
        hs.login()
    assert hs.connect().client().api_key == LIVE_KEY
