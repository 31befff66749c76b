"""What a batch gives back: one result for each prompt, in order, whatever happened to it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, TypeVar, overload

from openai.types import CompletionUsage

from holysheep_helpers._checks import is_number, is_whole
from holysheep_helpers.client.replies import ending, ending_note, read_usage
from holysheep_helpers.diagnosis.diagnose import diagnose
from holysheep_helpers.exceptions import InputError, Portable

if TYPE_CHECKING:
    import pandas as pd

BUSY_SHARE = 0.8
"""From this share of the time on, a process that is busy itself sets the pace of a batch."""

TOKENS = ("prompt_tokens", "completion_tokens")

NOT_SENT = ("no connection", "not sendable")
"""Outcomes of requests that never reached a server."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request: when it went out and when it ended, in seconds since the batch began.

    ``outcome`` is ``"ok"``, a status (``"429"``), or ``"time-out"``, ``"connection"``, ``"reply"``,
    ``"interrupted"``, and, where nothing was sent, ``"no connection"`` or ``"not sendable"``;
    ``model`` is the one that was asked.
    """

    start_s: float
    end_s: float
    outcome: str
    model: str = ""


@dataclass(frozen=True, slots=True)
class BatchItem:
    """What became of one prompt: its ``text``, or else its ``error``.

    Attributes:
        index: the prompt's place in the batch, from 0.
        prompt: the prompt as it was given.
        text: the answer; ``None`` where there is an error.
        error: the exception as an object, or ``None``.
        usage: the server's count of tokens, or ``None``.
        cost: exact US dollars as a ``Decimal``; ``None`` where it is not known.
        finish_reason: ``"stop"``, or ``"length"`` if ``max_tokens`` cut the answer; ``None`` if
            the server states none.
        model: the model that answered, as the server states it; ``None`` if it states none.
        request_id: as the server states it.
        attempts: how many requests were made for this prompt, also those that could not be sent.
        elapsed_s: seconds from the first request's start to the last one's end.
        timeline: an ``Attempt`` for each request of this run.
        lost: how many requests may have been paid for although no reply arrived.
        restored: whether it is from a journal, and nothing was sent.
        refusal: the model's words where it refuses to answer; else empty.

    Example:
        >>> result = await hs.batch(gw, ["Say hello."], progress=False)
        >>> result[0].ok, result[0].finish_reason, result[0].attempts
        (True, 'stop', 1)
    """

    index: int
    prompt: Any = field(repr=False)
    text: str | None = None
    error: Exception | None = None
    usage: CompletionUsage | None = field(default=None, repr=False)
    cost: Decimal | None = None
    finish_reason: str | None = None
    model: str | None = None
    request_id: str | None = field(default=None, repr=False)
    attempts: int = 0
    elapsed_s: float = field(default=0.0, repr=False)
    timeline: tuple[Attempt, ...] = field(default=(), repr=False)
    lost: int = 0
    restored: bool = False
    refusal: str = field(default="", repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled with its error, which goes without its request."""
        values = [getattr(self, one.name) for one in fields(self)]
        return BatchItem, tuple(Portable(v) if isinstance(v, Exception) else v for v in values)

    @property
    def ok(self) -> bool:
        return self.error is None

    @property
    def cut_short(self) -> bool:
        """Whether the answer was cut off, by ``max_tokens`` or by the model's window."""
        return ending(self.finish_reason) == "cut"

    @property
    def possibly_paid_twice(self) -> int:
        """Payments beyond the first that this prompt may have caused."""
        return max(self.lost + self.ok - 1, 0)


