"""The exercises: ``check()`` says right or what is wrong, ``hint()`` helps. Neither ever raises.

Below these, by lesson: the check of each exercise with its praise and its hint. A check yields what
is wrong, the first fault first, and nothing for a right answer. Where it can't read the answer, it
fails: then the learner is told what the exercise wants.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from decimal import Decimal
from io import StringIO
from itertools import pairwise
from random import Random
from types import FunctionType
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai

from holysheep_helpers import catalog
from holysheep_helpers._checks import is_loopback, is_number, shown
from holysheep_helpers.catalog.splitting import count_tokens
from holysheep_helpers.costs.months import monthly_cost
from holysheep_helpers.costs.moves import break_even
from holysheep_helpers.lessons.tables import customer_messages
from holysheep_helpers.pricing.money import exactly, to_krw

Check = Callable[[Any], Iterator[str]]

Mistakes = list[tuple[Any, str]]
"""The result of each mistake that is often made, and what to say of it."""


@dataclass(frozen=True, slots=True)
class Exercise:
    """``problems`` gets the answer and yields what is wrong."""

    problems: Check
    praise: str
    hint: str
    wants: str
    """What to hand over, for an answer that is something else."""


EXERCISES: dict[str, Exercise] = {}
"""All of them, in the order of the lessons."""


def check(exercise: str, answer: Any) -> None:
    """Print whether your answer solves an exercise, or what is wrong. Never raises.

    Args:
        exercise: its number, as the lesson gives it: ``"03a"``.
        answer: what you found, as the exercise asks for it. ``None`` is no answer yet.

    Returns:
        Nothing: the verdict is printed.

    Example:
        >>> hs.check("04a", 24)
        Right: 20 per second × 1.2 s each: 24 requests are in flight at any moment.
    """
    print(verdict(exercise, answer)[1])


def hint(exercise: str) -> None:
    """Print the hint for an exercise. Never raises.

    Args:
        exercise: its number, as the lesson gives it: ``"03a"``.

    Returns:
        Nothing: the hint is printed.

    Example:
        >>> hs.hint("02c")
        A system prompt is plain text: ask there for Korean, and for one sentence.
    """
    known = EXERCISES.get(exercise) if isinstance(exercise, str) else None
    print(known.hint if known else verdict(exercise, None)[1])


def verdict(exercise: str, answer: Any) -> tuple[bool, str]:
    """Whether the answer is right, and the sentence to show. Never raises."""
    known = EXERCISES.get(exercise) if isinstance(exercise, str) else None
    if known is None:
        return False, f"There is no exercise {exercise!r}: there are {', '.join(EXERCISES)}."
    help_line = f"\nA hint: hs.hint({exercise!r})"
    if answer is None or answer is Ellipsis:
        return False, f"Not yet: the answer is still empty. Fill it in.{help_line}"
    try:
        with redirect_stdout(StringIO()):  # an answer that is a function may print as it likes
            problem = next(known.problems(answer), None)
    except Exception as error:  # noqa: BLE001 (an answer can be anything at all)
        if _raises(answer, error):
            name = type(error).__name__
            problem = f"your function raises {name}. Call it in a cell of its own to see the line."
        else:
            problem = known.wants or f"the check can't read this answer ({type(error).__name__})."
    if problem:
        return False, f"Not yet: {problem}{help_line}"
    return True, f"Right: {known.praise}"


def _raises(answer: Any, error: Exception) -> bool:
    """Whether the error came out of the learner's own function."""
    frames = traceback.walk_tb(error.__traceback__)
    return isinstance(answer, FunctionType) and any(
        frame.f_code is answer.__code__ for frame, _ in frames
    )


def _exercise(*, praise: str, hint: str, wants: str = "") -> Callable[[Check], Check]:
    """Make a function the check of an exercise; its name ends in the exercise's number."""

    def register(problems: Check) -> Check:
        number = problems.__name__.removeprefix("check_")
        EXERCISES[number] = Exercise(problems, praise, hint, wants)
        return problems

    return register


def _compared(
    answer: Any, right: Any, other: str, known: Mistakes, *, within: float = 0, near: float = 0
) -> Iterator[str]:
    """What is wrong with a number: one of the known mistakes, or something else.

    ``within`` is how far from the right one it may be, ``near`` how far from a mistake's: shares.
    """
    if not is_number(answer) and not isinstance(answer, Decimal):
        raise TypeError(answer)
    for result, problem in known:
        if abs(answer - result) <= near * result:
            yield problem
    if abs(answer - right) > within * right:
        yield other


