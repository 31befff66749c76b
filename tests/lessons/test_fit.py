"""What was published in words: for whom, and the claims of cost, each with what is known."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import holysheep_helpers as hs
from tests.support.project import ROOT

FOR, AGAINST = "fits", "does not fit"


def test_the_published_table_for_whom_in_its_order() -> None:
    frame = hs.fit_table()
    assert list(frame["published"]) == [FOR] * 4 + [AGAINST] * 4
    assert list(frame.columns) == [
        "published", "known for it", "known against it", "lesson", "test", "contradiction",
    ]  # fmt: skip
    assert {row.source.name for row in hs.catalog.fit_rows()} == {
        "the gateway's published tutorial"
    }


def test_every_row_says_what_is_known_and_how_to_find_out() -> None:
    frame: Any = hs.fit_table()
    for column in ("known for it", "known against it", "test"):
        assert all(frame[column])
    lessons = {file.name[:2] for file in (ROOT / "notebooks").glob("*.ipynb")} | {"09"}
    assert set(frame["lesson"]) <= lessons | {""}
    assert frame["lesson"]["strict data governance (US, GDPR)"] == ""  # no lesson can test that


def test_its_contradictions_are_named() -> None:
    frame: Any = hs.fit_table()
    named = frame["contradiction"]
    assert set(named.index[named != ""]) == {
        "strict data governance (US, GDPR)", "many languages", "very long context",
    }  # fmt: skip
    assert "GDPR" in named["strict data governance (US, GDPR)"]
    assert "Claude" in named["many languages"]


def test_what_a_row_states_in_figures_is_what_the_catalogue_says() -> None:
    frame: Any = hs.fit_table()
    costs: Any = hs.compare_models(tokens=100_000_000, baseline="gpt-4.1")
    start_ups = frame.loc["start-ups that must save"]
    mine = costs.loc["mistral-small-2603"]
    assert f"{mine['saving_share']:.1%} less than GPT-4.1" in start_ups["known for it"]
    assert start_ups["known against it"].endswith(
        f"{costs['usd']['deepseek-v3.2']} USD where it costs {mine['usd']}"
    )
    model = hs.catalog.find("mistral-small-2603")
    assert model is not None
    assert (model.context_window, model.published_context_window) == (256 * 1024, 128_000)
    assert "256K" in frame["known against it"]["very long context"]


def test_the_claims_in_words_are_kept_as_figures_with_their_day() -> None:
    claims = hs.catalog.published_claims()
    assert (claims.premium_low, claims.premium_high) == (Decimal("0.05"), Decimal("0.10"))
    assert (claims.cheaper, claims.cheaper_than) == ("mistral-small-2603", "deepseek-v3.2")
    assert (claims.cheaper_by, claims.cheaper_above_tokens) == (Decimal("0.40"), 100_000_000)
    assert str(claims.source) == "the gateway's published tutorial, 2026-01-31"
