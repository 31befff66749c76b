"""The errors of the helpers, and how they look in a notebook. What the SDK raises stays its own."""

from __future__ import annotations

import linecache
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from textwrap import shorten
from traceback import walk_tb
from typing import Any, ClassVar, TypeVar

Raised = TypeVar("Raised", bound=BaseException)


_collected: ContextVar[list[str] | None] = ContextVar("collected", default=None)


LETTERS = 600
"""What is shown of a message in one line; a server's page in an error would fill the screen."""


def brief(error: Raised) -> Raised:
    """The same error of the SDK, raised by a helper: short in a notebook, as the helpers' own."""
    vars(error)["_render_traceback_"] = partial(in_a_notebook, error)
    return error


def in_a_notebook(error: BaseException) -> list[str]:
    """The lines that IPython shows for an error whose ``_render_traceback_`` this is.

    They are few where a cell has just failed. ``%tb`` asks when the error is no longer being
    handled, and gets the whole traceback, as does another ``%xmode`` than the default one.
    """
    from IPython.core.getipython import get_ipython

    shell: Any = get_ipython()
    look = shell.InteractiveTB
    steps, own = walk_tb(error.__traceback__), shell.user_global_ns
    learners = [(step.f_code.co_filename, line) for step, line in steps if step.f_globals is own]
    if sys.exception() is not error or look.mode != "Context" or not learners:
        return look.structured_traceback(type(error), error, error.__traceback__)
    lines: list[str] = []
    for file, line in dict.fromkeys((learners[0], learners[-1])):  # the cell, its function
        kind, name = shell.compile.format_code_name(file) or ("File", file)
        lines.append(f"{kind} {name}, line {line}")
        lines.append(f"----> {line} {linecache.getline(file, line).strip()}")
    said = [_titled(error), *getattr(error, "__notes__", ())]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        said.append(f"Cause: {_titled(cause)}")
    lines.extend(shorten(one, LETTERS, placeholder=" …") for one in said)
    return [*lines, "%tb shows the whole traceback."]


