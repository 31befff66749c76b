"""One chat request, from admission to its last byte."""

from __future__ import annotations

import asyncio

from holysheep_helpers.mock import wire
from holysheep_helpers.mock.asgi import (
    DisconnectError,
    Headers,
    Receive,
    Send,
    client_left,
    send_json,
    send_start,
)
from holysheep_helpers.mock.faults import Fault
from holysheep_helpers.mock.requests import ChatRequest
from holysheep_helpers.mock.state import Entry
from holysheep_helpers.mock.timing import Pacer
from holysheep_helpers.mock.wire import WireError


class Turn:
    """One chat request, from admission to its last byte."""

    def __init__(
        self,
        pacer: Pacer,
        request: ChatRequest,
        entry: Entry,
        replies: list[tuple[list[str], str]],
        arrived_s: float,
        send: Send,
        limits: Headers,
        own: str,
    ) -> None:
        self.pacer, self.request, self.entry = pacer, request, entry
        self.replies, self.arrived_s, self.send = replies, arrived_s, send
        created = wire.CREATED + int(own[:5], 16)
        self.frame = wire.Frame(entry.id, created, request.model, request.include_usage)
        # Stated from the plan, not from the clock, so that the same request says the same.
        self.headers = (("x-request-id", f"req_{own}"), *limits)

    async def run(self, fault: Fault | None, early: bool, receive: Receive) -> None:
        """Reply, but stop as soon as the client leaves."""
        work = asyncio.ensure_future(self._reply(fault, early))
        watch = asyncio.ensure_future(client_left(receive))
        try:
            await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                self.entry.client_left = True
                return
            await work
        finally:
            work.cancel()
            watch.cancel()
            await asyncio.gather(work, watch, return_exceptions=True)

    async def _reply(self, fault: Fault | None, early: bool) -> None:
        if fault is not None and fault.kind == "status":
            await self._due(0)
            self.entry.status = fault.status
            raise WireError(
                fault.status,
                "A fault that was asked for.",
                _type_of(fault.status),
                headers=self._timed(0),
            )
        if self.request.stream:
            await self._stream(fault, early)
        else:
            await self._whole()

    async def _whole(self) -> None:
        await self._due(len(self.entry.due_s) - 1)
        texts = [("".join(pieces), finish) for pieces, finish in self.replies]
        used = sum(len(pieces) for pieces, _ in self.replies)
        self.entry.completion_tokens = used
        body = wire.completion_body(self.frame, texts, wire.usage(self.entry.prompt_tokens, used))
        await send_json(self.send, 200, body, self._timed(-1))
        self._sent()

    async def _stream(self, fault: Fault | None, early: bool) -> None:
        if not early:
            await self._due(0)
        headers = (("content-type", "text/event-stream; charset=utf-8"), *self._timed(0))
        await send_start(self.send, 200, headers)
        if early:
            await self._due(0)
        first = {"role": "assistant", "content": "", "refusal": None}
        for index in range(self.request.n):
            await self._send(self.frame.delta(index, first))
        await self._texts(fault.after if fault else None)
        if fault is not None and fault.kind == "disconnect":
            raise DisconnectError
        if fault is None:
            for index, (_, finish) in enumerate(self.replies):
                await self._send(self.frame.delta(index, {}, finish))
            if self.request.include_usage:
                used = wire.usage(self.entry.prompt_tokens, self.entry.completion_tokens)
                await self._send(self.frame.chunk([], used))
        if fault is None or fault.done:
            await self._send(wire.DONE)
        await self.send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _texts(self, most: int | None) -> None:
        for at in range(len(self.entry.due_s)):
            if most is not None and at >= most:
                return
            await self._due(at)
            for index, (pieces, _) in enumerate(self.replies):
                if at < len(pieces):
                    self.entry.completion_tokens += 1
                    await self._send(self.frame.delta(index, {"content": pieces[at]}))
            self._sent()

    async def _send(self, data: bytes) -> None:
        await self.send({"type": "http.response.body", "body": data, "more_body": True})

    async def _due(self, at: int) -> None:
        await self.pacer.until(self.arrived_s + self.entry.due_s[at])

    def _sent(self) -> None:
        self.entry.sent_s.append(self.pacer.clock() - self.arrived_s)

    def _timed(self, at: int) -> Headers:
        return (("openai-processing-ms", str(round(self.entry.due_s[at] * 1000))), *self.headers)


def _type_of(status: int) -> str:
    return "server_error" if status >= 500 else "invalid_request_error"