# --- 01 Connect


@_exercise(
    wants="hand over what the server saw: hs.check('01a', drill.mock.entries()[seen:]).",
    praise="a client of your own, made with two arguments, got an answer from a Gemini model.",
    hint="mine = OpenAI(base_url=drill.base_url, api_key=drill.client().api_key). Then call "
    "mine.chat.completions.create(model=..., messages=[...]); Gemini's ids begin with gemini-.",
)
def check_01a(answer: Any) -> Iterator[str]:
    if not answer:
        yield (
            "the server saw no request with the key of drill. Make the client with the address "
            "and the key of drill, and call chat.completions.create() with it."
        )
    model, status = answer[-1]["model"], answer[-1]["status"]
    if status != 200:
        yield f"the server answered with status {status}. Choose an id of the list in Step 2."
    if "gemini" not in model:
        yield f"the last request was for the model {model}. Ask a Gemini model."


@_exercise(
    wants="hand over the client that OpenAI(...) gave you.",
    praise="address and key, and any code written for the OpenAI SDK talks to this gateway.",
    hint="The gateway knows its own address: base_url=gw.base_url.",
)
def check_01b(answer: Any) -> Iterator[str]:
    address = urlsplit(str(answer.base_url))
    host = str(address.hostname)
    if host != urlsplit(catalog.BASE_URL).hostname and not is_loopback(host):
        yield f"this client still talks to {host}. Change base_url to gw.base_url."
    if not address.path.rstrip("/").endswith("/v1"):
        yield "the address lacks its version, /v1, at the end."


# --- 02 Ask


WANTS_REPLY = "hand over the Reply that hs.ask() gave back."
WANTS_WON = "an amount in won is needed, as a Decimal."
FLOAT = "your answer is a float. Keep money as Decimal from the price to the screen."
IN_USD = "that is right in US dollars. Now in won."


CHAT = [
    {"role": "system", "content": "Answer in one sentence."},
    *(
        {"role": role, "content": f"{text} number {turn} of this long chat about a late parcel."}
        for turn in range(1, 5)
        for role, text in (("user", "The question"), ("assistant", "And here the answer"))
    ),
    {"role": "user", "content": "Where is my parcel now?"},
]


def _tokens(messages: Any) -> int:
    return sum(count_tokens(message["content"]).tokens for message in messages)


@_exercise(
    wants="hand over the function itself: hs.check('02a', fit). It must return a list of messages.",
    praise="the rules stay, the oldest turns go, and each request fits the limit.",
    hint="Put the system messages into one list and the others into a second one. While both "
    "together have too many tokens, or the second begins with an answer, delete its first message.",
)
def check_02a(answer: Any) -> Iterator[str]:
    system, others = CHAT[:1], CHAT[1:]
    for first in range(0, len(others), 2):
        right = system + others[first:]
        for limit in (_tokens(right), _tokens(right) + 3):
            given = [dict(message) for message in CHAT]
            kept = answer(given, limit)
            if not isinstance(kept, list):
                yield f"your function returns {shown(kept)}, and a list of messages is needed."
            if given != CHAT:
                yield "your function changes the list that it gets. Make a new list."
            if kept[:1] != system:
                yield "the system prompt is gone, and the model no longer knows its rules."
            if kept[-1:] != others[-1:]:
                yield "the newest question is gone. Remove messages from the start of the chat."
            if _tokens(kept) > limit:
                yield f"with limit={limit} your function keeps {_tokens(kept)} tokens."
            if kept[1]["role"] == "assistant":
                yield "the first message after the system prompt is an answer without its question."
            if kept != right:
                yield (
                    f"with limit={limit}, {len(right)} messages fit, and your function keeps "
                    f"{len(kept)}."
                )


@_exercise(
    wants=WANTS_WON,
    praise="the amount is exact to the last won, because no float was used.",
    hint="hs.catalog.published_price('mistral-small-2603') has input_usd_per_mtok and "
    "output_usd_per_mtok, both per million tokens; hs.to_krw(usd, rate) converts.",
)
def check_02b(answer: Any) -> Iterator[str]:
    if isinstance(answer, float):
        yield FLOAT
    price = catalog.published_price(catalog.DEFAULT_MODEL)
    assert price is not None
    per_call = 25 * price.input_usd_per_mtok + 100 * price.output_usd_per_mtok
    usd = 100_000 * per_call / 1_000_000
    right = to_krw(usd, catalog.published_rate())
    known = [(usd, IN_USD), (right / 100_000, "that is one call. There are 100,000 of them.")]
    other = f"{answer:,} won is not right. Price both directions, 25 tokens in and 100 out."
    yield from _compared(answer, right, other, known)


