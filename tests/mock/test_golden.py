"""Golden files: what stands on the wire, byte for byte, read by a bare socket and by the SDK.

After a change that is meant: ``python -m tests.mock.test_golden`` writes them anew.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from holysheep_helpers import catalog
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.mock.server import serve
from tests.support import raw

FOLDER = Path(__file__).parent / "golden"
KOREAN = "API 게이트웨이를 두 문장으로 설명해 주세요."
SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "answer",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"summary": {"type": "string"}, "score": {"type": "integer"}},
            "required": ["summary", "score"],
            "additionalProperties": False,
        },
    },
}
USAGE = {"include_usage": True}


@dataclass(frozen=True)
class Case:
    """One request; ``fault`` is what it carries for itself, ``key`` the header as it is sent."""

    payload: Any = None
    fault: Any = None
    method: str = "POST"
    path: str = raw.CHAT
    key: str | None = "Bearer hs-mock-golden"
    headers: tuple[str, ...] = ()


def chat(prompt: str = "hello", fault: Any = None, **fields: Any) -> Case:
    return Case(raw.body(prompt, **{"temperature": 0, **fields}), fault)


CASES = {
    "models": Case(method="GET", path="/v1/models"),
    "model": Case(method="GET", path=f"/v1/models/{catalog.DEFAULT_MODEL}"),
    "model_unknown": Case(method="GET", path="/v1/models/mistral-small"),
    "whole": chat(),
    "whole_korean": chat(KOREAN),
    "whole_length": chat(max_tokens=4),
    "whole_stop": chat(stop="help"),
    "whole_two": chat(n=2),
    "whole_json": chat("hello, as JSON", response_format={"type": "json_object"}),
    "whole_schema": chat(response_format=SCHEMA),
    "whole_reasoning": chat(fault={"kind": "reasoning", "tokens": 5}),
    "stream": chat(stream=True),
    "stream_usage": chat(stream=True, stream_options=USAGE),
    "stream_korean": chat(KOREAN, stream=True, max_tokens=12),
    "stream_length": chat(stream=True, max_tokens=4, stream_options=USAGE),
    "stream_two": chat(stream=True, n=2, max_tokens=3),
    "stream_bundle": chat(stream=True, fault={"kind": "bundle", "tokens": 5}),
    "stream_comments": chat(stream=True, max_tokens=3, fault="comments"),
    "stream_no_choices": chat(stream=True, max_tokens=3, fault="no_choices"),
    "stream_reasoning": chat(
        stream=True, stream_options=USAGE, fault={"kind": "reasoning", "tokens": 5}
    ),
    "stream_end_early": chat(stream=True, fault={"kind": "end_early", "after": 3}),
    "stream_no_done": chat(stream=True, max_tokens=3, fault="no_done"),
    "stream_error": chat(stream=True, fault={"kind": "error_in_stream", "after": 3}),
    "stream_bad_json": chat(stream=True, max_tokens=6, fault={"kind": "bad_json", "after": 3}),
    "stream_disconnect": chat(stream=True, fault={"kind": "disconnect", "after": 3}),
    "stream_cut": chat(stream=True, fault={"kind": "cut_body", "after": 3}),
    "whole_cut": chat(fault="cut_body"),
    "whole_bad_json": chat(fault="bad_json"),
    "400_json": Case(b"{"),
    "400_parameter": chat(temperature=3),
    "400_unsupported": chat(tools=[]),
    "400_context": chat(max_tokens=10**6),
    "401_none": Case(raw.body(), key=None),
    "401_wrong": Case(raw.body(), key="Bearer not-a-key-of-ours"),
    "404_model": chat(model="mistral-small"),
    "404_path": Case(raw.body(), path="/chat/completions"),
    "405_method": Case(method="GET"),
    "429_rate": chat(fault={"kind": "rate_limit", "delay_s": 2}),
    "429_bare": chat(fault={"kind": "status", "status": 429}),
    "429_quota": chat(fault="quota"),
    "408": chat(fault={"kind": "status", "status": 408}),
    "500": chat(fault={"kind": "status", "status": 500}),
    "503_own_body": chat(
        fault={
            "kind": "status",
            "status": 503,
            "body": {"detail": "overloaded", "code": 3505},
            "headers": {"retry-after": "Wed, 25 Nov 2026 00:00:00 GMT"},
        }
    ),
    "502_page": chat(fault="html"),
    "200_page": chat(fault={"kind": "html", "status": 200}),
    "preflight": Case(
        method="OPTIONS",
        key=None,
        headers=(
            "origin: http://127.0.0.1:8888",
            "access-control-request-method: POST",
            "access-control-request-headers: authorization, content-type",
        ),
    ),
    "whole_for_a_browser": Case(
        raw.body(temperature=0), headers=("origin: http://127.0.0.1:8888",)
    ),
}


@contextmanager
def server() -> Iterator[MockHandle]:
    """A new mock whose clock stands still: no measured time is in what it sends."""
    with serve(time_scale=0, pacer=raw.at_once()) as mock:
        yield MockHandle(mock.base_url, "hs-mock-golden")


def on_the_wire(mock: MockHandle, case: Case) -> bytes:
    """All that comes back on a socket until the server closes it."""
    address = urlsplit(mock.base_url)
    content = case.payload if isinstance(case.payload, bytes) else b""
    if case.payload is not None and not content:
        content = json.dumps(case.payload).encode("utf-8")
    lines = [f"{case.method} {case.path} HTTP/1.1", "host: mock", "connection: close"]
    lines += [f"authorization: {case.key}"] if case.key else []
    lines += [f"x-mock-fault: {json.dumps(case.fault)}"] if isinstance(case.fault, dict) else []
    lines += [f"x-mock-fault: {case.fault}"] if isinstance(case.fault, str) else []
    lines += [f"content-length: {len(content)}", *case.headers]
    came = b""
    with socket.create_connection((address.hostname, address.port), timeout=20) as sock:
        sock.sendall("\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + content)
        while data := sock.recv(65536):
            came += data
    return came


every_case = pytest.mark.parametrize("name", CASES)


@every_case
def test_a_bare_socket_reads_the_golden_bytes(name: str) -> None:
    with server() as mock:
        came = on_the_wire(mock, CASES[name])
    assert came == (FOLDER / f"{name}.http").read_bytes()


def test_every_golden_file_has_its_case() -> None:
    assert {file.stem for file in FOLDER.iterdir()} == set(CASES)


def body_of(golden: bytes) -> bytes:
    """The body in a golden file, its chunks put together."""
    head, _, body = golden.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" not in head:
        return body
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        whole += body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]
    return whole


def status_of(golden: bytes) -> int:
    return int(golden.split(b" ", 2)[1])


def with_the_sdk(mock: MockHandle, case: Case) -> Any:
    headers = {}
    if case.fault is not None:
        text = case.fault if isinstance(case.fault, str) else json.dumps(case.fault)
        headers["x-mock-fault"] = text
    key = (case.key or "").removeprefix("Bearer ") or "unused"
    if case.key is None:
        headers["Authorization"] = openai.Omit()
    with openai.OpenAI(base_url=mock.base_url, api_key=key, max_retries=0) as client:
        if case.method == "GET" and case.path == "/v1/models":
            return client.models.list()
        if case.method == "GET":
            return client.models.retrieve(case.path.removeprefix("/v1/models/"))
        reply = client.chat.completions.create(**case.payload, extra_headers=headers)
        return list(reply) if case.payload.get("stream") else reply


def sdk_can_send(case: Case) -> bool:
    asks = case.path == raw.CHAT and isinstance(case.payload, dict)
    return asks or (case.method == "GET" and case.path.startswith("/v1/models"))


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if sdk_can_send(case)])
def test_the_sdk_reads_what_is_in_the_golden_file(name: str) -> None:
    golden = (FOLDER / f"{name}.http").read_bytes()
    body, status, case = body_of(golden), status_of(golden), CASES[name]
    broken = {
        "stream_error": openai.APIError,
        "stream_bad_json": json.JSONDecodeError,
        "whole_bad_json": json.JSONDecodeError,
        "stream_disconnect": openai.APIConnectionError,
        "stream_cut": openai.APIConnectionError,
        "whole_cut": openai.APIConnectionError,
    }
    with server() as mock:
        if name in broken:
            with pytest.raises(broken[name]):
                with_the_sdk(mock, case)
        elif status >= 400:
            with pytest.raises(openai.APIStatusError) as caught:
                with_the_sdk(mock, case)
            assert caught.value.status_code == status
            if b"application/json" in golden:
                said = json.loads(body)
                assert caught.value.body == said.get("error", said)
        elif name == "200_page":
            assert with_the_sdk(mock, case) == body.decode("utf-8")
        elif case.payload and case.payload.get("stream"):
            frames = [part for part in body.split(b"\n\n") if b"data: {" in part]
            chunks = [
                ChatCompletionChunk.model_validate_json(f.split(b"data: ")[1]) for f in frames
            ]
            assert with_the_sdk(mock, case) == chunks
        else:
            read = with_the_sdk(mock, case)
            assert read.to_dict() == json.loads(body)
            assert case.method == "GET" or isinstance(read, ChatCompletion)


def write_all() -> None:
    FOLDER.mkdir(exist_ok=True)
    for file in FOLDER.iterdir():
        file.unlink()
    for name, case in CASES.items():
        with server() as mock:
            (FOLDER / f"{name}.http").write_bytes(on_the_wire(mock, case))


if __name__ == "__main__":
    write_all()
