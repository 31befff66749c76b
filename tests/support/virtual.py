"""An event loop whose time is made up: every wait is over at once, and still counts in full."""

from __future__ import annotations

import asyncio
import json
import selectors
from collections.abc import Callable, Coroutine
from functools import partial
from random import Random
from typing import Any

import httpx2
import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.batches import batch
from holysheep_helpers.batches.results import BatchResult
from holysheep_helpers.batches.worker import Asker

Answer = Callable[[httpx2.Request], Coroutine[None, None, httpx2.Response]]


class _Selector(selectors.DefaultSelector):  # pyright: ignore[reportGeneralTypeIssues]
    """Jumps to the next timer where another one would wait for it, if it ``may_jump``."""

    def __init__(self, may_jump: Callable[[], bool]) -> None:
        super().__init__()
        self.now_s = 0.0
        self._may_jump = may_jump

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            return super().select(None)
        ready = super().select(0)
        if ready or timeout <= 0:
            return ready
        if not self._may_jump():
            return super().select(0.01)  # until it is ready; its clock stands still meanwhile
        self.now_s += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, may_jump: Callable[[], bool] = lambda: True) -> None:
        self.virtual = _Selector(may_jump)
        super().__init__(self.virtual)

    def time(self) -> float:
        return self.virtual.now_s

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        await super().shutdown_default_executor()  # without a time-out: it is over at once here


def run(main: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def asker_in_virtual_time(random: Random | None = None) -> Callable[..., Asker]:
    """To be put in the place of ``Asker``: it goes by the loop's clock, and draws from a seed."""

    def clock() -> float:
        return asyncio.get_running_loop().time()

    return partial(Asker, clock=clock, random=random or Random(0))


async def client_of(answer: Answer, **options: Any) -> openai.AsyncOpenAI:
    """The SDK's client on a transport that asks ``answer``: no socket, no thread."""
    options = {"api_key": "hs-mock-virtual", "base_url": "http://127.0.0.1:9/v1"} | options
    transport = httpx2.MockTransport(answer)
    client = openai.AsyncOpenAI(**options, http_client=httpx2.AsyncClient(transport=transport))
    await client.get("/ready", cast_to=httpx2.Response)  # its first request starts a thread
    return client


def prompt_of(request: httpx2.Request) -> str:
    return json.loads(request.content)["messages"][-1]["content"]


def completion(text: str, **changes: Any) -> dict[str, Any]:
    """A whole chat completion that says ``text``: 10 tokens in, 5 out."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1768124346,
        "model": "mistral-small-2603",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    } | changes


def error(status: int, code: str | None = None, **headers: str) -> httpx2.Response:
    body = {"error": {"message": "as asked for", "type": "x", "param": None, "code": code}}
    return httpx2.Response(status, json=body, headers=headers)


class Server:
    """Answers each prompt with itself, in upper case, after ``takes_s``, unless told otherwise.

    ``faults`` maps a prompt to what its first requests meet: a response, an exception, or seconds
    for which the answer takes longer. ``seen`` has (when, prompt) of every request.
    """

    def __init__(self, takes_s: float = 1.0, **faults: list[Any]) -> None:
        self.takes_s = takes_s
        self.faults = faults
        self.seen: list[tuple[float, str]] = []
        self.at_once = self.most_at_once = 0
        self.refuse: Callable[[float], httpx2.Response | None] = lambda now_s: None
        self.headers: dict[str, str] = {}

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            return httpx2.Response(200)
        prompt, now_s = prompt_of(request), asyncio.get_running_loop().time()
        self.seen.append((now_s, prompt))
        if (refused := self.refuse(now_s)) is not None:
            return refused
        fault = self.faults[prompt].pop(0) if self.faults.get(prompt) else 0.0
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.takes_s + (fault if isinstance(fault, float) else 0))
        finally:
            self.at_once -= 1
        if isinstance(fault, Exception):
            raise fault
        if isinstance(fault, httpx2.Response):
            return fault
        return httpx2.Response(200, json=completion(prompt.upper()), headers=self.headers)

    def prompts(self) -> list[str]:
        return [prompt for _, prompt in self.seen]

    def times(self) -> list[float]:
        return [at_s for at_s, _ in self.seen]


def names(count: int) -> list[str]:
    return [f"p{n}" for n in range(count)]


def ask(server: Server, prompts: Any, **options: Any) -> BatchResult:
    """A silent batch against a made-up server, in made-up time."""

    async def main() -> BatchResult:
        settings: dict[str, Any] = {"progress": False, **options}
        return await hs.batch(await client_of(server), prompts, **settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch, "Asker", asker_in_virtual_time())
        return run(main())
