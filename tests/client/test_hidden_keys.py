"""A key that was put in the wrong place is in no message, frame or file of ours."""

from __future__ import annotations

import pickle
import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import holysheep_helpers as hs
from holysheep_helpers._checks import short, shown
from holysheep_helpers.diagnosis.config import Secret
from holysheep_helpers.exceptions import ConfigurationError
from tests.support.keys import made_up

KEY = made_up(32)
PLACES: dict[str, Callable[[], object]] = {
    "mode": lambda: hs.connect(KEY),  # pyright: ignore[reportArgumentType]
    "base_url": lambda: hs.connect(base_url=KEY, api_key="hs-mock-a"),
    "user info": lambda: hs.connect(base_url=f"https://u:{KEY}@host/v1", api_key="hs-mock-a"),
    "no scheme": lambda: hs.connect(base_url=f"u:{KEY}@host/v1", api_key="hs-mock-a"),
    "port": lambda: hs.connect(base_url=f"https://u:{KEY}/v1", api_key="hs-mock-a"),
    "ftp": lambda: hs.connect(base_url=f"ftp://{KEY}@host/v1", api_key="hs-mock-a"),
    "plan": lambda: hs.connect(plan=KEY),
    "budget": lambda: hs.connect(budget_usd=KEY),
    "key with a space": lambda: hs.connect(api_key=f"{KEY} "),
    "key and plain http": lambda: hs.connect(base_url="http://192.0.2.1/v1", api_key=KEY),
    "time_scale": lambda: hs.connect("mock", time_scale=KEY),  # pyright: ignore[reportArgumentType]
    "host": lambda: hs.connect(base_url=f"https://{KEY}", api_key="hs-mock-a"),
    "path": lambda: hs.connect(base_url=f"https://host/{KEY}", api_key="hs-mock-a"),
    "scheme": lambda: hs.connect(base_url=f"{KEY}://host/v1", api_key="hs-mock-a"),
    "path, too long": lambda: hs.connect(
        base_url=f"https://host/{KEY}/chat/completions", api_key="hs-mock-a"
    ),
    "path, plain http": lambda: hs.connect(base_url=f"http://192.0.2.1/v1/{KEY}", api_key="hs-a"),
}