@_exercise(
    wants=WANTS_REPLY,
    praise="the system prompt decides language and length, whatever the user writes.",
    hint="A system prompt is plain text: ask there for Korean, and for one sentence.",
)
def check_02c(answer: Any) -> Iterator[str]:
    if not re.search("[가-힣]", answer.text):
        yield "the answer is not in Korean. Say so in the system prompt."
    sentences = [part for part in re.split(r"[.!?](?:\s|$)", answer.text) if part.strip()]
    if len(sentences) != 1:
        yield f"the answer is Korean, but it has {len(sentences)} sentences. Ask for one sentence."


# --- 03 Stream


WANTS_STREAM = "hand over the stream itself, what hs.stream() gave back."


@_exercise(
    wants=WANTS_STREAM,
    praise="read to the end, so the finish reason and the usage are there.",
    hint="A for loop over the stream, or answer.read(), reads it to its end.",
)
def check_03a(answer: Any) -> Iterator[str]:
    if not answer.timeline:
        yield "nothing was read from this stream. Iterate over it, to its end."
    if not answer.complete or answer.usage is None:
        yield "this stream was left early. Read it to its end, where the usage comes."


@_exercise(
    wants="hand over both: hs.check('03b', (stream, drill.mock.entries()[seen:])).",
    praise="ten pieces of text came, the connection closed, and the server stopped writing.",
    hint="Open it with `async with await hs.astream(drill, prompt) as stream:`. Count the "
    "pieces in `async for text in stream:`, leave the loop with break, and return the stream.",
)
def check_03b(answer: Any) -> Iterator[str]:
    stream, entries = answer
    if not entries:
        yield "the server saw no request. Ask drill with hs.astream, and read in a loop."
    if len(entries) > 1:
        yield f"the server saw {len(entries)} requests. One is enough."
    if not entries[0]["client_left"]:
        yield "the server wrote its answer to the end, and you pay for all of it. Leave the loop."
    if stream is None:
        yield "your function returns None. Return the stream after the loop."
    elif len(stream.timeline) != 10:
        yield f"{len(stream.timeline)} pieces of text were read. Leave after exactly 10."


@_exercise(
    wants="hand over both, and the speed as a number: hs.check('03c', (stream, speed)).",
    praise="decode speed counts tokens, and starts its clock at the first one.",
    hint="You need three values: stream.usage.completion_tokens, stream.timeline[-1][0] and "
    "stream.ttft_s.",
)
def check_03c(answer: Any) -> Iterator[str]:
    stream, speed = answer
    yield from check_03a(stream)
    tokens, whole_s = stream.usage.completion_tokens, stream.elapsed_s
    right = (tokens - 1) / (stream.timeline[-1][0] - stream.ttft_s)
    waits = "that divides by the whole time: the wait for the first token is not decoding."
    chunks = "those are chunks a second over the whole time. Count tokens, after the first."
    known = [(tokens / whole_s, waits), (stream.chunks / whole_s, chunks)]
    other = f"{speed:.1f} is not right. Use (tokens - 1) / (time of the last text - ttft_s)."
    yield from _compared(speed, right, other, known, within=0.03, near=0.005)


# --- 04 Batch


WANTS_BATCH = "hand over the BatchResult that hs.batch() or retry_failed() returned."


@_exercise(
    wants="a number is needed: how many requests must be in flight.",
    praise="20 per second × 1.2 s each: 24 requests are in flight at any moment.",
    hint="Little's law: L = λ × W. λ is the number of requests per second, W is in seconds.",
)
def check_04a(answer: Any) -> Iterator[str]:
    product = "Little's law multiplies the requests per second by the seconds of each request."
    other = f"{answer:g} is not it. L = λ × W: which rate, and which time?"
    known = [(20 / 1.2, product), (1 / (20 * 1.2), product)]
    yield from _compared(answer, 24, other, known, within=1e-4, near=0.05)


