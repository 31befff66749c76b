"""Reading a chat request: what is wrong becomes a 400 that names the parameter."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, NamedTuple

from holysheep_helpers import catalog
from holysheep_helpers._checks import is_whole
from holysheep_helpers.catalog import tokens
from holysheep_helpers.mock import json_replies
from holysheep_helpers.mock.strict_json import parse_json
from holysheep_helpers.mock.wire import WireError, shown

SMALL = 4096
ROLES = ("system", "developer", "user", "assistant")
# Sent by clients, without an effect on what a canned reply says.
HARMLESS: dict[str, tuple[type, str]] = {
    "user": (str, "a string"),
    "safety_identifier": (str, "a string"),
    "prompt_cache_key": (str, "a string"),
    "service_tier": (str, "a string"),
    "store": (bool, "a boolean"),
    "metadata": (dict, "an object"),
}
UNSUPPORTED = {
    "tools", "tool_choice", "functions", "function_call", "parallel_tool_calls", "modalities",
    "audio", "logprobs", "top_logprobs", "logit_bias", "prediction", "web_search_options",
    "reasoning_effort", "verbosity",
}  # fmt: skip
RANGES = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
}


class ChatRequest(NamedTuple):
    """A request that is in order. ``canonical`` is the same for the same request everywhere."""

    model: str
    messages: tuple[tuple[str, str], ...]
    stream: bool
    include_usage: bool
    max_tokens: int | None
    stop: tuple[str, ...]
    n: int
    seed: int | None
    temperature: float
    prompt_tokens: int
    json_schema: dict[str, Any] | None
    canonical: str

    @property
    def counted_tokens(self) -> int:
        """What a limit on tokens counts before the reply is known: prompt and max_tokens."""
        return self.prompt_tokens + (self.max_tokens or 0) * self.n


_CANONICAL = json.JSONEncoder(sort_keys=True, check_circular=False)


def bad(message: str, param: str | None, code: str | None = None) -> WireError:
    return WireError(400, message, param=param, code=code)


def parse(raw: bytes) -> ChatRequest:
    """The request in these bytes. Raises ``WireError`` (400, or 404 for an unknown model)."""
    return _parse_again(raw) if len(raw) <= SMALL else _parse(raw)


@lru_cache(maxsize=64)
def _parse_again(raw: bytes) -> ChatRequest:
    """Small bodies come again and again: retries, measurements, drills."""
    return _parse(raw)


def _parse(raw: bytes) -> ChatRequest:
    body = parse_json(raw)
    if not isinstance(body, dict):
        raise bad("The body of a request is a JSON object.", None)
    if None in body.values():  # null is the same as left out
        body = {name: value for name, value in body.items() if value is not None}
    if not body.keys() <= ALLOWED:
        raise _strange(next(name for name in body if name not in ALLOWED))
    for name in RANGES.keys() & body.keys():
        _number(body[name], name, *RANGES[name])
    for name in HARMLESS.keys() & body.keys():
        kind, called = HARMLESS[name]
        if not isinstance(body[name], kind):
            raise bad(f"Invalid type for '{name}': expected {called}.", name)
    model, messages = _model(body), _messages(body)
    max_tokens = _max_tokens(body)
    prompt = tokens.count_messages([text for _, text in messages])
    known = catalog.find(model)
    window = known.context_window if known else None
    if window is not None and prompt + (max_tokens or 0) > window:
        raise bad(
            f"This model's maximum context length is {window} tokens. However, you requested "
            f"{prompt + (max_tokens or 0)} tokens ({prompt} in the messages, {max_tokens or 0} in "
            "the completion). Please reduce the length of the messages or completion.",
            "messages",
            "context_length_exceeded",
        )
    return ChatRequest(
        model=model,
        messages=messages,
        stream=_flag(body, "stream"),
        include_usage="stream_options" in body and _include_usage(body),
        max_tokens=max_tokens,
        stop=_stop(body) if "stop" in body else (),
        n=_whole(body, "n", 1, 8) or 1,
        seed=_whole(body, "seed", -(2**63), 2**63 - 1),
        temperature=float(body.get("temperature", 1)),
        prompt_tokens=prompt,
        json_schema=_json_schema(body, messages) if "response_format" in body else None,
        canonical=_CANONICAL.encode(body),
    )


def _strange(name: str) -> WireError:
    if name in UNSUPPORTED:
        return bad(f"This mock does not support '{name}'. Leave it out.", name)
    return bad(f"Unrecognized request argument supplied: {name}", name)


ALLOWED = {
    "model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens",
    "stop", "n", "seed", "response_format", *HARMLESS, *RANGES,
}  # fmt: skip


def _model(body: dict[str, Any]) -> str:
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise bad("you must provide a model parameter", "model")
    if catalog.find(model) is None:
        raise unknown_model(model)
    return model


def unknown_model(model: str) -> WireError:
    return WireError(
        404,
        f"The model `{model}` does not exist or you do not have access to it.",
        param="model",
        code="model_not_found",
    )


def _messages(body: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise bad("'messages' is needed: an array with one message or more.", "messages")
    read = []
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            raise bad(f"'messages[{index}]' is not an object.", f"messages[{index}]")
        role, content = message.get("role"), message.get("content")
        if role not in ROLES:
            raise bad(
                f"Invalid value: {shown(role)}. Supported values are: "
                + ", ".join(f"'{role}'" for role in ROLES) + ".",
                f"messages[{index}].role",
            )  # fmt: skip
        if not isinstance(content, str):
            content = _parts(content, f"messages[{index}].content")
        read.append((role, content))
    return tuple(read)


def _parts(content: Any, where: str) -> str:
    if not isinstance(content, list) or not content:
        raise bad(f"'{where}' is a string, or an array of text parts.", where)
    texts = []
    for index, part in enumerate(content):
        if not isinstance(part, dict) or part.get("type") != "text":
            raise bad("This mock supports text parts alone.", f"{where}[{index}].type")
        if not isinstance(part.get("text"), str):
            raise bad("A text part needs a string.", f"{where}[{index}].text")
        texts.append(part["text"])
    return "".join(texts)


def _max_tokens(body: dict[str, Any]) -> int | None:
    if "max_tokens" in body and "max_completion_tokens" in body:
        raise bad(
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
            "max_tokens",
        )
    old = _whole(body, "max_tokens", 1, 2**31)
    return old if old is not None else _whole(body, "max_completion_tokens", 1, 2**31)


def _number(value: Any, name: str, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise bad(f"Invalid type for '{name}': expected a decimal.", name)
    if not low <= value <= high:
        raise bad(f"Invalid '{name}': {shown(value)} is not between {low} and {high}.", name)


def _whole(body: dict[str, Any], name: str, low: int, high: int) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if not is_whole(value):
        raise bad(f"Invalid type for '{name}': expected an integer.", name)
    if not low <= value <= high:
        raise bad(f"Invalid '{name}': {shown(value)} is not between {low} and {high}.", name)
    return value


def _flag(body: dict[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise bad(f"Invalid type for '{name}': expected a boolean.", name)
    return value


def _include_usage(body: dict[str, Any]) -> bool:
    options = body["stream_options"]
    if not isinstance(options, dict):
        raise bad("Invalid type for 'stream_options': expected an object.", "stream_options")
    if not _flag(body, "stream"):
        raise bad("'stream_options' is only allowed when 'stream' is true.", "stream_options")
    wanted = options.get("include_usage", False)
    if not isinstance(wanted, bool):
        raise bad("'include_usage' is true or false.", "stream_options.include_usage")
    return wanted


def _stop(body: dict[str, Any]) -> tuple[str, ...]:
    stop = body["stop"]
    stops = [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, list) or len(stops) > 4:
        raise bad("Invalid 'stop': a string, or up to 4 of them.", "stop")
    if not all(isinstance(text, str) and text for text in stops):
        raise bad("Invalid 'stop': each one is a string with something in it.", "stop")
    return tuple(stops)


def _json_schema(
    body: dict[str, Any], messages: tuple[tuple[str, str], ...]
) -> dict[str, Any] | None:
    """The schema of the JSON that is wanted, ``None`` for plain text."""
    wanted = body["response_format"]
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind == "text":
        return None
    if kind == "json_object":
        if not any("json" in text.lower() for _, text in messages):
            raise bad(
                "'messages' must contain the word 'json' in some form, to use 'response_format' of "
                "type 'json_object'.",
                "messages",
            )
        return json_replies.ANY_OBJECT
    if kind == "json_schema":
        where = "response_format.json_schema"
        given = wanted.get("json_schema")
        if not isinstance(given, dict) or not isinstance(given.get("name"), str):
            raise bad(f"'{where}' is an object with a name and a schema.", where)
        schema = given.get("schema", {"type": "object"})
        json_replies.check(schema, f"{where}.schema")
        return schema
    raise bad(
        "'response_format' has the type 'text', 'json_object' or 'json_schema'.", "response_format"
    )
