"""What is measured: one stream, with the times that follow from its stamps, and its error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from math import remainder
from typing import Any, ClassVar, NamedTuple

COARSE_S = 0.001
"""A clock that moves in larger steps than this is called coarse."""

SAME_S = 0.00001
"""Two spans that differ by less are the same to a coarse clock."""

UNSURE_SHARE = 0.05
"""An inter-token latency that may be off by more than this share is left out."""


class Text(NamedTuple):
    """A chunk with text: when its bytes were in; ``kind`` is ``answer`` or ``reasoning``."""

    at_s: float
    characters: int
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedStream:
    """One streamed reply with its time stamps, and the latencies that follow from them.

    All times are in seconds. A moment counts from the start of the measurement, a span is the time
    between two moments. What can't be known is ``None``, and ``notes`` says why.

    Attributes:
        index: the number of the run in its measurement, from 0.
        model: the model that was asked.
        due_s: the intended start. In a closed loop it is the moment of the call.
        called_s: when the SDK was called.
        sent_s: when the last byte of the request was handed to the operating system.
        connect_s: the time that was spent on a new connection.
        new_connection: whether a new connection was opened.
        texts: the chunks with text, each with the moment when its bytes came in.
        chunks: the number of all events of the stream.
        handed_on_s: when the client returned the first text to your code.
        done_s: the end of the stream.
        prompt_tokens, output_tokens, reasoning_tokens: the counts of the reply's ``usage``.
        finish_reason: why the answer ended.
        id: the id of the reply.
        error: an HTTP status or the name of an exception, ``None`` if all went well.
        cost_usd: the cost in US dollars.
        ttft_s: the time to first token, from ``sent_s`` until its bytes came in.
        answer_ttft_s: the same for the first token of the answer, after any reasoning.
        itl_s: the inter-token latency.
        e2e_s: the end-to-end latency, from ``due_s`` to ``done_s``.
        client_s: the time that the client added to the time to first token.
        notes: why a value is missing, or how it is to be read.

    Example:
        >>> run = hs.measure_latency(gw, "Say hello.", runs=1, max_tokens=5, progress=False)
        >>> stream = run.runs[0]
        >>> stream.output_tokens, stream.failed
        (5, False)
        >>> 0 <= stream.ttft_s <= stream.e2e_s
        True
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

    def shifted(self, by_s: float, more: int = 0) -> TimedStream:
        """The same stream ``by_s`` seconds later, with ``more`` added to its index."""
        names = ("due_s", "called_s", "done_s", "sent_s", "handed_on_s")
        known = {name: at for name in names if (at := getattr(self, name)) is not None}
        later: dict[str, Any] = {name: at + by_s for name, at in known.items()}
        texts = tuple(text._replace(at_s=text.at_s + by_s) for text in self.texts)
        return replace(self, index=self.index + more, texts=texts, **later)

    @property
    def failed(self) -> bool:
        """Whether the run has an error."""
        return self.error is not None

    @property
    def ttft_s(self) -> float | None:
        """Time to first token of any kind: from the request's last byte out to its bytes in."""
        return _span(self.sent_s, self._first_s)

    @property
    def answer_ttft_s(self) -> float | None:
        """Time to first token of the answer, after any reasoning."""
        answers = (text.at_s for text in self.texts if text.kind == "answer")
        return _span(self.sent_s, next(answers, None))

    @property
    def wire_s(self) -> float | None:
        """From the request's last byte out to the last token's bytes in."""
        return _span(self.sent_s, self.texts[-1].at_s if self.texts else None)

    @property
    def e2e_s(self) -> float:
        """From the intended start to the end of the stream, as the application sees it."""
        return self.done_s - self.due_s

    @property
    def wait_s(self) -> float:
        """How much later than intended the SDK was called."""
        return self.called_s - self.due_s

    @property
    def user_ttft_s(self) -> float | None:
        """From the intended start until the application had the first token in hand."""
        return _span(self.due_s, self.handed_on_s)

    @property
    def client_before_s(self) -> float | None:
        """What the client took to send: from the call to the last byte, without connecting."""
        return _span(self.called_s + self.connect_s, self.sent_s)

    @property
    def client_after_s(self) -> float | None:
        """From the first token's bytes in until the client returned it."""
        return _span(self._first_s, self.handed_on_s)

    @property
    def client_s(self) -> float | None:
        """What the client added to the time to first token, before and after the wire."""
        before, after = self.client_before_s, self.client_after_s
        return None if before is None or after is None else before + after

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
        tokens, chunks = self._seen_tokens, len(self.texts)
        if self.failed or tokens is None or min(tokens, chunks) < 2 or self._few_bundles:
            return None
        return (self.texts[-1].at_s - self.texts[0].at_s) / (tokens - max(1.0, tokens / chunks))

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
    def notes(self) -> tuple[str, ...]:
        """Why a value is missing, or how it is to be read."""
        if self.failed:
            return (f"failed: {self.error}",)
        tokens, chunks = self._seen_tokens, len(self.texts)
        unread = not chunks and self.handed_on_s is not None
        unsure = self.output_tokens is not None and tokens is None
        bundled = tokens is not None and tokens > chunks > 0
        found = {
            "no text came: no time to first token": not chunks and not unread,
            "its bytes can't be read (compressed?): no times of the wire": unread,
            "no usage came: tokens, and times per token, are unknown": self.output_tokens is None,
            "more texts than tokens in the usage: times per token are unknown": unsure,
            "one token: no inter-token latency": chunks > 0 and tokens == 1,
            "one chunk: no inter-token latency": chunks == 1 and (tokens or 0) > 1,
            "few chunks that bundle tokens: no inter-token latency": self._few_bundles,
            "chunks bundle tokens: gaps are not inter-token latency": bundled,
        }
        return tuple(note for note, holds in found.items() if holds)

    @property
    def _first_s(self) -> float | None:
        return self.texts[0].at_s if self.texts else None

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
    def _few_bundles(self) -> bool:
        """Whether the first chunk's share of the tokens is too unsure.

        Bundles of one size, but for a shorter last one, have (tokens - 1) / (chunks - 1) at most.
        """
        tokens, chunks = self._seen_tokens, len(self.texts)
        if tokens is None or not 2 <= chunks < tokens:
            return False
        most = (tokens - 1) / (chunks - 1)
        return most - tokens / chunks > UNSURE_SHARE * (tokens - most)