@_exercise(
    wants="hand over the function itself: hs.check('04b', parse_all). It must return two lists.",
    praise="every usable row is parsed, and every other row is kept for you to look at.",
    hint="Call json.loads(item.text) in a try block, and catch TypeError and ValueError. An item "
    "belongs in the first list if isinstance(row, dict) and item.finish_reason is not 'length'.",
)
def check_04b(answer: Any) -> Iterator[str]:
    good, cut = '{"topic": "return"}', '{"topic": "ret'
    items = [
        _Item(0, good),
        _Item(1, None, error=openai.OpenAIError("refused")),
        _Item(2, cut, "length"),
        _Item(3, "I am sorry."),
        _Item(4, '["return"]'),
        _Item(5, good, "length"),
        _Item(6, good),
    ]
    cases = {
        1: "an item with an error has no text. Put it into the second list",
        2: "JSON that was cut raises an exception. Put the item into the second list",
        3: "some text is not JSON and raises an exception. Put the item into the second list",
    }
    for number, what in cases.items():
        try:
            answer(items[: number + 1])
        except (TypeError, ValueError):
            yield f"{what}."
    rows, rest = answer(items)
    if len(rows) + len(rest) != len(items):
        lost = len(items) - len(rows) - len(rest)
        yield f"of {len(items)} items, {lost} are in neither list. You paid for each of them."
    if any(not isinstance(row, dict) for row in rows):
        yield "the first list must hold only JSON objects, and one of your rows is not a dict."
    if items[5] not in rest:
        yield "an answer with finish_reason 'length' was cut, even if its text is JSON."
    if len(rows) < 2:
        yield f"{len(rows)} answers are parsed, and two can be."


@dataclass(frozen=True, slots=True)
class _Item:
    """What 04b needs of a result's item."""

    index: int
    text: str | None
    finish_reason: str | None = "stop"
    error: Exception | None = None


@_exercise(
    wants=WANTS_BATCH,
    praise="the second run found every answer in the journal, and sent nothing.",
    hint="Give both calls the same journal=..., which is the name of a file.",
)
def check_04c(answer: Any) -> Iterator[str]:
    if answer.failed or not len(answer):
        yield "some prompts have no answer."
    if answer.restored < len(answer):
        yield f"the second run sent {answer.sent} requests again. A journal can remember them."


# --- 05 Latency


@_exercise(
    wants="hand over the LatencyRun that hs.measure_latency() returned.",
    praise="of 20 runs, one is expected above the p95. That is the smallest useful number.",
    hint="hs.measure_latency(drill, QUESTION, runs=..., max_tokens=5). A p95 needs 1 / (1 - 0.95) "
    "runs.",
)
def check_05a(answer: Any) -> Iterator[str]:
    runs, count = len(answer.runs), len(answer.failed)
    if count:
        yield f"{count} run{'s' * (count != 1)} failed and has no time. Measure again."
    if runs < 20:
        yield f"{runs} runs are too few for a p95: less than one of them is expected above it."


@_exercise(
    wants="hand over both: hs.check('05b', (stream, decode_speed)).",
    praise="the tokens after the first chunk, divided by the time in which they arrived.",
    hint="The first chunk arrived at stream.texts[0].at_s, the last one at stream.texts[-1].at_s. "
    "Between these moments arrived len(stream.texts) - 1 chunks.",
)
def check_05b(answer: Any) -> Iterator[str]:
    stream, decode_speed = answer
    if stream.failed or (stream.tokens_per_chunk or 0) < 2:
        yield "the chunks of this stream have one token each. Keep the lines above your function."
    if not stream.decode_tokens_per_s:
        yield "this computer was too busy to see the chunks one by one. Run the cell again."
    speed = decode_speed(stream)
    tokens, decoding_s = stream.output_tokens, stream.texts[-1].at_s - stream.texts[0].at_s
    if speed is None:
        yield "your function returns None. Return tokens per second."
    known = [
        (len(stream.texts) / stream.e2e_s, "those are chunks, divided by the whole time."),
        (len(stream.texts) / decoding_s, "those are chunks per second. Count tokens."),
        (tokens / stream.e2e_s, "that divides by the whole time. Leave out the first wait."),
        (
            tokens / decoding_s,
            "the tokens of the first chunk came before that time. Leave them out.",
        ),
        ((tokens - 1) / decoding_s, "the first chunk has several tokens. Leave all of them out."),
    ]
    other = "that is not it. Divide the tokens after the first chunk by the time to the last one."
    right = stream.decode_tokens_per_s
    yield from _compared(speed, right, other, known, within=0.02, near=0.005)


