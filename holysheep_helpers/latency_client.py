"""The client that a measurement asks through: a copy, with connections of its own."""

from __future__ import annotations

from typing import Any

import openai

from holysheep_helpers._checks import is_loopback
from holysheep_helpers.client.gateway import Gateway
from holysheep_helpers.exceptions import InputError

_MADE_BY_THE_SDK = {"SyncHttpxClientWrapper", "AsyncHttpxClientWrapper"}


def check_can_be_copied(target: object) -> None:
    """Raise ``InputError`` for what is no gateway and no client, or can't be copied whole.

    A bare client that was given an HTTP client of its own has settings (a proxy, certificates) that
    nothing can read back; a measurement without them would take another way than its calls.
    """
    if isinstance(target, Gateway):
        return
    if type(target) not in (openai.OpenAI, openai.AsyncOpenAI):  # Azure's ask in another way
        raise InputError(
            f"A {type(target).__name__} was given: hs.connect()'s gateway, an openai.AsyncOpenAI "
            "or an openai.OpenAI client is needed."
        )
    assert isinstance(target, openai.OpenAI | openai.AsyncOpenAI)
    http = type(target._client)
    if http.__name__ not in _MADE_BY_THE_SDK:
        raise InputError(
            f"This client has an http_client of its own (a {http.__name__}), whose settings can't "
            "be copied, and a measurement opens connections of its own. Give a client without one, "
            "or hs.connect()'s gateway; proxies are taken from the environment."
        )
    if not target.api_key and isinstance(target, openai.OpenAI):
        raise InputError(
            "This client's key comes from a function, which no event loop can ask: give "
            "an openai.AsyncOpenAI with an asynchronous one, or hs.connect()'s gateway."
        )


def measuring_client(target: Any) -> openai.AsyncOpenAI:
    """An asynchronous client like ``target``, for the running event loop: no retries, for each
    failure counts; yours to close."""
    if isinstance(target, Gateway):
        return target.async_client(max_retries=0)
    proxied = target.base_url.scheme == "https" or not is_loopback(target.base_url.host)
    http = openai.DefaultAioHttpClient(trust_env=proxied)
    plain = {"Accept-Encoding": "identity"}  # the bytes are read as they come
    if isinstance(target, openai.AsyncOpenAI):
        return target.copy(http_client=http, max_retries=0, default_headers=plain)
    client = openai.AsyncOpenAI(
        api_key=target.api_key,
        base_url=target.base_url,
        organization=target.organization,
        project=target.project,
        timeout=target.timeout,
        default_query=target.default_query,
        max_retries=0,
        http_client=http,
    )
    with openai.OpenAI(api_key=target.api_key, base_url=target.base_url) as bare:
        usual = bare.default_headers
    own = {
        name: value for name, value in target.default_headers.items() if usual.get(name) != value
    }
    return client.copy(default_headers={**own, **plain})
