"""``hs.connect``: mock or live, decided once and in the open."""

from __future__ import annotations

import asyncio
import decimal
import locale
import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import holysheep_helpers as hs
from holysheep_helpers.client import connect
from holysheep_helpers.exceptions import ConfigurationError
from holysheep_helpers.mock.handle import MockHandle
from tests.support.keys import made_up

LIVE_KEY = made_up(32)


@pytest.fixture
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        file = tmp_path / "settings.env"
        file.write_text(text, encoding="utf-8")
        monkeypatch.setenv("HOLYSHEEP_ENV_FILE", str(file))
        return file

    return write


@pytest.mark.process
def test_without_anything_it_is_a_mock_that_answers_when_connect_returns() -> None:
    gateway = hs.connect()
    assert gateway.mode == "mock"
    assert gateway.mock is not None
    assert gateway.mock.alive
    assert gateway.why == "no HOLYSHEEP_API_KEY is set"
    assert gateway.budget_usd is None
    assert len(gateway.client().models.list().data) >= 20


@pytest.mark.process
def test_connecting_leaves_the_process_as_it_was(live: Callable[..., hs.Gateway]) -> None:
    def process() -> list[Any]:
        return [
            dict(os.environ),
            os.getcwd(),
            list(sys.path),
            (sys.excepthook, sys.displayhook, sys.stdout, sys.stderr),
            (list(warnings.filters), warnings.showwarning),
            (logging.root.level, list(logging.root.handlers)),
            str(decimal.getcontext()),
            (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)),
            locale.setlocale(locale.LC_ALL),
            asyncio.get_event_loop_policy(),
        ]

    before = process()
    for gateway in (hs.connect("mock", time_scale=0), live()):
        gateway.client()
        gateway.async_client()
    assert process() == before


@pytest.mark.process
def test_the_same_mock_comes_back_until_it_is_gone_or_other_settings_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = hs.connect().mock
    assert first is not None
    assert hs.connect("mock").mock is first
    assert hs.connect(plan="free").mock is not first
    monkeypatch.setenv("HOLYSHEEP_MOCK_SEED", "7")
    assert hs.connect().mock is not first
    monkeypatch.delenv("HOLYSHEEP_MOCK_SEED")
    first.stop()
    again = hs.connect().mock
    assert again is not first
    assert again is not None
    assert again.alive


@pytest.mark.process
def test_a_key_means_live_and_the_published_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLYSHEEP_API_KEY", LIVE_KEY)
    gateway = hs.connect()
    assert (gateway.mode, gateway.base_url) == ("live", hs.catalog.BASE_URL)
    assert (gateway.mock, gateway.why) == (None, "a key is set")
    assert gateway.budget_usd == connect.DEFAULT_LIVE_BUDGET_USD == Decimal("0.50")
    assert hs.connect("mock").mode == "mock"
    monkeypatch.setenv("HOLYSHEEP_MODE", "mock")
    assert hs.connect().why == "HOLYSHEEP_MODE says so"
    assert hs.connect("live").mode == "live"


def test_live_without_a_key_says_how_to_set_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"HOLYSHEEP_API_KEY.*\.env.*hs\.login\(\)"):
        hs.connect("live")
    monkeypatch.setenv("HOLYSHEEP_BASE_URL", hs.catalog.BASE_URL)
    with pytest.raises(ConfigurationError, match="Live needs a key"):
        hs.connect()


