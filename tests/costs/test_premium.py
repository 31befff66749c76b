"""The gateway's premium over direct prices: per model, per mix, with what is not known said."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

import holysheep_helpers as hs
from holysheep_helpers.pricing import money
from holysheep_helpers.pricing.money import direct_price, list_source, offers

MODEL = "mistral-small-2603"


# Makers' own prices as a person reads them in the list: input, cached input, output.
DIRECT = {
    "gpt-4.1": ("2.00", "0.50", "8.00"),
    "claude-sonnet-4-5": ("3.00", "0.30", "15.00"),
    "gemini-2.5-flash": ("0.30", "0.03", "2.50"),
    "mistral-small-2603": ("0.15", "0.015", "0.60"),
}


@pytest.mark.parametrize("model", DIRECT)
def test_direct_prices_are_those_of_a_small_call(model: str) -> None:
    """Claude's price doubles beyond 200,000 tokens of prompt in the list: not for a small call."""
    price = direct_price(model)
    assert price is not None
    found = (price.input_usd_per_mtok, price.cached_input_usd_per_mtok, price.output_usd_per_mtok)
    assert found == tuple(map(Decimal, DIRECT[model]))
    assert price.source.as_of == date(2026, 11, 23)


@pytest.mark.parametrize(
    ("model", "by_mix"),
    [
        ("gpt-4.1", ("0.0", "10.0", "50.0")),
        ("claude-sonnet-4-5", ("0.0", "0.0", "0.0")),
        ("gemini-2.5-flash", ("0.0", "1.8", "16.7")),
        ("mistral-small-2603", ("0.0", "6.7", "33.3")),
    ],
)
def test_the_premium_depends_on_the_mix(model: str, by_mix: tuple[str, ...]) -> None:
    frame: Any = hs.premium([model])
    assert list(frame["input_share"]) == [0, Decimal("0.5"), 1]
    assert [f"{share:.1%}" for share in frame["premium"]] == [f"{text}%" for text in by_mix]
    assert list(frame["note"]) == [""] * 3


def test_five_to_ten_percent_holds_for_two_of_five_at_half_and_for_none_at_every_mix() -> None:
    claim = hs.catalog.published_claims()
    frame: Any = hs.premium()
    within = frame["premium"].map(lambda share: claim.premium_low <= share <= claim.premium_high)
    assert set(frame["model"][within & (frame["input_share"] == Decimal("0.5"))]) == {
        "gpt-4.1", "mistral-small-2603",
    }  # fmt: skip
    assert not within.groupby(frame["model"]).all().any()


def test_where_hosts_disagree_it_says_so() -> None:
    frame: Any = hs.premium(["deepseek-v3.2"], input_share="0.5")
    (row,) = frame.to_dict("records")
    assert row["hosts"] == 3
    assert (row["lowest_usd"], row["highest_usd"]) == (Decimal("0.286"), Decimal("0.3345"))
    assert row["note"] == "3 hosts disagree: 0.286 to 0.334 USD"
    assert f"{row['premium']:.1%}" == "-14.3%"  # the gateway is cheaper than the maker


def test_what_is_unknown_is_no_number() -> None:
    frame: Any = hs.premium(["gpt-4o", "nobody"], input_share=1)
    known, unknown = frame.to_dict("records")
    assert (known["gateway_usd"], known["premium"]) == (None, None)
    assert known["direct_usd"] == Decimal("2.50")
    assert known["note"] == "the gateway published no price"
    assert (unknown["direct_usd"], unknown["hosts"], unknown["direct_as_of"]) == (None, 0, None)
    assert unknown["note"] == "the gateway published no price; no direct price is known"


def test_both_days_stand_beside_both_prices() -> None:
    frame: Any = hs.premium([MODEL])
    assert set(frame["gateway_as_of"]) == {date(2026, 1, 31)}
    assert set(frame["direct_as_of"]) == {date(2026, 11, 23)}
    amounts = frame[["gateway_usd", "direct_usd", "premium", "lowest_usd"]].to_numpy().ravel()
    assert {type(amount) for amount in amounts} == {Decimal}


@pytest.mark.parametrize(("share", "says"), [(0.5, "a float"), ("1.5", "from 0 to 1"), (-1, "-1")])
def test_a_share_that_can_not_be_one_is_refused(share: Any, says: str) -> None:
    with pytest.raises(hs.InputError, match=says):
        hs.premium([MODEL], input_share=share)


def test_models_are_a_list() -> None:
    with pytest.raises(hs.InputError, match="a list is needed"):
        hs.premium(MODEL)


def test_an_alias_has_the_price_of_its_model_and_hosts_have_their_own() -> None:
    assert direct_price("mistral/small-2603") == direct_price(MODEL) is not None
    assert direct_price("mistralai/Mistral-Small-2603") == direct_price(MODEL)
    spelled: Any = hs.premium(["deepseek/DeepSeek-V3.2"], input_share="0.5")
    assert spelled["hosts"].tolist() == [3]
    dated, base = direct_price("openai/gpt-4.1-2025-04-14"), direct_price("gpt-4.1")
    assert dated == base is not None
    assert {offer.host for offer in offers("deepseek-v3.2")} == {
        "deepseek", "huggingface_novita", "openrouter",
    }  # fmt: skip


def test_a_price_that_changes_with_the_hour_is_the_one_of_noon() -> None:
    """DeepSeek's night, 16:30 to 00:30 UTC, is half the price: no clock chooses between them."""
    price = direct_price("deepseek-chat")
    assert price is not None
    assert (price.input_usd_per_mtok, price.output_usd_per_mtok) == (
        Decimal("0.27"), Decimal("1.1"),
    )  # fmt: skip


def test_a_list_of_another_version_has_the_newest_day_that_stands_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert str(list_source()) == "genai-prices 0.2.3, 2026-11-23"
    monkeypatch.setattr("importlib.metadata.version", lambda name: "9.9")
    list_source.cache_clear()
    try:
        source = list_source()
    finally:
        list_source.cache_clear()
    assert source.name == "genai-prices 9.9"
    assert date(2026, 10, 1) < source.as_of <= money._newest_day()
    assert "may be newer" in source.note
