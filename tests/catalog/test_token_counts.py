"""Counting for a model: exactly by its vocabulary, or by a rule that says that it is one."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import unicodedata
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

import holysheep_helpers as hs
from holysheep_helpers.catalog import splitting, tokens
from tests.support.texts import ENGLISH, KOREAN

DRAW = Random(0)


SAMPLES = {
    "korean": " ".join(KOREAN.values()),
    "korean without spaces": "".join(KOREAN.values()).replace(" ", ""),
    "english": " ".join(ENGLISH.values()),
    "code": Path(splitting.__file__).read_text("utf-8"),
    "base64": base64.b64encode(DRAW.randbytes(3000)).decode(),
    "hash": DRAW.randbytes(2000).hex(),
    "digits": "".join(str(DRAW.randrange(10)) for _ in range(2000)),
    "emoji": "👍🎉😀👩‍👩‍👧‍👦🇰🇷" * 50,
    "japanese": "吾輩は猫である。名前はまだ無い。" * 20,
    "chinese": "今天天气很好,我们一起去公园散步吧。" * 20,
    "arabic": "ذهبنا جميعا إلى البحر في يوم جميل. " * 20,
    "thai": "ภาษาไทยไม่มีช่องว่างระหว่างคำ" * 20,
    "german": "Donaudampfschifffahrtsgesellschaftskapitän fährt flussaufwärts. " * 20,
    "addresses": "https://example.com/a/b?x=%EA%B0%80&id=8f3b2c " * 30,
    "capitals": " ".join(ENGLISH.values()).upper(),
    "keys": " ".join(base64.b64encode(DRAW.randbytes(12)).decode() for _ in range(200)),
    "marks": "".join(DRAW.choice("!#$%&()*+,-./:;<=>?@[]^_{|}~") for _ in range(2000)),
    "nul": "\0" * 2000,
    "blanks": " " * 2000,
    "laughter": "ㅋㅋㅋㅋㅠㅠ ㅇㅇ " * 100,
    "letters of korean": unicodedata.normalize("NFD", " ".join(KOREAN.values())),
    "letters with accents apart": unicodedata.normalize("NFD", "déjà vu à l'été, où ça? " * 50),
    "symbols": "❤️✈️☀️ → ┌──┐ ∀x∈∅ " * 50,
    "amharic": "ትዕዛዝዎ ትናንት ተልኳል " * 50,
    "nothing": "",
}


@pytest.fixture(params=["with", "without"])
def installed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """``mistral-common``, there or not."""
    if request.param == "without":
        monkeypatch.setattr(splitting, "find_spec", lambda name: None)
    return request.param == "with"


@cache  # it takes half a second to read
def vocabulary() -> Any:
    return MistralTokenizer.v3(is_tekken=True, is_mm=True).instruct_tokenizer.tokenizer


@pytest.mark.parametrize("kind", list(SAMPLES))
def test_a_mistral_model_is_counted_by_its_own_vocabulary(kind: str) -> None:
    real = len(vocabulary().encode(SAMPLES[kind], bos=False, eos=False))
    counted = hs.count_tokens(SAMPLES[kind], model="mistral/small-2603")
    assert (counted.tokens, counted.at_most, counted.exact) == (real, real, True)


@pytest.mark.parametrize("kind", list(SAMPLES))
def test_a_cautious_estimate_is_never_below_a_real_vocabulary(kind: str) -> None:
    real = hs.count_tokens(SAMPLES[kind]).tokens
    estimate = hs.count_tokens(SAMPLES[kind], model="gpt-4.1")
    assert not estimate.exact
    assert real <= estimate.at_most <= 4 * real


@pytest.mark.parametrize("kind", ["korean", "english", "code"])
def test_on_ordinary_text_it_is_close(kind: str) -> None:
    real = hs.count_tokens(SAMPLES[kind]).tokens
    estimate = hs.count_tokens(SAMPLES[kind], model="gpt-4.1")
    assert estimate.tokens == pytest.approx(real, rel=splitting.MARGIN_PERCENT / 100)
    assert estimate.at_most <= 1.4 * real


def test_without_the_package_it_is_an_estimate_that_says_what_to_install(installed: bool) -> None:
    text = ENGLISH["letter"]
    counted = hs.count_tokens(text)
    assert counted.exact is installed
    if installed:
        assert str(counted) == f"{counted.tokens} tokens (exact, by Mistral's tekken vocabulary)"
    else:
        assert counted.tokens == tokens.count(text)
        assert "about" in str(counted)
        assert "pip install mistral-common" in str(counted)


def test_splitting_works_without_the_package(installed: bool) -> None:
    text = KOREAN["manual"]
    parts = hs.split_prompt(text, max_tokens=30)
    assert "".join(parts) == text
    assert all(hs.count_tokens(part).at_most <= 30 for part in parts)
    assert len(parts) > 2


@pytest.mark.parametrize("model", ["gpt-4.1", "codestral-2508", "no-such-model"])
def test_other_models_are_estimated(model: str) -> None:
    assert not hs.count_tokens("hello", model=model).exact
    assert "pip" not in str(hs.count_tokens("hello", model=model))


def test_the_mock_counts_by_the_rule_for_every_model() -> None:
    counter = splitting.counter_for("mistral-small-2603", by_mock=True)
    assert counter.count is counter.at_most is tokens.count
    assert counter.exact


def test_marks_of_a_prompts_frame_are_counted_as_the_text_that_they_are() -> None:
    assert hs.count_tokens("[INST] <s> </s>").tokens == 10


@pytest.mark.parametrize("wrong", [None, 5, b"bytes", ["text"]])
def test_only_text_is_counted(wrong: object) -> None:
    with pytest.raises(hs.InputError, match="text is needed"):
        hs.count_tokens(wrong)  # pyright: ignore[reportArgumentType]


def test_half_a_character_is_said() -> None:
    with pytest.raises(hs.InputError, match=r"half a character in it \('\\ud83d', at 2\)"):
        hs.count_tokens("ab\ud83d")


def test_tokenizers_have_a_source() -> None:
    known = [model for model in hs.catalog.models() if model.tokenizer]
    assert {model.tokenizer for model in known} == {"tekken"}
    assert all(model.tokenizer_source for model in known)


def test_the_smaller_window_is_the_safe_one() -> None:
    model = hs.catalog.find("mistral-small-2603")
    assert model is not None
    assert model.safe_context_window == 128_000
    assert {model.safe_context_window for model in [hs.catalog.find("gpt-4.1")] if model} == {10**6}
    unknown = hs.catalog.find("gemini-2.5-pro")
    assert unknown is not None
    assert unknown.safe_context_window is None


def test_a_million_blanks_are_counted_too() -> None:
    one = hs.count_tokens(" " * 250_000).tokens
    assert hs.count_tokens(" " * 1_000_000).tokens == pytest.approx(4 * one, abs=8)
    assert hs.count_tokens("a" + " " * 1_000_000 + "b").exact


@pytest.mark.process
def test_counting_opens_no_connection_and_needs_no_file_of_the_users(tmp_path: Path) -> None:
    count = (
        "import sys\n"
        "def watch(event, given):\n"
        "    if event.startswith(('socket.connect', 'socket.getaddrinfo', 'urllib.Request')):\n"
        "        raise SystemExit(f'{event} {given}')\n"
        "sys.addaudithook(watch)\n"
        "import holysheep_helpers as hs\n"
        "print(hs.count_tokens('배송이 이틀 늦어졌습니다.').exact)\n"
    )
    away = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-c", count], env={**os.environ, **away}, capture_output=True, text=True,
        encoding="utf-8", check=False,
    )  # fmt: skip
    assert (done.stdout.strip(), done.stderr) == ("True", "")
    assert not any(file.name.startswith("tekken") for file in tmp_path.rglob("*"))
