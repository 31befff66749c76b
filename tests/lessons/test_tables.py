"""What was published in words: for whom, and the claims of cost, each with what is known."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

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


def test_numbers_stand_right_and_text_left_and_wrapped() -> None:
    shown = hs.table([{"what": "<b>", "USD": Decimal("1234.5")}, {"what": None, "USD": ""}])
    assert repr(shown) == "what      USD\n<b>   1,234.5\n–"
    html = shown._repr_html_()
    assert "&lt;b&gt;" in html
    assert '<td style="text-align:left;white-space:normal">&lt;b&gt;</td>' in html
    assert '<td style="text-align:right;padding:0 .6em">1,234.5</td>' in html
    assert '<th scope="col" style="text-align:right;padding:0 .6em">USD</th>' in html


def test_a_long_text_is_cut_in_print_and_whole_in_the_page() -> None:
    shown = hs.table([{"text": "x" * 100}])
    assert max(map(len, repr(shown).splitlines())) == 60
    assert "x" * 100 in shown._repr_html_()


def test_a_frame_is_a_table_without_its_index() -> None:
    frame = hs.fit_table()[["published", "lesson"]]
    assert repr(hs.table(frame)).splitlines()[0].split() == ["published", "lesson"]


@pytest.mark.parametrize("rows", [[], [{"a": 1}, {"b": 1}]])
def test_rows_that_do_not_fit_together_are_refused(rows: list[dict[str, int]]) -> None:
    with pytest.raises(hs.InputError, match=r"one row at least, and the same keys in all"):
        hs.table(rows)
