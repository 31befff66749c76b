"""What may be asked, and what is sent for it: one call's arguments, or a batch's bodies."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

from holysheep_helpers import catalog
from holysheep_helpers._checks import check_whole, is_number
from holysheep_helpers.catalog import tokens
from holysheep_helpers.exceptions import InputError

SDK_OPTIONS = ("extra_headers", "extra_query", "timeout")
"""Parameters of the SDK that are no part of the body."""

ASSUMED_OUTPUT_TOKENS = 1_000
"""The length of an answer, in tokens, where ``max_tokens`` is not given."""

_MANY_PROMPTS = "a list of prompts, or one column of a data frame"

_canonical = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


# --- one call


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
    _check_model_and_system(model, system)
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
    messages = _messages(prompt, system)
    return {"model": model, "messages": messages, **_preset(preset, str(model), given), **given}


def _preset(preset: str, model: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a preset that go with this model, and with what the caller gives."""
    parameters = dict(catalog.presets()[preset])
    if "max_completion_tokens" in given:  # two names for one limit
        del parameters["max_tokens"]
    if catalog.refuses_temperature_with_top_p(model):
        del parameters["temperature" if is_number(given.get("top_p")) else "top_p"]
    return parameters


def stream_arguments(
    prompt: object, system: object, model: object, preset: object, given: dict[str, Any]
) -> dict[str, Any]:
    """``request_arguments`` for a stream, which asks for its usage."""
    if given.get("n") not in (None, 1):
        raise InputError(f"n is {given['n']!r}: one answer at a time can be streamed here.")
    arguments = request_arguments(prompt, system, model, preset, given)
    return {"stream_options": {"include_usage": True}, **arguments, "stream": True}


def checked_models(models: object, given: Any = ()) -> tuple[str, ...]:
    """The ids in their order, or ``InputError`` that says what is off."""
    if "model" in given:
        raise InputError("A failover has several models: give models=[...], the best one first.")
    listed = list(models) if isinstance(models, Sequence) and not isinstance(models, str) else []
    if not listed or not all(isinstance(model, str) and model.strip() for model in listed):
        raise InputError(
            f"models is {models!r}: a list of model ids is needed, in the order in which to ask."
        )
    known = [found.id if (found := catalog.find(model)) else model for model in listed]
    if len(set(known)) < len(known):
        raise InputError(f"models is {models!r}: one of them stands there twice, or as its alias.")
    return tuple(listed)


def check_parameters(given: Mapping[str, Any]) -> None:
    """Raise ``InputError`` for a limit on the length of a reply that can't be one."""
    for name in ("max_tokens", "max_completion_tokens"):
        if given.get(name) is not None:
            check_whole(name, given[name], optional=True)


def _check_model_and_system(model: object, system: object) -> None:
    if not isinstance(model, str) or not model.strip():
        raise InputError(f"model is {model!r}: an id is needed, {catalog.DEFAULT_MODEL!r} say.")
    if system is not None and not isinstance(system, str):
        raise InputError(f"system is a {type(system).__name__}: text is needed.")


def _messages(prompt: Any, system: Any) -> list[Any]:
    """The messages of a request: the system prompt, then a text or messages as they were given."""
    asked = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    return [*([{"role": "system", "content": system}] if system else []), *asked]


# --- many calls


@dataclass(slots=True)
class Item:
    """One prompt: as it was given, and as it is sent. ``key`` finds it again in a journal."""

    prompt: Any
    body: dict[str, Any]
    options: dict[str, Any]
    key: str = ""

    @property
    def model(self) -> str:
        return self.body["model"]

    @property
    def input_tokens(self) -> int:
        """The estimate of ``hs.tokens`` for the prompt."""
        return tokens.count_messages(str(m.get("content") or "") for m in self.body["messages"])

    @property
    def output_tokens(self) -> int:
        """The most that may come back: ``max_tokens``, or else an assumed 1,000."""
        return self._max_tokens or ASSUMED_OUTPUT_TOKENS

    @property
    def is_capped(self) -> bool:
        return bool(self._max_tokens)

    @property
    def _max_tokens(self) -> int | None:
        return self.body.get("max_completion_tokens") or self.body.get("max_tokens")

    def in_turn(self, models: Sequence[str]) -> list[Item]:
        """This request first, then the same for each of ``models`` that is another."""
        others = [model for model in models if model != self.model]
        return [self, *(replace(self, body=self.body | {"model": model}) for model in others)]


