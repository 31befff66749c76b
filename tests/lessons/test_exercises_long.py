"""The checks of lesson 10's exercises: right, or what is off."""

from __future__ import annotations

from typing import Any

import pytest

import holysheep_helpers as hs
from tests.support.exercises import judge

MESSAGES = hs.customer_messages()


SCAN = "Invoice\n\n" + "QUJDRGFiY2Q5" * 300


LOG = [f"10:{n:02} order {7000 + n} was moved to van {n % 7}" for n in range(60)]


def per_token(language: str) -> float:
    texts = [str(text) for text in MESSAGES["text"][MESSAGES["language"] == language]]
    return sum(map(len, texts)) / sum(hs.count_tokens(text).tokens for text in texts)


@pytest.mark.parametrize(
    ("answer", "right", "says"),
    [
        (1.5, False, "1.5 is the published number"),
        (1 / per_token("ko"), False, "Divide the other way"),
        (per_token("en"), False, "that is English"),
        (2.5, False, "2.5 is not it"),
        (float("nan"), False, "a number is needed"),
        ("1.8", False, "a number is needed"),
        (per_token("ko"), True, "you counted thirty messages"),
    ],
)
def test_10a_wants_a_measured_figure(answer: Any, right: bool, says: str) -> None:
    judge("10a", answer, right=right, says=says)


def test_10b_wants_all_of_it_and_nothing_over() -> None:
    judge("10b", SCAN.split("\n\n"), right=False, says="hand over both")
    judge("10b", (SCAN, SCAN.split("\n\n")), right=False, says="Something was lost")
    judge("10b", (SCAN, [SCAN]), right=False, says="and 300 are allowed")
    judge("10b", ("short", ["short"]), right=False, says="keep the text")
    bare = "A letter without the scan. " * 100
    split = hs.split_prompt(bare, max_tokens=300)
    judge("10b", (bare, split), right=False, says="with its scan")
    judge("10b", (SCAN, hs.split_prompt(SCAN, max_tokens=300)), right=True, says="the whole text")


def windows(lines: list[str], max_tokens: int) -> list[str]:
    parts, current = [], []
    for line in lines:
        if hs.count_tokens("\n".join([*current, line])).at_most > max_tokens:
            parts.append("\n".join(current))
            current = current[-1:]
        current.append(line)
    return [*parts, "\n".join(current)]


@pytest.mark.parametrize(
    ("answer", "right", "says"),
    [
        (windows, True, "together in one of the parts"),
        (
            lambda lines, most: hs.split_prompt("\n".join(lines), max_tokens=most, overlap=50),
            True,
            "together in one of the parts",
        ),
        (
            lambda lines, most: hs.split_prompt("\n".join(lines), max_tokens=most),
            False,
            "pairs of lines are in no part together",
        ),
        (lambda lines, most: ["\n".join(lines)], False, "with max_tokens=120, one of your parts"),
        (lambda lines, most: windows(lines, 120), True, "together in one"),
        (lambda lines, most: windows(lines, 240), False, "with max_tokens=120, one of your parts"),
        (lambda lines, most: [line[:9] for line in lines], False, "a line that is cut or changed"),
        (lambda lines, most: None, False, "must return a list of texts"),
    ],
)
def test_10c_wants_each_border_in_one_part(answer: Any, right: bool, says: str) -> None:
    judge("10c", (LOG, answer), right=right, says=says)


def test_10c_wants_the_log_and_the_function() -> None:
    judge("10c", (LOG[:3], windows), right=False, says="keep the lines")
    judge("10c", windows, right=False, says="hand over both")
