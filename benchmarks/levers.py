"""How each mock is asked for what it can do, in its own way: scripts, fixtures, headers, flags."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from peers import CANNED, PROMPT, Program, Server

AFTER = 3
TOOLS = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]
QUOTA = {"message": "no", "type": "insufficient_quota", "code": "insufficient_quota"}


class LacksError(Exception):
    """The mock has no lever for this; the message may say why."""


class Levers:
    """One mock that is running. Without a lever of its own it raises ``LacksError``."""

    env: ClassVar[dict[str, str]] = {}
    other_key = "other"
    at_once: tuple[str, ...] = ()
    timed: tuple[str, ...] = ()
    limited: tuple[str, ...] = ()
    minute_s = 60.0
    heavy: ClassVar[dict[str, Any]] = {"max_tokens": 200_000}
    too_heavy: ClassVar[dict[str, Any]] = {"max_tokens": 800_000}
    by_chance: tuple[str, ...] = ()
    apart = ""
    timing = ""

    def __init__(self, server: Server) -> None:
        self.server = server

    def clear(self) -> None:
        """As it was at its start."""

    def chance(self) -> None:
        """Let three of ten requests fail; some do it by ``by_chance`` at their start."""

    def fails(self, statuses: Sequence[int | None]) -> str:
        """The next requests meet these statuses, ``None`` is a good one. Gives their prompt."""
        raise LacksError

    def strike(self, kind: str) -> dict[str, Any]:
        """The next request meets this. Gives what ``Server.ask`` is to be called with."""
        raise LacksError

    def strike_one_of_two(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What is hit from now on, and what is not, as arguments of ``Server.ask``."""
        raise LacksError

    def header(self) -> dict[str, str]:
        """The header with which a request carries its own fault."""
        raise LacksError

    def slow(self) -> dict[str, Any]:
        """A stream with times like a model's."""
        raise LacksError

    def unknown_model(self) -> dict[str, Any]:
        return {"model": "nobody"}

    def tools(self) -> dict[str, Any]:
        return {"prompt": "Look up the weather.", "tools": TOOLS}

    def journal(self) -> list[dict[str, Any]]:
        raise LacksError

    def verdict(self) -> str:
        raise LacksError

    def replays(self, program: Program, upstream: Program, folder: Path) -> bool:
        """Whether what was recorded from ``upstream`` is answered once that has gone."""
        raise LacksError

    def _post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> None:
        answer = self.server.call("POST", path, body, headers)
        if answer.status not in (200, 201):
            raise LacksError(f"{path} answers {answer.status}")


class Ours(Levers):
    other_key = "hs-mock-y"
    at_once = ("--time-scale", "0")
    timed = ("--time-scale", "1")
    limited = ("--plan", "free", "--time-scale", "0.05")
    minute_s = 3.0
    heavy: ClassVar = {"n": 8, "max_tokens": 20_000}
    too_heavy: ClassVar = {"n": 8, "max_tokens": 100_000}
    timing = "per model, log-normal, 60 ms more for a new connection"
    kinds: ClassVar[dict[str, dict[str, Any]]] = {
        "bare_429": {"kind": "status", "status": 429},
        "quota": {"kind": "quota"},
        "cut": {"kind": "disconnect", "after": AFTER},
        "end_early": {"kind": "end_early", "after": AFTER},
        "no_done": {"kind": "no_done"},
        "stall": {"kind": "stall", "after": AFTER},
        "error_in_stream": {"kind": "error_in_stream", "after": AFTER},
        "bad_json": {"kind": "bad_json", "after": AFTER},
        "reset": {"kind": "reset"},
        "html": {"kind": "html"},
        "bundle": {"kind": "bundle", "tokens": 8},
        "reasoning": {"kind": "reasoning", "tokens": 3},
    }

    def clear(self) -> None:
        self.server.call("DELETE", "/mock/journal")

    def chance(self) -> None:
        fault = {"kind": "status", "status": 503}
        self._post("/mock/script", {"faults": [fault], "probability": 0.3})

    def fails(self, statuses: Sequence[int | None]) -> str:
        faults = [s and {"kind": "status", "status": s} for s in statuses]
        every = len(faults) if faults[:-1] == [None] * (len(faults) - 1) else 0
        rule = {"faults": faults[-1:], "every": every} if every else {"faults": faults}
        self._post("/mock/script", rule)
        return PROMPT

    def strike(self, kind: str) -> dict[str, Any]:
        self._post("/mock/script", [self.kinds[kind]])
        return {}

    def strike_one_of_two(self) -> tuple[dict[str, Any], dict[str, Any]]:
        self.fails([503])
        return {}, {"headers": {"Authorization": f"Bearer {self.other_key}"}}

    def header(self) -> dict[str, str]:
        return {"x-mock-fault": json.dumps({"kind": "status", "status": 503})}

    def slow(self) -> dict[str, Any]:
        return {}

    def journal(self) -> list[dict[str, Any]]:
        return self.server.call("GET", "/mock/journal").json

    def verdict(self) -> str:
        return " ".join(one["finding"] for one in self.server.call("GET", "/mock/verdict").json)


