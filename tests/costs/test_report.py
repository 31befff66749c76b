"""The page for a manager: true, whole, and never in the place of another."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import holysheep_helpers as hs

FILES = ["by_model.csv", "by_month.csv", "cost_report.md", "sensitivity.csv"]


def move(**other: Any) -> hs.Assumptions:
    known: dict[str, Any] = {
        "tokens": 30_000_000, "input_share": "0.8", "model": "mistral-small-2603",
        "baseline": "gpt-4.1", "one_off_usd": 1500, "monthly_running_usd": 5,
        "rate": hs.catalog.published_rate(),
    }  # fmt: skip
    return hs.Assumptions(**known | other)


def read(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_the_page_says_what_was_worked_out_by_hand(tmp_path: Path) -> None:
    # 24M in and 6M out: 24 x 3 + 6 x 8 = 120 USD, and 24 x 0.20 + 6 x 0.60 = 8.40 USD
    page = hs.write_report(tmp_path / "new" / "folder", move())
    text = page.read_text("utf-8")
    assert text.startswith("# Moving from gpt-4.1 to mistral-small-2603: cost and return\n\n")
    assert (
        "30,000,000 tokens a month cost 8.40 USD with mistral-small-2603 and 120.00 USD with "
        "gpt-4.1: 111.60 USD saved a month (93.0%). The move pays back after 14.1 months: 1,500.00 "
        "USD spent once, 106.60 USD each month. Net gain of the first year: -220.80 USD (-320,160 "
        "KRW), a return of -14.2% on what it costs."
    ) in text
    assert "| of these prompts (input) | 80.0% |" in text
    assert "| gpt-4.1 | 120.00 | 174,000 | the same |" in text
    assert "| claude-sonnet-4-5 | 162.00 | 234,900 | 35.0% more |" in text
    assert "| one-off cost | 79.20 | -220.80 | -520.80 |" in text
    assert "3.00 USD in, 8.00 USD out" in text
    assert text.count("2026-01-31") == 3  # both prices and the rate have their day
    assert "is what 100M cost" in text
    assert text.endswith("\n")
    assert "\n\n\n" not in text


def test_the_tables_are_exact(tmp_path: Path) -> None:
    hs.write_report(tmp_path, move())
    assert sorted(file.name for file in tmp_path.iterdir()) == FILES
    models = {row["model"]: row for row in read(tmp_path / "by_model.csv")}
    assert Decimal(models["gpt-4.1"]["usd"]) == 120
    assert Decimal(models["mistral-small-2603"]["saving_usd"]) == Decimal("111.6")
    assert models["gpt-4.1"]["as_of"] == "2026-01-31"
    months = [Decimal(row["net_gain_so_far_usd"]) for row in read(tmp_path / "by_month.csv")]
    assert len(months) == 13
    assert (months[0], months[-1]) == (-1500, Decimal("-220.8"))
    assert read(tmp_path / "sensitivity.csv")[0]["input"] == "one_off_usd"
    for name in FILES:
        assert b"\r" not in (tmp_path / name).read_bytes()


def test_what_is_there_stays_unless_told(tmp_path: Path) -> None:
    (tmp_path / "by_month.csv").write_text("mine", "utf-8")
    with pytest.raises(hs.InputError, match=r"has by_month.csv already, and nothing was written"):
        hs.write_report(tmp_path, move())
    assert [file.name for file in tmp_path.iterdir()] == ["by_month.csv"]
    assert (tmp_path / "by_month.csv").read_text("utf-8") == "mine"
    hs.write_report(tmp_path, move(), overwrite=True)
    before = (tmp_path / "cost_report.md").read_bytes()
    with pytest.raises(hs.InputError, match=r"cost_report\.md"):
        hs.write_report(tmp_path, move(tokens=1))
    assert (tmp_path / "cost_report.md").read_bytes() == before


def test_a_file_is_no_folder_and_a_frame_no_assumptions(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text("mine", "utf-8")
    with pytest.raises(hs.InputError, match="is a file"):
        hs.write_report(file, move())
    with pytest.raises(hs.InputError, match="is a dict"):
        hs.write_report(tmp_path, {})  # pyright: ignore[reportArgumentType]
    assert [each.name for each in tmp_path.iterdir()] == ["page.md"]


def test_without_a_rate_there_is_no_won(tmp_path: Path) -> None:
    text = hs.write_report(tmp_path, move(rate=None)).read_text("utf-8")
    assert "KRW" not in text
    assert "krw" not in (tmp_path / "by_model.csv").read_text("utf-8")


def test_a_move_that_costs_more_says_so(tmp_path: Path) -> None:
    dearer = move(model="claude-sonnet-4-5", baseline="mistral-small-2603")
    text = hs.write_report(tmp_path, dearer).read_text("utf-8")
    assert "153.60 USD more a month (1,828.6%). The move never pays back" in text


def test_nothing_sent_and_nothing_spent_is_no_division_by_zero(tmp_path: Path) -> None:
    nothing = move(tokens=0, one_off_usd=0, monthly_running_usd=0)
    text = hs.write_report(tmp_path, nothing).read_text("utf-8")
    assert "0.00 USD saved a month. The move pays back at once" in text
    assert "Net gain of the first year: 0.00 USD (0 KRW).\n" in text
    assert "| gpt-4.1 | 0.00 | 0 | – |" in text


def test_cached_tokens_without_a_price_are_told(tmp_path: Path) -> None:
    said = "No price for cached tokens is known of mistral-small-2603 and gpt-4.1: they cost the"
    cached = move(cached_share="0.5")
    assert said in hs.write_report(tmp_path / "a", cached).read_text("utf-8")
    assert said not in hs.write_report(tmp_path / "b", move()).read_text("utf-8")
    direct = move(cached_share="0.5", prices="direct", model="gpt-4.1-mini")
    text = hs.write_report(tmp_path / "c", direct).read_text("utf-8")
    assert "No price for cached tokens" not in text
    assert "genai-prices" in text
    assert "| gpt-4.1-mini |" in text  # no published price, but it is what the move is to


@pytest.mark.parametrize("folder", [None, "", 5])
def test_what_is_no_path_is_refused(folder: Any) -> None:
    with pytest.raises(hs.InputError, match="a path is needed"):
        hs.write_report(folder, move())


def test_nothing_is_written_where_a_part_of_it_cant_be(tmp_path: Path) -> None:
    (tmp_path / "sensitivity.csv").mkdir()
    with pytest.raises(hs.InputError, match="is a folder: give another one"):
        hs.write_report(tmp_path, move(), overwrite=True)
    assert [file.name for file in tmp_path.iterdir()] == ["sensitivity.csv"]
    (tmp_path / "page").write_text("x", encoding="utf-8")
    with pytest.raises(hs.InputError, match="page is a file"):
        hs.write_report(tmp_path / "page" / "below", move())


def test_a_home_folder_is_meant_by_its_sign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    assert hs.write_report("~/move", move()).parent == tmp_path / "move"
