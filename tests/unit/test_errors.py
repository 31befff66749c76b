"""The helpers' own errors reach another process whole."""

import pickle
from decimal import Decimal

import pytest

import holysheep_helpers as hs
from holysheep_helpers.fallback_turns import Tried

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
