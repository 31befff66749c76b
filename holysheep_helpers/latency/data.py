"""One measured stream: when its bytes came, and the times that follow from it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from math import inf, remainder
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from holysheep_helpers.exceptions import InputError

if TYPE_CHECKING:
    from pandas import DataFrame

COARSE_S = 0.001
"""A clock that moves in larger steps than this is called coarse."""


SAME_S = 0.00001
"""Two spans that differ by less are the same to a coarse clock."""


UNSURE_SHARE = 0.05
"""An inter-token latency that may be off by more than this share is left out."""


class Text(NamedTuple):
    """A chunk with text: ``at_s`` when its bytes were in; ``kind`` is ``answer`` or
    ``reasoning``."""

    at_s: float
    characters: int
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedStream:
    """One stream. Moments are seconds since the measurement began, spans are seconds.

    ``due_s`` is the intended start (in a closed loop the moment of the call), ``called_s`` when the
    SDK was called, ``sent_s`` when the request's last byte was handed to the operating system,
    ``texts`` the chunks with text as their bytes came in, ``handed_on_s`` when the SDK gave the
    first of them to its caller, ``done_s`` the end. ``connect_s`` was spent on a new connection.
    ``chunks`` counts all events; the tokens are those of ``usage``. ``error`` is a status or the
    name of an exception, ``None`` if all went well.

    What can't be known is ``None``, and ``notes`` says why.
    """

    index: int
    model: str
    due_s: float
    called_s: float
    done_s: float
    sent_s: float | None = None
    connect_s: float = 0.0
    new_connection: bool = False
    texts: tuple[Text, ...] = ()
    chunks: int = 0
    handed_on_s: float | None = None
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    finish_reason: str | None = None
    id: str | None = None
    error: str | None = None
    cost_usd: Decimal | None = None

    def later(self, by_s: float, more: int) -> TimedStream:
        """The same in a measurement that began ``by_s`` seconds and ``more`` runs earlier."""
        ends = {"sent_s": self.sent_s, "handed_on_s": self.handed_on_s}
        return replace(
            self,
            index=self.index + more,
            due_s=self.due_s + by_s,
            called_s=self.called_s + by_s,
            done_s=self.done_s + by_s,
            texts=tuple(text._replace(at_s=text.at_s + by_s) for text in self.texts),
            **{name: None if at_s is None else at_s + by_s for name, at_s in ends.items()},
        )

    @property
    def failed(self) -> bool:
        return self.error is not None

    @property
    def ttft_s(self) -> float | None:
        """Time to first token of any kind: from the request's last byte out to its bytes in."""
        if self.sent_s is None or not self.texts:
            return None
        return self.texts[0].at_s - self.sent_s

    @property
    def answer_ttft_s(self) -> float | None:
        """Time to first token of the answer, after any reasoning."""
        first = next((text for text in self.texts if text.kind == "answer"), None)
        if self.sent_s is None or first is None:
            return None
        return first.at_s - self.sent_s

    @property
    def _seen_tokens(self) -> int | None:
        """The tokens that came as text: reasoning that the server keeps to itself is not.

        ``None`` if there were more texts than that: some gateways leave hidden reasoning out of
        their count, and it can't be taken off what it is not in.
        """
        if self.output_tokens is None:
            return None
        hidden = self.reasoning_tokens or 0
        if any(text.kind == "reasoning" for text in self.texts):
            hidden = 0
        seen = self.output_tokens - hidden
        least = len(self.texts) if hidden else min(len(self.texts), 1)
        return seen if seen >= least else None

    @property
    def tokens_per_chunk(self) -> float | None:
        """Tokens for each chunk with text: above 1, the chunks bundle tokens."""
        tokens = self._seen_tokens
        return None if tokens is None or not self.texts else tokens / len(self.texts)

    @property
    def itl_s(self) -> float | None:
        """Inter-token latency: (last token - first token) / (tokens after the first chunk).

        With a token for each chunk this is the usual (tokens - 1). Where chunks bundle tokens, the
        first chunk is taken to carry as many as the average chunk, since nothing on the wire tells.
        ``None`` unless there are two chunks with text, two tokens, and a usage; and where the
        bundles are so few that a short last one would change it by more than 5%.
        """
        each, tokens = self.tokens_per_chunk, self._seen_tokens
        if each is None or tokens is None or len(self.texts) < 2 or tokens < 2 or self.failed:
            return None
        if self._few_bundles:
            return None
        return (self.texts[-1].at_s - self.texts[0].at_s) / (tokens - max(1.0, each))

    @property
    def _few_bundles(self) -> bool:
        """Whether the first chunk's share of the tokens is too unsure.

        Bundles of one size, but for a shorter last one, have (tokens - 1) / (chunks - 1) at most.
        """
        each, tokens, chunks = self.tokens_per_chunk, self._seen_tokens, len(self.texts)
        if each is None or tokens is None or each <= 1 or chunks < 2:
            return False
        most = (tokens - 1) / (chunks - 1)
        return most - each > UNSURE_SHARE * (tokens - most)

    @property
    def gaps_s(self) -> tuple[float, ...]:
        """The gaps between chunks with text; not between tokens, where chunks bundle them."""
        return tuple(after.at_s - before.at_s for before, after in pairwise(self.texts))

    @property
    def longest_gap_s(self) -> float | None:
        """The longest gap between two chunks with text: where a stream stalled."""
        return max(self.gaps_s, default=None)

    @property
    def decode_tokens_per_s(self) -> float | None:
        """Decode speed: 1 / inter-token latency, without the time to first token."""
        return 1 / self.itl_s if self.itl_s else None

    @property
    def tokens_per_s(self) -> float | None:
        """Output throughput: output tokens / end-to-end."""
        if self.output_tokens is None or self.failed or self.e2e_s <= 0:
            return None
        return self.output_tokens / self.e2e_s

    @property
    def e2e_s(self) -> float:
        """From the intended start to the end of the stream, as the application sees it."""
        return self.done_s - self.due_s

    @property
    def wire_s(self) -> float | None:
        """From the request's last byte out to the last token's bytes in."""
        if self.sent_s is None or not self.texts:
            return None
        return self.texts[-1].at_s - self.sent_s

    @property
    def wait_s(self) -> float:
        """How much later than intended the SDK was called."""
        return self.called_s - self.due_s

    @property
    def user_ttft_s(self) -> float | None:
        """From the intended start until the application had the first token in hand."""
        return None if self.handed_on_s is None else self.handed_on_s - self.due_s

    @property
    def client_before_s(self) -> float | None:
        """What the client took to send: from the call to the last byte, without connecting."""
        return None if self.sent_s is None else self.sent_s - self.called_s - self.connect_s

    @property
    def client_after_s(self) -> float | None:
        """From the first token's bytes in until the SDK handed it on."""
        if self.handed_on_s is None or not self.texts:
            return None
        return self.handed_on_s - self.texts[0].at_s

    @property
    def client_s(self) -> float | None:
        """What the client added to the time to first token, before and after the wire."""
        before, after = self.client_before_s, self.client_after_s
        return None if before is None or after is None else before + after

    @property
    def notes(self) -> tuple[str, ...]:
        """Why a figure is missing, or how it is to be read."""
        if self.failed:
            return (f"failed: {self.error}",)
        each, tokens, chunks = self.tokens_per_chunk, self._seen_tokens, len(self.texts)
        unread = not chunks and self.handed_on_s is not None
        unsure = self.output_tokens is not None and tokens is None
        found = {
            "no text came: no time to first token": not chunks and not unread,
            "its bytes can't be read (compressed?): no times of the wire": unread,
            "no usage came: tokens, and times per token, are unknown": self.output_tokens is None,
            "more texts than tokens in the usage: times per token are unknown": unsure,
            "one token: no inter-token latency": chunks > 0 and tokens == 1,
            "one chunk: no inter-token latency": chunks == 1 and (tokens or 0) > 1,
            "few chunks that bundle tokens: no inter-token latency": self._few_bundles,
            "chunks bundle tokens: gaps are not inter-token latency": (each or 0) > 1,
        }
        return tuple(note for note, holds in found.items() if holds)


