"""Tools that measure the latency of an LLM: each installed apart, run as its own pages advise.

A peer is looked for in ``FOLDER/NAME``, a virtual environment. None is installed by itself, for two
of them bring a GPU stack of gigabytes. Each gets the same load: streams with usage, the same reply
of 100 tokens, as many at once, and its own kind of warm-up, which it leaves out.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holysheep_helpers.catalog import tokens

MODEL = "mistral-small-2603"
PROMPT = "Explain streaming step by step."
"""The mock's reply to it has more than ``TOKENS`` tokens, the same ones each time."""
TOKENS = 100


class MissingError(Exception):
    """A peer is not there, or fails; the message says why, or how it is installed."""


@dataclass(frozen=True)
class Load:
    """What a tool is to send: ``url`` ends with /v1; ``scratch`` is a folder for its files."""

    url: str
    key: str
    runs: int
    warmup: int
    at_once: int
    scratch: Path
    repeats: int = 1

    @property
    def host(self) -> str:
        return self.url.removesuffix("/v1")


@dataclass(frozen=True)
class Said:
    """What a tool says of its runs: means, in seconds; ``None`` for what it does not tell.

    ``itl_s`` is what it calls inter-token latency, ``tpot_s`` what it calls time per output token.
    ``ids`` are those of the replies, where it tells them. ``error_s`` is its own 95% error bar of
    ``ttft_s``; ``raw_ttft_s`` and ``raw_itl_s`` are without its calibration.
    """

    runs: int
    ttft_s: float
    itl_s: float
    tpot_s: float | None = None
    answer_ttft_s: float | None = None
    ids: tuple[str, ...] = ()
    error_s: float | None = None
    raw_ttft_s: float | None = None
    raw_itl_s: float | None = None


@dataclass(frozen=True)
class Peer:
    """A tool in its environment; ``name`` is its command there, too."""

    name: str
    package: str
    run: Callable[[Peer, Path, Load], Said]

    def version(self, folder: Path) -> str:
        """Raises ``MissingError`` if it is not there."""
        if not self.command(folder).exists():
            where = folder / self.name
            raise MissingError(
                f"not in {where}. To install it: uv venv --python 3.12 {where} && "
                f"uv pip install --python {where} '{self.package}'"
            )
        code = "import sys; from importlib.metadata import version as v; print(v(sys.argv[1]))"
        python = self.command(folder, "python")
        return _run([python, "-c", code, self.package.partition("[")[0]], folder, 60).strip()

    def command(self, folder: Path, program: str | None = None) -> Path:
        scripts, ending = ("Scripts", ".exe") if os.name == "nt" else ("bin", "")
        return folder / self.name / scripts / f"{program or self.name}{ending}"

    def call(self, folder: Path, load: Load, *options: str, **env: str) -> None:
        """Run its command, and wait. Raises ``MissingError`` with its last words if it fails."""
        timeout_s = 120 + (load.runs + load.warmup) * 5 / load.at_once
        _run([self.command(folder), *options], load.scratch, timeout_s, env)


def _run(
    command: list[Path | str], folder: Path, timeout_s: float, env: Mapping[str, str] | None = None
) -> str:
    offline = {"NO_PROXY": "127.0.0.1", "DO_NOT_TRACK": "1", "PYTHONUTF8": "1"}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **offline, **(env or {})},
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired:
        raise MissingError(f"no end within {timeout_s:.0f} s") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no word"]
        raise MissingError(f"exit code {done.returncode}: {said[-1][:200]}")
    return done.stdout


def tokenizer(folder: Path) -> str:
    """A folder that loads as a Hugging Face tokenizer, offline, and counts as the mock counts.

    Its only words are the two that the mock's reply hangs on: a tool that makes up its prompts
    from the vocabulary makes ones that get the same reply.
    """
    home = folder / "tokenizer"
    home.mkdir(exist_ok=True)
    split = {"Regex": tokens._PIECE.pattern}
    whole = {
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": {
            "type": "Split", "pattern": split, "behavior": "Isolated", "invert": False,
        },
        "decoder": {"type": "Fuse"},
        "model": {
            "type": "WordLevel",
            "vocab": {"[UNK]": 0, " streaming": 1, " step": 2},
            "unk_token": "[UNK]",
        },
    }  # fmt: skip
    special = dict.fromkeys(("unk_token", "eos_token", "pad_token"), "[UNK]")
    _write(home / "tokenizer.json", whole)
    kind = {"tokenizer_class": "PreTrainedTokenizerFast", **special}
    _write(home / "tokenizer_config.json", kind)
    return str(home)


def _write(file: Path, *lines: Any) -> str:
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return str(file)


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingError(f"it wrote no {file.name}") from None


def aiperf(peer: Peer, folder: Path, load: Load) -> Said:
    prompts = _write(load.scratch / "aiperf.jsonl", {"text": PROMPT})
    out = load.scratch / "aiperf"
    peer.call(
        folder, load, "profile", "--model", MODEL, "--url", load.host, "--api-key", load.key,
        "--endpoint-type", "chat", "--streaming", "--input-file", prompts,
        "--custom-dataset-type", "single-turn", "--extra-inputs", f"max_tokens:{TOKENS}",
        "--use-server-token-count", "--tokenizer", tokenizer(load.scratch),
        "--request-count", str(load.runs), "--warmup-request-count", str(load.warmup),
        "--concurrency", str(load.at_once), "--artifact-dir", str(out), "--ui", "none",
        "--no-gpu-telemetry", "--no-server-metrics",
    )  # fmt: skip
    found = _read(out / "profile_export_aiperf.json")

    def mean_s(name: str) -> float | None:
        return found[name]["avg"] / 1000 if name in found else None

    return Said(
        int(found["request_count"]["avg"]),
        found["time_to_first_token"]["avg"] / 1000,
        found["inter_token_latency"]["avg"] / 1000,
        answer_ttft_s=mean_s("time_to_first_output_token"),
    )


