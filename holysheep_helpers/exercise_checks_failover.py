"""What is off in an answer to an exercise of lesson 7: a sentence, or ``None``."""

from __future__ import annotations

from typing import Any

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
