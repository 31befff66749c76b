"""Splitting a long text: nothing is lost, nothing overflows, and it ends."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import holysheep_helpers as hs
from holysheep_helpers.catalog import splitting
from holysheep_helpers.catalog.splitting import Part, counter_for, split_spans
from tests.support.strategies import examples


def tekken(text: str) -> int:
    """By Mistral's vocabulary, which is read at the first count: it takes half a second."""
    return counter_for("mistral-small-2603").at_most(text)


CAUTIOUS = counter_for("gpt-4.1").at_most


PIECES = {
    "korean": ["배송이 늦었습니다. ", "환불이 되나요?", "\n\n", "게이트웨이", "요금은? ", "각"],
    "english": ["The parcel is late. ", "Why?", " ", "\n\n", "Donaudampfschifffahrt", "it's\n"],
    "emoji": ["👍", "👩‍👩‍👧‍👦", "🇰🇷🇯🇵", "👋🏽", "é", "❤️", " "],
    "code": ["def f(x):\n", "    return x[::-1]\n", "\n\n", "\tif a<=b:\r\n", "0xff", "}{"],
    "dense": ["QUJD", "ab/+", "0123456789", "9f8e7d6c", "가나다라마바사", "…", "天气很好。", " "],
}  # fmt: skip


texts = st.lists(
    st.one_of(*(st.sampled_from(pieces) for pieces in PIECES.values()), st.text(max_size=5)),
    max_size=60,
).map("".join)


one_kind = st.sampled_from(list(PIECES)).flatmap(
    lambda kind: st.lists(st.sampled_from(PIECES[kind]), max_size=60).map("".join)
)


def awkward(text: str) -> int:
    """A count that falls when text is added: two words that touch are one, each alone is two."""
    return len(re.findall(r"\w\s\w|[^\w\s]\s[^\w\s]|\w{5}|\w|\W", text))


COUNTS: dict[str, Callable[[str], int]] = {
    "tekken": tekken,
    "cautious": CAUTIOUS,
    "bytes": lambda text: len(text.encode("utf-8")),
    "awkward": awkward,
}


def sendable(text: str) -> str:
    return text.encode("utf-8", "ignore").decode()


