"""The probes of ``mock_features.py`` that one running server is enough for, one for each row."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peers
from jsonschema import Draft202012Validator
from levers import AFTER, Levers
from peers import PROMPT, Answer

SCHEMA = Path(__file__).resolve().parents[2] / "shared" / "data" / "openai-chat.schema.json"
IMAGE = [
    {"type": "text", "text": PROMPT},
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
]
COUNT = {"type": "object", "properties": {"count": {"type": "integer"}}}
FORM = {"type": "json_schema", "json_schema": {"name": "count", "schema": COUNT}}
Probe = Callable[[Levers], str]
ROWS: dict[str, Probe] = {}


def row(name: str) -> Callable[[Probe], Probe]:
    def keep(probe: Probe) -> Probe:
        ROWS[name] = probe
        return probe

    return keep


def cell(good: bool, otherwise: str = "", note: str = "") -> str:
    if good:
        return f"yes ({note})" if note else "yes"
    return f"no ({otherwise})" if otherwise else "no"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@row("request ids, in a header, each its own")
def _(it: Levers) -> str:
    ids = [it.server.ask().headers.get("x-request-id") for _ in range(2)]
    return cell(None not in ids and ids[0] != ids[1])


@row("wrong key: 401")
def _(it: Levers) -> str:
    answer = it.server.ask(headers=bearer("nobody"))
    note = "if keys are set" if it.env else ""
    return cell(answer.error.get("code") == "invalid_api_key", str(answer.status), note)


@row("unknown model: 404 model_not_found")
def _(it: Levers) -> str:
    answer = it.server.ask(**it.unknown_model())
    code = answer.error.get("code")
    if answer.status == 404 and code != "model_not_found":
        return f"partly ({code}, if each fixture names its model)"
    return cell(code == "model_not_found", str(answer.status))


@row("temperature 9: 400 that names it")
def _(it: Levers) -> str:
    answer = it.server.ask(temperature=9)
    return cell(answer.status == 400 and answer.error["param"] == "temperature", str(answer.status))


@row("messages is no list: 400 that names it")
def _(it: Levers) -> str:
    answer = it.server.ask(messages="hello")
    if answer.status == 400 and answer.error.get("param") != "messages":
        return "partly (param is null)"
    return cell(answer.status == 400, str(answer.status))


@row("`max_tokens` obeyed, finish reason `length`")
def _(it: Levers) -> str:
    short, whole = it.server.ask(max_tokens=5), it.server.ask()
    return cell(short.finish == "length" and len(short.text) < len(whole.text) / 2, "ignored")


@row("`stop` obeyed")
def _(it: Levers) -> str:
    stop = it.server.ask(temperature=0).text.split()[3]
    return cell(stop not in it.server.ask(temperature=0, stop=stop).text, "ignored")


@row("`n` obeyed")
def _(it: Levers) -> str:
    return cell(len(it.server.ask(n=2).json["choices"]) == 2, "ignored")


@row("JSON by a schema that is asked for")
def _(it: Levers) -> str:
    answer = it.server.ask("Give me JSON about an API gateway.", response_format=FORM)
    return cell(answer.text.startswith('{"count"'), "a fixture would have to hold it")


@row("usage in a stream only when asked for, its chunk without choices")
def _(it: Levers) -> str:
    plain = it.server.ask(stream=True)
    asked = it.server.ask(stream=True, stream_options={"include_usage": True})
    with_usage = [chunk for chunk in asked.chunks if chunk.get("usage")]
    never = not any("usage" in chunk for chunk in plain.chunks)
    return cell(never and len(with_usage) == 1 and with_usage[0]["choices"] == [])


def faults_of(name: str, bodies: list[Any]) -> str:
    if not SCHEMA.is_file():
        return "left out (no schema at hand)"
    whole = json.loads(SCHEMA.read_text(encoding="utf-8"))
    validator = Draft202012Validator(whole | {"$ref": f"#/components/schemas/{name}"})
    off = {error.json_path for body in bodies for error in validator.iter_errors(body)}
    return cell(bool(bodies) and not off, ", ".join(sorted(off)[:3]))


@row("whole reply passes the public schema")
def _(it: Levers) -> str:
    return faults_of("CreateChatCompletionResponse", [it.server.ask().json])


@row("every chunk passes it")
def _(it: Levers) -> str:
    stream = it.server.ask(stream=True, stream_options={"include_usage": True})
    return faults_of("CreateChatCompletionStreamResponse", stream.chunks)


@row("error passes it")
def _(it: Levers) -> str:
    return faults_of("ErrorResponse", [it.server.call("POST", peers.CHAT, b"{").json])


@row("CORS for a browser")
def _(it: Levers) -> str:
    headers = {"Origin": "http://a.test", "Access-Control-Request-Method": "POST"}
    answer = it.server.call("OPTIONS", peers.CHAT, None, headers)
    return cell("access-control-allow-origin" in answer.headers, str(answer.status))


@row("the same answer at temperature 0")
def _(it: Levers) -> str:
    return cell(len({it.server.ask(temperature=0).text for _ in range(5)}) == 1)


@row("first two fail, the third works")
def _(it: Levers) -> str:
    prompt = it.fails([503, 503])
    got = [it.server.ask(prompt).status for _ in range(4)]
    return cell(got == [503, 503, 200, 200], str(got))


@row("every fifth fails")
def _(it: Levers) -> str:
    prompt = it.fails([None] * 4 + [503])
    got = [it.server.ask(prompt).status for _ in range(10)]
    if got == [200] * 4 + [503] + [200] * 5:
        return "partly (each turn is listed by hand)"
    return cell(got == ([200] * 4 + [503]) * 2, str(got))


@row("a fault by a header, for one request")
def _(it: Levers) -> str:
    return cell(it.server.ask(headers=it.header()).status >= 500 and it.server.ask().status == 200)


@row("one client's faults don't hit another")
def _(it: Levers) -> str:
    hit, spared = it.strike_one_of_two()
    good = it.server.ask(**spared).status == 200 and it.server.ask(**hit).status >= 500
    return f"partly ({it.apart})" if good and it.apart else cell(good, note="by key")


@row("429 without headers, on request")
def _(it: Levers) -> str:
    answer = it.server.ask(**it.strike("bare_429"))
    told = [n for n in answer.headers if n.startswith(("retry-after", "x-ratelimit"))]
    return cell(answer.status == 429 and not told, "with Retry-After")


@row("429 for quota")
def _(it: Levers) -> str:
    answer = it.server.ask(**it.strike("quota"))
    if answer.error.get("code") == "insufficient_quota" and "retry-after" in answer.headers:
        return "partly (tells to retry)"
    return cell(answer.status == 429 and answer.error.get("code") == "insufficient_quota")


def streamed(it: Levers, kind: str) -> Answer:
    return it.server.ask(stream=True, **it.strike(kind))


@row(f"stream cut after exactly {AFTER} chunks")
def _(it: Levers) -> str:
    answer = streamed(it, "cut")
    counts = (len(answer.deltas), len(answer.frames))
    if not answer.whole and max(counts) == AFTER - 1:
        return "partly (one chunk fewer arrives, and none without a latency)"
    return cell(not answer.whole and AFTER in counts, f"{counts[1]} arrive")


@row("stream ends without a finish reason, cleanly")
def _(it: Levers) -> str:
    answer = streamed(it, "end_early")
    return cell(answer.whole and answer.status == 200 and not answer.finish, "cut, not ended")


@row("stream without [DONE]")
def _(it: Levers) -> str:
    answer = streamed(it, "no_done")
    good = bool(answer.finish) and "[DONE]" not in answer.frames
    return "partly (cut, not ended)" if good and not answer.whole else cell(good)


@row("stream stalls")
def _(it: Levers) -> str:
    answer = streamed(it, "stall")
    return cell(not answer.whole and not answer.finish and len(answer.frames) >= AFTER)


@row("error inside a stream")
def _(it: Levers) -> str:
    return cell(any("error" in chunk for chunk in streamed(it, "error_in_stream").chunks))


@row("bad JSON in a frame")
def _(it: Levers) -> str:
    answer = streamed(it, "bad_json")
    bad = len(answer.frames) - ("[DONE]" in answer.frames) - len(answer.chunks)
    return cell(bad > 0, "a whole body, not a frame")


@row("reset before the headers")
def _(it: Levers) -> str:
    return cell(streamed(it, "reset").status == 0, "the headers come first")


@row("a proxy's HTML page")
def _(it: Levers) -> str:
    answer = it.server.ask(**it.strike("html"))
    return cell(answer.headers.get("content-type", "").startswith("text/html"), "JSON alone")


@row("several tokens a chunk")
def _(it: Levers) -> str:
    few, many = streamed(it, "bundle"), it.server.ask(stream=True)
    return cell(len(few.deltas) < len(many.deltas) / 2)


@row("reasoning before the answer")
def _(it: Levers) -> str:
    return cell(b"reasoning" in streamed(it, "reasoning").content)


@row("journal of requests")
def _(it: Levers) -> str:
    it.server.ask(stream=True)
    return cell(len(it.journal()) >= 1)


@row("with the time of each chunk")
def _(it: Levers) -> str:
    chunks = len(it.server.ask(stream=True).deltas)
    lists = [v for v in it.journal()[-1].values() if isinstance(v, list)]
    return cell(any(len(values) == chunks for values in lists), "none")


@row("verdict on the client")
def _(it: Levers) -> str:
    prompt = it.fails([503])
    for _ in range(2):
        it.server.ask(prompt)
    found = it.verdict()
    return cell(bool(found), note=found)


@row("tools")
def _(it: Levers) -> str:
    answer = it.server.ask(**it.tools())
    if answer.error.get("param"):
        return f"no ({answer.status} that names `{answer.error['param']}`)"
    return cell(answer.finish == "tool_calls")


@row("an image in a prompt")
def _(it: Levers) -> str:
    answer = it.server.ask(messages=[{"role": "user", "content": IMAGE}])
    return cell(answer.status == 200, f"{answer.status} that names it")


@row("embeddings; other providers' APIs")
def _(it: Levers) -> str:
    body = {"model": "text-embedding-3-small", "input": "sea"}
    chat = {"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": PROMPT}]}
    paths = ("/v1/messages", "/anthropic/v1/messages")
    good = it.server.call("POST", "/v1/embeddings", body).status == 200
    return cell(good and any(it.server.call("POST", path, chat).status == 200 for path in paths))
