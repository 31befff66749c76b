"""What is off in an answer to an exercise of lesson 8: a sentence, or ``None``."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from holysheep_helpers.catalog.tokens import count_tokens
from holysheep_helpers.samples import customer_messages

WHOLE, BORDER = 300, 120
"""Tokens that a part may have in 08b and 08c."""


def characters_per_token(answer: Any) -> str | None:
    if isinstance(answer, bool) or not isinstance(answer, int | float):
        return "a number is needed: characters for each token."
    messages = customer_messages()
    right = {}
    for language in ("ko", "en"):
        texts = list(messages["text"][messages["language"] == language])
        right[language] = sum(map(len, texts)) / sum(count_tokens(text).tokens for text in texts)
    korean = right["ko"]
    if answer == 1.5:
        return "1.5 is what was published. Count it."
    for wrong, problem in (
        (1 / korean, "those are tokens for each character: turn the fraction around."),
        (right["en"], "that is English: take the Korean messages."),
    ):
        if abs(answer - wrong) < 0.05 * wrong:
            return problem
    if not abs(answer - korean) < 0.05 * korean:  # nan is none, either
        return f"{answer:g} is not it: all their characters, over all their tokens."
    return None


def nothing_over(answer: Any) -> str | None:
    if not _is_text_and_parts(answer, str):
        return "hand over both: hs.check('08b', (scan, parts))."
    text, parts = answer
    if "".join(parts) != text:
        return "joined, the parts are not the text: something was lost, or added."
    sizes = [count_tokens(part).at_most for part in parts]
    if max(sizes, default=0) > WHOLE:
        return f"the largest part has {max(sizes):,} tokens, and {WHOLE} are allowed."
    if max(map(len, text.split()), default=0) < 1000:
        return "keep the text as it was, its scan included."
    return None


def borders_kept(answer: Any) -> str | None:
    if not _is_text_and_parts(answer, list):
        return "hand over both: hs.check('08c', (log, parts))."
    lines, parts = answer
    if len(lines) < 30:
        return "keep the lines as they were."
    if max(count_tokens(part).at_most for part in parts) > BORDER:
        return f"a part has more than {BORDER} tokens: leave max_tokens as it was."
    apart = [pair for pair in pairwise(lines) if not any("\n".join(pair) in p for p in parts)]
    if apart:
        return f"{len(apart)} pairs of lines are in no part together."
    return None


def _is_text_and_parts(answer: Any, kind: type) -> bool:
    if not isinstance(answer, tuple) or len(answer) != 2 or not isinstance(answer[0], kind):
        return False
    parts = answer[1]
    return isinstance(parts, list) and bool(parts) and all(isinstance(p, str) for p in parts)