def test_a_rooms_shared_mock_is_a_mock(mock: MockHandle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLYSHEEP_BASE_URL", mock.base_url)
    monkeypatch.setenv("HOLYSHEEP_API_KEY", mock.api_key)
    gateway = hs.connect()
    assert (gateway.mode, gateway.base_url, gateway.budget_usd) == ("mock", mock.base_url, None)
    assert hs.ask(gateway, "hello").text
    assert "MOCK" in repr(gateway)


def test_a_mocks_key_is_not_sent_to_the_real_gateway() -> None:
    with pytest.raises(ConfigurationError, match="issued by a mock"):
        hs.connect(api_key="hs-mock-learner")
    elsewhere = hs.connect(base_url="http://192.168.0.7:8000/v1", api_key="hs-mock-learner")
    assert elsewhere.mode == "mock"


def test_a_real_key_goes_over_plain_http_to_this_computer_alone() -> None:
    with pytest.raises(ConfigurationError, match="plain http"):
        hs.connect(base_url="http://192.168.0.7:8000/v1", api_key=LIVE_KEY)
    assert hs.connect(base_url="http://127.0.0.1:8000/v1", api_key=LIVE_KEY).mode == "live"


def test_an_argument_wins_over_the_environment_and_that_over_a_file(
    monkeypatch: pytest.MonkeyPatch, env_file: Callable[[str], Path]
) -> None:
    env_file("HOLYSHEEP_BASE_URL=https://file.example/v1\nHOLYSHEEP_API_KEY='from-the-file'\n")
    assert hs.connect().base_url == "https://file.example/v1"
    monkeypatch.setenv("HOLYSHEEP_BASE_URL", "https://environment.example/v1")
    assert hs.connect().base_url == "https://environment.example/v1"
    assert hs.connect(base_url="https://given.example/v1").base_url == "https://given.example/v1"
    assert hs.connect().client().api_key == "from-the-file"
    monkeypatch.setenv("HOLYSHEEP_API_KEY", "from-the-environment")
    assert hs.connect().client().api_key == "from-the-environment"
    assert hs.connect(api_key="given").client().api_key == "given"


@pytest.mark.process
def test_an_empty_variable_is_no_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOLYSHEEP_API_KEY", "")
    monkeypatch.setenv("HOLYSHEEP_MODE", "")
    assert hs.connect().mode == "mock"


@pytest.mark.process
def test_the_file_is_looked_for_up_to_the_projects_top(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOLYSHEEP_ENV_FILE")
    lessons = tmp_path / "outside" / "project" / "notebooks"
    lessons.mkdir(parents=True)
    (lessons.parent / "pyproject.toml").touch()
    (tmp_path / "outside" / ".env").write_text("HOLYSHEEP_API_KEY=outside\n", encoding="utf-8")
    monkeypatch.chdir(lessons)
    assert hs.connect().mode == "mock"
    (lessons.parent / ".env").write_text("HOLYSHEEP_API_KEY=inside$HOME\n", encoding="utf-8")
    assert hs.connect().client().api_key == "inside$HOME"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_of_any_editor_is_read(
    env_file: Callable[[str], Path], encoding: str, end: str
) -> None:
    lines = ["HOLYSHEEP_API_KEY=from-the-file", "# 키", "HOLYSHEEP_MODE=live", ""]
    env_file("").write_bytes(end.join(lines).encode(encoding))
    gateway = hs.connect()
    assert (gateway.why, gateway.client().api_key) == ("HOLYSHEEP_MODE says so", "from-the-file")


@pytest.mark.parametrize("encoding", ["utf-16", "cp949"])
def test_a_file_that_is_not_utf8_is_told_and_not_quoted(
    env_file: Callable[[str], Path], encoding: str
) -> None:
    file = env_file("")
    file.write_bytes(f"# 비밀번호\nHOLYSHEEP_API_KEY={LIVE_KEY}\n".encode(encoding))
    with pytest.raises(ConfigurationError, match=r"settings\.env is not stored as UTF-8") as caught:
        hs.connect()
    assert caught.value.__suppress_context__
    found = {finding.name: finding for finding in hs.doctor().findings}
    assert not found["key"].ok
    assert "as UTF-8" in found["key"].fix
    assert not found["gateway"].ok


def test_a_named_file_that_is_not_there_is_told(
    env_file: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file("HOLYSHEEP_MODE=mock").unlink()
    with pytest.raises(ConfigurationError, match=r"settings\.env can't be read .*HOLYSHEEP_ENV"):
        hs.connect()
    monkeypatch.setenv("HOLYSHEEP_ENV_FILE", str(tmp_path))
    with pytest.raises(ConfigurationError, match="can't be read"):
        hs.connect()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"mode": "test"}, "'auto', 'mock' and 'live' are allowed"),
        ({"plan": "platinum"}, "allowed are 'free', 'starter', 'pro', 'enterprise', 'unlimited'"),
        ({"plan": ["pro"]}, "The plan is a list, which may hold a key and is not shown: allowed"),
        ({"mode": "mock", "api_key": "x"}, "needs no base_url and no api_key"),
        ({"mode": "mock", "base_url": "x"}, "needs no base_url and no api_key"),
        ({"plan": "enterprise"}, "'enterprise' has no published limit (by agreement)"),
        ({"time_scale": -1}, "time_scale is '-1': a number, 0 or more"),
        ({"time_scale": "fast"}, "time_scale is 'fast': a number, 0 or more"),
        ({"budget_usd": 0.5}, "budget_usd is 0.5, a float, which may be rounded already"),
        ({"budget_usd": "much"}, "budget_usd is 'much': an amount of money is needed"),
        ({"budget_usd": -1}, "an amount of money can't be below 0"),
        ({"budget_usd": "nan"}, "budget_usd is 'nan': an amount of money is needed"),
        ({"budget_usd": "Infinity"}, "budget_usd is 'Infinity': an amount of money is needed"),
        ({"budget_usd": True}, "budget_usd is a bool: an amount of money is needed"),
        ({"api_key": 5}, "is a int"),
        ({"api_key": b"key"}, "is a bytes"),
        ({"api_key": ""}, "is empty"),
        ({"api_key": "  "}, "is empty"),
        ({"api_key": "k", "base_url": "https://api.example"}, "Use 'https://api.example/v1'"),
    ],
)
def test_bad_input_is_told_with_its_cure(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        hs.connect(**arguments)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOLYSHEEP_MODE", "test"),
        ("HOLYSHEEP_MOCK_SEED", "1.5"),
        ("HOLYSHEEP_MOCK_SEED", "-1"),
        ("HOLYSHEEP_MOCK_TIME_SCALE", "fast"),
        ("HOLYSHEEP_MOCK_TIME_SCALE", "-1"),
        ("HOLYSHEEP_MOCK_TIME_SCALE", "inf"),
        ("HOLYSHEEP_MOCK_TIME_SCALE", "nan"),
    ],
)
def test_a_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        hs.connect()
    assert name in str(caught.value)
    assert repr(value) in str(caught.value)


