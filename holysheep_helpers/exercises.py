"""The exercises: ``check()`` says right or what is off, ``hint()`` helps. Neither ever raises."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from holysheep_helpers import catalog
from holysheep_helpers.addresses import is_loopback


@dataclass(frozen=True, slots=True)
class Exercise:
    """``problem`` gets the answer and says what is off, or ``None`` if the answer is right."""

    problem: Callable[[Any], str | None]
    praise: str
    hint: str


def _other_family(answer: Any) -> str | None:
    model = getattr(answer, "model", None)
    if model is None:
        return "hand over the reply itself, what client.chat.completions.create() gave back."
    if "gemini" not in str(model).lower():  # a server may add a vendor before it, or a date
        return f"this reply came from {model}. Change the model id to a Gemini one."
    return None


def _two_lines(answer: Any) -> str | None:
    address = urlsplit(str(getattr(answer, "base_url", "")))
    if not address.hostname:
        return "hand over the client that OpenAI(...) gave you."
    real = urlsplit(catalog.BASE_URL).hostname
    if address.hostname != real and not is_loopback(address.hostname):
        return f"this client still talks to {address.hostname}. Change base_url to gw.base_url."
    if not address.path.rstrip("/").endswith("/v1"):
        return "the address lacks its version, /v1, at the end."
    return None


def _not_cut(answer: Any) -> str | None:
    reason = getattr(answer, "finish_reason", None)
    if reason is None:
        return "hand over the Reply that hs.ask() gave back."
    if reason == "length":
        used = answer.usage.completion_tokens
        return f"the answer was cut after {used} tokens. Give max_tokens more room."
    if "3" not in answer.text:
        return "that is not the list of three things: keep the prompt as it was."
    return None


def _monthly_won(answer: Any) -> str | None:
    price = catalog.published_price(catalog.DEFAULT_MODEL)
    assert price is not None
    per_call = 25 * price.input_usd_per_mtok + 100 * price.output_usd_per_mtok
    right = 100_000 * per_call / 1_000_000 * catalog.published_rate().krw_per_usd
    if isinstance(answer, float):
        return "a float has crept in: keep money Decimal from the price to the screen."
    if isinstance(answer, bool) or not isinstance(answer, Decimal | int):
        return "an amount in won is needed, as a Decimal."
    if answer == right / catalog.published_rate().krw_per_usd:
        return "that is right in US dollars. Now in won."
    if answer * 100_000 == right:
        return "that is one call. There are 100,000 of them."
    if answer != right:
        return f"{answer:,} won is not it. Price both directions, 25 tokens in and 100 out."
    return None


def _korean_sentence(answer: Any) -> str | None:
    text = getattr(answer, "text", None)
    if not isinstance(text, str):
        return "hand over the Reply that hs.ask() gave back."
    if not re.search("[가-힣]", text):
        return "the answer is not in Korean. Say so in the system prompt."
    sentences = [part for part in re.split(r"[.!?](?:\s|$)", text) if part.strip()]
    if len(sentences) != 1:
        return f"Korean it is, but {len(sentences)} sentences long. Ask for one sentence."
    return None


def _whole_stream(answer: Any) -> str | None:
    if not hasattr(answer, "timeline"):
        return "hand over the stream itself, what hs.stream() gave back."
    if not answer.timeline:
        return "nothing was read from this stream. Iterate over it, to its end."
    if not answer.complete or answer.usage is None:
        return "this stream was left early. Read it to its end, where the usage comes."
    return None


def _left_early(answer: Any) -> str | None:
    if not hasattr(answer, "timeline"):
        return "hand over the stream itself, what hs.stream() gave back."
    if not answer.timeline:
        return "nothing was read from this stream. Start to read, then leave."
    if answer.complete:
        return "this stream was read to its end. Leave the loop with break once you have enough."
    if len(answer.timeline) != 10:
        return f"{len(answer.timeline)} pieces of text were read. Leave after exactly 10."
    return None


def _decode_speed(answer: Any) -> str | None:
    if not isinstance(answer, tuple) or len(answer) != 2:
        return "hand over both: hs.check('03c', (stream, speed))."
    stream, speed = answer
    problem = _whole_stream(stream)
    if problem:
        return problem
    if isinstance(speed, bool) or not isinstance(speed, int | float):
        return "the speed is a number, in tokens a second."
    tokens = stream.usage.completion_tokens
    right = (tokens - 1) / (stream.timeline[-1][0] - stream.ttft_s)
    if abs(speed - tokens / stream.elapsed_s) < 0.005 * right:
        return "that divides by the whole time: the wait for the first token is not decoding."
    if abs(speed - stream.chunks / stream.elapsed_s) < 0.005 * right:
        return "those are chunks a second over the whole time. Count tokens, after the first."
    if abs(speed - right) > 0.03 * right:
        return f"{speed:.1f} is not it: (tokens - 1) / (time of the last text - ttft_s)."
    return None


def _concurrency(answer: Any) -> str | None:
    if isinstance(answer, bool) or not isinstance(answer, int | float):
        return "a number is needed: how many requests must be under way at once."
    if abs(answer * 20 * 1.2 - 1) < 0.1 or abs(answer * 1.2 - 20) < 0.1:
        return "Little's law multiplies: requests a second times the seconds that each takes."
    if not abs(answer - 24) <= 0.001:  # nan is none, either
        return f"{answer:g} is not it. L = rate × time: which rate, and which time?"
    return None


def _none_failed(answer: Any) -> str | None:
    if not hasattr(answer, "failed"):
        return "hand over the BatchResult that hs.batch() or retry_failed() gave back."
    if len(answer) != 12:
        return f"{len(answer)} results came, of 12 prompts. Keep those that were answered."
    if answer.failed:
        return f"{len(answer.failed)} of 12 still have an error. Ask those again."
    return None


def _paid_once(answer: Any) -> str | None:
    if not hasattr(answer, "restored"):
        return "hand over the BatchResult that hs.batch() gave back."
    if answer.failed or not len(answer):
        return "some prompts have no answer."
    if answer.restored < len(answer):
        return f"the second run sent {answer.sent} requests again. What would have remembered them?"
    return None


EXERCISES: dict[str, Exercise] = {
    "01a": Exercise(
        _other_family,
        "one id changed, another vendor's family answered, with the same key.",
        "hs.catalog.models() lists the ids; Gemini's begin with gemini-. Change MODEL alone.",
    ),
    "01b": Exercise(
        _two_lines,
        "address and key, and any code written for the OpenAI SDK talks to this gateway.",
        "The gateway knows its own address: base_url=gw.base_url.",
    ),
    "02a": Exercise(
        _not_cut,
        "the server finished by itself: finish_reason is 'stop'.",
        "The whole list needs a little over 100 tokens. What happens at max_tokens=300?",
    ),
    "02b": Exercise(
        _monthly_won,
        "exact to the last won, because no float was near it.",
        "hs.catalog.published_price('mistral-small-2603') has input_usd_per_mtok and "
        "output_usd_per_mtok, both per million tokens; hs.to_krw(usd, rate) converts.",
    ),
    "02c": Exercise(
        _korean_sentence,
        "the system prompt decides language and length, whatever the user writes.",
        "A system prompt is plain text: ask there for Korean, and for one sentence.",
    ),
    "03a": Exercise(
        _whole_stream,
        "read to the end, so the finish reason and the usage are there.",
        "A for loop over the stream, or answer.read(), reads it to its end.",
    ),
    "03b": Exercise(
        _left_early,
        "ten pieces of text, and the connection is closed: the server could stop.",
        "enumerate(stream, start=1) counts the pieces; break leaves the loop.",
    ),
    "03c": Exercise(
        _decode_speed,
        "decode speed counts tokens, and starts its clock at the first one.",
        "All it takes: stream.usage.completion_tokens, stream.timeline[-1][0], stream.ttft_s.",
    ),
    "04a": Exercise(
        _concurrency,
        "20 a second × 1.2 s each: 24 under way at any moment.",
        "Little's law: L = λ × W. λ is in requests a second, W in seconds.",
    ),
    "04b": Exercise(
        _none_failed,
        "all 12 answered, in order, and only the failed ones were asked again.",
        "A BatchResult has a method for this: await result.retry_failed().",
    ),
    "04c": Exercise(
        _paid_once,
        "the second run found every answer in the journal, and sent nothing.",
        "Give both calls the same journal=... : a file's name.",
    ),
}


def verdict(exercise: str, answer: Any) -> tuple[bool, str]:
    """Whether the answer is right, and the sentence to show. Never raises."""
    known = EXERCISES.get(exercise) if isinstance(exercise, str) else None
    if known is None:
        return False, f"There is no exercise {exercise!r}: there are {', '.join(EXERCISES)}."
    help_line = f"\nA hint: hs.hint({exercise!r})"
    if answer is None or answer is Ellipsis:
        return False, f"Not yet: the answer is still empty. Fill it in.{help_line}"
    try:
        problem = known.problem(answer)
    except Exception as error:  # noqa: BLE001 (an answer can be anything at all)
        problem = f"the check can't read this answer ({type(error).__name__})."
    if problem:
        return False, f"Not yet: {problem}{help_line}"
    return True, f"Right: {known.praise}"


def check(exercise: str, answer: Any) -> None:
    """Print whether ``answer`` solves the exercise (``"03a"``), or what is off. Never raises."""
    print(verdict(exercise, answer)[1])


def hint(exercise: str) -> None:
    """Print the hint for an exercise. Never raises."""
    known = EXERCISES.get(exercise) if isinstance(exercise, str) else None
    print(known.hint if known else verdict(exercise, None)[1])
