"""The rule by which tokens are estimated where no vocabulary is at hand; the mock counts by it."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PIECE = re.compile(
    r" ?[A-Za-z]{1,9}"  # a word, or nine letters of a long one
    r"| ?[까-낗따-띻빠-삫싸-앃짜-찧]"  # a syllable that begins tense: rarely part of a piece
    r"| [가-힣](?=[은는을를이고지](?![가-힣]))"  # one syllable before its particle
    r"| [가-힣]{1,2}(?![가-힣])"  # any other short Korean word whole; of a longer one the
    r"| ?[가-힣]{1,2}(?=[가-힣])| ?[가-힣]"  # last syllable, mostly a particle, on its own
    r"|[0-9]"
    r"| ?[^\sA-Za-z0-9가-힣]{1,2}"  # punctuation, and other scripts, two at a time
    r"|\n+| +(?= )|\s"
)

MESSAGE_FRAME = REPLY_FRAME = 3
"""Tokens around each message, and before the reply. They differ between models: a round figure."""


def split(text: str) -> list[str]:
    """The pieces that stand for tokens: joined, they are the text."""
    return _PIECE.findall(text)


def count(text: str) -> int:
    """How many tokens this text is taken for."""
    return len(split(text))


def count_messages(texts: Iterable[str]) -> int:
    """How many tokens a prompt of these messages has, with the frame of each and of the reply."""
    return sum(count(text) + MESSAGE_FRAME for text in texts) + REPLY_FRAME
