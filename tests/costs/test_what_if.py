"""Which assumption a result hangs on, and where two models change places."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import holysheep_helpers as hs

at_any_pace = settings(deadline=None)


RATE = hs.catalog.published_rate()


PRICED = [model.id for model in hs.catalog.models() if model.price]


MOVE = hs.Assumptions(
    tokens=100_000_000,
    model="mistral-small-2603",
    baseline="gpt-4.1",
    one_off_usd=2000,
    monthly_running_usd=20,
    rate=RATE,
)


SHARES = st.decimals(0, 1, places=3)


def test_what_a_move_brings_by_hand() -> None:
    assert MOVE.monthly_saving_usd == 510  # 550 - 40
    assert MOVE.net_gain_usd == 3880  # 6120 - 2000 - 12 * 20
    assert MOVE.net_gain_krw == 3880 * 1450
    assert MOVE.break_even().whole_months == 5  # 2000 / 490
    assert MOVE.roi().gain_usd == MOVE.net_gain_usd


def test_growth_makes_the_year_worth_more_than_twelve_first_months() -> None:
    growing = replace(MOVE, growth="0.1")
    assert growing.monthly_saving_usd == 510
    months = sum(Decimal("1.1") ** n for n in range(12))
    assert growing.net_gain_usd == 510 * months - 2000 - 12 * 20
    assert growing.roi().gain_usd == growing.net_gain_usd


def test_they_are_kept_exactly_and_can_not_be_changed() -> None:
    assert isinstance(MOVE.one_off_usd, Decimal)
    assert MOVE.input_share == Decimal("0.5")
    with pytest.raises(FrozenInstanceError):
        MOVE.tokens = 1  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"tokens": -1}, "tokens is -1"),
        ({"tokens": 1e8}, "a float"),
        ({"input_share": 0.5}, "input_share is 0.5, a float"),
        ({"cached_share": "1.5"}, "a share from 0 to 1"),
        ({"growth": "-2"}, "growth is '-2'"),
        ({"one_off_usd": -5}, "one_off_usd is -5"),
        ({"monthly_running_usd": 0.1}, "a float"),
        ({"rate": 1450}, "an ExchangeRate is needed"),
        ({"prices": "list"}, "prices is 'list'"),
    ],
)
def test_what_can_not_be_right_is_refused_at_once(change: dict[str, Any], says: str) -> None:
    with pytest.raises(hs.InputError) as e:
        replace(MOVE, **change)
    assert says in str(e.value)


def test_an_unknown_price_is_refused_at_once() -> None:
    for name in ("model", "baseline"):
        with pytest.raises(hs.UnknownPriceError, match="'gpt-4o'"):
            replace(MOVE, **{name: "gpt-4o"})


def test_won_need_a_rate() -> None:
    with pytest.raises(hs.InputError, match="No rate was given"):
        _ = replace(MOVE, rate=None).net_gain_krw


# ---- turned one by one --------------------------------------------------------------------------
def test_each_assumption_turned_by_hand() -> None:
    frame: Any = hs.sensitivity(MOVE)
    moves = {name: str(value) for name, value in frame["moves"].items()}
    assert moves == {
        "tokens": "2448.00",  # 6120 * 0.8 to 6120 * 1.2
        # a tenth of the mix is 5 USD a million for GPT-4.1, 0.4 for the other: 46 USD a month
        "input_share": "1104.00",
        "one_off_usd": "800.00",
        "monthly_running_usd": "96.00",
        "cached_share": "0.00",
        "growth": "0.00",
        "rate": "0.00",
    }
    assert list(frame["moves"]) == sorted(frame["moves"], reverse=True)
    tokens = frame.loc["tokens"]
    assert [str(tokens[name]) for name in ("low", "base", "high")] == [
        "80000000", "100000000", "120000000",
    ]  # fmt: skip
    assert [str(tokens[f"result_{name}"]) for name in ("low", "base", "high")] == [
        "2656.00", "3880.00", "5104.00",
    ]  # fmt: skip
    assert frame["note"]["growth"] == frame["note"]["cached_share"] == "is 0, and stays 0"
    assert frame["note"]["tokens"] == ""


def test_in_won_the_rate_moves_the_result_like_everything_at_once() -> None:
    frame: Any = hs.sensitivity(MOVE, result=lambda move: move.net_gain_krw)
    assert frame["moves"]["rate"] == MOVE.net_gain_krw * Decimal("0.4")


def test_without_a_rate_there_is_no_row_for_it() -> None:
    assert "rate" not in hs.sensitivity(replace(MOVE, rate=None)).index


def test_a_share_ends_at_one_and_says_so() -> None:
    frame: Any = hs.sensitivity(replace(MOVE, input_share="0.9"))
    assert frame["high"]["input_share"] == 1
    assert frame["low"]["input_share"] == Decimal("0.72")
    assert frame["note"]["input_share"] == "a share ends at 1"


def test_a_growth_may_shrink_and_is_turned_all_the_same() -> None:
    frame: Any = hs.sensitivity(replace(MOVE, growth="-0.5"))
    assert (frame["low"]["growth"], frame["high"]["growth"]) == (Decimal("-0.4"), Decimal("-0.6"))
    most: Any = hs.sensitivity(replace(MOVE, growth=-1))
    assert most["high"]["growth"] == -1
    assert most["note"]["growth"] == "nothing is left to shrink"


def test_no_swing_moves_nothing() -> None:
    frame: Any = hs.sensitivity(MOVE, swing=0)
    assert set(frame["moves"]) == {Decimal(0)}


@given(
    swing=st.decimals(0, "0.999", places=3), mix=SHARES, growth=st.decimals("-0.3", "0.3", places=3)
)
@at_any_pace
def test_more_swing_moves_no_less_and_the_callers_precision_does_not_matter(
    swing: Decimal, mix: Decimal, growth: Decimal
) -> None:
    move = replace(MOVE, input_share=mix, growth=growth)
    wide: Any = hs.sensitivity(move, swing=swing)
    narrow: Any = hs.sensitivity(move, swing=swing / 2)
    assert all(wide["moves"][name] >= narrow["moves"][name] for name in wide.index)
    with localcontext() as context:
        context.prec = 2
        again: Any = hs.sensitivity(move, swing=swing)
    assert again.to_dict() == wide.to_dict()


@pytest.mark.parametrize(
    ("swing", "says"), [(0.2, "a float"), ("1.5", "from 0 to 1"), (1, "below 1")]
)
def test_a_swing_is_a_share(swing: Any, says: str) -> None:
    with pytest.raises(hs.InputError, match=says):
        hs.sensitivity(MOVE, swing=swing)


# ---- where models change places -----------------------------------------------------------------
def test_by_published_prices_one_is_always_cheaper() -> None:
    found = hs.crossover("mistral-small-2603", "deepseek-v3.2")
    assert (found.input_share, found.cheaper) == (None, "deepseek-v3.2")
    assert str(found) == "deepseek-v3.2 costs less than mistral-small-2603 at every mix"


def test_by_direct_prices_they_change_places() -> None:
    found = hs.crossover("mistral-small-2603", "deepseek-v3.2", prices="direct")
    # 0.15 s + 0.60 (1 - s) = 0.2288 s + 0.3432 (1 - s), so s = 0.2568 / 0.3356
    assert found.input_share is not None
    assert round(found.input_share, 6) == Decimal("0.765197")
    assert (found.cheaper_below, found.cheaper_above) == ("deepseek-v3.2", "mistral-small-2603")
    assert str(found) == (
        "mistral-small-2603 and deepseek-v3.2 cost the same at 76.5% input; deepseek-v3.2 costs "
        "less below; mistral-small-2603 costs less above"
    )


def test_two_with_the_same_input_price_meet_at_all_input_alone() -> None:
    found = hs.crossover("claude-sonnet-4-5", "gpt-4.1")
    assert (found.input_share, found.cheaper_below, found.cheaper_above) == (1, "gpt-4.1", None)


def test_a_model_and_itself_never_differ() -> None:
    found = hs.crossover("gpt-4.1", "gpt-4.1")
    assert (found.input_share, found.cheaper) == (None, None)
    assert str(found) == "gpt-4.1 and gpt-4.1 cost the same at every mix"


@given(
    model=st.sampled_from(PRICED),
    other=st.sampled_from(PRICED),
    mix=SHARES,
    direct=st.booleans(),
)
@at_any_pace
def test_the_sentence_is_true_of_every_mix(
    model: str, other: str, mix: Decimal, direct: bool
) -> None:
    prices: Any = "direct" if direct else "published"
    found = hs.crossover(model, other, prices=prices)
    one, two = (
        hs.monthly_cost(name, 1_000_000, input_share=mix, prices=prices).usd
        for name in (model, other)
    )
    cheaper = model if one < two else other if two < one else None
    if found.input_share is None:
        assert cheaper == found.cheaper
    elif mix < found.input_share:
        assert cheaper == found.cheaper_below
    elif mix > found.input_share:
        assert cheaper == found.cheaper_above
    else:
        assert cheaper is None


def test_crossing_needs_two_prices() -> None:
    with pytest.raises(hs.UnknownPriceError, match="'gpt-4o'"):
        hs.crossover("gpt-4.1", "gpt-4o")


@pytest.mark.parametrize("result", [lambda a: None, lambda a: 1.5, lambda a: Decimal("nan")])
def test_a_result_that_is_no_number_is_refused(result: Any) -> None:
    move = hs.Assumptions(
        tokens=1_000_000, model="mistral-small-2603", baseline="gpt-4.1", one_off_usd=1
    )
    with pytest.raises(hs.InputError, match="net_gain_usd always is one"):
        hs.sensitivity(move, result=result)
