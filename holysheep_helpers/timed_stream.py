"""One measured stream: when its bytes came, and the times that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from math import remainder
from typing import NamedTuple

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
