"""The catalogue: every fact with its source and its day, nothing guessed."""

from __future__ import annotations

import dataclasses
from datetime import date
from decimal import Decimal

import pytest

from holysheep_helpers import catalog

# As published by the gateway, January 2026: USD per million tokens, in and out.
PUBLISHED_PRICES = {
    "gpt-4.1": ("3.00", "8.00"),
    "claude-sonnet-4-5": ("3.00", "15.00"),
    "gemini-2.5-flash": ("0.35", "2.50"),
    "mistral-small-2603": ("0.20", "0.60"),
    "deepseek-v3.2": ("0.07", "0.42"),
}


TWELVE = {
    "GPT-4.1", "GPT-4o", "GPT-4o-mini", "Claude Sonnet 4.5", "Claude Opus 4", "Gemini 2.0 Flash",
    "Gemini 2.5 Flash", "Gemini 2.5 Pro", "Mistral Small 2603", "Mistral Large", "DeepSeek V3.2",
    "DeepSeek Chat",
}  # fmt: skip


def test_the_five_published_prices_are_exact_and_the_only_ones() -> None:
    priced = {m.id: m.price for m in catalog.models() if m.price}
    assert {name: (p.input_usd_per_mtok, p.output_usd_per_mtok) for name, p in priced.items()} == {
        name: (Decimal(i), Decimal(o)) for name, (i, o) in PUBLISHED_PRICES.items()
    }
    assert {price.source.as_of for price in priced.values()} == {date(2026, 1, 31)}


def test_the_twelve_published_models_are_there_and_marked() -> None:
    assert {m.name for m in catalog.models(published_only=True)} == TWELVE
    assert len(catalog.models()) >= 20
    others = [m for m in catalog.models() if not m.published]
    assert {m.source.name.split(",")[0] for m in others} == {"genai-prices 0.2.3"}
    assert {m.family for m in others} <= {m.family for m in catalog.models(published_only=True)}


def test_every_model_and_figure_has_a_source_and_a_day() -> None:
    for model in catalog.models():
        assert model.source.as_of <= date(2026, 11, 24)
        assert (model.context_window is None) is (model.context_source is None)
        assert (model.retires is None) is (model.retires_source is None)
        assert model.refuses_temperature_with_top_p is (model.refuses_source is not None)
        assert str(model.source).endswith(model.source.as_of.isoformat())


def test_the_context_window_is_corrected_and_the_published_one_kept() -> None:
    model = catalog.find("mistral-small-2603")
    assert model is not None
    assert model.context_source is not None
    assert (model.context_window, model.published_context_window) == (262_144, 128_000)
    assert model.context_source.note == "corrects a published figure"


def test_retirements_are_told() -> None:
    told = {m.id: m.retires for m in catalog.models() if m.retires}
    assert told["deepseek-chat"] == date(2026, 7, 24)
    assert told["claude-sonnet-4-5"] == date(2026, 11, 30)
    sonnet = catalog.find("claude-sonnet-4-5")
    assert sonnet is not None
    assert sonnet.warning().startswith("claude-sonnet-4-5 retires on 2026-11-30 (source: ")
    fine = catalog.find("mistral-small-2603")
    assert fine is not None
    assert fine.warning() == ""


def test_no_id_or_alias_stands_there_twice() -> None:
    names = [name for model in catalog.models() for name in (model.id, *model.aliases)]
    assert len(names) == len(set(names)) > 20


def test_aliases_lead_to_their_model() -> None:
    assert catalog.find("mistral/small-2603") is catalog.find("mistral-small-2603")
    assert catalog.find("mistral-small") is None
    assert catalog.find("") is None


@pytest.mark.parametrize(
    ("snapshot", "priced_as"),
    [
        ("gpt-4.1-2025-04-14", "gpt-4.1"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("mistral/small-2603", "mistral-small-2603"),
    ],
)
def test_a_dated_snapshot_has_the_price_of_its_id(snapshot: str, priced_as: str) -> None:
    model = catalog.find(priced_as)
    assert model is not None
    assert catalog.published_price(snapshot) == model.price is not None


@pytest.mark.parametrize("other", ["gpt-4.1-mini", "gpt-4.1-2025", "gpt-4o", "nobody", ""])
def test_what_has_no_published_price_has_none(other: str) -> None:
    assert catalog.published_price(other) is None


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("mistral-small", "mistral-small-2603"),
        ("gpt4o", "gpt-4o"),
        ("Gemini-2.5-Flash", "gemini-2.5-flash"),
        ("claude-sonnet-4.5", "claude-sonnet-4-5"),
        ("deepseek-v3", "deepseek-v3.2"),
    ],
)
def test_the_nearest_id_comes_first(typed: str, first: str) -> None:
    near = catalog.nearest(typed)
    assert near[0] == first
    assert len(near) == len(set(near)) <= 3
    assert all(catalog.find(name) for name in near)


def test_nothing_is_near_to_nonsense() -> None:
    assert catalog.nearest("qqqqqqqq") == ()


def test_plans_presets_and_settings_are_the_published_ones() -> None:
    limits = {name: plan.requests_per_minute for name, plan in catalog.plans().items()}
    assert limits == {
        "free": 60, "starter": 300, "pro": 1000, "enterprise": None, "unlimited": None,
    }  # fmt: skip
    assert str(catalog.plans()["pro"]) == "pro (1,000 requests a minute)"
    assert str(catalog.plans()["enterprise"]) == "enterprise (by agreement)"
    assert {k: tuple(v.values()) for k, v in catalog.presets().items()} == {
        "general": (0.7, 2048, 0.9),
        "code": (0.3, 4096, 0.95),
        "fast": (0.5, 512, 0.9),
        "detailed": (0.8, 8192, 0.85),
    }
    assert dataclasses.astuple(catalog.client_settings()) == (30, 60, 120, 3)


def test_money_is_decimal_and_the_rate_has_its_day() -> None:
    rate = catalog.published_rate()
    assert rate.krw_per_usd == Decimal(1450)
    assert rate.source.as_of == date(2026, 1, 31)
    assert Decimal(50000) == catalog.FREE_CREDIT_KRW


def test_nobody_can_change_a_fact() -> None:
    model = catalog.models()[0]
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.id = "x"  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(TypeError):
        catalog.presets()["general"]["top_p"] = 1  # pyright: ignore[reportIndexIssue]
    with pytest.raises(TypeError):
        catalog.plans()["x"] = catalog.plans()["free"]  # pyright: ignore[reportIndexIssue]
