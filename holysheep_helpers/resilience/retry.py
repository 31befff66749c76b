"""``retrying()``: ask again where that can help, at one place, within attempts and a deadline."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial, wraps
from inspect import isasyncgenfunction, isawaitable, iscoroutinefunction, isgeneratorfunction
from math import inf
from random import Random, SystemRandom
from typing import Any, TypedDict, TypeVar, Unpack, overload

import tenacity

from holysheep_helpers._checks import check_number, check_whole, shown
from holysheep_helpers.client.chat import AsyncStream, Stream
from holysheep_helpers.client.gateway import attempt, is_retried
from holysheep_helpers.diagnosis.diagnose import Diagnosis, settle
from holysheep_helpers.diagnosis.evidence import while_streaming
from holysheep_helpers.diagnosis.waiting import back_off_s
from holysheep_helpers.exceptions import AllFailedError, DeadlineError, InputError, warn
from holysheep_helpers.resilience.decision import asked_wait_s, decide

log = logging.getLogger("holysheep_helpers")


class StackedRetriesWarning(UserWarning):
    """The SDK has retried, too, inside a call that is retried as a whole."""


@dataclass(frozen=True)
class Retry:
    """What ``on_retry`` gets before each wait; ``str()`` is a line for a log.

    Attributes:
        attempt: the attempt that failed, from 1.
        attempts: how many are allowed.
        wait_s: seconds until the next one.
        requests: how many requests were sent so far.
        lost: how many of them may have been billed although no answer came.
        restarts: whether a stream that had begun begins again.
        diagnosis: what ``hs.diagnose`` says of the error.
        error: the exception of this attempt.

    Example:
        >>> mocked = hs.connect("mock")
        >>> mocked.mock.script([503])
        >>> reply = hs.retrying(hs.ask, on_retry=print)(mocked, "Say hello.")
        attempt 1 of 5: server_error; again in 0... s
    """

    attempt: int
    attempts: int
    wait_s: float
    requests: int
    lost: int
    restarts: bool
    diagnosis: Diagnosis
    error: Exception = field(repr=False)

    def __str__(self) -> str:
        asked = self.diagnosis.wait_s
        said = f", {self.diagnosis.wait_said_by} says {asked:g} s" if asked is not None else ""
        line = f"attempt {self.attempt} of {self.attempts}: {self.diagnosis.kind}{said}; "
        line += f"again in {self.wait_s:.2f} s"
        if self.restarts:
            return f"{line}, from its beginning: what came is paid for, and paid for again"
        return f"{line}; it may be billed all the same" if self.diagnosis.may_have_cost else line


@dataclass(frozen=True)
class Policy:
    """When to ask again. ``clock`` and the sleeps are in seconds; a test hands in its own.

    ``random`` is the system's: one of Python's own would draw alike in all forks of a process.
    """

    attempts: int = 5
    deadline_s: float | None = 60
    on_retry: Callable[[Retry], object] | None = None
    restart_streams: bool = False
    clock: Callable[[], float] = time.perf_counter
    sleep: Callable[[float], None] = time.sleep
    sleep_async: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Random = field(default_factory=SystemRandom)

    def __post_init__(self) -> None:
        check_whole("attempts", self.attempts)
        check_number("deadline_s", self.deadline_s, "seconds", above=0, optional=True)
        hook = self.on_retry
        if hook is not None and (not callable(hook) or iscoroutinefunction(hook)):
            raise InputError(
                f"on_retry is {shown(hook)}: a plain function is needed, such as print."
            )

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The function that calls this one and follows this policy: a decorator."""
        if not callable(call):
            raise InputError(
                f"A {type(call).__name__} was given: a function is needed, which is called again "
                "for each attempt. hs.retrying(hs.ask)(gw, '...'), or lambda: ...."
            )
        if isgeneratorfunction(call) or isasyncgenfunction(call):
            raise InputError(
                "A generator function sends nothing when it is called. Retry the call that makes "
                "the stream, or a function that reads it to its end."
            )

        @wraps(call)
        def asked(*args: Any, **kwargs: Any) -> Any:
            once = partial(call, *args, **kwargs)
            return once() if is_retried() else self.run(once)

        @wraps(call)
        async def asked_async(*args: Any, **kwargs: Any) -> Any:
            return await asked(*args, **kwargs)

        return asked_async if iscoroutinefunction(call) else asked

    def run(self, call: Callable[[], Any]) -> Any:
        """Call until it returns, fails finally, or attempts or time are used up."""
        run = _Run(self)
        result = tenacity.Retrying(**run.rules, sleep=self.sleep)(run.attempt, call)
        return self._run_async(run, call, result) if isawaitable(result) else result

    async def _run_async(self, run: _Run, call: Callable[[], Any], first: Awaitable[Any]) -> Any:
        """``run`` for a call that is awaited; the deadline ends an attempt in flight."""
        retrying = tenacity.AsyncRetrying(**run.rules, sleep=self.sleep_async)
        deadline = asyncio.timeout(self.deadline_s)
        try:
            async with deadline:
                return await retrying(run.attempt_async, call, [first])
        except TimeoutError as error:
            if not deadline.expired() or isinstance(error, DeadlineError):
                raise
            run.requests, run.lost = run.requests + 1, run.lost + 1
            raise run.too_late() from run.error