# --- 06 Load


@_exercise(
    wants="a number is needed: the seconds until a user has the answer.",
    praise="the server completes 16 per second, so 40 users wait 40 / 16 = 2.5 s each.",
    hint="Little's law: W = L / λ. L is the number of users. λ is the number of "
    "requests that 8 slots complete per second.",
)
def check_06a(answer: Any) -> Iterator[str]:
    known = [(0.5, "that is only the work. Most of the time, a request waits for a slot.")]
    other = f"{answer:g} is not it. How many requests does the server complete in a second?"
    yield from _compared(answer, 2.5, other, known, within=4e-4)


@_exercise(
    wants="hand over both: hs.check('06b', (mixed, share_in_time)).",
    praise="a run that failed was not in time, so it counts among all runs.",
    hint="Divide by len(run.runs). A failed run counts there, and it is never in time.",
)
def check_06b(answer: Any) -> Iterator[str]:
    run, share_in_time = answer
    if not run.failed or len(run.failed) == len(run):
        yield "some of these runs must fail, and some not. Keep the lines above your function."
    for limit_s in (3600.0, *(one.user_ttft_s for one in run.runs if not one.failed)):
        right, found = run.goodput(ttft_s=limit_s).share, share_in_time(run, limit_s)
        if not is_number(found) or not 0 <= found <= 1:
            yield f"for {limit_s:.4g} s, your function returns {found!r}, and not a share (0 to 1)."
        if abs(found - right) > 1e-9:
            yield f"for {limit_s:.4g} s, your function returns {found:.0%}. {right:.0%} is right."


# --- 07 Errors


SIX_KINDS = {"wrong_key", "rate_limit", "quota", "server_error", "unknown_model", "connect_timeout"}
PASSING = {"rate_limit", "server_error", "connect_timeout"}


@_exercise(
    wants="a list of kinds is needed, for example ['rate_limit'].",
    praise="a limit, a failing server and a missing connection end by themselves. You must fix the "
    "other three.",
    hint="hs.errors_table() has a column for this: ask again.",
)
def check_07a(answer: Any) -> Iterator[str]:
    given = {answer} if isinstance(answer, str) else set(answer)
    if strange := sorted(given - SIX_KINDS):
        yield f"{strange[0]!r} is not one of the six kinds."
    if wrong := sorted(given - PASSING):
        yield f"{wrong[0]!r} does not end by itself. Asking again does not help."
    if len(given) < len(PASSING):
        yield f"{len(PASSING)} of the six end by themselves, and you have {len(given)} of them."


@_exercise(
    praise="your function reads the kind of the error, and the server's wait comes first.",
    hint="found = hs.diagnose(error) has found.retryable, and found.wait_s, which is None if the "
    "server did not say how long to wait.",
)
def check_07b(answer: Any) -> Iterator[str]:
    if not callable(answer):
        yield "hand over the function itself: hs.check('07b', again_in_s)."
    said = {"retry-after": "7"}
    limited: Any = answer(_error(openai.RateLimitError, 429, "rate_limit_exceeded", said))
    if answer(_error(openai.BadRequestError, 400)) is not None:
        yield "a 400 with 429 in its message is asked again. Do not read messages."
    if answer(_error(openai.RateLimitError, 429, "insufficient_quota")) is not None:
        yield "the credit is used up (insufficient_quota), and waiting does not help: return None."
    if answer(_error(openai.AuthenticationError, 401, "invalid_api_key")) is not None:
        yield "a wrong key stays wrong: return None."
    if not is_number(limited):
        yield "for a rate limit, return the number of seconds to wait."
    if not 7 <= limited <= 10:
        yield f"the server said Retry-After: 7, and your function waits {limited:g} s."
    later = answer(_error(openai.InternalServerError, 503))
    if not is_number(later) or not 0 < later <= 60:
        yield "a 503 without Retry-After can be asked again: return a short wait of your own."


def _error(
    kind: type[openai.APIStatusError], status: int, code: str | None = None, headers: Any = None
) -> openai.APIStatusError:
    request = httpx2.Request("POST", f"{catalog.BASE_URL}/chat/completions")
    response = httpx2.Response(status, headers=headers, request=request)
    body = {"code": code, "message": "x", "param": None, "type": "x"}
    said = "Invalid prompt: 'What is error 429?'" if status == 400 else f"Error code: {status}"
    return kind(said, response=response, body=body)


