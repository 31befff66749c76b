"""Published claims of cost, audited: what can't be, what would make it true, and the proof."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import holysheep_helpers as hs
from holysheep_helpers.catalog import PublishedMonth

MODEL = "mistral-small-2603"


MONTHS = hs.catalog.published_months()


PRICED = [model.id for model in hs.catalog.models() if model.price]


each_row = pytest.mark.parametrize("row", MONTHS, ids=lambda row: row.model)


models = st.sampled_from(PRICED)


def row_of(model: str, usd: str, tokens: int = 10_000_000) -> PublishedMonth:
    return PublishedMonth(model, tokens, Decimal(usd), Decimal(0), MONTHS[0].source)


# ---- one claim ----------------------------------------------------------------------------------
def test_550_dollars_for_ten_million_tokens_can_not_be() -> None:
    audit = hs.audit_claim("550", "gpt-4.1", 10_000_000)
    assert not audit.possible
    assert (audit.lowest_usd, audit.highest_usd) == (30, 80)
    assert str(audit) == (
        "550.00 USD for 10M tokens of gpt-4.1 can't be: that costs 30.00 USD to 80.00 USD, "
        "whatever the mix; it is what 100M tokens (10 times the stated volume) at 50/50 cost."
    )


@each_row
def test_every_published_row_is_impossible_and_is_a_hundred_million_at_half(row: Any) -> None:
    audit = hs.audit_claim(row.usd, row.model, row.tokens)
    assert not audit.possible
    first = audit.explains[0]
    assert (first.tokens, first.input_share, first.times) == (100_000_000, Decimal("0.5"), 10)
    assert first.given == "volume"  # the mix was found, not assumed


@each_row
def test_at_the_stated_mix_there_is_one_cost_alone(row: Any) -> None:
    audit = hs.audit_claim(row.usd, row.model, row.tokens, "0.5")
    assert not audit.possible
    assert audit.lowest_usd == audit.highest_usd == row.usd / 10
    assert audit.explains[0].tokens == 100_000_000


@each_row
def test_the_corrected_figure_is_possible_and_says_at_which_mix(row: Any) -> None:
    audit = hs.audit_claim(row.usd / 10, row.model, row.tokens)
    assert audit.possible
    assert str(audit).endswith(f"of {row.model} is possible: 10M tokens at 50/50.")


def test_a_wrong_mix_is_told_from_a_wrong_volume() -> None:
    audit = hs.audit_claim("40", MODEL, 100_000_000, "0.8")
    assert not audit.possible
    first, second = audit.explains[:2]
    assert (first.tokens, first.input_share) == (100_000_000, Decimal("0.5"))
    assert (second.input_share, second.given) == (Decimal("0.8"), "mix")
    assert str(audit) == (
        "40.00 USD for 100M tokens of mistral-small-2603 at 80.0% input can't be: that costs "
        "28.00 USD; it is what 100M tokens at 50/50 cost."
    )


def test_a_year_taken_for_a_month_is_found() -> None:
    audit = hs.audit_claim("48", MODEL, 10_000_000)  # 4 USD a month, twelve times
    assert [(e.times, e.input_share) for e in audit.explains[:1]] == [(12, Decimal("0.5"))]


def test_thousands_taken_for_millions_are_found() -> None:
    audit = hs.audit_claim("0.004", MODEL, 10_000_000)
    assert (audit.explains[0].times, audit.explains[0].input_share) == (
        Decimal("0.001"), Decimal("0.5"),
    )  # fmt: skip


@given(model=models, tokens=st.integers(1, 10**12), mix=st.decimals(0, 1, places=2))
def test_what_is_true_is_possible_and_explained_by_itself(
    model: str, tokens: int, mix: Decimal
) -> None:
    usd = hs.monthly_cost(model, tokens, input_share=mix).usd
    for audit in (hs.audit_claim(usd, model, tokens), hs.audit_claim(usd, model, tokens, mix)):
        assert audit.possible
        assert audit.lowest_usd <= usd <= audit.highest_usd
    assert hs.audit_claim(usd, model, tokens).explains[0].times == 1


@given(
    model=models,
    usd=st.decimals("0.01", 10**7, places=2),
    tokens=st.integers(1, 10**12),
    mix=st.none() | st.decimals(0, 1, places=2),
)
def test_every_explanation_gives_the_figure_to_its_last_digit(
    model: str, usd: Decimal, tokens: int, mix: Decimal | None
) -> None:
    audit = hs.audit_claim(usd, model, tokens, mix)
    assert audit.explains
    for one in audit.explains:
        assert 0 <= one.input_share <= 1
        cost = hs.monthly_cost(model, one.tokens, input_share=one.input_share).usd
        assert abs(cost - usd) <= Decimal("0.005") + usd * Decimal("1e-20")
    with localcontext() as context:
        context.prec = 2
        again = hs.audit_claim(usd, model, tokens, mix)
    assert again == audit


def test_a_claim_is_as_exact_as_its_last_digit() -> None:
    assert hs.audit_claim("4", MODEL, 10_000_000, "0.6").possible  # 3.60, said in whole dollars
    assert not hs.audit_claim("4.00", MODEL, 10_000_000, "0.6").possible
    assert not hs.audit_claim("6.01", MODEL, 10_000_000).possible
    assert hs.audit_claim("6.00", MODEL, 10_000_000).possible


def test_what_explains_a_claim_is_as_round_as_its_last_digit_allows() -> None:
    tokens = {one.given: one.tokens for one in hs.audit_claim("13", MODEL, 1, "0.5").explains}
    assert tokens == {"mix": 33_000_000}  # 12.50 to 13.50 USD, so 31.25M to 33.75M tokens
    first = hs.audit_claim("5.1", MODEL, 10_000_000).explains[0]
    assert first.input_share == Decimal("0.23")  # 5.05 to 5.15 USD, so 21.25% to 23.75%


@pytest.mark.parametrize(
    ("usd", "tokens", "possible"), [(0, 0, True), (1, 0, False), (0, 10, True), (0, 10**8, False)]
)
def test_nothing_is_a_claim_like_another(usd: int, tokens: int, possible: bool) -> None:
    audit = hs.audit_claim(usd, MODEL, tokens)
    assert audit.possible is possible
    assert ("can't be" in str(audit)) is not possible


def test_direct_prices_are_audited_too() -> None:
    audit = hs.audit_claim("37.50", MODEL, 100_000_000, "0.5", prices="direct")
    assert audit.possible
    assert "genai-prices" in audit.price.source.name


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((550.0, "gpt-4.1", 1), "usd is 550.0, a float"),
        (("-1", "gpt-4.1", 1), "usd is '-1'"),
        (("1", "gpt-4.1", -1), "tokens is -1"),
        (("1", "gpt-4.1", 1, "1.5"), "a share from 0 to 1"),
        (("1", "gpt-4.1", 1, 0.5), "input_share is 0.5, a float"),
    ],
)
def test_what_can_not_be_right_is_refused(arguments: Any, says: str) -> None:
    with pytest.raises(hs.InputError) as e:
        hs.audit_claim(*arguments)
    assert says in str(e.value)


def test_an_unknown_price_can_not_be_audited() -> None:
    with pytest.raises(hs.UnknownPriceError, match="'gpt-4o'"):
        hs.audit_claim("1", "gpt-4o", 1)


# ---- the table ----------------------------------------------------------------------------------
def test_the_published_table_row_by_row() -> None:
    frame: Any = hs.audit_table()
    assert list(frame.index) == PRICED
    assert not any(frame["possible"])
    assert " ".join(map(str, frame["at_half_usd"])) == "55.00 90.00 14.25 4.00 2.45"
    assert " ".join(map(str, frame["highest_usd"])) == "80.00 150.00 25.00 6.00 4.20"
    assert set(frame["times"]) == {Decimal(10)}
    assert set(frame["input_share"]) == {Decimal("0.5")}
    assert set(frame["explains"]) == {"100M tokens (10 times the stated volume) at 50/50"}


def test_one_volume_explains_the_whole_table_and_nothing_was_assumed() -> None:
    found = hs.common_volume()
    assert found is not None
    assert (found.tokens, found.input_share, found.times) == (100_000_000, Decimal("0.5"), 10)
    assert str(found) == "100M tokens (10 times the stated volume) at 50/50"
    with localcontext() as context:
        context.prec = 2
        assert hs.common_volume() == found


@given(
    tokens=st.integers(10**4, 10**10).map(lambda hundreds: 100 * hundreds),
    mix=st.decimals(0, 1, places=2),
    names=st.permutations(PRICED),
    count=st.integers(2, 5),
)
def test_any_table_of_one_volume_and_mix_is_found_out(
    tokens: int, mix: Decimal, names: list[str], count: int
) -> None:
    assume({"gpt-4.1", "claude-sonnet-4-5"} != set(names[:count]) or mix < 1)
    rows = [
        row_of(name, str(hs.monthly_cost(name, tokens, input_share=mix).usd), tokens)
        for name in names[:count]
    ]
    found = hs.common_volume(rows)
    assert found is not None
    for row in rows:  # a few cents leave many volumes: it has to be one of them
        usd = hs.monthly_cost(row.model, found.tokens, input_share=found.input_share).usd
        assert abs(usd - row.usd) <= Decimal("0.005")


def test_a_table_rounded_to_cents_is_found_out_whatever_its_order() -> None:
    price = {name: hs.catalog.published_price(name) for name in PRICED}
    for n in range(60):
        tokens, mix = 7_000_000 + 123_457 * n, Decimal(n % 21) / 20
        rows = []
        turned = [*PRICED[n % len(PRICED) :], *PRICED[: n % len(PRICED)]]
        for name in turned:
            found = price[name]
            assert found is not None
            each = found.input_usd_per_mtok * mix + found.output_usd_per_mtok * (1 - mix)
            rows.append(row_of(name, str(round(each * tokens / 1_000_000, 2)), tokens))
        assert hs.common_volume(rows) is not None, (tokens, mix)


def test_direct_prices_may_be_as_low_as_those_of_cached_tokens() -> None:
    cached = hs.monthly_cost(
        "gpt-4.1", 10_000_000, input_share=1, cached_share="0.8", prices="direct"
    )
    assert hs.audit_claim(cached.usd, "gpt-4.1", 10_000_000, prices="direct").possible
    found = hs.audit_claim("1", "gpt-4.1", 10_000_000, "1", prices="direct")
    assert "that costs 5.00 USD to 20.00 USD, whatever is cached" in str(found)


def test_a_claim_far_from_any_mix_is_only_impossible() -> None:
    assert not hs.audit_claim(10**25, "gpt-4.1", 10_000_000).possible
    assert not hs.audit_claim(550, "gpt-4.1", "1e-15").possible


def test_a_table_that_no_volume_explains_has_none() -> None:
    assert hs.common_volume([*MONTHS[:4], row_of("deepseek-v3.2", "25.50")]) is None
    assert hs.common_volume([row_of("gpt-4.1", "1"), row_of("claude-sonnet-4-5", "900")]) is None
    with pytest.raises(hs.InputError, match="leave volume and mix open"):
        hs.common_volume(MONTHS[:1])  # one row is no system of equations


def test_a_table_needs_a_row() -> None:
    for function in (hs.audit_table, hs.common_volume):
        with pytest.raises(hs.InputError, match="a table has one at least"):
            function([])
