#!/usr/bin/env bash
# A long header of a reply with status 200 is a 'Connection error', and is asked for three times.
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
    asked, header = 0, ""

    def do_POST(self):
        Server.asked += 1
        self.rfile.read(int(self.headers["content-length"]))
        message = {"role": "assistant", "content": "Hello."}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        reply = {"id": "1", "object": "chat.completion", "created": 1, "model": "m"}
        self.send_response(200)
        self.send_header("x-trace", Server.header)
        self.end_headers()
        self.wfile.write(json.dumps({**reply, "choices": [choice]}).encode())

    def handle(self):
        try:
            super().handle()
        except ConnectionError:  # the client has left
            pass

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = openai.OpenAI(base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key="k")
print("openai", openai.__version__)
print("done:     a reply with status 200 and one header of so many bytes")
print("expected: read, or an error that names the header")
for size, outcome in ((101_000, ("Hello.", 1)), (150_000, ("Connection error.", 3))):
    Server.asked, Server.header = 0, "x" * size
    messages = [{"role": "user", "content": "Hello."}]
    try:
        seen = client.chat.completions.create(model="m", messages=messages)
        seen = seen.choices[0].message.content
    except openai.APIConnectionError as error:
        seen = str(error)
    print(f"seen:     {size:,} bytes: {seen!r} after {Server.asked} request(s)")
    assert (seen, Server.asked) == outcome, "changed"
server.shutdown()
PY
