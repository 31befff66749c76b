#!/usr/bin/env bash
# On the aiohttp transport, a stream that has been closed still holds its connection.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -qq openai==3.56.0 httpx2==2.16.2 aiohttp==3.14.5
cd "$folder"
env -i PATH="$PATH" "$folder/venv/bin/python" - <<'PY'
import asyncio
import json
import threading

import aiohttp
import openai

CHOICE = {"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}
CHUNK = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [CHOICE]}
ready, left, port = threading.Event(), threading.Event(), []


async def answer(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
    writer.write(b"data: " + json.dumps(CHUNK).encode() + b"\n\n")
    while await reader.read(1000):  # until the client has gone
        pass
    left.set()
    writer.close()


async def serve():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port.append(server.sockets[0].getsockname()[1])
    ready.set()
    await asyncio.Event().wait()


async def leave(http):
    left.clear()
    options = {"base_url": f"http://127.0.0.1:{port[0]}/v1", "api_key": "k", "http_client": http}
    async with openai.AsyncOpenAI(**options) as client:
        messages = [{"role": "user", "content": "Hello."}]
        stream = await client.chat.completions.create(model="m", messages=messages, stream=True)
        await anext(stream)
        await stream.close()
        return left.wait(3)  # it blocks this loop, as any work between two awaits does


threading.Thread(target=asyncio.run, args=(serve(),), daemon=True).start()
ready.wait()
seen = [asyncio.run(leave(http)) for http in (None, openai.DefaultAioHttpClient())]
print("openai", openai.__version__, "aiohttp", aiohttp.__version__)
print("done:     await stream.close() on the default transport, then on aiohttp's")
print("expected: the server sees both times that the client has left: True, True")
print(f"seen:     {seen[0]}, {seen[1]}")
assert seen == [True, False], "changed"
PY
