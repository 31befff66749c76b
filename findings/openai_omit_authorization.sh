#!/usr/bin/env bash
# The SDK's own error says how to leave Authorization out, and refuses exactly that.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -qq openai==3.56.0
cd "$folder"
env -i PATH="$PATH" "$folder/venv/bin/python" - <<'PY'
import socket

import openai

nobody = socket.socket()  # bound, so that nobody else is there; never listening
nobody.bind(("127.0.0.1", 0))
address = f"http://127.0.0.1:{nobody.getsockname()[1]}/v1"
headers = {"Authorization": openai.Omit()}
client = openai.OpenAI(base_url=address, api_key="k", max_retries=0, default_headers=headers)
ask = {"model": "m", "messages": [{"role": "user", "content": "Hello."}]}


def kind_of_error(**more):
    try:
        client.chat.completions.create(**ask, **more)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


by_client = kind_of_error()
by_call = kind_of_error(extra_headers=headers)
print("openai", openai.__version__)
print("done:     default_headers={'Authorization': openai.Omit()}, for a gateway that wants no key")
print("expected: the request goes out without the header (here: to a port where nobody listens)")
print("seen:    ", by_client)
print("          the same in extra_headers of one call goes out:", by_call)
assert by_client.startswith("TypeError") and "explicitly omitted" in by_client, "changed"
assert by_call.startswith("APIConnectionError"), "changed"
PY