class _Run:
    """One call and its attempts: what ``decide`` says of each failure, for tenacity to do."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.start_s = policy.clock()
        self.requests = self.lost = 0
        self.error: Exception | None = None
        self.wait_s = 0.0
        self.warned = False
        self.rules: dict[str, Any] = {"retry": self._is_again, "wait": lambda _: self.wait_s}

    def left_s(self) -> float:
        """Seconds until the deadline."""
        deadline_s = self.policy.deadline_s
        return inf if deadline_s is None else self.start_s + deadline_s - self.policy.clock()

    def attempt(self, call: Callable[[], Any]) -> Any:
        with attempt(self.left_s):
            result = call()
            if self.policy.restart_streams and isinstance(result, Stream):
                result.read()
            return result

    async def attempt_async(self, call: Callable[[], Any], begun: list[Any]) -> Any:
        with attempt(self.left_s):
            result = await (begun.pop() if begun else call())
            if self.policy.restart_streams and isinstance(result, AsyncStream):
                await result.read()
            return result

    def _is_again(self, state: tenacity.RetryCallState) -> bool:
        """Whether this attempt is followed by another; where not, its error is raised."""
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, DeadlineError) and self.requests:
            error.add_note(f"Before that: {self._sent()}.")
        if not isinstance(error, Exception) or isinstance(error, DeadlineError):
            return False
        self.error, why = error, settle(error)
        self._count(error, why)
        restarts = while_streaming(error)
        if restarts and not self.policy.restart_streams:
            return False
        number, attempts = state.attempt_number, self.policy.attempts
        decision = decide(
            why,
            tries=max(self.requests, number),  # a failover may send several, or none
            attempts=attempts,
            # What was asked for, and a back-off on top: a herd must not come back as one.
            wait_s=lambda: (asked_wait_s(why) or 0.0) + back_off_s(number, self.policy.random),
            left_s=self.left_s(),
        )
        self.wait_s = wait_s = decision.wait_s
        if decision.because == "deadline":
            raise self.too_late(wait_s) from error
        if decision.because == "attempts":
            error.add_note(f"Given up after {self._sent()}.")
        if decision.next == "give up":
            return False
        self._tell(Retry(number, attempts, wait_s, self.requests, self.lost, restarts, why, error))
        return True

    def _count(self, error: Exception, why: Diagnosis) -> None:
        """The requests behind one attempt, and those of them that may have been billed."""
        if isinstance(error, AllFailedError):
            self.requests += len(error.errors)
            self.lost += error.lost
            return
        stacked = _sdk_retries(error)
        self.requests += 1 + stacked
        self.lost += stacked + why.may_have_cost  # what the stacked ones met is unknown
        if stacked and not self.warned:
            self.warned = True
            said = f"The SDK sent {1 + stacked} requests for one attempt: two places retry, and "
            said += "their numbers multiply. Give the call a client with max_retries=0."
            warn(said, StackedRetriesWarning, stacklevel=2)

    def _tell(self, retry: Retry) -> None:
        log.info("%s", retry)
        if self.policy.on_retry is not None:
            try:
                self.policy.on_retry(retry)
            except BaseException as failed:  # what the call met is not lost with it
                failed.__context__ = failed.__context__ or retry.error
                raise

    def _sent(self) -> str:
        sent = f"{self.requests} request{'' if self.requests == 1 else 's'}"
        return f"{sent}, of which {self.lost} may have been billed" if self.lost else sent

    def too_late(self, wait_s: float | None = None) -> DeadlineError:
        next_one = f": the next would come in {wait_s:.1f} s, after it" if wait_s else ""
        return DeadlineError(
            f"No answer within deadline_s={self.policy.deadline_s:g} out of {self._sent()}"
            f"{next_one}. Allow more time, or ask for less."
        )


def _sdk_retries(error: Exception) -> int:
    """How often the SDK itself has asked again before it raised this, as its own header says."""
    request = getattr(error, "request", None)
    text = request.headers.get("x-stainless-retry-count", "0") if request is not None else "0"
    return int(text) if text.isdecimal() else 0


Call = TypeVar("Call", bound=Callable[..., Any])


class _Options(TypedDict, total=False):
    attempts: int
    deadline_s: float | None
    on_retry: Callable[[Retry], object] | None
    restart_streams: bool


@overload
def retrying(call: Call, **options: Unpack[_Options]) -> Call: ...
@overload
def retrying(call: None = None, **options: Unpack[_Options]) -> Callable[[Call], Call]: ...


def retrying(
    call: Callable[..., Any] | None = None,
    *,
    attempts: int = 5,
    deadline_s: float | None = 60,
    on_retry: Callable[[Retry], object] | None = None,
    restart_streams: bool = False,
) -> Any:
    """Make a function that asks again: ``hs.retrying(hs.ask)(gw, "...")``, or ``@hs.retrying``.

    What ``hs.diagnose`` calls retryable is tried again after the server's Retry-After, plus
    exponential back-off with full jitter (0.125 s to 0.5, 1, 2 ... s, 30 at most), so that a herd
    does not come back as one. The SDK's own retries are off in helpers that take part; in other
    calls they are counted, with a ``StackedRetriesWarning``. A ``retrying`` inside another one asks
    once.

    Args:
        call: any function, plain or asynchronous, that makes one request. Left out, a decorator
            is returned.
        attempts: the most requests. Default: 5.
        deadline_s: seconds for all attempts together; ``None`` for no deadline. An asynchronous
            attempt in flight is ended. A synchronous one can't be: in helpers of this package its
            time-out is what is left at most, and a stream that is read in there ends at the next
            text after the deadline; a plain SDK call may outlive it. Default: 60.
        on_retry: a plain function that gets a ``Retry`` before each wait, for example ``print``.
            Default: none; a line goes to the log ``holysheep_helpers``.
        restart_streams: whether a stream that has begun may begin again. ``hs.stream`` and
            ``hs.astream`` are then read to their end here, and what had come before a break is
            paid for twice. Default: ``False``.

    Returns:
        The function, which raises the last error (with a note if attempts were used up), or
        ``DeadlineError``, caused by it, if the time was.

    Raises:
        InputError: an argument can't be right.

    Example:
        >>> ask = hs.retrying(hs.ask, attempts=3)
        >>> ask(gw, "Say hello.").finish_reason
        'stop'
    """
    policy = Policy(attempts, deadline_s, on_retry, restart_streams)
    return policy.around if call is None else policy.around(call)