class Aimock(Levers):
    env: ClassVar = {"AIMOCK_API_KEYS": "mock,other"}
    apart = "by the header X-Test-Id"
    timing = "set by hand for each fixture, uniform jitter"
    _fixtures: ClassVar[dict[str, dict[str, Any]]] = {
        "bare_429": {"response": {"error": {"message": "no", "type": "requests"}, "status": 429}},
        "quota": {"response": {"error": QUOTA, "status": 429}},
        # Without a latency the connection is gone before its first byte has left.
        "cut": {"response": {"content": CANNED}, "truncateAfterChunks": AFTER, "latency": 30},
        "end_early": {"response": {"content": CANNED}, "truncateAfterChunks": AFTER, "latency": 30},
        "no_done": {"response": {"content": "12345"}, "truncateAfterChunks": 3, "latency": 30},
        "stall": {
            "response": {"content": CANNED},
            "recordedTimings": {
                "ttftMs": 5, "interChunkDelaysMs": [1, 1, 5000], "totalDurationMs": 5007,
            },
        },
        "html": {"response": {"error": {"message": "<html>"}, "status": 502}},
        "bundle": {"response": {"content": CANNED}, "chunkSize": 40},
        "reasoning": {"response": {"content": CANNED, "reasoning": "Let me see."}},
        "slow": {
            "response": {"content": CANNED},
            "streamingProfile": {"ttft": 150, "tps": 500, "jitter": 0.2},
        },
        "tools": {"response": {"toolCalls": [{"name": "look_up", "arguments": "{}"}]}},
    }  # fmt: skip
    _headers: ClassVar = {"bad_json": "malformed", "reset": "disconnect"}

    def clear(self) -> None:
        self.server.call("POST", "/__aimock/reset")
        self.server.call("DELETE", "/__aimock/chaos")
        self._add({"match": {"userMessage": "API gateway"}, "response": {"content": CANNED}})

    def _add(self, *fixtures: dict[str, Any]) -> None:
        self._post("/__aimock/fixtures", {"fixtures": fixtures})

    def chance(self) -> None:
        self._post("/__aimock/chaos", {"dropRate": 0.3})

    def fails(self, statuses: Sequence[int | None]) -> str:
        good: dict[str, Any] = {"content": CANNED}
        failed = {"error": {"message": "no", "type": "server_error"}}
        for index, status in enumerate(statuses):
            match = {"userMessage": "sequence", "sequenceIndex": index}
            self._add({"match": match, "response": failed | {"status": status} if status else good})
        self._add({"match": {"userMessage": "sequence"}, "response": good})
        return "sequence"

    def strike(self, kind: str) -> dict[str, Any]:
        if kind in self._headers:
            return {"headers": {f"x-aimock-chaos-{self._headers[kind]}": "1"}}
        if kind not in self._fixtures:
            raise LacksError
        self._add({"match": {"userMessage": f"strike {kind}"}, **self._fixtures[kind]})
        return {"prompt": f"strike {kind}"}

    def strike_one_of_two(self) -> tuple[dict[str, Any], dict[str, Any]]:
        one = {"X-Test-Id": "one"}
        self._post("/__aimock/chaos", {"dropRate": 1}, one)
        return {"headers": one}, {"headers": {"X-Test-Id": "two"}}

    def header(self) -> dict[str, str]:
        return {"x-aimock-chaos-drop": "1"}

    def slow(self) -> dict[str, Any]:
        return self.strike("slow")

    def unknown_model(self) -> dict[str, Any]:
        match = {"userMessage": "only one model", "model": self.server.program.model}
        self._add({"match": match, "response": {"content": CANNED}})
        return {"prompt": "only one model", "model": "nobody"}

    def tools(self) -> dict[str, Any]:
        return {**self.strike("tools"), "tools": TOOLS}

    def journal(self) -> list[dict[str, Any]]:
        return self.server.call("GET", "/__aimock/journal").json

    def replays(self, program: Program, upstream: Program, folder: Path) -> bool:
        at = program.command.index("-f") + 1
        shutil.copy(program.command[at], folder)
        command = (*program.command[:at], str(folder), *program.command[at + 1 :], "--record")
        body: dict[str, Any] = {"prompt": "Tell me of the sea.", "model": upstream.model}
        body["headers"] = {"Authorization": f"Bearer {upstream.key}"}
        with upstream.running("--time-scale", "0") as real:
            address = ("--provider-openai", f"http://127.0.0.1:{real.port}")
            with replace(program, command=command).running(*address) as recorder:
                first = recorder.ask(**body)
                real.stop()
                again = recorder.ask(**body)
        return bool(first.text) and first.text == again.text


