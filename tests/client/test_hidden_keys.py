"""A key that was put in the wrong place is in no message, frame or file of ours."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import holysheep_helpers as hs
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


@given(
    st.sampled_from([*SETTINGS, "PLAN", "API_KEY"]),
    st.text(max_size=8),
    st.text(st.characters(exclude_characters="\0"), max_size=8),
)
@example("BASE_URL", "https://", "@host/v1")
@example("BASE_URL", "http://host:", "/v1")
def test_a_planted_key_comes_out_of_no_setting(name: str, before: str, after: str) -> None:
    global tried
    tried += 1
    value = f"{before}{KEY}{after}".replace("\0", "")
    argument = {"MODE": "mode", "BASE_URL": "base_url", "PLAN": "plan", "API_KEY": "api_key"}
    with pytest.MonkeyPatch.context() as patch:
        options: dict[str, Any] = {"base_url": "http://192.0.2.1/v1", "api_key": "hs mock"}
        if name in argument:
            options[argument[name]] = value
        else:
            patch.setenv(f"HOLYSHEEP_{name}", value.encode("utf-8", "replace").decode())
            options = {"mode": "mock"}
        with pytest.raises(ConfigurationError) as caught:
            hs.connect(**options)
    assert KEY[:12] not in everything_shown(caught.value)


def test_how_many_were_tried(capsys: pytest.CaptureFixture[str]) -> None:
    test_a_planted_key_comes_out_of_no_setting()
    with capsys.disabled():
        print(f"\nsettings with a planted key that were tried: {tried}")
    assert tried > 20


def test_a_key_is_never_pickled() -> None:
    with pytest.raises(TypeError, match="not written into a file"):
        pickle.dumps(Secret(KEY))
