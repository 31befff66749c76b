#!/usr/bin/env bash
# A copy by with_options shares its parent's connections: leaving its with block closes both.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -qq openai==3.56.0 httpx2==2.16.2
cd "$folder"
env -i PATH="$PATH" "$folder/venv/bin/python" - <<'PY'
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import openai


class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        message = {"role": "assistant", "content": "Hello."}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        reply = {"id": "1", "object": "chat.completion", "created": 1, "model": "m"}
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps({**reply, "choices": [choice]}).encode())

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}/v1"
client = openai.OpenAI(base_url=address, api_key="k", max_retries=0)
ask = {"model": "m", "messages": [{"role": "user", "content": "Hello."}]}
with client.with_options(timeout=5) as quick:
    quick.chat.completions.create(**ask)
try:
    seen = client.chat.completions.create(**ask).choices[0].message.content
except RuntimeError as error:
    seen = f"RuntimeError: {error}"
print("openai", openai.__version__)
print("done:     with client.with_options(timeout=5) as quick: one call; then a call of client")
print("expected: the copy is closed, the client it was made from goes on")
print("seen:    ", seen)
server.shutdown()
assert seen.startswith("RuntimeError") and "closed" in seen, "changed"
PY
