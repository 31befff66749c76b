#!/usr/bin/env bash
# A retried generator is not retried: retry sees it being made, not being read.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -qq tenacity==9.2.1
cd "$folder"
env -i PATH="$PATH" "$folder/venv/bin/python" - <<'PY'
import asyncio
import importlib.metadata

import tenacity

retry = tenacity.retry(stop=tenacity.stop_after_attempt(3), reraise=True)
begun = {"generator": 0, "asynchronous generator": 0, "function that reads one": 0}


def texts(name):
    begun[name] += 1
    yield "Hel"
    raise ConnectionError


@retry
def stream():
    yield from texts("generator")


@retry
async def astream():
    for text in texts("asynchronous generator"):
        yield text


@retry
def read():
    return "".join(texts("function that reads one"))


async def read_astream():
    return [text async for text in astream()]


for call in (lambda: list(stream()), lambda: asyncio.run(read_astream()), read):
    try:
        call()
    except ConnectionError:
        pass
print("tenacity", importlib.metadata.version("tenacity"))
print("done:     @retry(stop=stop_after_attempt(3)) on a generator of a stream's texts that breaks")
print("expected: 3 attempts each, or an error that a generator can't be retried")
print("seen:     attempts:", begun)
assert list(begun.values()) == [1, 1, 3], "changed"
PY