# --- 08 Retries


@_exercise(
    wants="hand over what the server saw: hs.check('08a', drill.mock.entries()).",
    praise="one place retries, so the server sees as many requests as you count.",
    hint="Make the client with drill.client(max_retries=0). In a for loop of three turns, leave "
    "with break if met(hs.ask, client, 'Say hello.') is None.",
)
def check_08a(answer: Any) -> Iterator[str]:
    count = len(answer)
    if not count:
        yield "the server saw no request."
    if any(entry["attempt"] for entry in answer):
        yield f"the server saw {count} requests, because the SDK also retries: max_retries=0."
    if count < 3:
        yield f"the server saw {count} request{'s' * (count != 1)}. Ask again after each error."
    if count > 3:
        yield f"the server saw {count} requests. Stop at the first answer."


DRAWS = 400
"""Waits that 08b draws for each attempt: the chance that a right one is refused is below 1e-18."""


@_exercise(
    wants="hand over the function itself: hs.check('08b', back_off). It must return seconds.",
    praise="the wait is random, and its limit doubles. No herd comes back.",
    hint="draw.uniform(0, 5.0) is a random number from 0 to 5.",
)
def check_08b(answer: Any) -> Iterator[str]:
    draw = Random(0)
    for attempt in range(1, 5):
        limit_s = 2.0 ** (attempt - 1)
        waits = [answer(attempt, draw) for _ in range(DRAWS)]
        if len(set(waits)) == 1:
            yield f"attempt {attempt} waits {waits[0]:g} s each time. The wait must be random."
        low, high = min(waits) / limit_s, max(waits) / limit_s
        if not (0 <= low < 0.1 and 0.9 < high <= 1):
            yield (
                f"attempt {attempt} waits from {min(waits):.1f} to {max(waits):.1f} s. From 0 to "
                f"{limit_s:g} s is right."
            )


# --- 09 Failover


@_exercise(
    wants="hand over both: hs.check('09a', (drill, my_failover)).",
    praise="the fallback answers when the model is the problem. All other errors are raised.",
    hint="hs.diagnose(error).other_model says whether another model can help. `raise` without a "
    "name raises the error again.",
)
def check_09a(answer: Any) -> Iterator[str]:
    drill, my_failover = answer
    cases = [([], 1), ([503], 2), (["rate_limit"], 2), ([401], 1), ([400], 1), (["quota"], 1)]
    for faults, count in cases:
        drill.mock.reset()
        drill.mock.script(faults)
        try:
            reply, error = my_failover(), None
        except openai.APIError as raised:
            reply, error = None, raised
        drill.mock.script([])
        what = f"after the error {faults[0]!r}" if faults else "without an error"
        seen = drill.mock.entries()
        if any(entry["attempt"] for entry in seen):
            yield f"{what}, the SDK also retries. Use the function ask, whose client has none."
        if len(seen) != count:
            right = f"{count} request{'s' * (count != 1)}"
            yield f"{what}, the server saw {len(seen)} requests, and {right} would be right."
        if faults and count == 1 and error is None:
            yield f"{what}, your function raises nothing. Raise the error."
        if (not faults or count == 2) and not hasattr(reply, "choices"):
            yield f"{what}, your function returns no answer. Return what ask returned."


@_exercise(
    wants="a number is needed: the number of requests.",
    praise="three requests open the circuit. Then there is a trial at 12, 22, 32, 42 and 52 s.",
    hint="The circuit opens with the third failure, at 2 s. When is the first trial, and the next?",
)
def check_09b(answer: Any) -> Iterator[str]:
    known = [
        (60, "that is the number without a breaker."),
        (3, "these open the circuit. Add the trials, one after each cool-down."),
        (5, "these are the trials. Add the requests that opened the circuit."),
        (9, "the last of these trials is after the minute. When is the first one?"),
    ]
    other = f"{answer:g} is not it. Three requests open the circuit, and each trial is one more."
    yield from _compared(answer, 8, other, known)


