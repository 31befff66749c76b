"""What a measurement took down: its runs, as numbers, as a data frame, as a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal, InvalidOperation
from math import inf
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from holysheep_helpers.calibration import Calibration
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.timed_stream import Text, TimedStream

if TYPE_CHECKING:
    from pandas import DataFrame

KIND, VERSION = "holysheep latency", 1
LATENCIES = ("ttft_s", "answer_ttft_s", "itl_s", "e2e_s", "wire_s", "user_ttft_s")
"""Of a run that failed, these are infinite: nobody got what they waited for."""
SPEEDS = ("decode_tokens_per_s", "tokens_per_s")
"""And these are 0."""
OTHERS = (
    *("client_s", "client_before_s", "client_after_s", "connect_s", "wait_s", "longest_gap_s"),
    "tokens_per_chunk",
)
BUSY_SHARE, CLIENT_SHARE = 0.7, 0.25
"""From here on the client itself makes up the figures: its share of the processor's time, and of
what a user waits for the first token."""


@dataclass(frozen=True, kw_only=True)
class LatencyData:
    """The data of an ``hs.LatencyRun``, which says what they are."""

    model: str
    runs: tuple[TimedStream, ...]
    warmups: tuple[TimedStream, ...] = ()
    asked: int = 0
    concurrency: int = 1
    rate_per_s: float | None = None
    elapsed_s: float = 0.0
    busy: float = 0.0
    clock_step_s: float | None = None
    stopped_by: str | None = None
    under_way_s: tuple[float, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    calibration: Calibration | None = None

    def __len__(self) -> int:
        return len(self.runs)

    @property
    def failed(self) -> list[TimedStream]:
        return [run for run in self.runs if run.failed]

    @property
    def label(self) -> str:
        """What was measured, in a few words."""
        return f"{self.model}, {self.how}"

    @property
    def how(self) -> str:
        """The kind of load: closed or open loop, and how much of it."""
        if self.rate_per_s is not None:
            return f"open loop, {self.rate_per_s:g} a second"
        return f"closed loop, {self.concurrency} at once"

    @property
    def most_at_once(self) -> int:
        """The most runs that were under way together."""
        begun = [(run.called_s, 1) for run in self.runs]
        most = now = 0
        for _, change in sorted(begun + [(run.done_s, -1) for run in self.runs]):
            now += change
            most = max(most, now)
        return most

    @property
    def cost_usd(self) -> Decimal:
        """What all of it cost, warm-up included, as far as it is known."""
        known = (run.cost_usd for run in (*self.runs, *self.warmups) if run.cost_usd is not None)
        return sum(known, Decimal(0))

    @property
    def ended_per_s(self) -> float:
        """Runs that came to an end a second, failed ones too: from the first end to the last.

        Not from the first start: a load that is whole from then on has others under way, whose
        ends are not counted.
        """
        ends = sorted(run.done_s for run in self.runs)
        if len(ends) < 2 or ends[-1] <= ends[0]:
            return len(ends) / self.elapsed_s if self.elapsed_s else 0.0
        return (len(ends) - 1) / (ends[-1] - ends[0])

    @property
    def answers_per_s(self) -> float:
        """Of these, the ones that did not fail."""
        return self.ended_per_s * (1 - len(self.failed) / len(self)) if self.runs else 0.0

    @property
    def client_share(self) -> float:
        """The client's share of what users waited for their first token, all runs together."""
        both = [(r.client_s, r.user_ttft_s) for r in self.runs if r.client_s and r.user_ttft_s]
        return sum(own for own, _ in both) / sum(whole for _, whole in both) if both else 0.0

    @property
    def client_is_bottleneck(self) -> bool:
        """Whether the client's own work, not the gateway, made up the figures."""
        return self.busy >= BUSY_SHARE or self.client_share >= CLIENT_SHARE

    def values(self, metric: str) -> list[float]:
        """One number a run of a metric of ``TimedStream``, ``"ttft_s"`` say; seconds.

        Of a failed run a latency is ``math.inf``, a speed 0. A run without such a metric is left
        out.
        """
        allowed = (*LATENCIES, *SPEEDS, *OTHERS)
        if metric not in allowed:
            raise InputError(f"There is no metric {metric!r}: allowed are {', '.join(allowed)}.")
        found = (_value(run, metric) for run in self.runs)
        return [value for value in found if value is not None]

    def to_frame(self) -> DataFrame:
        """A data frame with a row for each run; ``_ms`` are milliseconds.

        ``ttft_ms``, ``answer_ttft_ms``, ``itl_ms`` and ``wire_ms`` are as the wire saw them;
        ``client_ms`` is what the client added to the time to first token, ``connect_ms`` what a new
        connection took, ``wait_ms`` how late it was called; ``user_ttft_ms`` and ``e2e_ms`` are the
        whole, from the intended start. Of a failed run they are infinite. Empty is what can't be
        known: ``notes`` has the reason.
        """
        import pandas as pd

        spans = [name for name in (*LATENCIES, *OTHERS) if name.endswith("_s")]
        whole = ["output_tokens", "reasoning_tokens", "chunks"]
        columns: dict[str, Any] = {"start_s": [run.due_s for run in self.runs]}
        for span in spans:
            values = [_value(run, span) for run in self.runs]
            name = span.removesuffix("s") + "ms"
            columns[name] = [None if value is None else value * 1000 for value in values]
        for name in ("tokens_per_chunk", *SPEEDS):
            columns[name] = [_value(run, name) for run in self.runs]
        floats = dict.fromkeys(columns, float)
        for name in (*whole, "new_connection", "finish_reason", "error"):
            columns[name] = [getattr(run, name) for run in self.runs]
        columns["notes"] = ["; ".join(run.notes) for run in self.runs]
        frame = pd.DataFrame(columns, index=pd.Index([run.index for run in self.runs], name="run"))
        kinds = {**floats, **dict.fromkeys(whole, "Int64"), "new_connection": bool}
        return frame.astype(kinds | dict.fromkeys(("finish_reason", "error", "notes"), "str"))

    def __repr__(self) -> str:
        failed = f", {len(self.failed)} failed" if self.failed else ""
        return f"<{type(self).__name__} {self.label}: {len(self)} runs{failed}>"

    def save(self, path: str | PathLike[str]) -> None:
        """Write all of it as JSON: times and counts, no prompt, no answer, no key."""
        whole = {"kind": KIND, "version": VERSION, **asdict(self)}
        text = json.dumps(whole, default=str, ensure_ascii=False, indent=1)
        Path(path).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """What ``save`` wrote. Raises ``InputError`` for any other file."""
        try:
            whole = json.loads(Path(path).read_text(encoding="utf-8"))
            kind, version = whole.pop("kind"), whole.pop("version")
            if kind != KIND or version != VERSION:
                raise ValueError(f"{kind!r}, version {version!r}")
            error = whole.pop("calibration")
            return cls(
                **whole
                | {name: tuple(map(_stream, whole[name])) for name in ("runs", "warmups")}
                | {"under_way_s": tuple(whole["under_way_s"])}
                | {"calibration": Calibration(**error) if error else None}
            )
        except (ValueError, KeyError, TypeError, AttributeError, InvalidOperation) as problem:
            raise InputError(
                f"{path} is no measurement that can be read here ({problem}): a file is needed "
                f"that LatencyRun.save() wrote, version {VERSION}."
            ) from problem


def _value(run: TimedStream, metric: str) -> float | None:
    if not run.failed:
        return getattr(run, metric)
    return inf if metric in LATENCIES else 0.0 if metric in SPEEDS else None


def _stream(saved: Mapping[str, Any]) -> TimedStream:
    cost = saved["cost_usd"]
    texts = tuple(Text(*text) for text in saved["texts"])
    return TimedStream(
        **{**saved, "texts": texts, "cost_usd": None if cost is None else Decimal(cost)}
    )
