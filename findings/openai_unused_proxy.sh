#!/usr/bin/env bash
# A proxy that no request would use stops every client from being made.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -qq openai==3.56.0 httpx2==2.16.2
cd "$folder"
env -i PATH="$PATH" "$folder/venv/bin/python" - <<'PY'
import importlib.metadata
import os

import openai

os.environ["ALL_PROXY"] = "socks5://127.0.0.1:1080"
os.environ["HTTP_PROXY"] = os.environ["HTTPS_PROXY"] = "http://127.0.0.1:3128"
os.environ["NO_PROXY"] = "127.0.0.1,localhost"
address = "http://127.0.0.1:8000/v1"


def made():
    try:
        return f"made: {type(openai.OpenAI(base_url=address, api_key='k')).__name__}"
    except ImportError as error:
        return f"ImportError: {error}"


seen = made()
del os.environ["ALL_PROXY"]
without = made()
print("openai", openai.__version__, "httpx2", importlib.metadata.version("httpx2"))
print("done:     a client for", address, "with NO_PROXY=127.0.0.1,localhost,")
print("          HTTP_PROXY and HTTPS_PROXY set, and ALL_PROXY=socks5://127.0.0.1:1080")
print("expected: ALL_PROXY is the last resort: with the other three set, nothing asks for it")
print("seen:    ", seen)
print("          without ALL_PROXY:", without)
assert seen.startswith("ImportError") and "socksio" in seen, "changed"
assert without == "made: OpenAI", "changed"
PY
