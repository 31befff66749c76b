"""What the mock answers: canned texts for the lessons' prompts, else the prompt's own words."""

from __future__ import annotations

import json
import re
import tomllib
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

from holysheep_helpers import catalog
from holysheep_helpers.catalog import tokens
from holysheep_helpers.mock.json_replies import instance
from holysheep_helpers.mock.requests import ChatRequest

MARK = {"en": "[canned reply] ", "ko": "[준비된 답변] "}
OPENINGS = {
    "GPT": {"en": "Sure. ", "ko": "네. "},
    "Claude": {"en": "Happily. ", "ko": "기꺼이 답합니다. "},
    "Gemini": {"en": "Here you go. ", "ko": "답변입니다. "},
    "Mistral": {"en": "", "ko": ""},
    "DeepSeek": {"en": "Let me see. ", "ko": "살펴보겠습니다. "},
}
ECHOES = {
    "en": (
        "You asked: “{words}”. A mock has no opinion, but a real model would answer here.",
        "To “{words}” a model would tell you more, with a key. This mock only repeats you.",
        "“{words}”: that is what you wrote, and all that this mock can say of it.",
        "A real model would now answer “{words}”. The mock stands in for it, offline.",
    ),
    "ko": (
        "“{words}”라고 물으셨네요. 모의 서버라 의견은 없지만, 실제 모델이라면 여기에 답합니다.",
        "“{words}”라고 하셨습니다. 키가 있으면 실제 모델이 더 자세히 답합니다.",
        "“{words}”. 모의 서버는 이 말을 되풀이할 뿐입니다.",
        "실제 모델이라면 “{words}”에 답할 것입니다. 지금은 모의 서버가 대신합니다.",
    ),
}
VARIANTS = 4
REMEMBERED = 1000
"""Texts up to so many characters are kept in pieces: most come again and again."""
_NAME = re.compile(r"my name is (\w+)|(?:제|내) 이름은 (\w+?)(?:입니다|이에요|예요|야)?[.\s]", re.I)
_ONE_SENTENCE = re.compile(r"one sentence|한 문장", re.I)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s")
_PIRATE = re.compile(r"pirate|해적", re.I)
_KOREAN = re.compile(r"korean|한국어", re.I)
_HANGUL, _LATIN = re.compile("[가-힣]"), re.compile("[A-Za-z]")
_ASKS_NAME = re.compile(r"what is my name|(?:제|내) 이름이 뭐")  # of small letters


@cache
def _canned(language: str) -> list[tuple[tuple[tuple[str, ...], ...], list[str]]]:
    """What must be in a prompt (one word of each group), and the texts to choose from."""
    text = files("holysheep_helpers.mock").joinpath("replies.toml").read_text(encoding="utf-8")
    return [
        (tuple(tuple(words.split("|")) for words in entry["when"]), entry[language])
        for entry in tomllib.loads(text)["reply"]
        if language in entry
    ]


class Answer(NamedTuple):
    """One choice: its text, whole and in pieces of a token, and why it ends: stop, length, ..."""

    text: str
    pieces: tuple[str, ...]
    finish: str

    def broken_off(self, after: int, reason: str) -> Answer:
        """The first ``after`` tokens of it, with a finish reason that says why no more came."""
        pieces = self.pieces[:after]
        return Answer("".join(pieces), pieces, reason)


def answers(request: ChatRequest, nth: int) -> list[Answer]:
    """The answer of each choice that was asked for."""
    first = variant(request, nth)
    texts = [_formatted(request, _text(request, first + index)) for index in range(request.n)]
    return [_finish(text, request.stop, request.max_tokens) for text in texts]


def _formatted(request: ChatRequest, text: str) -> str:
    """The text as JSON, if that was asked for."""
    if request.json_schema is None:
        return text
    return json.dumps(instance(request.json_schema, text), ensure_ascii=False)


def variant(request: ChatRequest, nth: int) -> int:
    """Which of the four variants: fixed at temperature 0 or by a seed, else spread by it.

    The how-manieth same request moves on to the next variant, once every ``1 / temperature``
    requests, so that a low temperature repeats itself more often.
    """
    if request.seed is not None:
        return request.seed % VARIANTS
    return int(nth * min(request.temperature, 1.0))


def _text(request: ChatRequest, chosen: int) -> str:
    system = prompt = ""
    for role, text in request.messages:
        if role == "user":
            prompt = text
        elif role != "assistant":
            system = f"{system} {text}"
    language = _language(system, prompt)
    body = _remembered(request, prompt, language) or _body(prompt, language, chosen)
    if _ONE_SENTENCE.search(system):
        body = _SENTENCE_END.split(body, maxsplit=1)[0]
    known = catalog.find(request.model)
    opening = OPENINGS[known.family][language] if known else ""
    style = "Arr! " if _PIRATE.search(system) else ""
    return MARK[language] + style + opening + body


def _language(system: str, prompt: str) -> str:
    if _KOREAN.search(system):
        return "ko"
    if prompt.isascii():
        return "en"
    hangul, latin = len(_HANGUL.findall(prompt)), len(_LATIN.findall(prompt))
    return "ko" if hangul * 2 > latin else "en"


def _remembered(request: ChatRequest, prompt: str, language: str) -> str | None:
    """The name that an earlier message told, if this one asks for it: an API has no memory."""
    if not _ASKS_NAME.search(prompt.lower()):
        return None
    for role, text in reversed(request.messages):
        told = _NAME.search(text + " ") if role == "user" else None
        if told:
            name = told[1] or told[2]
            return f"Your name is {name}." if language == "en" else f"이름은 {name}입니다."
    return (
        "I don't know your name: it is in none of the messages that you sent."
        if language == "en"
        else "이름을 알 수 없습니다. 보내신 메시지 어디에도 없습니다."
    )


def _body(prompt: str, language: str, chosen: int) -> str:
    lower = prompt.lower()
    for when, variants in _canned(language):
        if _all_in(when, lower):
            return variants[chosen % len(variants)]
    words = " ".join(prompt.split())
    if len(words) > 120:
        words = words[:120].rsplit(" ", 1)[0] + " …"
    return ECHOES[language][chosen % VARIANTS].format(words=words.rstrip(".?!"))


def _all_in(when: tuple[tuple[str, ...], ...], lower: str) -> bool:
    """Whether one word of each group is in the text. Plain loops: every request comes by here."""
    for words in when:
        for word in words:
            if word in lower:
                break
        else:
            return False
    return True


def _finish(text: str, stops: tuple[str, ...], max_tokens: int | None) -> Answer:
    if len(text) > REMEMBERED:  # such as JSON for a large schema
        return _cut(text, stops, max_tokens)
    return _cut_again(text, stops, max_tokens)


def _cut(text: str, stops: tuple[str, ...], max_tokens: int | None) -> Answer:
    cut = min((at for stop in stops if (at := text.find(stop)) >= 0), default=None)
    text = text if cut is None else text[:cut]
    pieces = tuple(tokens.split(text))
    if max_tokens is not None and len(pieces) > max_tokens:
        pieces = pieces[:max_tokens]
        return Answer("".join(pieces), pieces, "length")
    return Answer(text, pieces, "stop")


_cut_again = lru_cache(maxsize=256)(_cut)
