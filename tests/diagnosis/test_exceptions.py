"""The helpers' own errors reach another process whole."""

from __future__ import annotations

import pickle
from decimal import Decimal
from typing import Any

import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.mock.server import serve
from holysheep_helpers.resilience.failover import Tried

TRIED = (Tried("one", cooling_s=2.0), Tried("two", ValueError("odd"), cost=None))


@pytest.mark.parametrize(
    "error",
    [
        hs.InputError("model is 3"),
        hs.UnexpectedReplyError("a page", page=True),
        hs.IncompleteStreamError("it broke", "half of"),
        hs.AllFailedError("none answered", TRIED),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_can_be_pickled(error: hs.HolySheepError) -> None:
    error.add_note("and this was noted")
    other = pickle.loads(pickle.dumps(error))
    assert type(other) is type(error)
    assert str(other) == str(error)
    assert vars(other).keys() == vars(error).keys()
    assert other.__notes__ == ["and this was noted"]


def test_what_an_error_carries_comes_along() -> None:
    other = pickle.loads(pickle.dumps(hs.AllFailedError("none answered", TRIED)))
    assert [(one.model, one.cooling_s, one.cost) for one in other.tried] == [
        ("one", 2.0, Decimal(0)),
        ("two", None, None),
    ]
    assert (other.lost, str(other.errors[0])) == (1, "odd")


def test_the_sdks_errors_go_along_without_the_key() -> None:
    with serve(time_scale=0) as mock:
        gw = hs.connect("live", mock.base_url, mock.api_key)
        mock.script([503, 503])
        with pytest.raises(hs.AllFailedError) as caught:
            hs.failover(gw, "hello", models=["mistral-small-2603", "gemini-2.5-flash"])
    stored = pickle.dumps(caught.value)
    assert mock.api_key.encode() not in stored
    other = pickle.loads(stored)
    assert [type(one) for one in other.errors] == [openai.InternalServerError] * 2
    assert str(hs.diagnose(other)) == str(hs.diagnose(caught.value))
    first: Any = caught.value.errors[0]
    assert mock.api_key in first.request.headers["authorization"]  # untouched here