def _titled(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


class HolySheepError(Exception):
    """Any error of a helper; the message ends with what to do about it.

    Attributes:
        kind: the kind of error that ``hs.diagnose()`` takes it for, a row of ``hs.errors_table()``.
    """

    kind: ClassVar[str] = "helper"

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Pickled with what it carries, for those who work in several processes."""
        return Portable(self).__reduce__()

    def _render_traceback_(self) -> list[str]:
        return in_a_notebook(self)


class Portable:
    """An error as it is pickled: read back it is itself again, without the request and its key.

    The SDK's errors can't be read back by themselves. Of a transport's error its words are kept.
    """

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __reduce__(self) -> str | tuple[Any, ...]:
        error, cls, state = self.error, type(self.error), dict(vars(self.error))
        root = cls.__module__.partition(".")[0]
        if root in sys.stdlib_module_names:
            return error.__reduce_ex__(4)
        if root != "openai" and not isinstance(error, HolySheepError):
            words = HolySheepError(f"{cls.__name__}: {error}")
            vars(words).update({name: state[name] for name in _OF_ANY if name in state})
            return Portable(words).__reduce__()
        request, response = state.pop("request", None), state.pop("response", None)
        state.pop("_render_traceback_", None)
        asked = request and (request.method, str(request.url.copy_with(userinfo=b"", query=None)))
        cause = error.__cause__ and Portable(error.__cause__)
        status = response and response.status_code
        return _read_back, (cls, error.args, state, cause, asked, status)


_OF_ANY = ("__notes__", "_diagnosis")
"""What any error may have: notes, and the result of ``hs.diagnose``."""


def _read_back(
    cls: type[BaseException], args: Any, state: Any, cause: Any, asked: Any, status: int | None
) -> BaseException:
    error = cls.__new__(cls, *args)
    vars(error).update(state)
    error.__cause__ = cause
    if asked is not None:
        import httpx2

        vars(error)["request"] = sent = httpx2.Request(*asked)
        if status is not None:
            vars(error)["response"] = httpx2.Response(status, request=sent)
    return error


class ConfigurationError(HolySheepError):
    """A key, an address or a setting can't be right; nothing was sent.

    Correct the setting that the message names.
    """

    kind = "configuration"


class InputError(HolySheepError, ValueError):
    """An argument can't be right; nothing was sent.

    The message says what was given and what is allowed.
    """

    kind = "input"


class UnknownPriceError(HolySheepError, LookupError):
    """No price was published for this model, so no cost can be stated.

    Use a model with a published price, or do without the cost.
    """

    kind = "unknown_price"


class UnexpectedReplyError(HolySheepError):
    """The server answered, with status 200, something that is no chat completion.

    Check ``base_url``, and whether a proxy or a sign-in page answers instead.

    Attributes:
        page: whether a web page, or any other text, came instead of JSON.
    """

    kind = "unexpected_reply"

    def __init__(self, message: str, *, page: bool = False) -> None:
        super().__init__(message)
        self.page = page


class IncompleteStreamError(HolySheepError):
    """A stream ended without a finish reason: what came is not the whole answer.

    It may be billed. To ask again is a new, paid request.

    Attributes:
        partial_text: the text that had arrived.
    """

    kind = "ended_early"

    def __init__(self, message: str, partial_text: str) -> None:
        super().__init__(message)
        self.partial_text = partial_text


class GatewayError(HolySheepError):
    """The server said, in a reply with status 200 or in a stream, that it has failed.

    ``hs.diagnose()`` reads the body as it reads one that comes with a status: it says whether to
    ask again.

    Attributes:
        body: the error as the server sent it, parsed; ``None`` if only a finish reason tells of it.
        partial_text: the text that had arrived; it may be billed.
        streamed: whether it came in a stream: then the answer had begun.
    """

    kind = "server_error"

    def __init__(
        self, message: str, body: object = None, *, partial_text: str = "", streamed: bool = False
    ) -> None:
        super().__init__(message)
        self.body = body
        self.partial_text = partial_text
        self.streamed = streamed


class ClientClosedError(HolySheepError, RuntimeError):
    """The client of a batch is closed, or the event loop that it was made in has ended.

    Make a new client, in the event loop that asks; ``gw.async_client()`` makes one.

    Attributes:
        maybe_sent: whether the request may have been sent all the same.
    """

    kind = "client_closed"

    def __init__(self, message: str, *, maybe_sent: bool) -> None:
        super().__init__(message)
        self.maybe_sent = maybe_sent


class JournalError(HolySheepError):
    """A batch's journal is another kind of file, is in use, was deleted, or can't be written.

    Give the batch another path.
    """


class NotAskedError(HolySheepError):
    """A prompt of a batch has no answer, because the batch stopped first.

    Its ``__cause__`` is what stopped the batch. Correct that, then call ``result.retry_failed()``.
    """

    kind = "not_asked"


class DeadlineError(HolySheepError, TimeoutError):
    """The total deadline of one prompt has passed, or the next wait would pass it.

    Its ``__cause__`` is what had gone wrong until then. Allow more time, or ask for less.
    """

    kind = "deadline"


class AllFailedError(HolySheepError):
    """No model of a failover answered.

    Its ``__cause__`` is the last of their errors. ``hs.diagnose()`` says whether to ask again.

    Attributes:
        tried: what became of each model, in the order in which they were tried.
        errors: the exceptions alone, in the same order; a model that was left alone to recover
            has none.
        lost: the number of requests that may have been billed all the same.
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
        return sum(one.cost is None for one in self.tried)


def warn(message: str, category: type[Warning], stacklevel: int = 1) -> None:
    """Warn as ``warnings.warn`` does, or, inside ``collect_warnings``, note it there."""
    if (collected := _collected.get()) is None:
        warnings.warn(message, category, stacklevel=stacklevel + 1)
    else:
        collected.append(f"{category.__name__}: {message}")


@contextmanager
def collect_warnings() -> Iterator[list[str]]:
    """The helpers' warnings inside, in this context alone: for a panel, which shows them itself.

    ``warnings.catch_warnings`` would take other threads' warnings too. Each is noted, also one that
    was given before: it is about another answer.
    """
    collected: list[str] = []
    token = _collected.set(collected)
    try:
        yield collected
    finally:
        _collected.reset(token)