@pytest.mark.process
def test_the_cards_text_is_the_same_every_time_and_its_html_tells_all() -> None:
    gateway = hs.connect("mock")
    before = repr(gateway)
    hs.ask(gateway, "hello")
    assert repr(gateway) == before
    assert gateway.base_url not in before
    assert before.splitlines()[0] == (
        "MOCK gateway: no key, no cost; replies are canned, times are simulated"
    )
    shown = gateway._repr_html_()
    assert gateway.base_url in shown
    assert "in 1 call" in shown


@pytest.mark.process
@pytest.mark.parametrize(
    ("scale", "says"),
    [
        (0.05, "speed    played at 20 times the speed"),
        (2, "speed    played at 0.5 times the speed"),
        (0, "speed    answers at once"),
    ],
)
def test_a_mock_s_other_speed_stands_on_the_card(scale: float, says: str) -> None:
    gw = hs.connect("mock", time_scale=scale)
    assert says in repr(gw)
    assert says.removeprefix("speed    ") in gw._repr_html_()


@pytest.mark.process
def test_the_usual_speed_is_not_mentioned() -> None:
    assert "speed" not in repr(hs.connect("mock"))
    assert hs.connect("mock", time_scale=1).base_url == hs.connect("mock").base_url


def test_a_live_gateway_has_no_time_scale(live: Callable[..., hs.Gateway]) -> None:
    with pytest.raises(ConfigurationError, match="time_scale is for a mock"):
        live(time_scale=0.5)