def clock_step_s(moments: Sequence[float]) -> float | None:
    """The step in seconds in which these stamps move, if it is coarse, else ``None``.

    Windows' older clocks move every 15.6 ms. All differences between stamps are then multiples of
    one step, which stamps of a fine clock are not. Fewer than six different stamps tell nothing.
    """
    rising = sorted(set(moments))
    if len(rising) < 6:
        return None
    step, *others = (after - before for before, after in pairwise(rising))
    for gap in others:
        step = _common_part(gap, step)
        if step < COARSE_S:
            return None
    return step


def _common_part(a: float, b: float) -> float:
    """What both are multiples of (Euclid), for numbers that are a little off."""
    while b > SAME_S:
        a, b = b, abs(remainder(a, b))
    return a


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The error of this machine's measurements at one ``concurrency``, in seconds.

    With ``stagger`` the first starts were spread out; without, all began at once.

    Measured times to first token are ``bias_s`` too long on average; what is left after taking that
    off is within ``error_s`` for the mean of a measurement, with 95% confidence. The same of
    inter-token latency: ``itl_bias_s``, ``itl_error_s``. ``streams`` were compared with the mock's
    journal.
    """

    concurrency: int
    stagger: bool = True
    streams: int
    bias_s: float
    error_s: float
    itl_bias_s: float
    itl_error_s: float

    def __str__(self) -> str:
        return (
            f"At {self.concurrency} at once{'' if self.stagger else ', not staggered'}, on this "
            "machine: time to first token "
            f"± {self.error_s * 1000:.2f} ms after taking off {self.bias_s * 1000:.2f} ms, "
            f"inter-token latency ± {self.itl_error_s * 1000:.3f} ms "
            f"({self.streams} streams against the mock's journal)."
        )

    __repr__ = __str__


_known: dict[tuple[int, bool], Calibration] = {}


def remember(calibration: Calibration) -> None:
    """From now on, what is measured in this process carries it."""
    _known[calibration.concurrency, calibration.stagger] = calibration


def known_calibration(concurrency: int, stagger: bool = True) -> Calibration | None:
    """The last calibration under just this load: under another one the error is another."""
    return _known.get((concurrency, stagger))


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