@dataclass(eq=False, repr=False)
class BatchResult(Sequence[BatchItem]):
    """The results of a batch: a sequence with one ``BatchItem`` for each prompt, in order.

    Attributes:
        ok: the items with a text.
        failed: the items with an error.
        texts: the answers in order, ``None`` where there is an error.
        cost: the sum of all known costs, in US dollars, as a ``Decimal``.
        spent_usd: the same without what is from a journal.
        budgeted_usd: what counts against ``budget_usd``: lost replies at the most that they may
            have cost. 0 without a budget.
        unpriced: how many answers are of unknown cost.
        restored: how many results are from a journal.
        sent: how many requests were sent for these results: none where there was no connection.
        possibly_paid_twice: payments beyond the first for a prompt, at most: replies that were
            lost, and asked again. With a journal, those of earlier runs are in it.
        elapsed_s: how long the batch took, in seconds.
        stopped_by: the error that ended it early, or ``None``.
        client_share: for how much of the time, from 0 to 1, this process itself was busy.
        client_is_bottleneck: whether this process, not the gateway, set the pace.

    Example:
        >>> result = await hs.batch(gw, ["Say hello.", "Count to ten."], progress=False)
        >>> print(result.summary())
        2 prompts: 2 answered, 0 failed
        2 requests sent, 0.000... USD
    """

    _items: list[BatchItem]
    _labels: list[Any]
    _again: Callable[[BatchResult], Coroutine[Any, Any, BatchResult]]
    elapsed_s: float = 0.0
    client_share: float = 0.0
    stopped_by: BaseException | None = None
    budgeted_usd: Decimal = Decimal(0)

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: all but the way to ask again, which has the key."""
        stopped_by = self.stopped_by and Portable(self.stopped_by)
        return vars(self) | {"_again": _ask_elsewhere, "stopped_by": stopped_by}

    @overload
    def __getitem__(self, index: int) -> BatchItem: ...
    @overload
    def __getitem__(self, index: slice) -> list[BatchItem]: ...
    def __getitem__(self, index: int | slice) -> BatchItem | list[BatchItem]:
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    @property
    def ok(self) -> list[BatchItem]:
        return [item for item in self._items if item.ok]

    @property
    def failed(self) -> list[BatchItem]:
        return [item for item in self._items if not item.ok]

    @property
    def texts(self) -> list[str | None]:
        """The answers in order, ``None`` where there is an error instead."""
        return [item.text for item in self._items]

    @property
    def cost(self) -> Decimal:
        return sum((item.cost or Decimal(0) for item in self._items), Decimal(0))

    @property
    def spent_usd(self) -> Decimal:
        return sum((i.cost or Decimal(0) for i in self._items if not i.restored), Decimal(0))

    @property
    def unpriced(self) -> int:
        """How many answers are of unknown cost: no usage came, or no price was published."""
        return sum(item.ok and item.cost is None for item in self._items)

    @property
    def restored(self) -> int:
        return sum(item.restored for item in self._items)

    @property
    def sent(self) -> int:
        return sum(a.outcome not in NOT_SENT for item in self._items for a in item.timeline)

    @property
    def possibly_paid_twice(self) -> int:
        return sum(item.possibly_paid_twice for item in self._items)

    @property
    def client_is_bottleneck(self) -> bool:
        """Whether this process itself, not the gateway, set the pace."""
        return self.client_share >= BUSY_SHARE and self.elapsed_s >= 0.5

    async def retry_failed(self) -> BatchResult:
        """Ask the failed ones again, with the same settings; all results, old and new, in order."""
        return await self._again(self)

    def retry_failed_sync(self) -> BatchResult:
        """``retry_failed`` for a script; ``InputError`` in a notebook, whose event loop runs."""
        return run_outside_a_loop(lambda: self._again(self), "await result.retry_failed()")

    def to_frame(self) -> pd.DataFrame:
        """A data frame with one row for each prompt, labelled as the column that was given.

        ``cost`` is US dollars (``Decimal``), ``elapsed_s`` seconds. ``error`` is a text without
        request and key, ``error_kind`` and ``retryable`` are those of ``hs.diagnose``; the
        exception itself is the item's ``error``.
        """
        import pandas as pd

        names = ["finish_reason", *TOKENS, "cost"]
        names += ["model", "attempts", "elapsed_s", "lost", "restored"]

        def column(name: str) -> list[Any]:
            return [getattr(i.usage if name in TOKENS else i, name, None) for i in self._items]

        why = [item.error and diagnose(item.error) for item in self._items]
        columns: dict[str, list[Any]] = {
            "text": column("text"),
            "error": [
                found and f"{type(item.error).__name__}: {found.what}"
                for item, found in zip(self._items, why, strict=True)
            ],
            "error_kind": [found and found.kind for found in why],
            "retryable": [found and found.retryable for found in why],
            **{name: column(name) for name in names},
        }
        frame = pd.DataFrame(columns, pd.Index(self._labels))
        return frame.astype({**dict.fromkeys(TOKENS, "Int64"), "retryable": "boolean"})

    def summary(self) -> str:
        """What became of all of it in a few lines; no time, so that it can repeat."""
        failed, stopped_by, twice = self.failed, self.stopped_by, self.possibly_paid_twice
        count = f"{len(self)} prompt{'s' * (len(self) != 1)}"
        restored = f", {self.restored} of them from the journal" * bool(self.restored)
        errors = sorted(Counter(type(item.error).__name__ for item in failed).items())
        models = Counter(item.model for item in self.ok).most_common()
        unpriced = f", {self.unpriced} answers of unknown cost" * bool(self.unpriced)
        cut = sum(item.cut_short for item in self._items)
        notes = Counter(
            ending_note(item.finish_reason, item.refusal and "see .refusal")
            for item in self._items
            if not item.cut_short
        )
        lines = [
            f"{count}: {len(self.ok)} answered, {len(failed)} failed{restored}",
            f"failed: {', '.join(f'{n} {kind}' for kind, n in errors)}" * bool(errors),
            f"answered by: {', '.join(f'{n} {name}' for name, n in models)}" * (len(models) > 1),
            f"{self.sent} requests sent, {self.spent_usd:f} USD{unpriced}",
            f"{cut} answers were CUT SHORT by max_tokens" * bool(cut),
            *(f"{n} answers are {note}" for note, n in sorted(notes.items()) if note),
            f"Note: {twice} possibly paid twice: their reply was lost" * bool(twice),
            f"STOPPED early by {type(stopped_by).__name__}: {stopped_by}" * bool(stopped_by),
            f"Note: this process was busy {self.client_share:.0%} of the time: it set the "
            "pace, not the gateway. More concurrency won't help; a second process would."
            * self.client_is_bottleneck,
        ]
        return "\n".join(filter(None, lines))

    __repr__ = summary


async def _ask_elsewhere(result: BatchResult) -> BatchResult:
    raise InputError(
        "This result was pickled, and has no gateway any more: ask its failed prompts again with "
        "hs.batch(gw, [item.prompt for item in result.failed])."
    )


Result = TypeVar("Result")


def run_outside_a_loop(call: Callable[[], Coroutine[Any, Any, Result]], instead: str) -> Result:
    """Run this to its end. Raises ``InputError`` where an event loop runs: use ``instead``."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(call())
    raise InputError(f"An event loop runs here already: use `{instead}`.")


