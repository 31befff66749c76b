"""``ask()``: one question, one whole reply, with everything that came with it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from html import escape
from time import perf_counter
from typing import Any

import openai
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion

from holysheep_helpers import catalog
from holysheep_helpers.deadlines import in_time
from holysheep_helpers.diagnosis.diagnose import add_advice
from holysheep_helpers.exceptions import InputError, UnexpectedReplyError
from holysheep_helpers.gateway import Gateway, sync_client
from holysheep_helpers.pricing.calls import cost_or_none


class CutShortWarning(UserWarning):
    """A reply was cut by ``max_tokens``: it is not the whole answer."""


@dataclass(frozen=True)
class Reply:
    """One whole reply.

    ``text`` is the answer (the first, if ``n`` asked for several); ``usage`` the server's count of
    tokens; ``cost`` exact US dollars as a ``Decimal``, or ``None`` where no price was published;
    ``finish_reason`` ``"stop"`` or ``"length"`` (cut by ``max_tokens``); ``model`` and
    ``request_id`` as the server states them; ``elapsed_s`` the seconds that the SDK's call took,
    its retries included; ``completion`` the SDK's own object, with all the answers.
    """

    text: str
    usage: CompletionUsage | None
    cost: Decimal | None
    finish_reason: str
    model: str
    request_id: str | None
    elapsed_s: float
    completion: ChatCompletion = field(repr=False, compare=False)

    @property
    def cut_short(self) -> bool:
        """Whether ``max_tokens`` cut the answer off."""
        return self.finish_reason == "length"

    def __str__(self) -> str:
        return f"{self.text}\n{self._cut_note()}" if self.cut_short else self.text

    def _cut_note(self) -> str:
        tokens = f" after {self.usage.completion_tokens} tokens" if self.usage else ""
        return f"CUT SHORT{tokens} by max_tokens: this is not the whole answer."

    def summary(self) -> str:
        """Tokens, cost and finish reason in one line; no time, so that it can repeat."""
        used = self.usage
        tokens = f"{used.prompt_tokens} + {used.completion_tokens} tokens" if used else "no usage"
        cost = "cost unknown" if self.cost is None else f"{self.cost:f} USD"
        return f"{self.model} · {tokens} · {cost} · finish_reason {self.finish_reason}"

    def __repr__(self) -> str:
        return f"{self}\n— {self.summary()}"

    def _repr_html_(self) -> str:
        note = f"<p><strong>{escape(self._cut_note())}</strong></p>" if self.cut_short else ""
        lines = escape(self.summary()).replace("\n", "<br>")
        return (
            f'<div class="hs-reply"><p style="white-space:pre-wrap">{escape(self.text)}</p>{note}'
            f"<p><small>{lines}</small></p></div>"
        )


def ask(
    gateway_or_client: Gateway | openai.OpenAI,
    prompt: str,
    *,
    system: str | None = None,
    model: str = catalog.DEFAULT_MODEL,
    preset: str = "general",
    **sdk_parameters: Any,
) -> Reply:
    """Ask one question and wait for the whole reply.

    ``preset`` sets temperature, max_tokens and top_p (``hs.catalog.presets()``); any parameter of
    the SDK's ``chat.completions.create`` may be given and wins over it. A reply that
    ``max_tokens`` cut warns (``CutShortWarning``) and says so whenever it is shown.

    Raises ``InputError`` before anything is sent (empty prompt, unknown preset, negative
    max_tokens), ``BudgetError`` if the gateway's budget is spent, the SDK's own errors as they
    are, with a note on what to do, and ``UnexpectedReplyError`` if what came is no completion.
    """
    client = sync_client(gateway_or_client)
    return answer(client, request_arguments(prompt, system, model, preset, sdk_parameters))


def answer(client: openai.OpenAI, arguments: dict[str, Any]) -> Reply:
    """``ask`` for helpers whose arguments are checked; warns the caller's caller of a cut reply."""
    start_s = perf_counter()
    try:
        completion = client.chat.completions.create(**in_time(client, arguments))
    except openai.OpenAIError as error:
        add_advice(error)
        raise
    return _reply(completion, client, arguments, perf_counter() - start_s)


async def aanswer(client: openai.AsyncOpenAI, arguments: dict[str, Any]) -> Reply:
    """``answer`` for asynchronous code."""
    start_s = perf_counter()
    try:
        completion = await client.chat.completions.create(**in_time(client, arguments))
    except openai.OpenAIError as error:
        add_advice(error)
        raise
    return _reply(completion, client, arguments, perf_counter() - start_s)


def _reply(
    completion: object,
    client: openai.OpenAI | openai.AsyncOpenAI,
    arguments: Mapping[str, Any],
    elapsed_s: float,
) -> Reply:
    if not isinstance(completion, ChatCompletion) or not completion.choices:
        raise UnexpectedReplyError(
            f"{client.base_url} answered with status 200, but not with a chat completion (a "
            f"{type(completion).__name__} came). A proxy's page, or a wrong address? Check it.",
            page=isinstance(completion, str),
        )
    choice = completion.choices[0]
    reply = Reply(
        text=choice.message.content or "",
        usage=completion.usage,
        cost=cost_or_none(completion.usage, completion.model),
        finish_reason=choice.finish_reason,
        model=completion.model,
        request_id=completion._request_id,
        elapsed_s=elapsed_s,
        completion=completion,
    )
    if reply.cut_short:
        warnings.warn(
            f"The reply was cut by max_tokens ({arguments.get('max_tokens', 'the default')}): "
            "raise it, or ask for a shorter answer.",
            CutShortWarning,
            stacklevel=4,
        )
    return reply


def request_arguments(
    prompt: object, system: object, model: object, preset: object, given: dict[str, Any]
) -> dict[str, Any]:
    """The arguments for ``chat.completions.create``, or an ``InputError`` that says what is off."""
    if not isinstance(prompt, str):
        raise InputError(
            f"The prompt is a {type(prompt).__name__}: text is needed. For a conversation of "
            "several messages call client.chat.completions.create(messages=[...])."
        )
    if not prompt.strip():
        raise InputError("The prompt is empty: write a question. Nothing was sent.")
    if system is not None and not isinstance(system, str):
        raise InputError(f"The system prompt is a {type(system).__name__}: text is needed.")
    if not isinstance(model, str) or not model.strip():
        raise InputError(f"The model is {model!r}: an id is needed, {catalog.DEFAULT_MODEL!r} say.")
    known = catalog.presets()
    if not isinstance(preset, str) or preset not in known:
        raise InputError(
            f"There is no preset {preset!r}: allowed are {', '.join(map(repr, known))}."
        )
    for name in ("messages", "stream"):
        if name in given:
            raise InputError(
                f"{name!r} is made by this helper. Use hs.stream() to stream, and the SDK's "
                "client.chat.completions.create() for messages of your own."
            )
    check_parameters(given)
    parameters = dict(known[preset]) | given
    if "max_completion_tokens" in given and "max_tokens" not in given:
        del parameters["max_tokens"]  # two names for one limit: the caller's wins over the preset
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": prompt})
    return {"model": model, "messages": messages, **parameters}


def check_parameters(given: Mapping[str, Any]) -> None:
    """Raise ``InputError`` for a limit on the length of a reply that can't be one."""
    for name in ("max_tokens", "max_completion_tokens"):
        value = given.get(name)
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, int) or value < 1
        ):
            raise InputError(f"{name} is {value!r}: a whole number, 1 or more, is needed.")
