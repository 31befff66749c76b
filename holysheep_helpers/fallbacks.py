"""``failover()``: where one model fails, and only then, the next one is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, overload

import openai

from holysheep_helpers.circuit import CircuitBreaker
from holysheep_helpers.client.chat import Reply, aanswer, answer
from holysheep_helpers.client.gateway import Gateway, async_client, sync_client
from holysheep_helpers.client.requests import checked_models, request_arguments, stream_arguments
from holysheep_helpers.fallback_streams import AsyncFailoverStream, FailoverStream
from holysheep_helpers.fallback_turns import Tried, Turns, possibly_paid


@dataclass(frozen=True, repr=False)
class FailoverReply(Reply):
    """A reply, and how it was come by: ``tried`` has a turn for each model until one answered.

    ``model`` is the one that answered, and ``cost`` its bill; ``elapsed_s`` is from the call to the
    answer, the failed turns included.
    """

    tried: tuple[Tried, ...] = ()

    @property
    def possibly_paid_twice(self) -> int:
        """How many requests before the answer may have been billed, too."""
        return possibly_paid(self.tried[:-1])

    def summary(self) -> str:
        """The reply in one line, and all turns in a second one if there were several."""
        if len(self.tried) < 2:
            return super().summary()
        return f"{super().summary()}\ntried: {' → '.join(map(str, self.tried))}"


@overload
def failover(
    gateway_or_client: Gateway | openai.OpenAI,
    prompt: str,
    *,
    models: Sequence[str],
    stream: Literal[False] = False,
    **as_in_ask: Any,
) -> FailoverReply: ...
@overload
def failover(
    gateway_or_client: Gateway | openai.OpenAI,
    prompt: str,
    *,
    models: Sequence[str],
    stream: Literal[True],
    **as_in_ask: Any,
) -> FailoverStream: ...
def failover(
    gateway_or_client: Gateway | openai.OpenAI,
    prompt: str,
    *,
    models: Sequence[str],
    system: str | None = None,
    preset: str = "general",
    breaker: CircuitBreaker | None = None,
    stream: bool = False,
    **sdk_parameters: Any,
) -> FailoverReply | FailoverStream:
    """Ask the first of ``models``; where it fails and another may fare better, the next one.

    Takes what ``hs.ask`` takes, with ``models`` in the place of ``model``: ids, the best one first.
    Each is asked once, with the SDK's own retries off. ``hs.diagnose(error).other_model`` decides:
    an unknown model, 408, 429, 5xx, time-outs and broken connections go to the next one. A wrong
    key, a request that is itself wrong, content that was refused and a connection that can't be
    made are raised at once, with a note on who was not asked. ``timeout`` (seconds, between bytes)
    is for each request, not for all; inside ``hs.retrying`` its deadline is for all.

    A model that keeps failing is left alone for a while: ``breaker`` decides. Calls through one
    gateway or client share theirs, unless they are given one. A stream that breaks off after its
    first text counts as failed, one that is read to its end or left as answered.

    ``stream=True`` gives the answer as ``hs.stream`` does, once its first text has come: until
    then the next model takes over, after it none does, for half an answer is on the screen.

    Raises ``AllFailedError``, which carries every cause, if none answered; and what ``hs.ask``
    raises.
    """
    sync_client(gateway_or_client)  # raises if it is neither
    checked = checked_models(models, sdk_parameters)
    make = stream_arguments if stream else request_arguments
    arguments = make(prompt, system, checked[0], preset, sdk_parameters)
    turns = Turns(checked, breaker, gateway_or_client)
    for model in turns:
        client = sync_client(gateway_or_client).with_options(max_retries=0)  # its time may run out
        with turns.turn():
            if stream:
                return FailoverStream.begin(client, arguments | {"model": model}, turns)
            return _reply(answer(client, arguments | {"model": model}), turns, model)
    raise turns.all_failed()


@overload
async def afailover(
    gateway_or_client: Gateway | openai.AsyncOpenAI,
    prompt: str,
    *,
    models: Sequence[str],
    stream: Literal[False] = False,
    **as_in_ask: Any,
) -> FailoverReply: ...
@overload
async def afailover(
    gateway_or_client: Gateway | openai.AsyncOpenAI,
    prompt: str,
    *,
    models: Sequence[str],
    stream: Literal[True],
    **as_in_ask: Any,
) -> AsyncFailoverStream: ...
async def afailover(
    gateway_or_client: Gateway | openai.AsyncOpenAI,
    prompt: str,
    *,
    models: Sequence[str],
    system: str | None = None,
    preset: str = "general",
    breaker: CircuitBreaker | None = None,
    stream: bool = False,
    **sdk_parameters: Any,
) -> FailoverReply | AsyncFailoverStream:
    """``failover()`` for asynchronous code: ``await hs.afailover(gw, "...", models=[...])``.

    With ``stream=True`` it gives what ``hs.astream`` gives.
    """
    async_client(gateway_or_client)  # raises if it is neither
    checked = checked_models(models, sdk_parameters)
    make = stream_arguments if stream else request_arguments
    arguments = make(prompt, system, checked[0], preset, sdk_parameters)
    turns = Turns(checked, breaker, gateway_or_client)
    for model in turns:
        client = async_client(gateway_or_client).with_options(max_retries=0)
        with turns.turn():
            if stream:
                return await AsyncFailoverStream.begin(client, arguments | {"model": model}, turns)
            return _reply(await aanswer(client, arguments | {"model": model}), turns, model)
    raise turns.all_failed()


def _reply(reply: Reply, turns: Turns, model: str) -> FailoverReply:
    tried = turns.until(model, reply.cost)
    elapsed_s = sum(one.elapsed_s for one in tried)
    return FailoverReply(**vars(replace(reply, elapsed_s=elapsed_s)), tried=tried)
