"""The panel of lessons 7 and 8: faults and a policy, the timeline of the attempts, and the bill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import ipywidgets as w
import openai
import tenacity

from holysheep_helpers import catalog
from holysheep_helpers.client.chat import ask
from holysheep_helpers.client.gateway import Gateway
from holysheep_helpers.diagnosis.diagnose import diagnose
from holysheep_helpers.exceptions import HolySheepError, InputError
from holysheep_helpers.notebook.panels import Panel, buttons, int_slider, model_choice
from holysheep_helpers.resilience.circuit_breaker import CircuitBreaker
from holysheep_helpers.resilience.failover import failover
from holysheep_helpers.resilience.retry import retrying

FAULTS: dict[str, Any] = {
    "503, the server failed": 503,
    "429, Retry-After": "rate_limit",
    "429, credit used up": "quota",
    "400, bad request": 400,
    "401, wrong key": 401,
    "a proxy's page": "html",
    "a page with status 200": {"kind": "html", "status": 200},
    "silence until the time-out": "stall",
    "connection reset": "reset",
    "connection cut in the answer": "cut_body",
}


NONE, SDK, OURS, BOTH = "none", "the SDK's own", "hs.retrying", "a loop around the SDK's own"


TIMEOUT_S = 0.3


class ErrorsPanel(Panel):
    """One question, so many faults, and a policy; ``entries`` is what the mock saw."""

    title = "Faults and a policy"
    apart = True

    def _body(self) -> Iterable[w.Widget]:
        self.entries: list[dict[str, Any]] = []
        self.fault = w.Dropdown(options=FAULTS, description="Fault")
        self.times = int_slider("How many", 2, 0, 12)
        self.policy = w.Dropdown(options=[NONE, SDK, OURS, BOTH], value=OURS, description="Retries")
        self.attempts = int_slider("Attempts", 3, 1, 6)
        yield from (self.prompt, self.fault, self.times, self.policy, self.attempts)
        yield from (buttons(self.send), self.answer, self.status, self.figure)

    def _work(self, at: Any) -> None:
        mock = self.gateway.mock
        assert mock is not None
        seen, spent_usd = len(mock.entries()), self.gateway.spend.usd
        mock.script([at.fault] * at.times)
        try:
            self._show(self._call(at)(at.prompt).text)
        except InputError:
            raise
        except (openai.OpenAIError, HolySheepError) as error:
            self._show(str(diagnose(error)), columns=True)
        self.entries = mock.entries()[seen:]
        lost = sum(entry["paid"] == "maybe" for entry in self.entries)
        bill = f"{(self.gateway.spend.usd - spent_usd).normalize():f} USD"
        bill += f", and up to {lost} more that were lost" if lost else ""
        count = f"{len(self.entries)} request{'s' * (len(self.entries) != 1)}"
        self._say(f"The server saw {count} · billed {bill}")
        if self.entries:
            from holysheep_helpers.resilience.plots import plot_attempts

            self.figure.draw(plot_attempts({at.policy: self.entries}))

    def _call(self, at: Any) -> Callable[[str], Any]:
        tries = at.attempts - 1 if at.policy in (SDK, BOTH) else 0
        client = self.gateway.client().with_options(max_retries=tries, timeout=TIMEOUT_S)
        call = partial(ask, client)
        if at.policy == OURS:
            return retrying(call, attempts=at.attempts)
        again = tenacity.retry_if_exception_type(openai.OpenAIError)
        stop = tenacity.stop_after_attempt(at.attempts if at.policy == BOTH else 1)  # once: no loop
        return tenacity.retry(retry=again, stop=stop, reraise=True)(call)


def errors_panel(gateway: Gateway, prompt: str = "Say hello.") -> ErrorsPanel:
    """Show the panel of lessons 7 and 8: faults and a policy, the attempts, and the bill.

    Args:
        gateway: a gateway in mock mode: faults are the mock's.
        prompt: the question, as text.

    Returns:
        An ``ErrorsPanel``: a widget that JupyterLab shows.

    Raises:
        InputError: the gateway has no mock.

    Example:
        >>> panel = hs.errors_panel(hs.connect("mock"))
        >>> panel.policy.value, panel.attempts.value
        ('hs.retrying', 3)
    """
    if gateway.mock is None:
        raise InputError("Faults can be asked for at a mock alone: hs.errors_panel of its gateway.")
    return ErrorsPanel(gateway, prompt)


GONE = {"message": "gone", "type": "x", "code": "model_not_found"}
OUTAGES = {
    "503: the server failed": 503,
    "429: too many requests": 429,
    "408: the server gave up": 408,
    "404: the model is gone": {"kind": "status", "status": 404, "body": {"error": GONE}},
    "400: the request is wrong": 400,
    "401: the key is wrong": 401,
}


class FailoverPanel(Panel):
    """A call a second, on a clock that is made up, while the first model fails for some of them.

    ``breaker`` is the last run's; ``text`` sums it up. The outage is up to the mock, so that live
    there is none.
    """

    title = "Who answers when"
    apart = True

    def _body(self) -> Iterable[w.Widget]:
        self.breaker: CircuitBreaker | None = None
        self.send.description = "Run"
        self.send.disabled = self.gateway.mock is None
        self.fault = w.Dropdown(options=list(OUTAGES), description="Outage")
        self.fallback = model_choice("gemini-2.5-flash", "Fallback")
        self.calls = int_slider("Calls", 60, 1, 90)
        self.begins = int_slider("Outage from, s", 10, 0, 90)
        self.lasts = int_slider("Outage lasts, s", 35, 0, 90)
        self.failures = int_slider("Opens after", 3, 1, 20)
        self.cool_down = int_slider("Cool-down, s", 20, 1, 60)
        yield from (self.fault, self.fallback, self.calls, self.begins, self.lasts)
        yield from (self.failures, self.cool_down, buttons(self.send, self.stop))
        yield from (self.status, self.figure)

    def _work(self, at: Any) -> None:
        mock = self.gateway.mock
        assert mock is not None, "live, Run is off"
        second, came = 0, Counter[str]()
        known = {"failures": at.failures, "cool_down_s": at.cool_down}
        breaker = self.breaker = CircuitBreaker(**known, clock=lambda: second)
        mock.script([])  # of the last run
        for second in range(at.calls):
            if self._stopped.is_set():
                break
            if second == at.begins:
                mock.script(OUTAGES[at.fault], every=1, model=catalog.DEFAULT_MODEL)
            if second == at.begins + at.lasts:
                mock.script([])
            came[self._ask(breaker, at)] += 1
            if second % 10 == 9:
                self._say(f"{second + 1} of {at.calls} calls …")
        self._no_more_stop()
        if came:
            self._sum_up(breaker, came, at)
        else:
            self._say("Stopped before the first call.")

    def _ask(self, breaker: CircuitBreaker, at: Any) -> str:
        """Who answered, or which error was raised."""
        models = dict.fromkeys([catalog.DEFAULT_MODEL, at.fallback])
        known = {"models": list(models), "breaker": breaker, "preset": "fast"}
        try:
            return failover(self.gateway, at.prompt, **known).model
        except (HolySheepError, openai.OpenAIError) as error:
            return type(error).__name__

    def _sum_up(self, breaker: CircuitBreaker, came: Counter[str], at: Any) -> None:
        from holysheep_helpers.resilience.plots import plot_circuit

        did = Counter(event.what for event in breaker.events)
        sent = did["answered"] + did["failed"] + did["no verdict"]
        whose = ", ".join(f"{count} {name}" for name, count in came.most_common())
        text = f"Calls: {came.total()} ({whose}). Requests sent: {sent}; failed by the model: "
        text += f"{did['failed']}, spared: {did['passed over']}"
        if wrong := did["no verdict"]:
            text += f", wrong themselves, which is no verdict on the model: {wrong}"
        self.text = f"{text}."
        self._say(f"{self.text} Spent so far {self.gateway.spend}")
        ended = min(at.begins + at.lasts, came.total() - 1)
        outage_s = (at.begins, ended) if at.begins < ended else None
        self.figure.draw(plot_circuit(breaker, outage_s))


def failover_panel(
    gateway: Gateway, prompt: str = "What is the capital of Korea?"
) -> FailoverPanel:
    """Show lesson 9's panel: an outage of the first model, and what a circuit breaker does.

    Args:
        gateway: the gateway from ``hs.connect()``; the outage needs its mock.
        prompt: the question, as text.

    Returns:
        A ``FailoverPanel``: a widget that JupyterLab shows.

    Example:
        >>> panel = hs.failover_panel(gw)
        >>> panel.calls.value, panel.cool_down.value
        (60, 20)
    """
    return FailoverPanel(gateway, prompt)
