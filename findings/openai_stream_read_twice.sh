#!/usr/bin/env bash
# A stream that is read a second time is empty, and says nothing.
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
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for text, reason in (("Hel", None), ("lo.", None), ("", "stop")):
            choice = {"index": 0, "delta": {"content": text}, "finish_reason": reason}
            chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
            self.wfile.write(b"data: " + json.dumps({**chunk, "choices": [choice]}).encode())
            self.wfile.write(b"\n\n")
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}/v1"
client = openai.OpenAI(base_url=address, api_key="k", max_retries=0)
messages = [{"role": "user", "content": "Hello."}]
stream = client.chat.completions.create(model="m", messages=messages, stream=True)
first, second = ("".join(c.choices[0].delta.content for c in stream) for _ in range(2))
print("openai", openai.__version__)
print("done:     two loops over one stream")
print("expected: the text again, or an error")
print(f"seen:     {first!r}, then {second!r}")
server.shutdown()
assert (first, second) == ("Hello.", ""), "changed"
PY
