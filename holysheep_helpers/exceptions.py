"""The errors of the helpers. What the SDK raises stays the SDK's own."""

from __future__ import annotations

from typing import Any, ClassVar


class HolySheepError(Exception):
    """Anything that a helper refuses or can't do. The message ends with what to do about it.

    ``kind`` is what ``hs.diagnose`` takes it for: one of ``hs.errors_table()``'s.
    """

    kind: ClassVar[str] = "helper"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled with what it carries, for those who work in several processes."""
        return _unpickled, (type(self), self.args, vars(self))


class ConfigurationError(HolySheepError):
    """A key, an address or a setting can't be right. Nothing was sent."""

    kind = "configuration"


class InputError(HolySheepError, ValueError):
    """An argument can't be right. Nothing was sent."""

    kind = "input"


class UnknownPriceError(HolySheepError, LookupError):
    """No price was published for this model, so no cost can be stated."""

    kind = "unknown_price"


class UnexpectedReplyError(HolySheepError):
    """The server answered, with status 200, something that is no chat completion.

    ``page`` tells whether it was a page, or any other text, instead of JSON.
    """

    kind = "unexpected_reply"

    def __init__(self, message: str, *, page: bool = False) -> None:
        super().__init__(message)
        self.page = page


class IncompleteStreamError(HolySheepError):
    """A stream ended without a finish reason: what came is not the whole answer.

    ``partial_text`` is what arrived until then. It may have been paid for.
    """

    kind = "ended_early"

    def __init__(self, message: str, partial_text: str) -> None:
        super().__init__(message)
        self.partial_text = partial_text


class JournalError(HolySheepError):
    """A batch's journal is another kind of file, is in use, or can't be written."""


class NotAskedError(HolySheepError):
    """A prompt of a batch has no answer, because the batch stopped first; its cause says why."""

    kind = "not_asked"


class DeadlineError(HolySheepError, TimeoutError):
    """The total deadline of one prompt has passed, or the next wait would pass it.

    Its cause is what had gone wrong until then.
    """

    kind = "deadline"


class AllFailedError(HolySheepError):
    """No model of a failover answered; its cause is the last of their errors.

    ``tried`` says of each model what became of it (``fallback_turns.Tried``); ``errors`` are the
    exceptions alone, in the same order. A model that was left alone to recover has none.
    """

    kind = "all_failed"

    def __init__(self, message: str, tried: tuple[Any, ...]) -> None:
        super().__init__(message)
        self.tried = tried

    @property
    def errors(self) -> list[Exception]:
        return [one.error for one in self.tried if one.error is not None]

    @property
    def lost(self) -> int:
        """How many of its requests may have been billed all the same."""
        return sum(one.cost is None for one in self.tried)


def _unpickled(cls: type[HolySheepError], args: tuple[Any, ...], carried: dict[str, Any]) -> Any:
    error = cls.__new__(cls, *args)
    error.__dict__.update(carried)
    return error
