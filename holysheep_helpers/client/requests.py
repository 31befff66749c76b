"""What may be asked, and what is sent for it: one call's arguments, or a batch's bodies."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import translate
from hashlib import blake2b
from typing import Any

import openai

from holysheep_helpers import catalog
from holysheep_helpers._checks import check_whole, is_number, shown
from holysheep_helpers.catalog import tokens
from holysheep_helpers.diagnosis.config import Secret
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.pricing.money import count

SDK_OPTIONS = ("extra_headers", "extra_query", "timeout")
"""Parameters of the SDK that are no part of the body."""

ASSUMED_OUTPUT_TOKENS = 1_000
"""The length of an answer, in tokens, where ``max_tokens`` is not given."""

_READ_HERE = (
    *("messages", "model", "stream", "stream_options", "n", "temperature", "top_p"),
    *("max_tokens", "max_completion_tokens"),
)
"""Parameters of the body that mean something to the helpers, wherever they are given."""

MOCK = "mock"
"""The origin of answers that a mock gave, whatever its address."""

CHANGES_NO_ANSWER = (
    *("authorization", "*-authorization", "key", "*-key", "*apikey", "token", "*-token", "*-auth"),
    *("secret", "*-secret", "sig", "signature", "*-signature", "cookie", "date"),
    *("request-id", "*-request-id", "correlation-id", "*-correlation-id"),
    *("trace-id", "*-trace-id", "*-span-id", "sentry-trace", "traceparent", "tracestate"),
    *("*-trace-context", "baggage", "b3", "x-b3-*", "x-datadog-*", "openai-organization"),
    *("openai-project", "accept", "accept-encoding", "connection", "content-length"),
    *("content-type", "user-agent", "x-stainless-*"),
)
"""Headers, and parameters of a query, by which no answer of a journal is told from another.