def guidellm(peer: Peer, folder: Path, load: Load) -> Said:
    """Its warm-up is its first requests; those in flight when it ends are left out, too."""
    asked = load.runs + load.warmup
    prompts = _write(load.scratch / "guidellm.jsonl", *[{"prompt": PROMPT}] * asked)
    warmup = {"mode": "requests", "value": load.warmup}
    profile = {"kind": "concurrent", "streams": [load.at_once], "warmup": warmup}
    out = load.scratch / "guidellm.json"
    peer.call(
        folder, load, "run", "--backend",
        f"kind=openai_http,target={load.host},model={MODEL},api_key={load.key},"
        f"max_tokens={TOKENS},validate_backend=false",
        "--profile", json.dumps(profile), "--constraint", f"kind=max_requests,count={asked}",
        "--tokenizer", f"kind=huggingface_auto,model={tokenizer(load.scratch)}",
        "--data", f"kind=json_file,path={prompts}", "--output", f"kind=json,path={out}",
        "--disable-console", HF_HUB_OFFLINE="1",
    )  # fmt: skip
    found = _read(out)["benchmarks"][0]["metrics"]

    def mean_s(name: str) -> float:
        return found[name]["successful"]["mean"] / 1000

    return Said(
        found["time_to_first_token_ms"]["successful"]["count"],
        mean_s("time_to_first_token_ms"),
        mean_s("inter_token_latency_ms"),
        mean_s("time_per_output_token_ms"),
        mean_s("time_to_first_output_token_ms"),
    )


def inference_perf(peer: Peer, folder: Path, load: Load) -> Said:
    """Its warm-up is a first stage. It asks for as many tokens only with prompts of its own."""
    stages = [
        {"num_requests": count, "concurrency_level": load.at_once}
        for count in (load.warmup, load.runs)
    ]
    prompts = {
        "num_groups": 1, "num_prompts_per_group": load.runs + load.warmup, "seed": 0,
        "system_prompt_len": 0, "question_len": 24, "output_len": TOKENS,
    }  # fmt: skip
    out = load.scratch / "inference-perf"
    config = {
        "api": {"type": "chat", "streaming": True},
        "data": {"type": "shared_prefix", "shared_prefix": prompts, "multimodal": {}},
        "load": {"type": "concurrent", "interval": 0.5, "stages": stages},
        "server": {
            "type": "vllm", "model_name": MODEL, "base_url": load.host, "api_key": load.key,
            "ignore_eos": False,
        },
        "tokenizer": {"pretrained_model_name_or_path": tokenizer(load.scratch)},
        "report": {"request_lifecycle": {"use_server_output_tokens": True}, "prometheus": None},
        "storage": {"local_storage": {"path": str(out)}},
    }  # fmt: skip
    file = _write(load.scratch / "inference-perf.yaml", config)  # JSON is YAML
    peer.call(folder, load, "-c", file, HF_HUB_OFFLINE="1")
    good = _read(out / "stage_1_lifecycle_metrics.json")["successes"]
    if not good["count"]:
        raise MissingError("none of its requests succeeded")
    mean_s = {name: figure["mean"] for name, figure in good["latency"].items() if figure}
    return Said(
        good["count"],
        mean_s["time_to_first_token"],
        mean_s["inter_token_latency"],
        mean_s["time_per_output_token"],
    )


def vllm(peer: Peer, folder: Path, load: Load) -> Said:
    prompts = _write(load.scratch / "vllm.jsonl", *[{"prompt": PROMPT}] * load.runs)
    peer.call(
        folder, load, "bench", "serve", "--backend", "openai-chat", "--base-url", load.host,
        "--endpoint", "/v1/chat/completions", "--model", MODEL,
        "--tokenizer", tokenizer(load.scratch), "--dataset-name", "custom",
        "--dataset-path", prompts, "--custom-output-len", str(TOKENS), "--skip-chat-template",
        "--num-prompts", str(load.runs), "--num-warmups", str(load.warmup),
        "--max-concurrency", str(load.at_once), "--disable-tqdm", "--save-result",
        "--result-dir", str(load.scratch), "--result-filename", "vllm.json",
        OPENAI_API_KEY=load.key, VLLM_NO_USAGE_STATS="1", HF_HUB_OFFLINE="1",
    )  # fmt: skip
    found = _read(load.scratch / "vllm.json")
    if not found["completed"]:
        raise MissingError("none of its requests succeeded")
    names = ("mean_ttft_ms", "mean_itl_ms", "mean_tpot_ms")
    return Said(found["completed"], *(found[name] / 1000 for name in names))


PEERS = (
    Peer("aiperf", "aiperf", aiperf),
    Peer("inference-perf", "inference-perf", inference_perf),
    Peer("guidellm", "guidellm", guidellm),
    Peer("vllm", "vllm[bench]", vllm),
)