@settings(max_examples=examples(300))
@given(
    text=st.one_of(texts, one_kind).map(sendable),
    name=st.sampled_from(list(COUNTS)),
    limit=st.integers(8, 60),
    repeat=st.integers(0, 30),
)
def test_nothing_is_lost_and_nothing_overflows(
    text: str, name: str, limit: int, repeat: int
) -> None:
    overlap = min(repeat, limit // 2)
    parts = split_spans(text, limit, COUNTS[name], overlap)
    assert "".join(text[part.fresh : part.end] for part in parts) == text
    assert all(COUNTS[name](text[part.start : part.end]) <= limit for part in parts)
    assert all(part.start <= part.fresh < part.end for part in parts)
    for before, after in pairwise(parts):
        assert before.start < after.start
        assert before.end == after.fresh
        assert COUNTS[name](text[after.start : after.fresh]) <= overlap


@settings(max_examples=examples(100))
@given(text=texts.map(sendable), limit=st.integers(20, 200))
def test_parts_are_no_fewer_than_needed_and_not_many_more(text: str, limit: int) -> None:
    parts = split_spans(text, limit, tekken)
    total = tekken(text)
    assert len(parts) <= 1 + 2.5 * total / limit
    assert bool(parts) == bool(text)


@settings(max_examples=examples(100))
@given(text=texts.map(sendable), name=st.sampled_from(list(COUNTS)), spare=st.integers(0, 20))
def test_what_fits_is_one_part(text: str, name: str, spare: int) -> None:
    limit = max(COUNTS[name](text), 1) + spare
    parts = split_spans(text, limit, COUNTS[name], limit // 2)
    assert parts == [Part(0, 0, len(text), "text")] * bool(text)


def test_the_last_part_is_no_crumb_that_would_have_fitted() -> None:
    week = "The parcel came two days late.\n\n" * 60
    limit = tekken(week) * 4 // 3
    parts = split_spans(week * 2, limit, tekken)
    assert len(parts) == 2
    # the first ends a little before 1,000; what is left fits, though it is longer than the first
    assert len(split_spans("#" * 1995, 1000, len)) == 2


LONG = {
    "korean": "주문한 물건이 아직 오지 않았습니다. 언제 받을 수 있나요?\n\n",
    "korean without spaces": "주문한물건이아직오지않았습니다언제받을수있나요",
    "english": "The order has not arrived. When will it be here?\n\n",
    "emoji": "👩‍👩‍👧‍👦👍🇰🇷",
    "code": Path(splitting.__file__).read_text("utf-8"),
    "base64": base64.b64encode(Random(0).randbytes(75_000)).decode(),
    "one letter": "a",
    "spaces": " ",
    "accents": "e" + "\u0301" * 50,
    "uneven": "x7Q" * 120 + " " * 9_000,
}


@pytest.mark.parametrize("kind", list(LONG))
@pytest.mark.parametrize("overlap", [0, 50])
def test_a_hundred_thousand_characters_take_few_counts(kind: str, overlap: int) -> None:
    """Work is counted, not timed: what is counted again and again stays some times the text."""
    text = (LONG[kind] * (100_000 // len(LONG[kind]) + 1))[:100_000]
    counted = 0

    def count(part: str) -> int:
        nonlocal counted
        counted += len(part)
        return tekken(part)

    parts = split_spans(text, 400, count, overlap)
    assert "".join(text[part.fresh : part.end] for part in parts) == text
    assert counted < 25 * len(text)


def ends(text: str, limit: int) -> list[tuple[str, str]]:
    parts = split_spans(text, limit, lambda part: len(re.findall(r"\w{5}|\w|\W", part)))
    return [(text[part.start : part.end], part.ends_after) for part in parts]


def test_a_part_ends_after_the_largest_unit_in_its_second_half() -> None:
    assert ends("One. Two.\n\nThree. Four.", 14) == [
        ("One. Two.\n\n", "paragraph"),
        ("Three. Four.", "text"),
    ]
    assert ends("Wait here. Then go.", 13) == [("Wait here. ", "sentence"), ("Then go.", "text")]
    assert ends("a b c d e f", 4) == [("a b ", "word"), ("c d ", "word"), ("e f", "text")]
    assert ends("#" * 9, 4) == [("#" * 4, "character"), ("#" * 4, "character"), ("#", "text")]


def test_a_short_first_paragraph_does_not_make_a_tiny_part() -> None:
    text = "Title\n\n" + "word " * 40
    parts = hs.split_prompt(text, max_tokens=20)
    assert parts[0].startswith("Title\n\nword word")
    assert tekken(parts[0]) > 10


def test_lines_of_code_keep_their_indentation() -> None:
    text = "def f():\n    return 1\n\n    # end\n" * 30
    for part in hs.split_prompt(text, max_tokens=30)[1:]:
        assert part.startswith(("def f():", "    return", "    # end"))


def test_korean_sentences_are_kept_whole_where_they_fit() -> None:
    sentence = "배송이 이틀 늦어졌습니다. "
    parts = hs.split_prompt(sentence * 40, max_tokens=50)
    assert all(part.replace(sentence, "") == "" for part in parts)
    assert len(parts) > 5


@pytest.mark.parametrize(
    "whole", ["👩‍👩‍👧‍👦", "🇰🇷", "👋🏽", "e\u0301", "\r\n", "각", "❤️", "क्षि"], ids=ascii
)
def test_what_is_read_as_one_character_is_not_cut(whole: str) -> None:
    text = whole * 200
    parts = hs.split_prompt(text, max_tokens=40)
    assert len(parts) > 1
    assert all(len(part) % len(whole) == 0 for part in parts)


def test_a_character_larger_than_a_part_is_cut_rather_than_lost() -> None:
    family = "👩‍👩‍👧‍👦"
    parts = hs.split_prompt(family, max_tokens=8)
    assert len(parts) > 1
    assert "".join(parts) == family


def test_a_single_code_point_that_cant_fit_is_said() -> None:
    with pytest.raises(hs.InputError, match=r"'😀' alone has \d tokens: allow more"):
        hs.split_prompt("a😀", max_tokens=1)


def test_what_stands_across_a_border_is_whole_in_one_part_with_overlap() -> None:
    sentences = [f"Order {number} came {number % 7} days late." for number in range(60)]
    text = " ".join(sentences)
    pairs = [f"{one} {two}" for one, two in pairwise(sentences)]
    apart = hs.split_prompt(text, max_tokens=60)
    repeated = hs.split_prompt(text, max_tokens=60, overlap=25)
    assert not all(any(pair in part for part in apart) for pair in pairs)
    assert all(any(pair in part for part in repeated) for pair in pairs)
    assert all(part.startswith("Order") for part in repeated)


def test_what_is_repeated_begins_with_no_rest_of_white_space() -> None:
    text = "One is late.\n\nTwo is   here. " * 40
    for part in hs.split_prompt(text, max_tokens=40, overlap=15)[1:]:
        assert part == part.lstrip()


def test_an_overlap_may_take_half_and_no_more() -> None:
    text = "word " * 100
    assert len(hs.split_prompt(text, max_tokens=20, overlap=10)) > 8
    with pytest.raises(
        hs.InputError, match="overlap is 11 and a part has up to 20 tokens: at most half"
    ):
        hs.split_prompt(text, max_tokens=20, overlap=11)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"max_tokens": 0}, "max_tokens is 0"),
        ({"max_tokens": 2.5}, "max_tokens is 2.5"),
        ({"max_tokens": True}, "max_tokens is True"),
        ({"max_tokens": 9, "overlap": -1}, "overlap is -1"),
        ({"max_tokens": 9, "overlap": None}, "overlap is None"),
        ({"max_tokens": 9, "model": " "}, "The model is ' '"),
        ({"max_tokens": 9, "text": b"x"}, "A bytes was given"),
        ({"max_tokens": 9, "text": "ab\ud83d"}, "half a character"),
    ],
)
def test_what_cant_be_right_is_said(given: dict, says: str) -> None:
    with pytest.raises(hs.InputError, match=re.escape(says)):
        hs.split_prompt(**{"text": "some text", **given})


