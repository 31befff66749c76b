#!/usr/bin/env bash
# OPENAI_BASE_URL that is set, but empty, is an address: of no server.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -qq openai==3.56.0 httpx2==2.16.2
cd "$folder"
env -i PATH="$PATH" "$folder/venv/bin/python" - <<'PY'
import os

import openai

os.environ["OPENAI_BASE_URL"] = ""  # as a compose file or a CI job sets what nobody filled in
os.environ["OPENAI_API_KEY"] = "k"
client = openai.OpenAI(max_retries=0)
try:
    client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hello."}])
    seen = "answered"
except openai.APIConnectionError as error:
    seen = f"APIConnectionError: {error} (cause: {error.__cause__})"
os.environ["OPENAI_API_KEY"] = ""
try:
    empty_key = openai.OpenAI(max_retries=0).api_key
except openai.OpenAIError as error:
    empty_key = f"OpenAIError: {error}"
print("openai", openai.__version__)
print("done:     OPENAI_BASE_URL='' and a call")
print("expected: an empty variable is as good as none (as it is for OPENAI_API_KEY), or is named")
print(f"seen:     base_url={str(client.base_url)!r}; {seen}")
print("          OPENAI_API_KEY='':", empty_key)
assert str(client.base_url) == "" and seen.startswith("APIConnectionError"), "changed"
assert empty_key.startswith("OpenAIError: Missing credentials"), "changed"
PY
