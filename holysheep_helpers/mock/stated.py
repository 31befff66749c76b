"""Times that someone states: a known truth, to test a measuring tool against."""

from __future__ import annotations

from dataclasses import dataclass

from holysheep_helpers.exceptions import InputError

MOST_S = 3600


@dataclass(frozen=True, slots=True)
class Stated:
    """Times that are stated for every model and reply, in seconds; ``None`` leaves one drawn.

    A stated time is exact: there is no draw, and no time scale, no long prompt and no new
    connection changes it. Raises ``InputError`` for what is no time from 0 to 3600.
    """

    ttft_s: float | None = None
    itl_s: float | None = None

    def __post_init__(self) -> None:
        for name, given in (("ttft_s", self.ttft_s), ("itl_s", self.itl_s)):
            if given is None:
                continue
            number = isinstance(given, int | float) and not isinstance(given, bool)
            if not number or not 0 <= given <= MOST_S:
                raise InputError(
                    f"{name} is {given!r}: seconds from 0 to {MOST_S} are needed, or None "
                    "for the model's own times."
                )

    @property
    def whole(self) -> bool:
        """Whether nothing is left to be drawn."""
        return self.ttft_s is not None and self.itl_s is not None

    def over(self, drawn: list[float]) -> list[float]:
        """The drawn moments with the stated times in their places."""
        if self.ttft_s is None and self.itl_s is None:
            return drawn
        first_s = drawn[0] if self.ttft_s is None else self.ttft_s
        if self.itl_s is None:
            return [at_s - drawn[0] + first_s for at_s in drawn]
        return [first_s + nth * self.itl_s for nth in range(len(drawn))]


AS_DRAWN = Stated()
"""Nothing is stated."""
