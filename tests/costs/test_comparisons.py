"""Whether one model is as much cheaper than another as is claimed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import holysheep_helpers as hs

MODEL = "mistral-small-2603"


at_any_pace = settings(deadline=None)


models = st.sampled_from([model.id for model in hs.catalog.models() if model.price])


def test_40_percent_cheaper_than_deepseek_is_63_percent_dearer() -> None:
    claim = hs.catalog.published_claims()
    found = hs.audit_comparison(claim.cheaper, claim.cheaper_than, cheaper_by=claim.cheaper_by)
    assert not found.holds
    assert not found.possible
    assert round(found.saving_share, 2) == Decimal("-0.63")
    assert str(found) == (
        "Wrong at every mix: mistral-small-2603 costs 63% more than deepseek-v3.2 at 50/50: 0.40 "
        "against 0.245 USD for a million tokens; 40% less was claimed; over all mixes it is from "
        "186% more to 43% more."
    )


def test_no_volume_changes_that() -> None:
    above = hs.catalog.published_claims().cheaper_above_tokens
    frame: Any = hs.compare_models([MODEL], tokens=above * 10, baseline="deepseek-v3.2")
    assert round(frame["saving_share"][MODEL], 2) == Decimal("-0.63")


def test_a_claim_that_holds_says_so() -> None:
    found = hs.audit_comparison(MODEL, "gpt-4.1", cheaper_by="0.927")
    assert found.holds
    assert str(found).startswith("True: mistral-small-2603 costs 93% less than gpt-4.1 at 50/50")


def test_a_claim_that_holds_at_another_mix_says_that() -> None:
    found = hs.audit_comparison("gemini-2.5-flash", "gpt-4.1", cheaper_by="0.85")
    assert (found.holds, found.possible) == (False, True)
    assert str(found).startswith("Not at this mix: gemini-2.5-flash costs 74% less than gpt-4.1")


def test_a_claim_of_less_than_is_saved_is_too_modest() -> None:
    found = hs.audit_comparison(MODEL, "gpt-4.1", cheaper_by="0.5")
    assert (found.holds, found.possible) == (False, False)
    assert str(found).startswith("Too modest at every mix: mistral-small-2603 costs 93% less than")


@given(
    model=models,
    other=models,
    mix=st.decimals(0, 1, places=3),
    claimed=st.decimals(0, 1, places=3),
)
@at_any_pace
def test_what_is_saved_lies_between_the_ends(
    model: str, other: str, mix: Decimal, claimed: Decimal
) -> None:
    found = hs.audit_comparison(model, other, cheaper_by=claimed, input_share=mix)
    assert found.lowest_share <= found.saving_share <= found.highest_share
    assert found.possible or not found.holds
    true = hs.audit_comparison(
        model, other, cheaper_by=max(found.saving_share, Decimal(0)), input_share=mix
    )
    assert true.holds is (found.saving_share >= Decimal("-0.005"))


def test_the_share_is_checked_like_all_others() -> None:
    with pytest.raises(hs.InputError, match=r"cheaper_by is 0\.4, a float"):
        hs.audit_comparison(MODEL, "gpt-4.1", cheaper_by=0.4)  # pyright: ignore[reportArgumentType]
    with pytest.raises(hs.UnknownPriceError, match="'nobody'"):
        hs.audit_comparison(MODEL, "nobody", cheaper_by="0.4")
