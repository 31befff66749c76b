"""A price that has grown old is told, once, with its age; no clock is read to find out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from datetime import date

import pytest

import holysheep_helpers as hs
from holysheep_helpers.client import connect
from holysheep_helpers.pricing import calls
from tests.support.usage import usage

MODEL = hs.catalog.DEFAULT_MODEL


Live = Callable[..., hs.Gateway]


@pytest.fixture(autouse=True)
def nobody_was_warned(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(calls, "_warned_of", set())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_an_old_price_is_told_with_its_age() -> None:
    with pytest.warns(hs.StalePriceWarning) as told:
        hs.cost_of(usage(1, 1), MODEL, today=date(2026, 11, 24))
    (warning,) = told
    assert "mistral-small-2603 is 297 days old" in str(warning.message)
    assert "2026-01-31" in str(warning.message)
    assert warning.filename == __file__


def test_once_for_each_model() -> None:
    late = date(2027, 1, 1)
    with pytest.warns(hs.StalePriceWarning, match=MODEL):
        hs.cost_of(usage(1, 1), MODEL, today=late)
    with pytest.warns(hs.StalePriceWarning, match=r"gpt-4\.1") as told:
        hs.monthly_cost("gpt-4.1", 10, today=late)
    assert told[0].filename == __file__
    hs.cost_of(usage(1, 1), MODEL, today=late)
    hs.compare_models([MODEL, "gpt-4.1"], tokens=10, today=late)


def test_a_comparison_tells_of_each_model_in_it() -> None:
    with pytest.warns(hs.StalePriceWarning) as told:
        hs.compare_models(tokens=10, today=date(2027, 1, 1))
    assert len(told) == 5
    assert {warning.filename for warning in told} == {__file__}


@pytest.mark.parametrize("day", [None, date(2026, 1, 31), date(2026, 7, 30)])
def test_180_days_are_not_too_old_and_without_a_day_no_clock_is_read(day: date | None) -> None:
    hs.cost_of(usage(1, 1), MODEL, today=day)
    hs.monthly_cost(MODEL, 10, today=day)


def test_181_days_are() -> None:
    with pytest.warns(hs.StalePriceWarning, match="181 days old"):
        hs.monthly_cost(MODEL, 10, today=date(2026, 7, 31))


def test_a_price_of_tomorrow_is_none_too_old() -> None:
    hs.monthly_cost(MODEL, 10, today=date(2020, 1, 1))


def test_a_direct_price_has_a_day_of_its_own() -> None:
    hs.monthly_cost(MODEL, 10, prices="direct", today=date(2026, 11, 24))


def test_live_calls_are_warned_of_once_before_they_are_sent(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "today", lambda: date(2026, 11, 24))
    gateway = live()
    with pytest.warns(hs.StalePriceWarning, match="297 days old") as told:
        hs.ask(gateway, "hello")
    assert len(told) == 1
    hs.ask(gateway, "hello")


def test_the_mock_costs_nothing_and_warns_of_nothing(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "today", lambda: pytest.fail("a clock was read"))
    address = live().base_url
    key = live()._key.reveal()
    hs.ask(hs.connect(base_url=address, api_key=key), "hello")


def test_the_age_is_counted_in_days() -> None:
    source = hs.catalog.published_rate().source
    assert source.age_days(date(2026, 1, 31)) == 0
    assert source.age_days(date(2027, 1, 31)) == 365


def test_each_price_list_of_a_model_is_warned_of() -> None:
    day = date(2028, 1, 1)
    for prices in ("published", "direct"):
        with pytest.warns(hs.StalePriceWarning):
            hs.monthly_cost("gpt-4.1", 1, prices=prices, today=day)
