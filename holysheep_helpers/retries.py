"""``retrying()``: ask again where that can help, at one place, within attempts and a deadline."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from typing import Any, TypeVar, overload

from holysheep_helpers.client.gateway import is_retried
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.retry_policy import Policy, Retry

Call = TypeVar("Call", bound=Callable[..., Any])


@overload
def retrying(
    call: Call,
    *,
    attempts: int = 5,
    deadline_s: float | None = 60,
    on_retry: Callable[[Retry], object] | None = None,
    restart_streams: bool = False,
) -> Call: ...
@overload
def retrying(
    call: None = None,
    *,
    attempts: int = 5,
    deadline_s: float | None = 60,
    on_retry: Callable[[Retry], object] | None = None,
    restart_streams: bool = False,
) -> Callable[[Call], Call]: ...
def retrying(
    call: Callable[..., Any] | None = None,
    *,
    attempts: int = 5,
    deadline_s: float | None = 60,
    on_retry: Callable[[Retry], object] | None = None,
    restart_streams: bool = False,
) -> Any:
    """A function that asks again: ``hs.retrying(hs.ask)(gw, "...")``, or ``@hs.retrying(...)``.

    ``call`` is any function, plain or asynchronous, that makes one request. What ``hs.diagnose``
    calls retryable is tried again: after the server's Retry-After, plus exponential back-off with
    full jitter (0.125 s to 0.5, 1, 2 ... s, 30 at most), so that a herd does not come back as one.
    ``attempts`` counts requests. ``deadline_s``, in seconds, covers all of it: an asynchronous
    attempt under way is ended. A synchronous one can't be: in helpers of this package its time-out
    is what is left at most, and a stream that is read in there ends at the next text after the
    deadline; a whole reply that drips, or a plain SDK call, may outlive it.
    ``on_retry``, a plain function, gets a ``Retry`` before each wait (``print``, say).
    The SDK's own retries are off in helpers that take part; in other calls they are counted, with
    a ``StackedRetriesWarning``. A ``retrying`` inside another one asks once.

    A stream that has begun is not begun anew, unless ``restart_streams``: then ``hs.stream`` and
    ``hs.astream`` are read to their end here, and what had come before a break is paid for twice.

    Raises the last error, with a note if attempts were used up; ``DeadlineError``, caused by it, if
    the time was; ``InputError`` for arguments that can't be right.
    """
    policy = Policy(attempts, deadline_s, on_retry, restart_streams)
    return policy_around(policy) if call is None else policy_around(policy)(call)


def policy_around(policy: Policy) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The decorator that goes by this policy."""

    def decorate(call: Callable[..., Any]) -> Callable[..., Any]:
        if not callable(call):
            raise InputError(
                f"A {type(call).__name__} was given: a function is needed, which is called anew "
                "for each attempt. hs.retrying(hs.ask)(gw, '...'), or lambda: ...."
            )
        if isgeneratorfunction(call) or isasyncgenfunction(call):
            raise InputError(
                "A generator function sends nothing when it is called. Retry the call that makes "
                "the stream, or a function that reads it to its end."
            )
        if iscoroutinefunction(call):

            @wraps(call)
            async def asked_async(*args: Any, **kwargs: Any) -> Any:
                if is_retried():
                    return await call(*args, **kwargs)
                return await policy.run_async(lambda: call(*args, **kwargs))

            return asked_async

        @wraps(call)
        def asked(*args: Any, **kwargs: Any) -> Any:
            if is_retried():
                return call(*args, **kwargs)
            return policy.run(lambda: call(*args, **kwargs))

        return asked

    return decorate