class Reader:
    """Makes items of prompts, with what is common to all of them."""

    def __init__(
        self, model: object, system: object, parameters: Mapping[str, Any], hashed: bool
    ) -> None:
        self._hashed = hashed
        for name in ("prompt", "messages"):
            if name in parameters:
                raise InputError(f"{name!r} belongs into the list of prompts: nothing was sent.")
        self._common = {"model": model, "system": system, **parameters}
        _check_settings(self._common)

    def item(self, prompt: object) -> Item:
        """Raises ``InputError`` if this can't be asked."""
        own: dict[str, Any] = {"prompt": prompt}
        if isinstance(prompt, Mapping):
            own = dict(prompt)
            if ("prompt" in own) == ("messages" in own):
                raise InputError("a dict needs either 'prompt' or 'messages'.")
            own.setdefault("prompt", own.pop("messages", None))
            _check_settings(own)
        settings = {**self._common, **own}
        asked, model, system = (settings.pop(name) for name in ("prompt", "model", "system"))
        options = {name: settings.pop(name) for name in SDK_OPTIONS if name in settings}
        _check_prompt(asked)
        extra = settings.pop("extra_body", None) or {}
        body = {"model": model, "messages": _messages(asked, system), **settings, **extra}
        check_can_be_sent(body)
        return Item(prompt, body, options, key_of(body) if self._hashed else "")

    def items(self, prompts: object) -> tuple[list[Item], list[Any]]:
        """All items, and the labels of their rows. Raises ``InputError`` that names the first."""
        check_are_many(prompts)
        if not isinstance(prompts, Iterable):
            raise InputError(
                f"A {type(prompts).__name__} was given: {_MANY_PROMPTS} is needed. Asynchronous "
                "and endless ones are for hs.batch_iter()."
            )
        given = list(prompts)
        index = getattr(prompts, "index", None)  # a column has labels; a list has a method
        labels = list(range(len(given))) if index is None or callable(index) else list(index)
        items = []
        for label, prompt in zip(labels, given, strict=True):
            try:
                items.append(self.item(prompt))
            except InputError as error:
                raise InputError(f"Prompt {label!r}: {error} Nothing was sent.") from None
        return items, labels


def check_are_many(prompts: object) -> None:
    """Raises ``InputError`` for what can be iterated over, but is no row of prompts."""
    if isinstance(prompts, str | bytes | Mapping):
        raise InputError(
            f"One {type(prompts).__name__} was given where {_MANY_PROMPTS} is needed. For a single "
            "prompt there is hs.ask(gw, prompt)."
        )
    if hasattr(prompts, "columns"):
        raise InputError(
            f"A whole data frame was given: {_MANY_PROMPTS} is needed, frame['text'] say."
        )


def key_of(body: dict[str, Any]) -> str:
    """The hash by which a request is found again: model, messages and parameters, in any order."""
    return blake2b(_canonical(body).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _check_settings(settings: dict[str, Any]) -> None:
    _check_model_and_system(settings.get("model", catalog.DEFAULT_MODEL), settings.get("system"))
    if settings.get("n") not in (None, 1):
        raise InputError(f"n is {settings['n']!r}: a batch has one answer for each prompt.")
    if "stream" in settings:
        raise InputError("a batch reads whole answers: leave 'stream' out.")
    for name in ("extra_body", "extra_headers", "extra_query"):
        if not isinstance(settings.get(name) or {}, Mapping):
            raise InputError(f"{name} is a {type(settings[name]).__name__}: a dict is needed.")
    check_parameters(settings)


def _check_prompt(asked: object) -> None:
    if isinstance(asked, str):
        if not asked.strip():
            raise InputError("it is empty: write a question, or leave it out.")
    elif isinstance(asked, Sequence) and not isinstance(asked, bytes):
        are_messages = (isinstance(m, Mapping) and isinstance(m.get("role"), str) for m in asked)
        if not asked or not all(are_messages):
            raise InputError("a list of messages is needed: [{'role': 'user', 'content': '...'}].")
    else:
        empty = " (an empty cell: drop those rows first)" if _is_missing(asked) else ""
        raise InputError(
            f"it is a {type(asked).__name__}{empty}: text, a list of messages, or a dict with "
            "'prompt' or 'messages' is needed."
        )


def check_can_be_sent(body: dict[str, Any]) -> None:
    """Raise ``InputError`` for what can't be sent, before a run and not in the middle of it."""
    try:
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise InputError(
            f"a text has half a character in it ({half!r}), which no server takes: clean the text, "
            "text.encode('utf-8', 'replace').decode() say."
        ) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"a request takes plain JSON values: {error}.") from None


def _is_missing(value: object) -> bool:
    if value is None:
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # pandas' NA can't tell; an array gives one for each element
        return type(value).__name__ == "NAType"
