"""What a batch gives back: one result for each prompt, in order, whatever happened to it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, overload

from openai.types import CompletionUsage

from holysheep_helpers.exceptions import InputError, NotAskedError

if TYPE_CHECKING:
    import pandas as pd

BUSY_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request: when it went out and when it ended, in seconds since the batch began.

    ``outcome`` is ``"ok"``, a status (``"429"``), or ``"time-out"``, ``"connection"``, ``"no
    connection"``, ``"reply"``, ``"interrupted"``; ``model`` the one that was asked.
    """

    start_s: float
    end_s: float
    outcome: str
    model: str = ""


@dataclass(frozen=True, slots=True)
class BatchItem:
    """What became of one prompt: ``text``, or else ``error``, the exception as an object.

    ``usage``, ``cost`` (exact US dollars as a ``Decimal``, ``None`` where no price was published),
    ``finish_reason``, ``model`` and ``request_id`` are the reply's. ``attempts`` counts the
    requests that were sent for it, ``timeline`` has each of this run's; ``elapsed_s`` is from the
    first one's start to the last one's end, in seconds. ``lost`` counts requests that may have been
    paid for although no reply arrived. ``restored``: from a journal, nothing was sent.
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

    @property
    def ok(self) -> bool:
        return self.error is None

    @property
    def cut_short(self) -> bool:
        """Whether ``max_tokens`` cut the answer off."""
        return self.finish_reason == "length"

    @property
    def possibly_paid_twice(self) -> int:
        """Payments beyond the first that this prompt may have caused."""
        return max(self.lost + self.ok - 1, 0)


class BatchResult(Sequence[BatchItem]):
    """The results of a batch, one for each prompt and in the order of the prompts.

    ``ok`` and ``failed`` are those with a text and those with an error; ``cost`` is the sum of all
    known costs, ``spent_usd`` without those from a journal, ``budgeted_usd`` what counts against
    ``budget_usd`` (with lost replies, at the most they may have cost; 0 without a budget), all in
    US dollars; ``sent`` counts the requests behind these results; ``elapsed_s`` is how long it
    took, in seconds; ``stopped_by`` the error that ended it early, or ``None``; ``client_share``
    for how much of the time (0 to 1) this process itself was busy.
    """

    def __init__(
        self,
        items: Sequence[BatchItem],
        labels: Sequence[Any],
        again: Callable[[BatchResult], Coroutine[Any, Any, BatchResult]],
        *,
        elapsed_s: float = 0.0,
        client_share: float = 0.0,
        stopped_by: BaseException | None = None,
        budgeted_usd: Decimal = Decimal(0),
    ) -> None:
        self._items = list(items)
        self._labels = list(labels)
        self._again = again
        self.elapsed_s = elapsed_s
        self.client_share = client_share
        self.stopped_by = stopped_by
        self.budgeted_usd = budgeted_usd

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
        return sum((item.cost for item in self._items if item.cost is not None), Decimal(0))

    @property
    def spent_usd(self) -> Decimal:
        known = (i.cost for i in self._items if i.cost is not None and not i.restored)
        return sum(known, Decimal(0))

    @property
    def unpriced(self) -> int:
        """How many answers are of unknown cost: no usage came, or no price was published."""
        return sum(item.ok and item.cost is None for item in self._items)

    @property
    def restored(self) -> int:
        return sum(item.restored for item in self._items)

    @property
    def sent(self) -> int:
        return sum(len(item.timeline) for item in self._items)

    @property
    def possibly_paid_twice(self) -> int:
        """Payments beyond the first for a prompt, at most: replies that were lost, and asked again.

        With a journal, those of earlier runs are in it.
        """
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
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self._again(self))
        raise InputError("An event loop runs here already: use `await result.retry_failed()`.")

    def to_frame(self) -> pd.DataFrame:
        """A data frame with one row for each prompt, labelled as the column that was given.

        ``cost`` is US dollars (``Decimal``), ``elapsed_s`` seconds, ``error`` the exception.
        """
        import pandas as pd

        used = [item.usage for item in self._items]
        plain = ["text", "finish_reason", "model", "attempts", "elapsed_s", "lost", "restored"]
        columns: dict[str, list[Any]] = {
            "text": [],
            "error": [item.error for item in self._items],
            "finish_reason": [],
            "prompt_tokens": [u.prompt_tokens if u else None for u in used],
            "completion_tokens": [u.completion_tokens if u else None for u in used],
            "cost": [item.cost for item in self._items],
        }
        columns |= {name: [getattr(item, name) for item in self._items] for name in plain}
        frame = pd.DataFrame(columns, index=pd.Index(self._labels))
        return frame.astype({"prompt_tokens": "Int64", "completion_tokens": "Int64"})

    def summary(self) -> str:
        """What became of all of it in a few lines; no time, so that it can repeat."""
        count = f"{len(self)} prompt{'s' * (len(self) != 1)}"
        lines = [f"{count}: {len(self.ok)} answered, {len(self.failed)} failed"]
        if self.restored:
            lines[0] += f", {self.restored} of them from the journal"
        if self.failed:
            kinds = Counter(type(item.error).__name__ for item in self.failed)
            lines.append("failed: " + ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items())))
        by = Counter(item.model for item in self.ok)
        if len(by) > 1:
            lines.append("answered by: " + ", ".join(f"{n} {name}" for name, n in by.most_common()))
        unpriced = f", {self.unpriced} answers of unknown cost" if self.unpriced else ""
        lines.append(f"{self.sent} requests sent, {self.spent_usd:f} USD{unpriced}")
        if cut := sum(item.cut_short for item in self._items):
            lines.append(f"{cut} answers were CUT SHORT by max_tokens")
        if self.possibly_paid_twice:
            lines.append(
                f"Note: {self.possibly_paid_twice} possibly paid twice: their reply was lost"
            )
        if self.stopped_by is not None:
            lines.append(f"STOPPED early by {type(self.stopped_by).__name__}: {self.stopped_by}")
        if self.client_is_bottleneck:
            lines.append(
                f"Note: this process was busy {self.client_share:.0%} of the time: it set the "
                "pace, not the gateway. More concurrency won't help; a second process would."
            )
        return "\n".join(lines)

    __repr__ = summary


def not_asked(
    index: int,
    prompt: Any,
    why: BaseException | None,
    lost: int = 0,
    timeline: tuple[Attempt, ...] = (),
) -> BatchItem:
    """The result of a prompt whose turn never came, or that was interrupted."""
    reason = type(why).__name__ if why else "interrupted"
    error = NotAskedError(
        f"No answer: the batch was stopped first ({reason}). result.retry_failed() asks again, "
        "and so does the same call, if it has a journal."
    )
    error.__cause__ = why
    return BatchItem(
        index, prompt, error=error, lost=lost, attempts=len(timeline), timeline=timeline
    )


def recorded(result: BatchItem) -> dict[str, Any]:
    """A result as a journal keeps it."""
    usage = result.usage
    return {
        "text": result.text,
        "finish_reason": result.finish_reason,
        "model": result.model,
        "request_id": result.request_id,
        "usage": usage.model_dump(exclude_none=True) if usage else None,
        "cost": None if result.cost is None else str(result.cost),
        "attempts": result.attempts,
        "elapsed_s": round(result.elapsed_s, 6),
    }


def restored(index: int, prompt: Any, record: dict[str, Any], lost: int = 0) -> BatchItem:
    """The result that ``recorded`` kept."""
    usage, cost = record.get("usage"), record.get("cost")
    return BatchItem(
        index=index,
        prompt=prompt,
        text=record.get("text") or "",
        usage=CompletionUsage.model_validate(usage) if usage else None,
        cost=None if cost is None else Decimal(cost),
        finish_reason=record.get("finish_reason"),
        model=record.get("model"),
        request_id=record.get("request_id"),
        attempts=record.get("attempts", 1),
        elapsed_s=record.get("elapsed_s", 0.0),
        lost=lost,
        restored=True,
    )
