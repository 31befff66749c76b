"""What is off in an answer to an exercise of lesson 5: a sentence, or ``None``."""

from __future__ import annotations

from typing import Any


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