@_exercise(
    wants=WANTS_BATCH,
    praise="with a list of models, an outage of the first one is no error any more.",
    hint="hs.batch takes models=[...] instead of model=. Put the best model first.",
)
def check_09c(answer: Any) -> Iterator[str]:
    if len(answer) != 10:
        yield f"there are {len(answer)} results. Ask all ten prompts."
    if answer.failed:
        yield f"{len(answer.failed)} of 10 have an error. Which model could answer instead?"
    if not any(len({attempt.model for attempt in item.timeline}) > 1 for item in answer):
        yield "the first model was never asked. Ask it first, because it may be back."


# --- 10 Long prompts


@_exercise(
    wants="a number is needed: the characters in a token.",
    praise="you counted thirty messages. The published 1.5 is too low, and English has far more.",
    hint="hs.count_tokens(text).tokens counts one text; korean is a list of texts.",
)
def check_10a(answer: Any) -> Iterator[str]:
    if answer == 1.5:
        yield "1.5 is the published number. Count it."
    messages = customer_messages()
    korean, english = (
        sum(map(len, texts)) / sum(count_tokens(text).tokens for text in texts)
        for texts in (messages["text"][messages["language"] == name] for name in ("ko", "en"))
    )
    known = [
        (1 / korean, "those are tokens in a character. Divide the other way."),
        (english, "that is English. Take the Korean messages."),
    ]
    other = f"{answer:g} is not it. Divide all their characters by all their tokens."
    yield from _compared(answer, korean, other, known, within=0.05, near=0.05)


WHOLE, BORDER = 300, 120
"""Tokens that a part may have in 10b and 10c."""


@_exercise(
    wants="hand over both: hs.check('10b', (scan, parts)).",
    praise="no part is above the limit, and the joined parts are the whole text.",
    hint="hs.split_prompt(scan, max_tokens=...) does both.",
)
def check_10b(answer: Any) -> Iterator[str]:
    text, parts = answer
    if not isinstance(parts, list):
        raise TypeError(parts)
    if "".join(parts) != text:
        yield "the joined parts are not the text. Something was lost or added."
    sizes = [count_tokens(part).at_most for part in parts]
    if max(sizes, default=0) > WHOLE:
        yield f"the largest part has {max(sizes):,} tokens, and {WHOLE} are allowed."
    if max(map(len, text.split()), default=0) < 1000:
        yield "keep the text as it was, with its scan."


@_exercise(
    wants="hand over both: hs.check('10c', (log, windows)). It must return a list of texts.",
    praise="every two lines that follow each other are together in one of the parts.",
    hint="Collect lines in a list. If the next line makes it too long, join the list to a part, "
    "and begin the next list with its last line. hs.count_tokens(text).at_most counts.",
)
def check_10c(answer: Any) -> Iterator[str]:
    lines, windows = answer
    if len(lines) < 30:
        yield "keep the lines as they were."
    for limit in (BORDER, 2 * BORDER):
        parts = windows([*lines], limit)
        sizes = [count_tokens(part).at_most for part in parts]
        if max(sizes) > limit:
            yield f"with max_tokens={limit}, one of your parts has {max(sizes)} tokens."
        if any(line not in lines for part in parts for line in part.strip("\n").split("\n")):
            yield "one of your parts has a line that is cut or changed. Keep whole lines."
        apart = [pair for pair in pairwise(lines) if not any("\n".join(pair) in p for p in parts)]
        if apart:
            yield (
                f"with max_tokens={limit}, {len(apart)} pairs of lines are in no part together. "
                "Begin each part with the last line of the part before."
            )


# --- 11 Cost


@_exercise(
    wants="hand over both: hs.check('11a', (drill, support_prompt)). It must return messages.",
    praise="the start stays the same, so the second call reads most of its prompt from the cache.",
    hint="A list of two messages: the system message is RULES alone. The user message has the date "
    "and the question.",
)
def check_11a(answer: Any) -> Iterator[str]:
    drill, support_prompt = answer
    drill.mock.reset()  # an empty cache
    client, usage = drill.client(max_retries=0), None
    for question, date in (("Where is parcel 17?", "2026-12-01"), ("And 58?", "2026-12-02")):
        messages = support_prompt(question, date)
        if messages is None:
            yield "your function returns None. Return a list of messages."
            return
        whole = " ".join(message["content"] for message in messages)
        for what, needed in {"question": question, "date": date}.items():
            if needed not in whole:
                yield f"the {what} is in none of your messages."
        usage = client.chat.completions.create(
            model=BASELINE, messages=messages, max_tokens=5, temperature=0
        ).usage
    if usage.prompt_tokens < 1024:
        yield f"the prompt has {usage.prompt_tokens} tokens. Caching begins at 1,024: send RULES."
    cached = usage.prompt_tokens_details.cached_tokens
    if cached < usage.prompt_tokens - 200:
        yield (
            f"{cached} of {usage.prompt_tokens} tokens came from the cache. Put what changes from "
            "call to call at the end."
        )


