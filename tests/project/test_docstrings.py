"""The docstrings of the public names: each one can be scanned, and each example runs."""

import ast
import asyncio
import doctest
import inspect
import io
import re
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout

import pytest

import holysheep_helpers as hs

PENDING = {
    # batches
    "BatchItem",
    "BatchResult",
    "BatchStoppedWarning",
    "LongPlan",
    "LongPromptError",
    "LongReply",
    "ask_long",
    "ask_long_sync",
    "batch",
    "batch_iter",
    "batch_panel",
    "batch_sync",
    "last_batch",
    "long_panel",
    "plan_long",
    "plot_gantt",
    "plot_pace",
    "plot_parts",
    "plot_sweep",
    # catalog
    "TokenCount",
    "count_tokens",
    "split_prompt",
    # client
    "AsyncStream",
    "BudgetError",
    "CutShortWarning",
    "Estimate",
    "Gateway",
    "Reply",
    "Stream",
    "ask",
    "astream",
    "connect",
    "estimate",
    "login",
    "stream",
    # costs
    "Assumptions",
    "Audit",
    "BreakEven",
    "Comparison",
    "Crossover",
    "Explanation",
    "MonthlyCost",
    "Roi",
    "Runway",
    "audit_claim",
    "audit_comparison",
    "audit_table",
    "break_even",
    "common_volume",
    "compare_models",
    "cost_panel",
    "crossover",
    "monthly_cost",
    "plot_audit",
    "plot_break_even",
    "plot_costs",
    "plot_premium",
    "plot_sensitivity",
    "premium",
    "roi",
    "runway",
    "sensitivity",
    "write_report",
    # diagnosis
    "Diagnosis",
    "diagnose",
    "errors_table",
    # exceptions
    "AllFailedError",
    "ConfigurationError",
    "DeadlineError",
    "HolySheepError",
    "IncompleteStreamError",
    "InputError",
    "JournalError",
    "NotAskedError",
    "UnexpectedReplyError",
    "UnknownPriceError",
    # latency
    "Calibration",
    "LatencyRun",
    "LatencyStoppedWarning",
    "TimedStream",
    "calibrate",
    "latency_panel",
    "measure_latency",
    "plot_before_after",
    "plot_ecdf",
    "plot_latency_sweep",
    "plot_waterfall",
    # lessons
    "check",
    "compare_panel",
    "customer_messages",
    "doctor",
    "fit_table",
    "hint",
    "playground",
    "stream_panel",
    # notebook
    "plot_bars",
    "plot_streams",
    # pricing
    "StalePriceWarning",
    "cost_of",
    "to_krw",
    "to_usd",
    # resilience
    "AsyncFailoverStream",
    "CircuitBreaker",
    "FailoverReply",
    "FailoverStream",
    "Retry",
    "afailover",
    "errors_panel",
    "failover",
    "failover_panel",
    "plot_attempts",
    "plot_circuit",
    "plot_herd",
    "retrying",
}
NAMES = [name for name in hs.__all__ if name != "catalog" and name not in PENDING]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


def section(doc: str, title: str) -> str:
    """The indented text below a title such as ``Args:``; empty if there is none."""
    found = re.search(rf"^{title}:\n((?:(?: .*)?\n?)*)", doc + "\n", re.MULTILINE)
    return found[1] if found else ""


@pytest.mark.parametrize("name", NAMES)
def test_a_docstring_can_be_scanned(name: str) -> None:
    value = getattr(hs, name)
    doc = inspect.getdoc(value) or ""
    first, _, rest = doc.partition("\n")
    assert first.endswith(".")
    assert len(first) <= 90
    assert not rest or rest.startswith("\n")
    if is_error(value):
        return
    if isinstance(value, type):
        assert section(doc, "Attributes") or section(doc, "Args")
    else:
        args = section(doc, "Args")
        missing = [
            parameter.name
            for parameter in inspect.signature(value).parameters.values()
            if not re.search(rf"^ +\**{parameter.name}: ", args, re.MULTILINE)
        ]
        assert missing == []
        assert section(doc, "Returns")
    assert section(doc, "Example")


class Examples:
    """Runs the examples of one docstring as a notebook would: ``await`` works at the top."""

    def __init__(self, gw: hs.Gateway) -> None:
        self.names = {"hs": hs, "gw": gw, "__name__": "example"}
        self.runner = asyncio.Runner()

    def output(self, source: str) -> str:
        code = compile(source, "<example>", "single", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        printed = io.StringIO()
        with redirect_stdout(printed):
            if code.co_flags & inspect.CO_COROUTINE:
                self.runner.run(eval(code, self.names))
            else:
                eval(code, self.names)
        return printed.getvalue()


@pytest.fixture
def examples(gw: hs.Gateway, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> Iterator:
    monkeypatch.chdir(str(tmp_path))
    monkeypatch.setattr(sys, "displayhook", sys.__displayhook__)
    found = Examples(gw)
    with found.runner:
        yield found


@pytest.mark.parametrize("name", [name for name in NAMES if not is_error(getattr(hs, name))])
def test_an_example_gives_what_its_docstring_says(name: str, examples: Examples) -> None:
    doc = section(inspect.getdoc(getattr(hs, name)) or "", "Example")
    lines = doctest.DocTestParser().get_examples(inspect.cleandoc(doc) + "\n")
    assert lines
    checker = doctest.OutputChecker()
    for line in lines:
        got = examples.output(line.source)
        assert checker.check_output(line.want, got, OPTIONS), f"{line.source}gave {got!r}"


def test_a_wrong_example_is_found(examples: Examples) -> None:
    assert examples.output("1 + 1\n") == "2\n"
    assert not doctest.OutputChecker().check_output("3\n", "2\n", OPTIONS)
    assert examples.output("(await hs.batch(gw, ['Hi'], progress=False))[0].error is None\n") == (
        "True\n"
    )