_COUNTS = (*TOKENS, "total_tokens")

LARGEST_POWER = 30
"""A cost has fewer digits than that before the point, and fewer zeros behind it."""

KEPT = ("text", "finish_reason", "model", "request_id", "attempts", "elapsed_s", "refusal")
"""What a journal keeps of a result as it is."""


def recorded(result: BatchItem) -> dict[str, Any]:
    """A result as a journal keeps it."""
    usage, cost = result.usage, result.cost
    return {name: getattr(result, name) for name in KEPT} | {
        "usage": usage.model_dump(exclude_none=True, warnings=False) if usage else None,
        "cost": None if cost is None else str(cost),
    }


def is_record(record: Mapping[str, Any]) -> bool:
    """Whether this is what ``recorded`` keeps; what somebody has changed may be anything."""
    usage, stated = record.get("usage"), record.get("cost")
    return (
        isinstance(record.get("text"), str)
        and isinstance(record.get("refusal", ""), str)
        and all(isinstance(record.get(n), str | None) for n in ("finish_reason", "model"))
        and isinstance(record.get("request_id"), str | None)
        and is_whole(record.get("attempts", 0))
        and is_number(record.get("elapsed_s", 0))
        and isinstance(usage, dict | None)
        and all(c is None or (is_whole(c) and c >= 0) for c in map((usage or {}).get, _COUNTS))
        and (stated is None or _is_cost(stated))
    )


def _is_cost(stated: object) -> bool:
    """Whether this is a cost as a journal keeps it, and one that can be added and shown."""
    try:
        cost = Decimal(stated) if isinstance(stated, str) else Decimal("NaN")
    except InvalidOperation:
        return False
    return cost.is_finite() and cost >= 0 and abs(cost.adjusted()) < LARGEST_POWER


def restored(index: int, prompt: Any, record: dict[str, Any], lost: int) -> BatchItem:
    """The result that ``recorded`` kept."""
    kept = {name: record[name] for name in KEPT if name in record}
    usage, cost = read_usage(record.get("usage")), record.get("cost")
    cost = None if cost is None else Decimal(cost)
    return BatchItem(index, prompt, usage=usage, cost=cost, lost=lost, restored=True, **kept)
