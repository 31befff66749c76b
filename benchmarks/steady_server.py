"""A server for ``batch.py``: one fixed chat completion, 50 ms after each request, and no more.

Prints its port, and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

REPLY_S = 0.050
MODEL = "mistral-small-2603"
TEXT = "An answer of about the length that a short question gets, one or two sentences long. " * 3


def reply() -> bytes:
    usage = {"prompt_tokens": 14, "completion_tokens": 51, "total_tokens": 65}
    message = {"role": "assistant", "content": TEXT, "refusal": None, "annotations": []}
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1768124346,
        "model": MODEL,
        "service_tier": "default",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": usage
        | {"prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0}}
        | {"completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0}},
    }
    data = json.dumps(body).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n"
    return head.encode() + b"x-request-id: req_1\r\n\r\n" + data


class Answering(asyncio.Protocol):
    """Each request is answered 50 ms after its last byte."""

    whole = reply()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.data = b""

    def data_received(self, data: bytes) -> None:
        self.data += data
        head, end, rest = self.data.partition(b"\r\n\r\n")
        while end:
            fields = head.lower().partition(b"content-length:")[2]
            length = int(fields.split(b"\r\n")[0])
            if len(rest) < length:
                return
            self.data = rest[length:]
            asyncio.get_running_loop().call_later(REPLY_S, self.transport.write, self.whole)
            head, end, rest = self.data.partition(b"\r\n\r\n")


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # ends with its parent


if __name__ == "__main__":
    asyncio.run(serve())
