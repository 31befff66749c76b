"""The exercises: ``check()`` says right or what is off, ``hint()`` helps. Neither ever raises."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from io import StringIO
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai

from holysheep_helpers import catalog
from holysheep_helpers._checks import is_loopback
from holysheep_helpers.catalog import BASE_URL
from holysheep_helpers.catalog.tokens import count_tokens
from holysheep_helpers.costs.months import monthly_cost
from holysheep_helpers.lessons.tables import customer_messages
from holysheep_helpers.pricing.calls import to_krw
from holysheep_helpers.pricing.decimals import exactly, usd_text


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


CLAIMED_USD, CLAIMED_TOKENS, CLAIMED_MODEL = Decimal(60), 10_000_000, "claude-sonnet-4-5"
"""09a: a claim that only one mix can make true."""


TOKENS, INPUT_SHARE, BASELINE = 30_000_000, Decimal("0.8"), "gpt-4.1"
"""09b: a month of the move to the running example."""


ONE_OFF_USD, SAVING_USD = 600, 90
"""09c: what the move costs once, and saves each month."""


def input_share(answer: Any) -> str | None:
    given = _number(answer)
    if given is None:
        return "a share from 0 to 1 is needed."
    costs = [
        monthly_cost(CLAIMED_MODEL, CLAIMED_TOKENS, input_share=str(end)).usd for end in (0, 1)
    ]
    right = (costs[0] - CLAIMED_USD) / (costs[0] - costs[1])
    if given == right:
        return None
    if given == 1 - right:
        return "that is the output's share: more of it costs more. Turn it around."
    if given == 100 * right:
        return "as a share, from 0 to 1."
    if not 0 <= given <= 1:
        return f"{given:g} is no share: it goes from 0 to 1."
    usd = monthly_cost(CLAIMED_MODEL, CLAIMED_TOKENS, input_share=given).usd
    return f"at {given:.0%} input they cost {usd_text(usd)} USD."


def year_in_won(answer: Any) -> str | None:
    if isinstance(answer, float):
        return "a float has crept in: keep money Decimal from the price to the screen."
    if isinstance(answer, bool) or not isinstance(answer, Decimal | int):
        return "an amount in won is needed, as a Decimal."
    month, half = _saving(INPUT_SHARE), _saving(Decimal("0.5"))
    published = next(s.usd for s in catalog.published_savings() if s.model == catalog.DEFAULT_MODEL)
    rate = catalog.published_rate()
    right = to_krw(12 * month, rate)
    known = {
        12 * month: "that is right in US dollars. Now in won.",
        to_krw(month, rate): "that is one month. A year has twelve.",
        to_krw(12 * published, rate): "that is the published saving: of 100M tokens, at 50/50.",
        to_krw(
            12 * published / 10, rate
        ): "that is of 10M tokens, at 50/50. Here it is 30M, at 80/20.",
        to_krw(12 * half, rate): "that is at 50/50: 80% of these tokens are input.",
        to_krw(12 * _saving(1 - INPUT_SHARE), rate): "80% are input, not output.",
    }
    if answer == right:
        return None
    return known.get(
        Decimal(answer), f"{answer:,} won is not it. What do both models cost, and the difference?"
    )


def most_running(answer: Any) -> str | None:
    given = _number(answer)
    if given is None:
        return "an amount in US dollars is needed."
    needed = Decimal(ONE_OFF_USD) / 12
    if given == SAVING_USD - needed:
        return None
    if given == needed:
        return "that much has to be left over each month. What may be spent, then?"
    if given >= SAVING_USD:
        return "then nothing is left each month, and it never pays back."
    if given < 0:
        return "a cost is 0 or more."
    months = ONE_OFF_USD / (SAVING_USD - given)
    return f"with {given:g} USD a month it pays back after {months:.1f} months."


def _saving(share: Decimal) -> Decimal:
    there, here = (
        monthly_cost(model, TOKENS, input_share=share).usd
        for model in (BASELINE, catalog.DEFAULT_MODEL)
    )
    with exactly():
        return there - here


def _number(answer: Any) -> Decimal | None:
    """An exact number out of whatever is one; ``None`` for anything else."""
    if isinstance(answer, bool) or not isinstance(answer, Decimal | int | float | str):
        return None
    try:
        value = Decimal(str(answer))
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


CURABLE = {"rate_limit", "server_error", "connect_timeout"}


_ASKED = ("wrong_key", "rate_limit", "quota", "server_error", "unknown_model", "connect_timeout")


def curable(answer: Any) -> str | None:
    if not isinstance(answer, list | tuple | set) or not all(isinstance(a, str) for a in answer):
        return "a list of kinds is needed, ['rate_limit'] say."
    given = set(answer)
    if strange := sorted(given - set(_ASKED)):
        return f"{strange[0]!r} is none of the six."
    if wrong := sorted(given - CURABLE):
        return f"{wrong[0]!r} stays as it is, however often you ask."
    if len(given) < len(CURABLE):
        return f"{len(CURABLE)} of the six can pass by themselves; you have {len(given)} of them."
    return None


def asked_three_times(answer: Any) -> str | None:
    if not isinstance(answer, list) or not all(isinstance(a, dict) for a in answer):
        return "hand over what the mock saw: hs.check('06b', drill.mock.entries())."
    if not all("attempt" in entry for entry in answer):
        return "those are no entries of the mock's journal."
    if any(entry["attempt"] for entry in answer):
        return f"the server saw {len(answer)} requests: the SDK retries inside your loop."
    if len(answer) != 3:
        return f"the server saw {len(answer)} requests: the loop is to ask three times."
    return None


def _error(status: int, code: str | None = None, **headers: str) -> openai.APIStatusError:
    kinds = {
        400: openai.BadRequestError,
        401: openai.AuthenticationError,
        429: openai.RateLimitError,
    }
    request = httpx2.Request("POST", f"{BASE_URL}/chat/completions")
    response = httpx2.Response(status, headers=headers, request=request)
    body = {"code": code, "message": "x", "param": None, "type": "x"}
    said = "Invalid prompt: 'What is error 429?'" if status == 400 else f"Error code: {status}"
    kind = kinds.get(status, openai.InternalServerError)
    return kind(said, response=response, body=body)


def waits_rightly(answer: Any) -> str | None:
    if not callable(answer):
        return "hand over the function itself: hs.check('06c', again_in_s)."
    with redirect_stdout(StringIO()):  # it may print as it likes
        return _asked(answer)


def _asked(answer: Callable[[Exception], Any]) -> str | None:
    limited = answer(_error(429, "rate_limit_exceeded", **{"retry-after": "7"}))
    if answer(_error(400)) is not None:
        return "a 400 that quotes a prompt with 429 in it is asked again. Don't read messages."
    if answer(_error(429, "insufficient_quota")) is not None:
        return "with the credit used up (insufficient_quota) no waiting helps: None."
    if answer(_error(401, "invalid_api_key")) is not None:
        return "a wrong key stays wrong, however long you wait: None."
    if isinstance(limited, bool) or not isinstance(limited, int | float):
        return "for a rate limit a number is needed: seconds to wait."
    if not 7 <= limited <= 10:
        return f"the server said Retry-After: 7, and your function waits {limited:g} s."
    later = answer(_error(503))
    if isinstance(later, bool) or not isinstance(later, int | float) or not 0 < later <= 60:
        return "a 503 without Retry-After can be asked again: after a short wait of your own."
    return None


WORTH_ANOTHER = {404, 408, 429, 500, 503}


OF_THE_REQUEST = {
    400: "a 400 says that the request is wrong: it stays wrong for every model.",
    401: "a 401 is about the key: it is the same for every model.",
}


def worth_another(answer: Any) -> str | None:
    if not isinstance(answer, set | frozenset | list | tuple):
        return "a set of statuses is needed, {503} say."
    given = set(answer)
    for status, problem in OF_THE_REQUEST.items():
        if status in given:
            return problem
    if 404 not in given:
        return "one is missing: a model that is gone answers nobody, another one may."
    if given - WORTH_ANOTHER:
        return "there is one among them that was not in the set."
    if given != WORTH_ANOTHER:
        return f"{len(WORTH_ANOTHER)} of the seven belong there; you have {len(given)} of them."
    return None


def spared(answer: Any) -> str | None:
    if isinstance(answer, bool) or not isinstance(answer, int | float):
        return "a number is needed: of requests."
    known: dict[float, str] = {
        60: "that is without a breaker: a request for each call.",
        3: "those open it. And the trials, one after each cool-down?",
        5: "those are the trials. And what opened it before?",
        9: "the last trial would come after the outage. When do the others come?",
    }
    if answer == 8:
        return None
    return known.get(answer, f"{answer:g} is not it: three open it, and then one for each trial.")


def answered_by_another(answer: Any) -> str | None:
    if not hasattr(answer, "texts"):
        return "hand over the BatchResult that hs.batch() gave back."
    if len(answer) != 10:
        return f"{len(answer)} results came: ask all ten."
    if answer.failed:
        return f"{len(answer.failed)} of 10 have an error. Which model could answer instead?"
    if not any(len({attempt.model for attempt in item.timeline}) > 1 for item in answer):
        return "all ten answered, and the first model never asked. Ask it first: it may be back."
    return None


def has_p95(answer: Any) -> str | None:
    if not hasattr(answer, "warmups"):
        return "hand over the LatencyRun that hs.measure_latency() gave back."
    if answer.failed:
        count = len(answer.failed)
        return f"{count} run{'s' * (count != 1)} failed, and has no time: measure again."
    if len(answer) < 20:
        return f"{len(answer)} runs carry no p95: of so few, none is expected beyond it."
    return None


def queued(answer: Any) -> str | None:
    if isinstance(answer, bool) or not isinstance(answer, int | float):
        return "a number is needed: seconds until a user has the answer."
    if answer == 0.5:
        return "that is the work alone. Most of the time a request waits for a slot."
    if not abs(answer - 2.5) <= 0.001:  # nan is none, either
        return f"{answer:g} is not it. How many are done in a second, and how many wait for that?"
    return None


def bundled_speed(answer: Any) -> str | None:
    if not isinstance(answer, tuple) or len(answer) != 2 or not hasattr(answer[0], "texts"):
        return "hand over both: hs.check('05c', (stream, speed))."
    stream, speed = answer
    if isinstance(speed, bool) or not isinstance(speed, int | float):
        return "the speed is a number, in tokens a second."
    if stream.failed or (stream.tokens_per_chunk or 0) < 2:
        return "the chunks of this stream bundle nothing: keep the lines above as they were."
    if not stream.decode_tokens_per_s:
        return "too few moments were seen, as on a busy computer: run the cell again."
    tokens, decoding_s = stream.output_tokens, stream.texts[-1].at_s - stream.texts[0].at_s
    wrong = {
        "those are chunks, and over the whole time.": len(stream.texts) / stream.e2e_s,
        "those are chunks.": len(stream.texts) / decoding_s,
        "that divides by the whole time: take the wait for the first out.": tokens / stream.e2e_s,
        "the first chunk's own tokens came before that time began: take them off.": (
            tokens / decoding_s
        ),
        "the first chunk carries more than one token: take all of them off.": (
            (tokens - 1) / decoding_s
        ),
    }
    for problem, value in wrong.items():
        if abs(speed - value) < 0.005 * value:
            return problem
    if abs(speed / stream.decode_tokens_per_s - 1) > 0.02:
        return (
            "that is not it: the tokens after the first chunk, over the time from it to the last."
        )
    return None


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


@dataclass(frozen=True, slots=True)
class Exercise:
    """``problem`` gets the answer and says what is off, or ``None`` if the answer is right."""

    problem: Callable[[Any], str | None]
    praise: str
    hint: str


EXERCISES: dict[str, Exercise] = {
    "01a": Exercise(
        other_family,
        "one id changed, another vendor's family answered, with the same key.",
        "hs.catalog.models() lists the ids; Gemini's begin with gemini-. Change MODEL alone.",
    ),
    "01b": Exercise(
        two_lines,
        "address and key, and any code written for the OpenAI SDK talks to this gateway.",
        "The gateway knows its own address: base_url=gw.base_url.",
    ),
    "02a": Exercise(
        not_cut,
        "the server finished by itself: finish_reason is 'stop'.",
        "The whole list needs a little over 100 tokens. What happens at max_tokens=300?",
    ),
    "02b": Exercise(
        monthly_won,
        "exact to the last won, because no float was near it.",
        "hs.catalog.published_price('mistral-small-2603') has input_usd_per_mtok and "
        "output_usd_per_mtok, both per million tokens; hs.to_krw(usd, rate) converts.",
    ),
    "02c": Exercise(
        korean_sentence,
        "the system prompt decides language and length, whatever the user writes.",
        "A system prompt is plain text: ask there for Korean, and for one sentence.",
    ),
    "03a": Exercise(
        whole_stream,
        "read to the end, so the finish reason and the usage are there.",
        "A for loop over the stream, or answer.read(), reads it to its end.",
    ),
    "03b": Exercise(
        left_early,
        "ten pieces of text, and the connection is closed: the server could stop.",
        "enumerate(stream, start=1) counts the pieces; break leaves the loop.",
    ),
    "03c": Exercise(
        decode_speed,
        "decode speed counts tokens, and starts its clock at the first one.",
        "All it takes: stream.usage.completion_tokens, stream.timeline[-1][0], stream.ttft_s.",
    ),
    "04a": Exercise(
        concurrency,
        "20 a second × 1.2 s each: 24 under way at any moment.",
        "Little's law: L = λ × W. λ is in requests a second, W in seconds.",
    ),
    "04b": Exercise(
        none_failed,
        "all 12 answered, in order, and only the failed ones were asked again.",
        "A BatchResult has a method for this: await result.retry_failed().",
    ),
    "04c": Exercise(
        paid_once,
        "the second run found every answer in the journal, and sent nothing.",
        "Give both calls the same journal=... : a file's name.",
    ),
    "05a": Exercise(
        has_p95,
        "of 20 runs one is expected beyond the p95. That is the least, not plenty.",
        "A p95 needs 1 / (1 - 0.95) runs.",
    ),
    "05b": Exercise(
        queued,
        "16 a second are done, 40 are under way: 40 / 16 = 2.5 s, and 2 of them are waiting.",
        "Little's law: W = L / λ. L are the users; λ is what 8 slots do in a second.",
    ),
    "05c": Exercise(
        bundled_speed,
        "tokens by usage, those after the first chunk, and only the time in which they came.",
        "The first chunk's moment is stream.texts[0].at_s, the last one's stream.texts[-1].at_s. "
        "In between came len(stream.texts) - 1 chunks.",
    ),
    "06a": Exercise(
        curable,
        "a limit, a failing server, nobody there for a moment: they pass; the others need you.",
        "hs.errors_table() has a column for it: ask again.",
    ),
    "06b": Exercise(
        asked_three_times,
        "one place retries, and the server sees what you count.",
        "gw.client() takes max_retries: how often the SDK asks again by itself.",
    ),
    "06c": Exercise(
        waits_rightly,
        "by kind, and the server's own word on the wait comes first.",
        "found = hs.diagnose(error) has found.retryable and found.wait_s (None if nobody said).",
    ),
    "07a": Exercise(
        worth_another,
        "a model that is gone, busy, slow or broken has neighbours that are not.",
        "Ask of each: is it the model that is the trouble, or the key and the request?",
    ),
    "07b": Exercise(
        spared,
        "three open the circuit, then one trial after each cool-down: 12, 22, 32, 42, 52 s.",
        "It opens with the third failure, at 2 s. When is the first trial? And the next one?",
    ),
    "07c": Exercise(
        answered_by_another,
        "one list of models, and an outage of the first is nobody's error any more.",
        "hs.batch takes models=[...] in the place of model=: the best one first.",
    ),
    "08a": Exercise(
        characters_per_token,
        "measured on thirty messages: not the published 1.5, and far from English.",
        "hs.count_tokens(text).tokens counts one text; korean is a list of texts.",
    ),
    "08b": Exercise(
        nothing_over,
        "no part is over the limit, and joined they are the text, base64 and all.",
        "hs.split_prompt(scan, max_tokens=...) does both.",
    ),
    "08c": Exercise(
        borders_kept,
        "whatever stands on two lines that follow each other is whole in one of the parts.",
        "A part must repeat one whole line, which has a little more than 20 tokens: overlap=...",
    ),
    "09a": Exercise(
        input_share,
        "three quarters input: 7.5M at 3 USD and 2.5M at 15 USD are 60 USD.",
        "hs.audit_claim(...) without an input_share tries every mix: look at .explains[0].",
    ),
    "09b": Exercise(
        year_in_won,
        "the difference of two exact costs, twelve times, at a rate that has a day.",
        "hs.monthly_cost(model, tokens, input_share='0.8').usd for both; hs.to_krw converts.",
    ),
    "09c": Exercise(
        most_running,
        "50 of the 90 USD have to be left over each month, and then just are.",
        "600 USD in 12 months: how much has to be left over each month?",
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