A ``*`` stands for any letters; upper and lower case, ``_`` and ``-`` are one. They are who asks,
a request's own number, and how bytes are sent. All others belong to the request.
"""

_changes_no_answer = re.compile("|".join(map(translate, CHANGES_NO_ANSWER))).match

_MANY_PROMPTS = "a list of prompts, or one column of a data frame"

_canonical = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


# --- one call


def request_arguments(
    prompt: object, system: object, model: object, preset: object, given: dict[str, Any]
) -> dict[str, Any]:
    """The arguments for ``chat.completions.create``, or an ``InputError`` that names the fault."""
    given = with_extra_body(given)
    model = given.pop("model", model)
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
            f"There is no preset {shown(preset)}: allowed are {', '.join(map(repr, known))}."
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


def with_extra_body(given: Mapping[str, Any]) -> dict[str, Any]:
    """The same, with what the helpers read in ``extra_body`` as arguments: there it wins, too."""
    extra = given.get("extra_body")
    if extra is None:
        return dict(given)
    if not isinstance(extra, Mapping):
        raise InputError(f"extra_body is a {type(extra).__name__}: a dict is needed.")
    read = {name: extra[name] for name in _READ_HERE if name in extra}
    rest = {name: value for name, value in extra.items() if name not in read}
    return {**given, **read, "extra_body": rest}


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
    given = with_extra_body(given)
    if given.get("n") not in (None, 1):
        raise InputError(f"n is {shown(given['n'])}: one answer at a time can be streamed here.")
    arguments = request_arguments(prompt, system, model, preset, given)
    return {"stream_options": {"include_usage": True}, **arguments, "stream": True}


def checked_models(models: object, given: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """The ids in their order, or ``InputError`` that says what is wrong."""
    if "model" in with_extra_body(given or {}):
        raise InputError("A failover has several models: give models=[...], the best one first.")
    listed = list(models) if isinstance(models, Sequence) and not isinstance(models, str) else []
    if not listed or not all(isinstance(model, str) and model.strip() for model in listed):
        raise InputError(
            f"models is {shown(models)}: a list of model ids is needed, in the order in which to "
            "ask."
        )
    known = [found.id if (found := catalog.find(model)) else model for model in listed]
    if len(set(known)) < len(known):
        raise InputError(f"models is {shown(models)}: one of them is there twice, or as its alias.")
    return tuple(listed)


def check_parameters(given: Mapping[str, Any]) -> None:
    """Raise ``InputError`` for a limit on the length, or the number, of replies that can't be one.

    They are looked for in ``extra_body``, too: what is there is sent.
    """
    given = with_extra_body(given)
    for name in ("max_tokens", "max_completion_tokens", "n"):
        check_whole(name, given.get(name), optional=True)


def _check_model_and_system(model: object, system: object) -> None:
    if not isinstance(model, str) or not model.strip():
        raise InputError(
            f"model is {shown(model)}: an id is needed, such as {catalog.DEFAULT_MODEL!r}."
        )
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
        """The estimate of ``hs.tokens`` for the messages."""
        messages = self.body.get("messages")
        listed = messages if isinstance(messages, list) else []
        texts = (str(one.get("content") or "") for one in listed if isinstance(one, Mapping))
        return tokens.count_messages(texts)

    @property
    def limit(self) -> int | None:
        """The tokens that each answer may have, as the request says; ``None`` if it does not."""
        body = self.body
        return count(body.get("max_completion_tokens")) or count(body.get("max_tokens")) or None

    @property
    def output_tokens(self) -> int:
        """The most that may come back: ``max_tokens``, or else an assumed 1,000."""
        return self.limit or ASSUMED_OUTPUT_TOKENS

    def in_turn(self, models: Sequence[str]) -> list[Item]:
        """This request first, then the same for each of ``models`` that is another."""
        return [self, *(self._of(model) for model in models if model != self.model)]

    def _of(self, model: str) -> Item:
        body = self.body | {"model": model}
        _, at, way = self.key.partition("@")
        return replace(self, body=body, key=f"{_hash(body, 16)}@{way}" if at else "")


class Way:
    """Where a client sends requests, and what goes along: a journal's answers hold for that alone.

    It is written ``mock``, or else the hash of scheme, host, port and path; then, after a ``+``,
    the hash of headers and query, if there are any that may change an answer.
    """

    def __init__(self, client: openai.AsyncOpenAI) -> None:
        url, key = client.base_url, client.api_key
        self._headers = _that_may_change_an_answer(client.default_headers)
        self._query = _that_may_change_an_answer({**url.params, **client.default_query})
        is_mock = isinstance(key, str) and Secret(key).from_mock
        where = [url.scheme, url.host, url.port, url.path.rstrip("/")]
        self._origin = MOCK if is_mock else _hash(where, 8)
        self._usual = self._written({})

    def key_of(self, body: dict[str, Any], options: Mapping[str, Any]) -> str:
        """The key by which a request is found again: its parameters may come in any order."""
        named = options.get("extra_headers") or options.get("extra_query")
        return f"{_hash(body, 16)}@{self._written(options) if named else self._usual}"

    def _written(self, options: Mapping[str, Any]) -> str:
        along = [
            _that_may_change_an_answer(self._headers, options.get("extra_headers")),
            _that_may_change_an_answer(self._query, options.get("extra_query")),
        ]
        return f"{self._origin}+{_hash(along, 8)}" if any(along) else self._origin


def _that_may_change_an_answer(*given: Mapping[str, Any] | None) -> dict[str, str]:
    """Headers or a query, the later ones over the earlier ones, as the SDK merges them."""
    said = {str(n).lower().replace("_", "-"): v for one in given for n, v in (one or {}).items()}
    return {
        name: str(value)
        for name, value in said.items()
        if not isinstance(value, openai.Omit) and not _changes_no_answer(name)
    }


def _hash(value: Any, size: int) -> str:
    return blake2b(_canonical(value).encode("utf-8", "surrogatepass"), digest_size=size).hexdigest()


class Reader:
    """Makes items of prompts, with what is common to all; ``way`` gives them keys for a journal."""

    def __init__(
        self, model: object, system: object, parameters: Mapping[str, Any], way: Way | None = None
    ) -> None:
        self._way = way
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
        settings = with_extra_body({**self._common, **own})
        asked, model, system = (settings.pop(name) for name in ("prompt", "model", "system"))
        options = {name: settings.pop(name) for name in SDK_OPTIONS if name in settings}
        _check_prompt(asked)
        extra = settings.pop("extra_body", None) or {}
        body = {"model": model, "messages": _messages(asked, system), **settings, **extra}
        check_can_be_sent(body)
        return Item(prompt, body, options, self._way.key_of(body, options) if self._way else "")

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
                raise InputError(f"Prompt {shown(label)}: {error} Nothing was sent.") from None
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
            f"A data frame was given: {_MANY_PROMPTS} is needed, such as frame['text']."
        )


def _check_settings(settings: dict[str, Any]) -> None:
    settings = with_extra_body(settings)
    if "messages" in settings:
        raise InputError("'messages' belongs into the list of prompts, not into extra_body.")
    _check_model_and_system(settings.get("model", catalog.DEFAULT_MODEL), settings.get("system"))
    if settings.get("n") not in (None, 1):
        raise InputError(f"n is {shown(settings['n'])}: a batch has one answer for each prompt.")
    if "stream" in settings:
        raise InputError("a batch reads whole answers: leave 'stream' out.")
    for name in ("extra_headers", "extra_query"):
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
            "for example by text.encode('utf-8', 'replace').decode()."
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
