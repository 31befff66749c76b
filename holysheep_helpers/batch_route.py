"""Which model a prompt of a batch is asked of next, where there are several."""

from __future__ import annotations

from collections.abc import Sequence

from holysheep_helpers.batch_call import Failure
from holysheep_helpers.client.requests import Item
from holysheep_helpers.diagnosis.diagnose import diagnose
from holysheep_helpers.resilience.circuit_breaker import CircuitBreaker, Permit


class Route:
    """One prompt's way through the models, round after round until one has answered.

    In a round each model is asked once at most. ``item`` is the request to send next; its place in
    a journal is the same for all models.
    """

    def __init__(self, item: Item, models: Sequence[str], breaker: CircuitBreaker) -> None:
        self._items = item.in_turn(models)
        self._breaker = breaker
        self._failures: dict[str, Failure] = {}  # of this round
        self._permit: Permit | None = None
        self.item = item

    def choose(self) -> float:
        """Set ``item`` and return 0, or the seconds until a model may be asked.

        Where all are left alone, one is asked all the same, and the batch's own back-off is the
        protection; unless the server itself said how long to wait.
        """
        if len(self._items) == 1:
            return 0.0
        left = [item for item in self._items if item.model not in self._failures]
        for insist, items in ((False, left), (True, left), (True, self._items)):
            for item in items:
                self._permit = self._breaker.permit(item.model, insist=insist)
                if self._permit is not None:
                    self.item = item
                    return 0.0
        return min(self._breaker.cooling_s(item.model) for item in self._items)

    def answered(self) -> None:
        if self._permit is not None:
            self._permit.answered()
            self._permit = None

    def failed(self, failure: Failure) -> bool:
        """Whether another model is to be asked at once; if not, ``counted`` says what counts."""
        if self._permit is None:
            return False
        why = diagnose(failure.error)
        if not why.other_model:
            self._failures = {}
            self.release()
            return False
        self._permit.failed(failure.wait_s, for_sure=not why.retryable)
        self._permit = None
        self._failures[self.item.model] = failure
        left = (item.model for item in self._items if item.model not in self._failures)
        return any(self._breaker.cooling_s(model) == 0 for model in left)

    def counted(self, last: Failure) -> Failure:
        """Of this round's failures the one with the least to wait, ``last`` if none may pass."""
        failures, self._failures = self._failures.values(), {}
        hopes = (failure for failure in failures if failure.retry)
        return min(hopes, key=lambda failure: failure.wait_s or 0.0, default=last)

    def release(self) -> None:
        """No word on the model will come of what was under way."""
        if self._permit is not None:
            self._permit.no_verdict()
            self._permit = None
