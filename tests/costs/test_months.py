"""A month's cost: every published figure reproduced or refuted, and what must hold for any."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import holysheep_helpers as hs

MODEL = "mistral-small-2603"


PRICED = [model.id for model in hs.catalog.models() if model.price]


MONTHS = hs.catalog.published_months()


VOLUMES = st.decimals(0, 10**12, places=2)


SHARES = st.decimals(0, 1, places=4)


at_any_pace = settings(deadline=None)


models = st.sampled_from(PRICED)


each_row = pytest.mark.parametrize("row", MONTHS, ids=lambda row: row.model)


# As printed in the article, typed in from it once more.
PRINTED = {
    "gpt-4.1": ("550.00", "797500", "55.00"),
    "claude-sonnet-4-5": ("900.00", "1305000", "90.00"),
    "gemini-2.5-flash": ("142.50", "206625", "14.25"),
    "mistral-small-2603": ("40.00", "58000", "4.00"),
    "deepseek-v3.2": ("24.50", "35525", "2.45"),
}


def test_the_catalogue_has_the_published_table() -> None:
    assert {row.model: (str(row.usd), str(row.krw)) for row in MONTHS} == {
        model: (usd, krw) for model, (usd, krw, _) in PRINTED.items()
    }
    assert {row.tokens for row in MONTHS} == {10_000_000}
    assert {str(row.source) for row in MONTHS} == {"the gateway's published tutorial, 2026-01-31"}


@each_row
def test_the_published_figure_is_a_hundred_million_tokens_and_not_ten(row: Any) -> None:
    assert hs.monthly_cost(row.model, row.tokens).usd == Decimal(PRINTED[row.model][2])
    assert hs.monthly_cost(row.model, 10 * row.tokens).usd == row.usd


@each_row
def test_no_mix_of_the_stated_volume_reaches_the_published_figure(row: Any) -> None:
    ends = [hs.monthly_cost(row.model, row.tokens, input_share=share).usd for share in (0, 1)]
    assert max(ends) < row.usd


@each_row
def test_the_published_won_are_right_for_the_published_dollars(row: Any) -> None:
    assert hs.to_krw(row.usd, hs.catalog.published_rate()) == row.krw


@pytest.mark.parametrize("saving", hs.catalog.published_savings(), ids=lambda row: row.model)
def test_the_published_savings_are_right_as_shares_and_ten_times_too_high_as_money(
    saving: Any,
) -> None:
    frame: Any = hs.compare_models([saving.model], tokens=10_000_000, baseline=saving.baseline)
    row = frame.loc[saving.model]
    assert round(row["saving_share"], 3) == saving.share
    assert row["saving_usd"] * 10 == saving.usd


def test_the_published_savings_are_three() -> None:
    found = {(s.model, str(s.usd), str(s.share)) for s in hs.catalog.published_savings()}
    assert found == {
        ("mistral-small-2603", "510.00", "0.927"),
        ("deepseek-v3.2", "525.50", "0.955"),
        ("gemini-2.5-flash", "407.50", "0.741"),
    }


def test_the_published_best_value_costs_more_than_three_times_the_running_example() -> None:
    best = hs.catalog.published_claims().best_value
    frame: Any = hs.compare_models(["gemini-2.5-flash", MODEL], tokens=100_000_000)
    assert best == "gemini-2.5-flash"
    ratio = frame["usd"][best] / frame["usd"][MODEL]
    assert ratio == Decimal("3.5625")


# ---- what must hold for any volume and mix ------------------------------------------------------
@given(model=models, a=VOLUMES, b=VOLUMES, mix=SHARES)
@at_any_pace
def test_more_volume_never_costs_less(model: str, a: Decimal, b: Decimal, mix: Decimal) -> None:
    less, more = sorted((a, b))
    assert (
        hs.monthly_cost(model, less, input_share=mix).usd
        <= hs.monthly_cost(model, more, input_share=mix).usd
    )


@given(model=models, a=VOLUMES, b=VOLUMES, mix=SHARES, cached=SHARES)
@at_any_pace
def test_two_volumes_together_cost_what_they_cost_apart(
    model: str, a: Decimal, b: Decimal, mix: Decimal, cached: Decimal
) -> None:
    def usd(tokens: Decimal) -> Fraction:
        return Fraction(hs.monthly_cost(model, tokens, input_share=mix, cached_share=cached).usd)

    assert usd(a) + usd(b) == usd(a + b)


@given(model=models, tokens=VOLUMES, mix=SHARES, cached=SHARES, direct=st.booleans())
@at_any_pace
def test_it_is_linear_in_the_price_and_its_parts_are_the_whole(
    model: str, tokens: Decimal, mix: Decimal, cached: Decimal, direct: bool
) -> None:
    with localcontext() as context:
        context.prec = 3
        cost = hs.monthly_cost(
            model,
            tokens,
            input_share=mix,
            cached_share=cached,
            prices="direct" if direct else "published",
        )
    price, volume, share, part = cost.price, Fraction(tokens), Fraction(mix), Fraction(cached)
    million = 1_000_000
    into = volume * share * (1 - part) * Fraction(price.input_usd_per_mtok) / million
    again = volume * share * part * Fraction(price.cached_usd_per_mtok) / million
    out = volume * (1 - share) * Fraction(price.output_usd_per_mtok) / million
    parts = (cost.input_usd, cost.cached_usd, cost.output_usd)
    assert tuple(map(Fraction, parts)) == (into, again, out)
    assert Fraction(cost.usd) == into + again + out


@given(model=models, tokens=VOLUMES)
@at_any_pace
def test_at_the_ends_of_the_mix_there_is_one_price_alone(model: str, tokens: Decimal) -> None:
    price = hs.catalog.published_price(model)
    assert price is not None
    out, into = (hs.monthly_cost(model, tokens, input_share=share) for share in (0, 1))
    assert Fraction(out.usd) == Fraction(tokens) * Fraction(price.output_usd_per_mtok) / 1_000_000
    assert Fraction(into.usd) == Fraction(tokens) * Fraction(price.input_usd_per_mtok) / 1_000_000
    assert (out.input_usd, into.output_usd) == (0, 0)


@given(model=models, tokens=VOLUMES, mix=SHARES)
@at_any_pace
def test_a_mix_costs_no_less_than_the_cheaper_end_and_no_more_than_the_dearer(
    model: str, tokens: Decimal, mix: Decimal
) -> None:
    ends = [hs.monthly_cost(model, tokens, input_share=share).usd for share in (0, 1)]
    assert min(ends) <= hs.monthly_cost(model, tokens, input_share=mix).usd <= max(ends)


@given(model=models, tokens=VOLUMES, a=SHARES, b=SHARES)
@at_any_pace
def test_the_more_is_cached_the_less_it_costs(
    model: str, tokens: Decimal, a: Decimal, b: Decimal
) -> None:
    less, more = sorted((a, b))
    usd = [
        hs.monthly_cost(model, tokens, cached_share=c, prices="direct").usd for c in (more, less)
    ]
    assert usd[0] <= usd[1]
    published = {hs.monthly_cost(model, tokens, cached_share=c).usd for c in (less, more)}
    assert len(published) == 1  # no price for cached tokens was published


# ---- what it says, and what it refuses ----------------------------------------------------------
def test_it_says_what_it_is_for_and_where_the_price_is_from() -> None:
    cost = hs.monthly_cost(MODEL, 10_000_000, input_share="0.8", cached_share="0.25")
    assert str(cost) == (
        "2.80 USD for 10,000,000 tokens of mistral-small-2603, 80% input, 25% of it cached "
        "(the gateway's published tutorial, 2026-01-31)"
    )
    assert cost.price.source.as_of.isoformat() == "2026-01-31"
    assert str(cost.usd) == "2.80"


def test_a_direct_price_is_the_makers_own() -> None:
    cost = hs.monthly_cost(MODEL, 100_000_000, prices="direct")
    assert (str(cost.usd), cost.price.source.name) == ("37.50", "genai-prices 0.2.3")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"tokens": -1}, "tokens is -1"),
        ({"tokens": 1e7}, "a float"),
        ({"tokens": 1, "input_share": 0.5}, "input_share is 0.5, a float"),
        ({"tokens": 1, "input_share": "1.1"}, "a share from 0 to 1"),
        ({"tokens": 1, "cached_share": "-0.1"}, "cached_share is '-0.1'"),
        ({"tokens": 1, "prices": "list"}, "prices is 'list'"),
    ],
)
def test_what_can_not_be_right_is_refused(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(hs.InputError) as e:
        hs.monthly_cost(MODEL, **arguments)
    assert says in str(e.value)
    with pytest.raises(hs.InputError) as e:
        hs.compare_models([MODEL], **arguments)
    assert says in str(e.value)


@pytest.mark.parametrize("prices", ["published", "direct"])
def test_an_unknown_price_is_an_error(prices: Any) -> None:
    with pytest.raises(hs.UnknownPriceError, match="'nobody'"):
        hs.monthly_cost("nobody", 1, prices=prices)
    with pytest.raises(hs.UnknownPriceError, match="'nobody'"):
        hs.compare_models([MODEL, "nobody"], tokens=1, prices=prices)
    with pytest.raises(hs.UnknownPriceError, match="'nobody'"):
        hs.compare_models([MODEL], tokens=1, baseline="nobody", prices=prices)


# ---- side by side -------------------------------------------------------------------------------
def test_side_by_side_in_dollars_and_won_with_what_is_saved() -> None:
    frame: Any = hs.compare_models(
        tokens=100_000_000, baseline="gpt-4.1", rate=hs.catalog.published_rate()
    )
    assert list(frame.index) == PRICED
    assert list(frame.columns) == ["usd", "krw", "saving_usd", "saving_share", "source", "as_of"]
    assert list(frame["usd"]) == [Decimal(PRINTED[model][0]) for model in PRICED]
    assert list(frame["krw"]) == [Decimal(PRINTED[model][1]) for model in PRICED]
    assert [str(usd) for usd in frame["saving_usd"]] == [
        "0.00", "-350.00", "407.50", "510.00", "525.50",
    ]  # fmt: skip
    assert [f"{share:.1%}" for share in frame["saving_share"]] == [
        "0.0%", "-63.6%", "74.1%", "92.7%", "95.5%",
    ]  # fmt: skip
    amounts = frame[["usd", "krw", "saving_usd", "saving_share"]].to_numpy().ravel()
    assert {type(amount) for amount in amounts} == {Decimal}


def test_without_a_rate_or_a_baseline_there_is_nothing_made_up() -> None:
    frame: Any = hs.compare_models([MODEL], tokens=1)
    assert list(frame.columns) == ["usd", "source", "as_of"]


def test_nothing_saved_on_nothing_is_no_ratio() -> None:
    frame: Any = hs.compare_models([MODEL], tokens=0, baseline="gpt-4.1")
    assert frame["saving_usd"][MODEL] == 0
    assert frame["saving_share"][MODEL] is None


def test_a_year_of_growth_is_the_sum_of_its_months() -> None:
    frame: Any = hs.compare_models([MODEL], tokens=10_000_000, months=12, growth="0.05")
    by_hand, volume = Fraction(0), Fraction(10_000_000)
    for _ in range(12):
        by_hand += volume * Fraction("0.4") / 1_000_000
        volume *= Fraction("1.05")
    assert Fraction(frame["usd"][MODEL]) == by_hand
    assert round(frame["usd"][MODEL], 2) == Decimal("63.67")


@given(model=models, months=st.integers(1, 36), growth=st.decimals("-0.5", "0.5", places=3))
@at_any_pace
def test_no_growth_is_so_many_months_and_growth_is_more(
    model: str, months: int, growth: Decimal
) -> None:
    def usd(growth: Decimal) -> Decimal:
        frame = hs.compare_models([model], tokens=1000, months=months, growth=growth)
        return frame.to_dict()["usd"][model]

    one = hs.monthly_cost(model, 1000).usd
    assert usd(Decimal(0)) == months * one
    assert (usd(growth) > months * one) is (growth > 0 and months > 1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"models": MODEL}, "a list is needed"),
        ({"models": []}, "models is empty"),
        ({"months": 0}, "months is 0"),
        ({"growth": 0.05}, "growth is 0.05, a float"),
        ({"growth": "-2"}, "growth is '-2'"),
    ],
)
def test_a_comparison_refuses_what_can_not_be_right(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(hs.InputError) as e:
        hs.compare_models(**{"tokens": 1, **arguments})
    assert says in str(e.value)


def test_a_model_that_is_named_twice_stands_there_once() -> None:
    assert list(hs.compare_models([MODEL, "gpt-4.1", MODEL], tokens=1).index) == [MODEL, "gpt-4.1"]