TOKENS, INPUT_SHARE, BASELINE = 30_000_000, Decimal("0.8"), "gpt-4.1"
"""11b: a month of the move to the running example."""


@_exercise(
    wants=WANTS_WON,
    praise="the difference of two exact costs, times twelve, at a rate with a date.",
    hint="hs.monthly_cost(model, tokens, input_share='0.8').usd for both; hs.to_krw converts.",
)
def check_11b(answer: Any) -> Iterator[str]:
    if isinstance(answer, float):
        yield FLOAT

    def saving(share: Decimal) -> Decimal:
        models = (BASELINE, catalog.DEFAULT_MODEL)
        there, here = (monthly_cost(model, TOKENS, input_share=share).usd for model in models)
        with exactly():
            return there - here

    def year(month_usd: Decimal) -> Decimal:
        return to_krw(12 * month_usd, catalog.published_rate())

    published = next(s.usd for s in catalog.published_savings() if s.model == catalog.DEFAULT_MODEL)
    month = saving(INPUT_SHARE)
    known = [
        (12 * month, IN_USD),
        (year(month) / 12, "that is one month. A year has twelve."),
        (year(published), "that is the published saving, of 100M tokens at 50/50."),
        (year(published / 10), "that is for 10M tokens at 50/50. Here you have 30M at 80/20."),
        (year(saving(Decimal("0.5"))), "that is for 50/50. 80% of these tokens are input."),
        (year(saving(1 - INPUT_SHARE)), "80% are input, not output."),
    ]
    other = f"{answer:,} won is not right. Subtract the costs of the two models."
    yield from _compared(answer, year(month), other, known)


# --- 12 Return on investment


ONE_OFF_USD, SAVING_USD = 600, 90
"""12a: what the move costs once, and saves each month."""


@_exercise(
    wants="an amount in US dollars is needed.",
    praise="50 of the 90 USD must remain each month, and with 40 USD of cost they do.",
    hint="600 USD in 12 months: how much must remain each month?",
)
def check_12a(answer: Any) -> Iterator[str]:
    given, needed = Decimal(str(answer)), Decimal(ONE_OFF_USD) / 12
    if given == needed:
        yield "this much must remain each month. How much of the 90 USD is left for the cost?"
    if given >= SAVING_USD:
        yield "then nothing remains each month, and the move never pays back."
    if given < 0:
        yield "a cost is 0 or more."
    if given != SAVING_USD - needed:
        months = ONE_OFF_USD / (SAVING_USD - given)
        yield f"with {given:g} USD per month the move pays back after {months:.1f} months."


@_exercise(
    wants="hand over the function itself: hs.check('12b', months_until_paid).",
    praise="with growth the move pays back after 15 months instead of 22.",
    hint="Begin with left_usd = 1000. In a loop, subtract saving_usd - 5, count the month, and "
    "multiply saving_usd by 1 + growth.",
)
def check_12b(answer: Any) -> Iterator[str]:
    move: Any = {"one_off_usd": 1000, "monthly_running_usd": 5}
    for saving, growth in (("51", "0"), ("51", "0.05"), ("200", "0.1")):
        found = answer(Decimal(saving), Decimal(growth))
        what = f"for a saving of {saving} USD and a growth of {growth}, your function returns"
        if found is None:
            yield f"{what} None. Return the number of months."
        right, level, costless = (
            break_even(**{**move, **more}, monthly_saving_usd=saving, growth=rise).whole_months
            for rise, more in ((growth, {}), ("0", {}), (growth, {"monthly_running_usd": 0}))
        )
        known = [
            (level, f"{what} {found}. The saving must grow each month."),
            (costless, f"{what} {found}. Subtract the running cost of 5 USD."),
            ((right or 0) + 1, f"{what} {found}. The first month has no growth yet."),
        ]
        other = f"{what} {found}, and {right} is right."
        if found != right:
            yield from _compared(found, right, other, known)