class LlmockLevers(Levers):
    limited = ("--rpm", "60", "--tpm", "300000")
    by_chance = ("--error-rate", "503=0.3")
    apart = "by model, path or provider, not by key"
    timing = "one fixed pause"
    _kinds: ClassVar[dict[str, dict[str, Any]]] = {
        "bare_429": {"type": "fail", "status": 429},
        "quota": {"type": "fail", "status": 429, "code": "insufficient_quota"},
        "cut": {"type": "stream_fault", "kind": "disconnect", "after_chunks": AFTER},
        "end_early": {"type": "stream_fault", "kind": "truncate", "after_chunks": AFTER},
        "stall": {"type": "stream_fault", "kind": "stall", "after_chunks": AFTER},
        "bad_json": {"type": "stream_fault", "kind": "malformed", "after_chunks": AFTER},
        "reset": {"type": "stream_fault", "kind": "disconnect", "after_chunks": 0},
    }

    def clear(self) -> None:
        self.server.call("POST", "/_llmock/reset")

    def _queue(self, *behaviors: dict[str, Any]) -> None:
        self._post("/_llmock/scenario", {"behaviors": behaviors})

    def fails(self, statuses: Sequence[int | None]) -> str:
        if None in statuses:
            raise LacksError("a queue holds faults alone")
        self._queue(*({"type": "fail", "status": status} for status in statuses))
        return PROMPT

    def strike(self, kind: str) -> dict[str, Any]:
        if kind == "no_done":  # cut off just before its last event
            count = len(self.server.ask(stream=True).frames) - 1
            self._queue({"type": "stream_fault", "kind": "truncate", "after_chunks": count})
        elif kind in self._kinds:
            self._queue(self._kinds[kind])
        else:
            raise LacksError
        return {}

    def strike_one_of_two(self) -> tuple[dict[str, Any], dict[str, Any]]:
        self._queue({"type": "fail", "status": 503, "match": {"model": "one"}})
        return {"model": "one"}, {"model": "two"}

    def header(self) -> dict[str, str]:
        return {"x-llmock-force-status": "503"}

    def slow(self) -> dict[str, Any]:
        self._queue({"type": "slow_first_token", "seconds": 0.15, "times": None})
        return {}

    def journal(self) -> list[dict[str, Any]]:
        return self.server.call("GET", "/_llmock/requests").json["requests"]

    def verdict(self) -> str:
        found = self.server.call("GET", "/_llmock/verdict").json["findings"]
        return " ".join(one["code"] for one in found)


ALL: dict[str, type[Levers]] = {"ours": Ours, "aimock": Aimock, "llmock": LlmockLevers}