def test_an_empty_text_has_no_parts_and_a_short_one_is_its_only_part() -> None:
    assert hs.split_prompt("", max_tokens=5) == []
    assert hs.split_prompt("short", max_tokens=5) == ["short"]
    assert split_spans("short", 5, awkward) == [Part(0, 0, 5, "text")]


def test_another_model_is_split_by_the_cautious_count() -> None:
    text = "배송이 늦었습니다. " * 30
    parts = hs.split_prompt(text, max_tokens=50, model="gemini-2.5-flash")
    assert all(CAUTIOUS(part) <= 50 for part in parts)
    assert len(parts) > len(hs.split_prompt(text, max_tokens=50))


FAMILY, ENGLAND = (
    "👩\u200d👩\u200d👧\u200d👦",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
)


@pytest.mark.parametrize("character", [FAMILY, ENGLAND, "1\ufe0f\u20e3", "\u1112\u1161\u11ab"])
@pytest.mark.parametrize("before", ["", "가", "ab ", "1234567890"])
def test_a_character_made_of_several_stays_whole_wherever_it_fits(
    character: str, before: str
) -> None:
    text, least = before + character * 5, tekken(character)
    for limit in range(least, 3 * least):
        parts = hs.split_prompt(text, max_tokens=limit)
        assert "".join(parts) == text
        assert sum(part.count(character) for part in parts) == 5, (limit, parts)
