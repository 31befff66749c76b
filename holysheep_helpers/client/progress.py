"""The progress of many calls: a bar in JupyterLab, or a line of text in a terminal."""

from __future__ import annotations

from decimal import Decimal
from time import perf_counter
from typing import Any

SHOW_EVERY_S = 0.2


class Progress:
    """Rate, cost so far, failures and time left, by tqdm; ``total`` is ``None`` if unknown."""

    def __init__(self, total: int | None, restored: int = 0, unit: str = " prompts") -> None:
        from tqdm.auto import tqdm

        self._bar: Any = tqdm(total=total, initial=restored, unit=unit, dynamic_ncols=True)
        self._failed = 0
        self._spent = Decimal(0)
        self._count = 0
        self._shown_s = perf_counter()

    def one_more(self, cost: Decimal | None, failed: bool) -> None:
        """One call is done with."""
        self._count += 1
        self._failed += failed
        self._spent += cost or 0
        if perf_counter() - self._shown_s >= SHOW_EVERY_S:
            self._show()

    def _show(self) -> None:
        self._shown_s = perf_counter()
        self._bar.set_postfix_str(f"{self._spent:.4f} USD, {self._failed} failed", refresh=False)
        self._bar.update(self._count)
        self._count = 0

    def close(self) -> None:
        """Leave the bar as it stands now."""
        self._show()
        self._bar.close()
