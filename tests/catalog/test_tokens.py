"""Counting tokens by rule, against the real vocabulary, on prose that it was not made on."""

from __future__ import annotations

import pytest
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

from holysheep_helpers.catalog import tokens
from tests.support.texts import ENGLISH, KOREAN


@pytest.fixture(scope="module")
def tekken() -> MistralTokenizer:
    """Mistral's own vocabulary, which ``mistral-common`` brings along: nothing is downloaded."""
    return MistralTokenizer.v3(is_tekken=True)


@pytest.mark.parametrize("language", ["korean", "english"])
@pytest.mark.parametrize("kind", list(KOREAN))
def test_within_15_percent_of_the_real_vocabulary(
    tekken: MistralTokenizer, language: str, kind: str
) -> None:
    text = {"korean": KOREAN, "english": ENGLISH}[language][kind]
    real = len(tekken.instruct_tokenizer.tokenizer.encode(text, bos=False, eos=False))
    assert tokens.count(text) == pytest.approx(real, rel=0.15)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\n\n \t",
        "a",
        "안녕하세요!",
        "x" * 1000,
        "가" * 1000,
        "1234567890",
        "日本語 ไทย",
        "a\r\nb",
    ],
)
def test_the_pieces_are_the_text(text: str) -> None:
    assert "".join(tokens.split(text)) == text
    assert all(tokens.split(text))
    assert tokens.count(text) == len(tokens.split(text))


def test_a_prompt_counts_its_frames() -> None:
    one = tokens.count_messages(["hello"])
    assert one == tokens.count("hello") + tokens.MESSAGE_FRAME + tokens.REPLY_FRAME
    assert tokens.count_messages([""]) == tokens.MESSAGE_FRAME + tokens.REPLY_FRAME
    assert tokens.count_messages([]) == tokens.REPLY_FRAME
