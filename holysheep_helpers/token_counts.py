"""How many tokens a text has for a model: counted exactly where its vocabulary is at hand.

Mistral's vocabulary, ``tekken``, comes with ``mistral-common`` (the optional extra ``exact``): its
files carry one and the same. For other models, or without that package, it is an estimate by rule
(``holysheep_helpers.tokens``), which says so.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

from holysheep_helpers import catalog, tokens
from holysheep_helpers.exceptions import InputError

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
        return Counter(tokens.count, tokens.count, True, "the mock's rule")
    known = catalog.find(model)
    if known is None or known.tokenizer != "tekken":
        return Counter(tokens.count, cautious, False, "estimated by rule")
    if find_spec("mistral_common") is None:
        said = "estimated by rule; for exact counts: pip install mistral-common"
        return Counter(tokens.count, cautious, False, said)
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
    return math.ceil(dense + tokens.count(text) * (100 + MARGIN_PERCENT) / 100)
