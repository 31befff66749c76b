"""How many tokens a text has for a model: counted exactly where its vocabulary is at hand.

Mistral's vocabulary, ``tekken``, comes with ``mistral-common`` (the optional extra ``exact``): its
files carry one and the same. For other models, or without that package, it is an estimate by rule
(``holysheep_helpers.catalog.tokens``), which says so.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import NamedTuple

from holysheep_helpers import catalog
from holysheep_helpers._checks import check_whole
from holysheep_helpers.exceptions import InputError

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


MESSAGE_FRAME = 3


REPLY_FRAME = 3


def split(text: str) -> list[str]:
    """The pieces that stand for tokens: joined, they are the text."""
    return _PIECE.findall(text)


def count(text: str) -> int:
    """How many tokens this text is taken for."""
    return len(split(text))


def count_messages(texts: Iterable[str]) -> int:
    """Tokens of a prompt of these messages: each text and 3 for its frame, and 3 for the reply's.

    The frame's size differs between models; 3 is a stated round figure, not a measurement.
    """
    return sum(count(text) + MESSAGE_FRAME for text in texts) + REPLY_FRAME


MARGIN_PERCENT = 15
"""How far the rule may be off on Korean and English prose: a test compares it with ``tekken``."""


_DENSE = tuple((re.compile(run), each) for run, each in (
    (r"[A-Za-z0-9+/=_-]{20,}", 1),  # base64, hashes, keys; shorter ones if they are mixed:
    (r"(?=[A-Za-z]*[0-9])(?=[a-z0-9]*[A-Z])(?=[A-Z0-9]*[a-z])[A-Za-z0-9+/=]{8,}", 1),
    (r"[A-Z]{3,}", 0.5),
    (r"[!-/:-@\[-`{-~]{3,}", 0.75),
    (r"[\x00-\x08\x0e-\x1f\x7f]+", 1),
    (r" {16,}|\n{16,}", 1 / 16),
    (r"[가-힣]{9,}", 1),  # Korean without spaces, of which a vocabulary knows few pieces
    (r"[\u3000-\u312f\u3190-\u9fff\uf900-\ufaff]+", 1.15),  # Chinese and Japanese
    (r"[\u0300-\u036f]+", 2),  # accents on their own; what follows is a token a byte
    (r"[\u1100-\u1dff\u2070-\u209f\u20d0-\u2fff\u3130-\u318f\ua000-\uabff\ud7a4-\uf8ff]+", 3),
    (r"[\ufb00-\ufefe\uff00-\uffff]+", 3),
    (r"[\U00010000-\U0010ffff]+", 4),  # emoji and rare letters
))  # fmt: skip
"""What the rule takes for too little, and how many tokens a character of it may have."""


@dataclass(frozen=True, slots=True)
class TokenCount:
    """``tokens`` of a text for one model; ``exact`` or estimated; ``counted_by`` what or whom.

    ``at_most`` is the same if it is exact, else a cautious figure to fit a limit by.
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


@dataclass(frozen=True, slots=True)
class Counter:
    """Counts for one model: ``count`` is the best figure, ``at_most`` never below it."""

    count: Callable[[str], int]
    at_most: Callable[[str], int]
    exact: bool
    name: str


def count_tokens(text: str, *, model: str = catalog.DEFAULT_MODEL) -> TokenCount:
    """How many tokens ``text`` has for ``model``, without the frame of a message around it.

    Exact for models with Mistral's ``tekken`` vocabulary if ``mistral-common`` is installed.
    Otherwise an estimate, within 15% on Korean and English prose; its ``at_most`` also allows for
    base64, capitals, Korean without spaces or in single letters, Chinese, Japanese, symbols and
    emoji. Made-up words and long words of other languages can still have more.

    Raises ``InputError`` if ``text`` is no text, or has half a character in it.
    """
    check_text(text)
    counter = counter_for(model)
    return TokenCount(counter.count(text), counter.at_most(text), counter.exact, counter.name)


def check_text(text: object) -> None:
    """Raises ``InputError`` for what no vocabulary can count."""
    if not isinstance(text, str):
        raise InputError(f"A {type(text).__name__} was given: text is needed. Nothing was sent.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"The text has half a character in it ({text[error.start]!r}, at {error.start}), which "
            "no server takes: clean it, text.encode('utf-8', 'replace').decode() say."
        ) from None


def counter_for(model: str, *, by_mock: bool = False) -> Counter:
    """Who counts for this model: its vocabulary, or the rule.

    ``by_mock``: the mock counts the prompts, for every model by the rule, so that is exact there.
    """
    if not isinstance(model, str) or not model.strip():
        raise InputError(f"The model is {model!r}: an id is needed, {catalog.DEFAULT_MODEL!r} say.")
    if by_mock:
        return Counter(count, count, True, "the mock's rule")
    known = catalog.find(model)
    if known is None or known.tokenizer != "tekken":
        return Counter(count, cautious, False, "estimated by rule")
    if find_spec("mistral_common") is None:
        said = "estimated by rule; for exact counts: pip install mistral-common"
        return Counter(count, cautious, False, said)
    return Counter(_tekken(), _tekken(), True, "Mistral's tekken vocabulary")


@cache
def _tekken() -> Callable[[str], int]:
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
    for run, each in _DENSE:
        found = run.findall(text)
        if found:
            dense += len(found) + each * sum(map(len, found))
            text = run.sub(" ", text)
    return math.ceil(dense + count(text) * (100 + MARGIN_PERCENT) / 100)


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
