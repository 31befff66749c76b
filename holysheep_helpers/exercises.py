"""The exercises: ``check()`` says right or what is off, ``hint()`` helps. Neither ever raises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from holysheep_helpers import exercise_checks as checks
from holysheep_helpers import exercise_checks_cost as cost
from holysheep_helpers import exercise_checks_errors as errors
from holysheep_helpers import exercise_checks_failover as failover
from holysheep_helpers import exercise_checks_latency as latency
from holysheep_helpers import exercise_checks_long as long


@dataclass(frozen=True, slots=True)
class Exercise:
    """``problem`` gets the answer and says what is off, or ``None`` if the answer is right."""

    problem: Callable[[Any], str | None]
    praise: str
    hint: str


EXERCISES: dict[str, Exercise] = {
    "01a": Exercise(
        checks.other_family,
        "one id changed, another vendor's family answered, with the same key.",
        "hs.catalog.models() lists the ids; Gemini's begin with gemini-. Change MODEL alone.",
    ),
    "01b": Exercise(
        checks.two_lines,
        "address and key, and any code written for the OpenAI SDK talks to this gateway.",
        "The gateway knows its own address: base_url=gw.base_url.",
    ),
    "02a": Exercise(
        checks.not_cut,
        "the server finished by itself: finish_reason is 'stop'.",
        "The whole list needs a little over 100 tokens. What happens at max_tokens=300?",
    ),
    "02b": Exercise(
        checks.monthly_won,
        "exact to the last won, because no float was near it.",
        "hs.catalog.published_price('mistral-small-2603') has input_usd_per_mtok and "
        "output_usd_per_mtok, both per million tokens; hs.to_krw(usd, rate) converts.",
    ),
    "02c": Exercise(
        checks.korean_sentence,
        "the system prompt decides language and length, whatever the user writes.",
        "A system prompt is plain text: ask there for Korean, and for one sentence.",
    ),
    "03a": Exercise(
        checks.whole_stream,
        "read to the end, so the finish reason and the usage are there.",
        "A for loop over the stream, or answer.read(), reads it to its end.",
    ),
    "03b": Exercise(
        checks.left_early,
        "ten pieces of text, and the connection is closed: the server could stop.",
        "enumerate(stream, start=1) counts the pieces; break leaves the loop.",
    ),
    "03c": Exercise(
        checks.decode_speed,
        "decode speed counts tokens, and starts its clock at the first one.",
        "All it takes: stream.usage.completion_tokens, stream.timeline[-1][0], stream.ttft_s.",
    ),
    "04a": Exercise(
        checks.concurrency,
        "20 a second × 1.2 s each: 24 under way at any moment.",
        "Little's law: L = λ × W. λ is in requests a second, W in seconds.",
    ),
    "04b": Exercise(
        checks.none_failed,
        "all 12 answered, in order, and only the failed ones were asked again.",
        "A BatchResult has a method for this: await result.retry_failed().",
    ),
    "04c": Exercise(
        checks.paid_once,
        "the second run found every answer in the journal, and sent nothing.",
        "Give both calls the same journal=... : a file's name.",
    ),
    "05a": Exercise(
        latency.has_p95,
        "of 20 runs one is expected beyond the p95. That is the least, not plenty.",
        "A p95 needs 1 / (1 - 0.95) runs.",
    ),
    "05b": Exercise(
        latency.queued,
        "16 a second are done, 40 are under way: 40 / 16 = 2.5 s, and 2 of them are waiting.",
        "Little's law: W = L / λ. L are the users; λ is what 8 slots do in a second.",
    ),
    "05c": Exercise(
        latency.bundled_speed,
        "tokens by usage, those after the first chunk, and only the time in which they came.",
        "The first chunk's moment is stream.texts[0].at_s, the last one's stream.texts[-1].at_s. "
        "In between came len(stream.texts) - 1 chunks.",
    ),
    "06a": Exercise(
        errors.curable,
        "a limit, a failing server, nobody there for a moment: they pass; the others need you.",
        "hs.errors_table() has a column for it: ask again.",
    ),
    "06b": Exercise(
        errors.asked_three_times,
        "one place retries, and the server sees what you count.",
        "gw.client() takes max_retries: how often the SDK asks again by itself.",
    ),
    "06c": Exercise(
        errors.waits_rightly,
        "by kind, and the server's own word on the wait comes first.",
        "found = hs.diagnose(error) has found.retryable and found.wait_s (None if nobody said).",
    ),
    "07a": Exercise(
        failover.worth_another,
        "a model that is gone, busy, slow or broken has neighbours that are not.",
        "Ask of each: is it the model that is the trouble, or the key and the request?",
    ),
    "07b": Exercise(
        failover.spared,
        "three open the circuit, then one trial after each cool-down: 12, 22, 32, 42, 52 s.",
        "It opens with the third failure, at 2 s. When is the first trial? And the next one?",
    ),
    "07c": Exercise(
        failover.answered_by_another,
        "one list of models, and an outage of the first is nobody's error any more.",
        "hs.batch takes models=[...] in the place of model=: the best one first.",
    ),
    "08a": Exercise(
        long.characters_per_token,
        "measured on thirty messages: not the published 1.5, and far from English.",
        "hs.count_tokens(text).tokens counts one text; korean is a list of texts.",
    ),
    "08b": Exercise(
        long.nothing_over,
        "no part is over the limit, and joined they are the text, base64 and all.",
        "hs.split_prompt(scan, max_tokens=...) does both.",
    ),
    "08c": Exercise(
        long.borders_kept,
        "whatever stands on two lines that follow each other is whole in one of the parts.",
        "A part must repeat one whole line, which has a little more than 20 tokens: overlap=...",
    ),
    "09a": Exercise(
        cost.input_share,
        "three quarters input: 7.5M at 3 USD and 2.5M at 15 USD are 60 USD.",
        "hs.audit_claim(...) without an input_share tries every mix: look at .explains[0].",
    ),
    "09b": Exercise(
        cost.year_in_won,
        "the difference of two exact costs, twelve times, at a rate that has a day.",
        "hs.monthly_cost(model, tokens, input_share='0.8').usd for both; hs.to_krw converts.",
    ),
    "09c": Exercise(
        cost.most_running,
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
