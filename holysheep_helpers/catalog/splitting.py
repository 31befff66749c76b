"""Counting a text's tokens for one model, and splitting a text that has too many of them.

Mistral's vocabulary, ``tekken``, comes with ``mistral-common`` (the optional extra ``exact``): its
files carry one and the same. For other models, or without that package, tokens are estimated by
the rule in ``holysheep_helpers.catalog.tokens``, and the result says so.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import NamedTuple

import wcwidth

from holysheep_helpers import catalog
from holysheep_helpers._checks import check_whole, shown
from holysheep_helpers.catalog import tokens
from holysheep_helpers.exceptions import InputError

Count = Callable[[str], int]

MARGIN_PERCENT = 15
"""How far the rule may be off on Korean and English prose: a test compares it with ``tekken``."""

_DENSE = {
    r"[A-Za-z0-9+/=_-]{20,}": 1,  # base64, hashes, keys; shorter ones if they are mixed:
    r"(?=[A-Za-z]*[0-9])(?=[a-z0-9]*[A-Z])(?=[A-Z0-9]*[a-z])[A-Za-z0-9+/=]{8,}": 1,
    r"[A-Z]{3,}": 0.5,
    r"[!-/:-@\[-`{-~]{3,}": 0.75,
    r"[\x00-\x08\x0e-\x1f\x7f]+": 1,
    r" {16,}|\n{16,}": 1 / 16,
    r"[가-힣]{9,}": 1,  # Korean without spaces, of which a vocabulary knows few pieces
    r"[\u3000-\u312f\u3190-\u9fff\uf900-\ufaff]+": 1.15,  # Chinese and Japanese
    r"[\u0300-\u036f]+": 2,  # accents on their own; what follows is a token a byte
    r"[\u1100-\u1dff\u2070-\u209f\u20d0-\u2fff\u3130-\u318f\ua000-\uabff\ud7a4-\uf8ff]+": 3,
    r"[\ufb00-\ufefe\uff00-\uffff]+": 3,
    r"[\U00010000-\U0010ffff]+": 4,  # emoji and rare letters
}
"""What the rule takes for too little, and how many tokens a character of it may have."""

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


@dataclass(frozen=True, slots=True)
class TokenCount:
    """How many tokens a text has for one model, and how that was counted.

    Attributes:
        tokens: the number of tokens, or the best estimate of it.
        at_most: a number that is safe to compare with a limit: the same if ``exact``, else a
            cautious estimate.
        exact: whether the model's own vocabulary counted.
        counted_by: what counted, in words.

    Example:
        >>> hs.count_tokens("안녕하세요", model="gpt-4.1").exact
        False
    """

    tokens: int
    at_most: int
    exact: bool
    counted_by: str

    def __str__(self) -> str:
        tokens = f"{self.tokens:,} token{'s' * (self.tokens != 1)}"
        if self.exact:
            return f"{tokens} (exact, by {self.counted_by})"
        return f"about {tokens}, at most {self.at_most:,} ({self.counted_by})"

    __repr__ = __str__


def count_tokens(text: str, *, model: str = catalog.DEFAULT_MODEL) -> TokenCount:
    """Count the tokens of a text for a model, without the frame of a message around it.

    The count is exact for models with Mistral's ``tekken`` vocabulary if ``mistral-common`` is
    installed. Otherwise it is an estimate, within 15% on Korean and English prose. ``at_most`` also
    allows for base64, capitals, Korean without spaces or in single letters, Chinese, Japanese,
    symbols and emoji. Made-up words and long words of other languages can still have more tokens.

    Args:
        text: the text to count.
        model: the id of the model that the tokens are for. Default: the running example's.

    Returns:
        A ``TokenCount``.

    Raises:
        InputError: ``text`` is not text, or has half a character in it (a lone surrogate).

    Example:
        >>> print(hs.count_tokens("Hello, world!", model="gpt-4.1"))
        about 4 tokens, at most 5 (estimated by rule)
    """
    check_text(text)
    counter = counter_for(model)
    return TokenCount(counter.count(text), counter.at_most(text), counter.exact, counter.name)


def split_prompt(
    text: str, *, max_tokens: int, model: str = catalog.DEFAULT_MODEL, overlap: int = 0
) -> list[str]:
    """Split a text into parts that have a number of tokens or fewer.

    A part ends after a paragraph, else after a sentence or line, else after a word, else after a
    character, so that code, Korean without spaces and base64 fit as well. A character that is made
    of several (an emoji, a letter with its accent) stays whole if it fits.

    Args:
        text: the text to split. An empty text has no parts.
        max_tokens: the largest part, in tokens as ``hs.count_tokens(part).at_most`` counts them.
            Leave room for the instruction, the frame of the message and the answer.
        model: the id of the model that the tokens are for. Default: the running example's.
        overlap: up to how many tokens from the end of a part are repeated at the start of the next
            one, so that a sentence across the border is whole in one of them. At most half of
            ``max_tokens``. Default: 0.

    Returns:
        The parts, as a list of texts. Without ``overlap``, joined they are the text.

    Raises:
        InputError: an argument is out of range, or one character alone has more tokens than
            ``max_tokens``.

    Example:
        >>> hs.split_prompt("One. Two.\\n\\nThree. Four.", max_tokens=8, model="gpt-4.1")
        ['One. Two.\\n\\n', 'Three. Four.']
    """
    check_text(text)
    count = counter_for(model).at_most
    return [text[part.start : part.end] for part in split_spans(text, max_tokens, count, overlap)]


@dataclass(frozen=True, slots=True)
class Counter:
    """Counts for one model: ``count`` is the best figure, ``at_most`` never below it."""

    count: Count
    at_most: Count
    exact: bool
    name: str


def counter_for(model: str, *, by_mock: bool = False) -> Counter:
    """Who counts for this model: its vocabulary, or the rule.

    ``by_mock``: the mock counts the prompts, for every model by the rule, so that is exact there.
    """
    if not isinstance(model, str) or not model.strip():
        raise InputError(
            f"The model is {shown(model)}: an id is needed, such as {catalog.DEFAULT_MODEL!r}."
        )
    if by_mock:
        return Counter(tokens.count, tokens.count, True, "the mock's rule")
    known = catalog.find(model)
    counted_by = "estimated by rule"
    if known is not None and known.tokenizer == "tekken":
        if find_spec("mistral_common"):
            return Counter(_tekken(), _tekken(), True, "Mistral's tekken vocabulary")
        counted_by += "; for exact counts: pip install mistral-common"
    return Counter(tokens.count, cautious, False, counted_by)


def check_text(text: object) -> None:
    """Raise ``InputError`` for what no vocabulary can count."""
    if not isinstance(text, str):
        raise InputError(f"A {type(text).__name__} was given: text is needed. Nothing was sent.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"The text has half a character in it ({text[error.start]!r}, at {error.start}), which "
            "no server takes. Clean it, for example by text.encode('utf-8', 'replace').decode()."
        ) from None


@cache
def _tekken() -> Count:
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    vocabulary = MistralTokenizer.v3(is_tekken=True).instruct_tokenizer.tokenizer

    def count(text: str) -> int:
        try:
            return len(vocabulary.encode(text, bos=False, eos=False))
        except ValueError:  # its search gives up on some 100,000 blanks in a row: in halves, then
            half = len(text) // 2
            if not half:
                raise
            return count(text[:half]) + count(text[half:])

    return count


def cautious(text: str) -> int:
    """The rule's count and 15% more; and what ``_DENSE`` says of what the rule can't see.

    It can still be too low for made-up words, rare syllables and other languages' long words
    (Finnish): only a vocabulary knows.
    """
    dense = 0.0
    for run, each in _DENSE.items():
        if found := re.findall(run, text):
            dense += len(found) + each * sum(map(len, found))
            text = re.sub(run, " ", text)
    return math.ceil(dense + tokens.count(text) * (100 + MARGIN_PERCENT) / 100)


class Part(NamedTuple):
    """``text[start:end]``; what begins before ``fresh`` was in the part before it, too.

    ``ends_after`` is ``"paragraph"``, ``"sentence"``, ``"word"``, ``"character"``, or ``"text"``.
    """

    start: int
    fresh: int
    end: int
    ends_after: str


def split_spans(text: str, max_tokens: int, count: Count, overlap: int = 0) -> list[Part]:
    """Where the parts begin and end, by any ``count`` of a text's tokens."""
    check_whole("max_tokens", max_tokens, 1)
    check_whole("overlap", overlap, 0)
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
            raise InputError(
                f"max_tokens is {max_tokens}, and the character {text[start]!r} alone has "
                f"{count(text[start])} tokens: allow more."
            )
        end, level = _end(text, start, fresh, reach, count, max_tokens)
        parts.append(Part(start, fresh, end, level))
        fresh, length = end, reach - start
    return parts


