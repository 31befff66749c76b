"""What is off in an answer to an exercise of lessons 1 to 4: a sentence, or ``None``."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from holysheep_helpers import catalog
from holysheep_helpers._checks import is_loopback


def other_family(answer: Any) -> str | None:
    model = getattr(answer, "model", None)
    if model is None:
        return "hand over the reply itself, what client.chat.completions.create() gave back."
    if "gemini" not in str(model).lower():  # a server may add a vendor before it, or a date
        return f"this reply came from {model}. Change the model id to a Gemini one."
    return None


def two_lines(answer: Any) -> str | None:
    address = urlsplit(str(getattr(answer, "base_url", "")))
    if not address.hostname:
        return "hand over the client that OpenAI(...) gave you."
    real = urlsplit(catalog.BASE_URL).hostname
    if address.hostname != real and not is_loopback(address.hostname):
        return f"this client still talks to {address.hostname}. Change base_url to gw.base_url."
    if not address.path.rstrip("/").endswith("/v1"):
        return "the address lacks its version, /v1, at the end."
    return None


def not_cut(answer: Any) -> str | None:
    reason = getattr(answer, "finish_reason", None)
    if reason is None:
        return "hand over the Reply that hs.ask() gave back."
    if reason == "length":
        used = answer.usage.completion_tokens
        return f"the answer was cut after {used} tokens. Give max_tokens more room."
    if "3" not in answer.text:
        return "that is not the list of three things: keep the prompt as it was."
    return None


def monthly_won(answer: Any) -> str | None:
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


def korean_sentence(answer: Any) -> str | None:
    text = getattr(answer, "text", None)
    if not isinstance(text, str):
        return "hand over the Reply that hs.ask() gave back."
    if not re.search("[가-힣]", text):
        return "the answer is not in Korean. Say so in the system prompt."
    sentences = [part for part in re.split(r"[.!?](?:\s|$)", text) if part.strip()]
    if len(sentences) != 1:
        return f"Korean it is, but {len(sentences)} sentences long. Ask for one sentence."
    return None


def whole_stream(answer: Any) -> str | None:
    if not hasattr(answer, "timeline"):
        return "hand over the stream itself, what hs.stream() gave back."
    if not answer.timeline:
        return "nothing was read from this stream. Iterate over it, to its end."
    if not answer.complete or answer.usage is None:
        return "this stream was left early. Read it to its end, where the usage comes."
    return None


def left_early(answer: Any) -> str | None:
    if not hasattr(answer, "timeline"):
        return "hand over the stream itself, what hs.stream() gave back."
    if not answer.timeline:
        return "nothing was read from this stream. Start to read, then leave."
    if answer.complete:
        return "this stream was read to its end. Leave the loop with break once you have enough."
    if len(answer.timeline) != 10:
        return f"{len(answer.timeline)} pieces of text were read. Leave after exactly 10."
    return None


def decode_speed(answer: Any) -> str | None:
    if not isinstance(answer, tuple) or len(answer) != 2:
        return "hand over both: hs.check('03c', (stream, speed))."
    stream, speed = answer
    problem = whole_stream(stream)
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


def concurrency(answer: Any) -> str | None:
    if isinstance(answer, bool) or not isinstance(answer, int | float):
        return "a number is needed: how many requests must be under way at once."
    if abs(answer * 20 * 1.2 - 1) < 0.1 or abs(answer * 1.2 - 20) < 0.1:
        return "Little's law multiplies: requests a second times the seconds that each takes."
    if not abs(answer - 24) <= 0.001:  # nan is none, either
        return f"{answer:g} is not it. L = rate × time: which rate, and which time?"
    return None


def none_failed(answer: Any) -> str | None:
    if not hasattr(answer, "failed"):
        return "hand over the BatchResult that hs.batch() or retry_failed() gave back."
    if len(answer) != 12:
        return f"{len(answer)} results came, of 12 prompts. Keep those that were answered."
    if answer.failed:
        return f"{len(answer.failed)} of 12 still have an error. Ask those again."
    return None


def paid_once(answer: Any) -> str | None:
    if not hasattr(answer, "restored"):
        return "hand over the BatchResult that hs.batch() gave back."
    if answer.failed or not len(answer):
        return "some prompts have no answer."
    if answer.restored < len(answer):
        return f"the second run sent {answer.sent} requests again. What would have remembered them?"
    return None