def everything_shown(error: BaseException) -> str:
    """Message, notes, and each frame of ours with its variables; a test's own hold the key."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    ours = [frame for frame in told.stack if "holysheep_helpers" in frame.filename]
    assert ours
    return "".join([*told.format_exception_only(), *(str(frame.locals) for frame in ours)])


@pytest.mark.parametrize("place", PLACES)
def test_a_key_in_the_place_of_another_argument_is_shown_nowhere(place: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        PLACES[place]()
    shown = everything_shown(caught.value)
    assert KEY[:12] not in shown
    assert caught.value.__context__ is None


@pytest.mark.parametrize("place", ["mode", "base_url", "plan", "budget", "key with a space"])
def test_the_learner_is_told_that_the_key_stands_in_the_cell(place: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        PLACES[place]()
    assert "delete the cell and its output" in "".join(caught.value.__notes__)


ARGUMENTS = ["mode", "base_url", "api_key", "plan", "budget_usd", "time_scale"]
WRAPPINGS: dict[str, Callable[[str], object]] = {
    "bytes": str.encode,
    "a list": lambda key: [key],
    "a tuple": lambda key: (key, key),
    "a dict": lambda key: {key: key},
    "a set": lambda key: {key},
    "a path": Path,
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("argument", ARGUMENTS)
def test_a_key_within_another_type_is_shown_nowhere(argument: str, wrapping: str) -> None:
    options: dict[str, Any] = {"base_url": "http://192.0.2.1/v1", "api_key": "hs-a"}
    if argument == "time_scale":
        options = {"mode": "mock"}
    options[argument] = WRAPPINGS[wrapping](KEY)
    with pytest.raises(ConfigurationError) as caught:
        hs.connect(**options)
    assert KEY[:12] not in everything_shown(caught.value)
    assert "delete the cell and its output" in "".join(caught.value.__notes__)


@pytest.mark.parametrize("name", ["HOLYSHEEP_ENV_FILE", "SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_a_key_in_the_place_of_a_file_is_shown_nowhere(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOLYSHEEP_BASE_URL", "https://127.0.0.1:9/v1")
    monkeypatch.setenv("HOLYSHEEP_API_KEY", "hs-a")
    monkeypatch.setenv(name, KEY)
    with pytest.raises(ConfigurationError) as caught:
        hs.connect().client()
    assert KEY[:12] not in everything_shown(caught.value)
    report = hs.doctor()
    assert KEY[:12] not in repr(report) + report._repr_html_()


def test_a_key_in_an_address_that_can_be_used_is_not_on_the_card() -> None:
    for address in (f"http://127.0.0.1:9/{KEY}/v1", f"https://{KEY}.example/v1"):
        gateway = hs.connect(base_url=address, api_key="hs-a")
        assert KEY[:12].lower() not in f"{gateway!r}{gateway._repr_html_()}".lower()
    closed = hs.connect(base_url=f"http://127.0.0.1:9/{KEY}/v1", api_key="hs-a")
    with pytest.raises(openai.APIConnectionError) as caught:
        hs.ask(closed, "Hello")
    found = hs.diagnose(caught.value)
    assert KEY[:12] not in f"{found!r}{found}{found._repr_html_()}"


@pytest.mark.parametrize("mode", ["Context", "Verbose"])
@pytest.mark.parametrize("name", ["BASE_URL", "ENV_FILE", "MODE", "API_KEY"])
def test_the_frames_that_ipython_shows_have_no_key(
    name: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from IPython.core.ultratb import FormattedTB

    monkeypatch.setenv("HOLYSHEEP_API_KEY", KEY)
    monkeypatch.setenv(f"HOLYSHEEP_{name}", f"http://192.0.2.1/{KEY} /x")
    with pytest.raises(ConfigurationError) as caught:
        hs.connect()
    error = caught.value
    printed = FormattedTB(mode=mode).text(type(error), error, error.__traceback__)
    plain = re.sub(r"\x1b\[[\d;]*m", "", printed)
    assert "raise problem" in plain
    assert KEY[:12] not in plain


@pytest.mark.parametrize(
    "text",
    [
        "claude-sonnet-4-5-20250929",
        "gpt-4o-mini-2024-07-18",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        "https://my-resource-of-2026.openai.azure.com/openai/v1",
        "/home/learner/holysheep-notebooks-2026/.env",
        "20261201123456789012",
    ],
)
def test_what_is_no_key_is_shown_whole(text: str) -> None:
    assert short(text) == text
    assert shown(text, 100) == repr(text)


def test_no_message_is_longer_than_a_screen() -> None:
    long = "wonderful " * 10_000
    address = "https://host/" + "wonderful/" * 10_000
    wrong_ones: list[dict[str, Any]] = [{name: long} for name in ARGUMENTS]
    for wrong in [*wrong_ones, {"base_url": address}]:
        options: dict[str, Any] = {"mode": "mock"} if "time_scale" in wrong else {"api_key": "hs-a"}
        with pytest.raises(ConfigurationError) as caught:
            hs.connect(**options | wrong)
        assert len(str(caught.value)) < 500
    gateway = hs.connect(base_url=f"{address}v1", api_key="hs-a")
    assert len(repr(gateway)) < 1_000
    assert len(gateway._repr_html_()) < 3_000


SETTINGS = ["MODE", "BASE_URL", "MOCK_SEED", "MOCK_TIME_SCALE"]


@pytest.mark.parametrize("name", SETTINGS)
def test_swapped_lines_of_a_file_are_shown_nowhere(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"HOLYSHEEP_{name}", KEY)
    if name == "BASE_URL":
        monkeypatch.setenv("HOLYSHEEP_API_KEY", "https://api.holysheep.ai/v1")
    with pytest.raises(ConfigurationError) as caught:
        hs.connect()
    assert KEY[:12] not in everything_shown(caught.value)
    assert KEY[:12] not in repr(hs.doctor()) + hs.doctor()._repr_html_()


tried = 0
AROUND = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
HOSTS = st.sampled_from(["", "https://", "http://host:", "https://host/", "https://host/v1/", "//"])


@given(
    st.sampled_from([*ARGUMENTS, "MODE", "BASE_URL", "MOCK_SEED", "MOCK_TIME_SCALE", "ENV_FILE"]),
    HOSTS,
    AROUND,
    st.one_of(AROUND, st.sampled_from(["/v1", "@host/v1", ".example/v1", "/chat/completions"])),
    st.sampled_from([str, *WRAPPINGS.values()]),
)
@example("base_url", "https://", "", "@host/v1", str)
@example("BASE_URL", "http://host:", "", "/v1", str)
@example("base_url", "https://", "", ".example/v1", str)
def test_a_planted_key_comes_out_of_no_setting(
    name: str, start: str, before: str, after: str, wrap: Callable[[str], object]
) -> None:
    """In any argument and setting, of any type, and in each part of an address.

    What can be used is a gateway, whose cards are looked at; all else is a ``ConfigurationError``.
    """
    global tried
    tried += 1
    value = f"{start}{before}{KEY}{after}"
    options: dict[str, Any] = {"base_url": "http://192.0.2.1/v1", "api_key": "hs mock"}
    if name == "base_url":
        options = {"api_key": "hs-mock-a"}
    elif name in ("time_scale", "MOCK_SEED", "MOCK_TIME_SCALE"):
        options = {"mode": "mock"}
    elif name in ("MODE", "BASE_URL"):
        options = {"api_key": "hs-mock-a"}
    with pytest.MonkeyPatch.context() as patch:
        if name in ARGUMENTS:
            options[name] = wrap(value)
        else:
            patch.setenv(f"HOLYSHEEP_{name}", value)
        try:
            gateway = hs.connect(**options)
        except ConfigurationError as error:
            shown = everything_shown(error)
        else:
            assert name in ("base_url", "BASE_URL", "api_key")
            shown = f"{gateway!r}{gateway._repr_html_()}"
    assert KEY[:12].lower() not in shown.lower()


def test_how_many_were_tried(capsys: pytest.CaptureFixture[str]) -> None:
    test_a_planted_key_comes_out_of_no_setting()
    with capsys.disabled():
        print(f"\nsettings with a planted key that were tried: {tried}")
    assert tried > 20


def test_a_key_is_never_pickled() -> None:
    with pytest.raises(TypeError, match="not written into a file"):
        pickle.dumps(Secret(KEY))


def test_a_key_that_a_client_is_given_is_in_no_frame_of_ours(gw: hs.Gateway) -> None:
    for make in (gw.client, gw.async_client):
        with pytest.raises(hs.InputError, match="belongs to the gateway") as caught:
            make(api_key=KEY)
        told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        ours = [frame for frame in told.stack if "holysheep_helpers" in frame.filename]
        assert ours
        assert KEY not in f"{told}{[frame.locals for frame in ours]}"
