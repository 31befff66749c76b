"""What the mock says: canned and said to be so, in the prompt's language, cut where asked."""

import re

import pytest

from holysheep_helpers import catalog
from holysheep_helpers.catalog import tokens
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.mock.replies import MARK
from tests.support import raw

KO = "내일 부산에서 열리는 행사에 대해 알려 주세요."
EN = "Tell me about tomorrow's fair in Busan."


@pytest.mark.parametrize("model", [model.id for model in catalog.models()])
@pytest.mark.parametrize(("prompt", "language"), [(KO, "ko"), (EN, "en")])
def test_every_model_answers_in_the_prompts_language_and_says_it_is_canned(
    mock: MockHandle, model: str, prompt: str, language: str
) -> None:
    text = raw.ask(mock, prompt, model=model).text
    assert text.startswith(MARK[language])
    said = text.removeprefix(MARK[language])
    assert bool(re.search("[가-힣]", said)) is (language == "ko")


@pytest.mark.parametrize(("prompt", "own"), [(KO, "부산에서 열리는 행사"), (EN, "fair in Busan")])
def test_an_unknown_prompt_is_answered_with_its_own_words(
    mock: MockHandle, prompt: str, own: str
) -> None:
    assert own in raw.ask(mock, prompt).text


def test_the_families_do_not_sound_alike(mock: MockHandle) -> None:
    first = {m.family: m.id for m in reversed(catalog.models())}
    said = {raw.ask(mock, EN, model=model, temperature=0).text for model in first.values()}
    assert len(said) == len(first) >= 4


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("streamed", [True, False])
def test_the_limit_of_tokens_is_obeyed_and_told(
    mock: MockHandle, limit: str, streamed: bool
) -> None:
    whole = raw.ask(mock, EN, temperature=0).text
    if streamed:
        chunks = raw.ask(mock, EN, temperature=0, stream=True, **{limit: 5}).chunks
        texts = [chunk["choices"][0]["delta"].get("content", "") for chunk in chunks]
        text, reason = "".join(texts), chunks[-1]["choices"][0]["finish_reason"]
    else:
        cut = raw.ask(mock, EN, temperature=0, **{limit: 5})
        assert cut.json["usage"]["completion_tokens"] == 5
        text, reason = cut.text, cut.json["choices"][0]["finish_reason"]
    assert text == "".join(tokens.split(whole)[:5])
    assert reason == "length"


def test_a_limit_that_just_suffices_cuts_nothing(mock: MockHandle) -> None:
    whole = raw.ask(mock, EN, temperature=0)
    used = whole.json["usage"]["completion_tokens"]
    same = raw.ask(mock, EN, temperature=0, max_tokens=used)
    less = raw.ask(mock, EN, temperature=0, max_tokens=used - 1)
    assert (same.text, same.json["choices"][0]["finish_reason"]) == (whole.text, "stop")
    assert less.json["choices"][0]["finish_reason"] == "length"


def test_the_earliest_stop_ends_the_text_and_is_left_out(mock: MockHandle) -> None:
    whole = raw.ask(mock, EN, temperature=0).text
    cut = raw.ask(mock, EN, temperature=0, stop=["Busan", "fair"])
    assert cut.text == whole[: whole.index("fair")]
    assert cut.json["choices"][0]["finish_reason"] == "stop"
    assert raw.ask(mock, EN, temperature=0, stop="not in it").text == whole


def test_a_stop_at_the_very_beginning_is_an_empty_answer(mock: MockHandle) -> None:
    answer = raw.ask(mock, EN, stop="[")
    assert (answer.text, answer.json["usage"]["completion_tokens"]) == ("", 0)


def test_n_choices_differ_and_are_all_counted(mock: MockHandle) -> None:
    answer = raw.ask(mock, EN, n=4)
    texts = [choice["message"]["content"] for choice in answer.json["choices"]]
    assert len(set(texts)) == 4
    assert answer.json["usage"]["completion_tokens"] == sum(map(tokens.count, texts))


def test_the_system_prompt_is_heeded(mock: MockHandle) -> None:
    def told(system: str) -> str:
        messages = [{"role": "system", "content": system}, {"role": "user", "content": EN}]
        return raw.ask(mock, temperature=0, messages=messages).text

    assert told("Answer in Korean.").startswith(MARK["ko"])
    assert "Arr!" in told("You are a pirate.")
    assert len(re.findall(r"[.!?](?:\s|$)", told("One sentence only."))) == 1


def test_a_name_is_known_when_the_messages_tell_it(mock: MockHandle) -> None:
    ask = {"role": "user", "content": "What is my name?"}
    told = {"role": "user", "content": "My name is Minji."}
    assert "I don't know your name" in raw.ask(mock, messages=[ask]).text
    assert "Your name is Minji." in raw.ask(mock, messages=[told, ask]).text
    ask_ko = {"role": "user", "content": "제 이름이 뭐죠?"}
    told_ko = {"role": "user", "content": "제 이름은 민지입니다."}
    assert "민지" in raw.ask(mock, messages=[told_ko, ask_ko]).text


def test_a_long_prompt_is_repeated_in_part(mock: MockHandle) -> None:
    assert len(raw.ask(mock, "word " * 5000).text) < 400