def _reach(text: str, start: int, count: Count, limit: int, guess: int) -> int:
    """How far a part may go: an end that fits, close to the first one that does not."""
    fits, over = start, len(text) + 1
    end, close = min(start + guess, len(text)), 0.0  # until something has been too long
    while over - fits > 1 + close * (fits - start):
        size = count(text[start:end])
        # What fits grows about evenly with the text: aim a little below the limit.
        aim = start + int((end - start) * limit / max(size, 1) * 0.995)
        if size <= limit:
            fits = end
        else:
            over, close = end, _CLOSE_ENOUGH
        if aim <= fits:  # it is nearly full: on to the first end that is too far
            aim = fits + int(_CLOSE_ENOUGH * (fits - start))
        if aim >= over and close:
            aim = (fits + over) // 2
        end = min(max(aim, fits + 1), over - 1)
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
    end = _whole(text, start, reach)
    fits = end > fresh and count(text[start:end]) <= limit
    return end if fits else reach, "character"


def _splits_space(text: str, end: int) -> bool:
    """Whether a cut here would leave white space, other than a line's indentation, to the next."""
    return text[end] == "\n" or (text[end].isspace() and text[end - 1] != "\n")


def _whole(text: str, since: int, end: int) -> int:
    """The last place up to ``end`` that parts nothing that is read as one character.

    ``since`` is where a character begins for sure: of a row of flags, two letters make one.
    """
    return since + wcwidth.grapheme_boundary_before(text[since : end + 1], end + 1 - since)


def _back(text: str, before: int, fresh: int, count: Count, overlap: int) -> int:
    """Where a part begins that repeats up to ``overlap`` tokens of what stands before ``fresh``."""
    start = max(before + 1, fresh - 8 * overlap)
    while start < fresh and (size := count(text[start:fresh])) > overlap:
        start = fresh - min(int((fresh - start) * overlap / size), fresh - start - 1)
    half = (start + fresh) // 2
    for level, latest in (("paragraph", half), ("sentence", half), ("word", fresh - 1)):
        for at in (match.end() for match in _ENDS[level].finditer(text, start, fresh)):
            if at <= latest and not _splits_space(text, at) and count(text[at:fresh]) <= overlap:
                return at
    start = next(at for at in range(start, fresh + 1) if at in (_whole(text, before, at), fresh))
    return start if count(text[start:fresh]) <= overlap else fresh