def _span(start_s: float | None, end_s: float | None) -> float | None:
    return None if start_s is None or end_s is None else end_s - start_s


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
        step, rest = gap, step
        while rest > SAME_S:  # Euclid's algorithm, for numbers that are a little off
            step, rest = rest, abs(remainder(step, rest))
        if step < COARSE_S:
            return None
    return step


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The error of this computer's measurements under one load, as ``hs.calibrate`` found it.

    ``print(calibration)`` says it in one sentence.

    Attributes:
        concurrency: the number of streams at once, for which it holds.
        stagger: whether the first starts were spread out, or all began at once.
        streams: the number of streams that were compared with the journal of the mock.
        bias_s: measured times to first token are so many seconds too long on average.
        error_s: the error of a mean time to first token without the bias, ± seconds, for 95%.
        itl_bias_s: the bias of the inter-token latency, in seconds.
        itl_error_s: the error of the inter-token latency, ± seconds, for 95%.

    Example:
        >>> hs.Calibration(
        ...     concurrency=1, streams=32, bias_s=0.0006, error_s=0.0003,
        ...     itl_bias_s=0.0, itl_error_s=0.00002,
        ... )
        At 1 at once, on this machine: time to first token ± 0.30 ms after taking off 0.60 ms, ...
    """

    _known: ClassVar[dict[tuple[int, bool], Calibration]] = {}

    concurrency: int
    stagger: bool = True
    streams: int
    bias_s: float
    error_s: float
    itl_bias_s: float
    itl_error_s: float

    def remember(self) -> None:
        """From now on, what is measured in this process under the same load carries it."""
        self._known[self.concurrency, self.stagger] = self

    @classmethod
    def known(cls, concurrency: int, stagger: bool = True) -> Calibration | None:
        """The last calibration under just this load: under another one the error is another."""
        return cls._known.get((concurrency, stagger))

    def __str__(self) -> str:
        return (
            f"At {self.concurrency} at once{'' if self.stagger else ', not staggered'}, on this "
            f"machine: time to first token ± {self.error_s * 1000:.2f} ms after taking off "
            f"{self.bias_s * 1000:.2f} ms, inter-token latency ± {self.itl_error_s * 1000:.3f} ms "
            f"({self.streams} streams against the mock's journal)."
        )

    __repr__ = __str__
