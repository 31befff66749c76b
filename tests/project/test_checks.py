"""The checks of arguments: what passes, and what an error says."""

import math

import pytest

import holysheep_helpers as hs
from holysheep_helpers._checks import check_number, check_whole


@pytest.mark.parametrize("value", [True, 1.0, "1", None, 0, -1, math.nan])
def test_what_is_no_whole_number_is_refused(value: object) -> None:
    with pytest.raises(hs.InputError, match=r"^n is .*: a whole number, 1 or more, is needed\.$"):
        check_whole("n", value)


def test_a_whole_number_within_its_bounds_passes() -> None:
    check_whole("n", 1)
    check_whole("n", 0, 0)
    check_whole("n", None, optional=True)
    check_whole("n", 12, most=12)
    with pytest.raises(hs.InputError, match="n is 13: a whole number, from 1 to 12, is needed"):
        check_whole("n", 13, most=12)
    with pytest.raises(hs.InputError, match="is needed, or None"):
        check_whole("n", 0, optional=True)


@pytest.mark.parametrize("value", [True, "1", None, 0, -1.0, math.nan, math.inf, 61])
def test_what_is_no_number_within_the_bounds_is_refused(value: object) -> None:
    with pytest.raises(hs.InputError, match=r"wait_s is .*: seconds, more than 0, 60 at most, is"):
        check_number("wait_s", value, "seconds", above=0, most=60)


def test_a_number_within_its_bounds_passes() -> None:
    for value in (0.5, 1, 60):
        check_number("wait_s", value, "seconds", above=0, most=60)
    check_number("share", 0, least=0)
    check_number("share", None, optional=True)
    check_number("huge", 10**400)
    with pytest.raises(
        hs.InputError, match=r"share is -0\.1: a number, 0 or more, is needed, or None"
    ):
        check_number("share", -0.1, least=0, optional=True)
