"""Splitting a long text into parts that fit: nothing is lost, nothing overflows.

A part ends after a paragraph if there is one to end after in its second half; otherwise after a
line or sentence, a word, a character. What separates two parts stays at the end of the first.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

from holysheep_helpers import catalog
from holysheep_helpers._checks import check_size
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.token_counts import check_text, counter_for

Count = Callable[[str], int]


# Each matches what ends a unit; indentation stays with the line that it belongs to.
_ENDS = {
    "paragraph": re.compile(r"\n(?:[^\S\n]*\n)+"),
    "sentence": re.compile(
        r"\n|[.!?…]+[\"'”’»)\]]*(?:[^\S\n]+|\n)|[。\uff01\uff1f]+[」』”’\uff09]*[^\S\n]*\n?"
    ),
    "word": re.compile(r"\s+"),
}


_CLOSE_ENOUGH = 0.02
"""The search for a part's longest end stops within so much of it."""


class Part(NamedTuple):
    """``text[start:end]``; what begins before ``fresh`` was in the part before it, too.

    ``ends_after`` is ``"paragraph"``, ``"sentence"``, ``"word"``, ``"character"``, or ``"text"``.
    """

    start: int
    fresh: int
    end: int
    ends_after: str


def split_prompt(
    text: str, *, max_tokens: int, model: str = catalog.DEFAULT_MODEL, overlap: int = 0
) -> list[str]:
    """Parts of ``text``, each of ``max_tokens`` or fewer; joined, they are the text.

    Tokens are those of ``hs.count_tokens(part, model=model)``: exact for Mistral's models if
    ``mistral-common`` is installed, otherwise a cautious estimate (``at_most``). ``max_tokens`` is
    for the part alone: leave room for the instruction, the frame and the answer.

    Parts end after paragraphs, else sentences or lines, else words, else characters, so that code,
    Korean without spaces and base64 fit as well. A character that is made of several (an emoji, a
    letter with its accent) stays whole if it fits. An empty text has no parts.

    With ``overlap``, each part after the first begins with up to so many tokens from the end of the
    one before, so that what stands across a border is whole in one of them.

    Raises ``InputError`` for arguments that can't be right, and where one character alone has more
    tokens than ``max_tokens``.
    """
    check_text(text)
    count = counter_for(model).at_most
    return [text[part.start : part.end] for part in split_spans(text, max_tokens, count, overlap)]


def split_spans(text: str, max_tokens: int, count: Count, overlap: int = 0) -> list[Part]:
    """Where the parts begin and end, by any ``count`` of a text's tokens."""
    check_size("max_tokens", max_tokens, 1)
    check_size("overlap", overlap, 0)
    if overlap * 2 > max_tokens:
        raise InputError(
            f"overlap is {overlap} and a part has up to {max_tokens} tokens: at most half of it "
            "may repeat the one before."
        )
    if text and count(text) <= max_tokens:
        return [Part(0, 0, len(text), "text")]
    parts: list[Part] = []
    fresh, length = 0, 2 * max_tokens
    while fresh < len(text):
        start = _back(text, parts[-1].start, fresh, count, overlap) if parts and overlap else fresh
        reach = _reach(text, start, count, max_tokens, length)
        if reach <= fresh and start < fresh:  # no room beside what is repeated
            start = fresh
            reach = _reach(text, start, count, max_tokens, length)
        if reach == start:
            cost = count(text[start : start + 1])
            raise InputError(
                f"max_tokens is {max_tokens}, and the character {text[start]!r} alone has {cost} "
                "tokens: allow more."
            )
        end, level = _end(text, start, fresh, reach, count, max_tokens)
        parts.append(Part(start, fresh, end, level))
        fresh, length = end, reach - start
    return parts


def _reach(text: str, start: int, count: Count, limit: int, guess: int) -> int:
    """How far a part may go: an end that fits, close to the first one that does not."""
    unknown = len(text) + 1  # as long as nothing has been too long
    fits, over = start, unknown
    end = min(start + guess, len(text))
    while fits < len(text) and (
        over == unknown or over - fits > 1 + _CLOSE_ENOUGH * (fits - start)
    ):
        tokens = count(text[start:end])
        # What fits grows about evenly with the text: aim a little below the limit.
        aim = start + int((end - start) * limit / max(tokens, 1) * 0.995)
        if tokens <= limit:
            fits = end
        else:
            over = end
        if aim <= fits:  # it is nearly full: on to the first end that is too far
            aim = fits + int(_CLOSE_ENOUGH * (fits - start))
        if aim >= over:
            aim = len(text) if over == unknown else (fits + over) // 2
        end = min(max(aim, fits + 1), over - 1, len(text))
    return fits


def _end(
    text: str, start: int, fresh: int, reach: int, count: Count, limit: int
) -> tuple[int, str]:
    """The best place to end a part that may go as far as ``reach``, and what it ends after."""
    if reach == len(text):
        return reach, "text"
    least = max(fresh, start + (reach - start) // 2)
    for level, pattern in _ENDS.items():
        ends = [match.end() for match in pattern.finditer(text, least, reach)]
        for end in [end for end in ends if end > least and not _splits_space(text, end)][:-3:-1]:
            if end == reach or count(text[start:end]) <= limit:
                return end, level
    end = reach
    while end > fresh and _inside_character(text, end, start):
        end -= 1
    if end > fresh and count(text[start:end]) <= limit:
        return end, "character"
    return reach, "character"


def _splits_space(text: str, end: int) -> bool:
    """Whether a cut here would leave white space, other than a line's indentation, to the next."""
    return text[end] == "\n" or (text[end].isspace() and text[end - 1] != "\n")


def _inside_character(text: str, at: int, since: int) -> bool:
    """Whether a cut here would part what is read as one character (most of Unicode's annex 29).

    ``since`` is where a character begins for sure: of a row of flags, two letters make one.
    """
    before, after = text[at - 1], text[at]
    if before == "\r" and after == "\n":
        return True
    if before == "\u200d" or after == "\u200d" or "\U0001f3fb" <= after <= "\U0001f3ff":
        return True  # joined emoji, and tones of skin
    if "\u1160" <= after <= "\u11ff":  # Korean written in single letters, as some systems do
        return True
    if "\U000e0020" <= after <= "\U000e007f":  # which country's flag it is: England's, say
        return True
    if _is_flag(before) and _is_flag(after):
        flags = at
        while flags > since and _is_flag(text[flags - 1]):
            flags -= 1
        return (at - flags) % 2 == 1
    return unicodedata.category(after) in ("Mn", "Me", "Mc")


def _is_flag(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _back(text: str, before: int, fresh: int, count: Count, overlap: int) -> int:
    """Where a part begins that repeats up to ``overlap`` tokens of what stands before ``fresh``."""
    start = max(before + 1, fresh - 8 * overlap)
    while start < fresh and (tokens := count(text[start:fresh])) > overlap:
        start = fresh - min(int((fresh - start) * overlap / tokens), fresh - start - 1)
    half = (start + fresh) // 2
    for level, latest in (("paragraph", half), ("sentence", half), ("word", fresh - 1)):
        for at in (match.end() for match in _ENDS[level].finditer(text, start, fresh)):
            if at <= latest and not _splits_space(text, at) and count(text[at:fresh]) <= overlap:
                return at
    while start < fresh and _inside_character(text, start, before):
        start += 1
    return start if count(text[start:fresh]) <= overlap else fresh
