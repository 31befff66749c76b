"""An exercise checked as a learner checks it."""

from __future__ import annotations

from typing import Any

from holysheep_helpers.lessons.exercises import verdict


def judge(exercise: str, answer: Any, *, right: bool, says: str) -> None:
    assert verdict(exercise, answer)[0] is right
    assert says in verdict(exercise, answer)[1]
