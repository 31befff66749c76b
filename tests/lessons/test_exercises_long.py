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
        (1.5, False, "1.5 is what was published"),
        (1 / per_token("ko"), False, "turn the fraction around"),
        (per_token("en"), False, "that is English"),
        (2.5, False, "2.5 is not it"),
        (float("nan"), False, "a number is needed"),
        ("1.8", False, "a number is needed"),
        (per_token("ko"), True, "measured on thirty"),
    ],
)
def test_10a_wants_a_measured_figure(answer: Any, right: bool, says: str) -> None:
    judge("10a", answer, right=right, says=says)


def test_10b_wants_all_of_it_and_nothing_over() -> None:
    judge("10b", SCAN.split("\n\n"), right=False, says="hand over both")
    judge("10b", (SCAN, SCAN.split("\n\n")), right=False, says="something was lost")
    judge("10b", (SCAN, [SCAN]), right=False, says="and 300 are allowed")
    judge("10b", ("short", ["short"]), right=False, says="keep the text")
    bare = "A letter without the scan. " * 100
    split = hs.split_prompt(bare, max_tokens=300)
    judge("10b", (bare, split), right=False, says="its scan included")
    judge("10b", (SCAN, hs.split_prompt(SCAN, max_tokens=300)), right=True, says="base64 and all")


def test_10c_wants_each_border_in_one_part() -> None:
    text = "\n".join(LOG)
    judge("10c", hs.split_prompt(text, max_tokens=120), right=False, says="hand over both")
    apart = hs.split_prompt(text, max_tokens=120)
    judge("10c", (LOG, apart), right=False, says="pairs of lines are in no part together")
    judge("10c", (LOG, [text]), right=False, says="more than 120 tokens")
    judge("10c", (LOG[:3], apart), right=False, says="keep the lines")
    kept = hs.split_prompt(text, max_tokens=120, overlap=50)
    judge("10c", (LOG, kept), right=True, says="whole in one of the parts")
