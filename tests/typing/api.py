"""What type checkers make of the public names: pyright reads this file, nothing runs it.

A line with a ``pyright: ignore`` is a mistake that pyright must find: where it finds none, the
comment is the error.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from collections.abc import AsyncGenerator
from decimal import Decimal
from pathlib import Path
from typing import assert_type

import openai
from matplotlib.figure import Figure
from openai.types.chat import ChatCompletion
from pandas import DataFrame

import holysheep_helpers as hs
from holysheep_helpers import Gateway, ask


def connects() -> hs.Gateway:
    hs.login()
    print(hs.doctor())
    hs.check("01-1", 42)
    hs.hint("01-1")
    hs.connect("automatic")  # pyright: ignore[reportArgumentType]
    hs.connect("mock", None, None, None, None, 0)  # pyright: ignore[reportCallIssue]
    gateway = hs.connect("mock", plan="Starter", budget_usd="0.50", time_scale=0)
    assert_type(gateway, Gateway)
    assert_type(gateway.client(), openai.OpenAI)
    assert_type(gateway.async_client(), openai.AsyncOpenAI)
    assert_type(gateway.budget_usd, Decimal | None)
    assert_type(hs.catalog.models()[0].id, str)
    return gateway


def asks(gateway: hs.Gateway, client: openai.OpenAI, async_client: openai.AsyncOpenAI) -> None:
    reply = ask(gateway, "Hello", system="Be short.", temperature=0)
    assert_type(reply, hs.Reply)
    assert_type(reply.text, str)
    assert_type(reply.cost, Decimal | None)
    assert_type(reply.completion, ChatCompletion)
    assert_type(hs.ask(client, "Hello"), hs.Reply)
    hs.ask(async_client, "Hello")  # pyright: ignore[reportArgumentType]
    hs.ask(gateway, ["Hello"])  # pyright: ignore[reportArgumentType]
    hs.ask(gateway, "Hello", "mistral-small-2603")  # pyright: ignore[reportCallIssue]
    print(hs.aks)  # pyright: ignore[reportAttributeAccessIssue]


async def streams(gateway: hs.Gateway, client: openai.AsyncOpenAI) -> None:
    stream = hs.stream(gateway, "Hello")
    assert_type(stream, hs.Stream)
    for piece in stream:
        assert_type(piece, str)
    with stream:
        assert_type(stream.read(), str)
    async_stream = await hs.astream(client, "Hello")
    assert_type(async_stream, hs.AsyncStream)
    async for piece in async_stream:
        assert_type(piece, str)
    print(*async_stream)  # pyright: ignore[reportGeneralTypeIssues]
    assert_type(hs.plot_streams({"a": stream, "b": async_stream}), Figure)


async def batches(gateway: hs.Gateway, client: openai.OpenAI) -> None:
    result = await hs.batch(gateway, ["a", "b"], max_concurrency=2, journal=Path("a.jsonl"))
    assert_type(result, hs.BatchResult)
    assert_type(hs.batch_sync(gateway, (str(number) for number in range(3))), hs.BatchResult)
    assert_type(hs.batch_iter(gateway, ["a"]), AsyncGenerator[hs.BatchItem, None])
    assert_type(hs.last_batch(), hs.BatchResult | None)
    assert_type(result[0], hs.BatchItem)
    assert_type(result[0].text, str | None)
    assert_type(result.cost, Decimal)
    assert_type(await result.retry_failed(), hs.BatchResult)
    assert_type(result.to_frame(), DataFrame)
    hs.batch(client, ["a"])  # pyright: ignore[reportArgumentType, reportUnusedCoroutine]
    hs.batch_sync(gateway, "a", ["b"])  # pyright: ignore[reportCallIssue]
    assert_type(hs.plot_gantt(result), Figure)
    assert_type(hs.plot_pace({"a": result}, 60), Figure)
    assert_type(hs.plot_sweep({1: result}), Figure)
    assert_type(hs.customer_messages(), DataFrame)


def measures(gateway: hs.Gateway) -> None:
    run = hs.measure_latency(gateway, "Hello", runs=3, concurrency=2)
    assert_type(run, hs.LatencyRun)
    assert_type(run.runs[0], hs.TimedStream)
    assert_type(run.runs[0].ttft_s, float | None)
    assert_type(run.calibration, hs.Calibration | None)
    assert_type(hs.calibrate(2, runs=4), hs.Calibration)
    assert_type(hs.plot_latency_sweep({1: run}), Figure)
    assert_type(hs.plot_ecdf({"a": run}, before=run), Figure)
    assert_type(hs.plot_before_after(run, run, "ttft_s"), Figure)
    assert_type(hs.plot_waterfall(run.runs[0]), Figure)
    hs.measure_latency(gateway, "Hello", "codestral-2508")  # pyright: ignore[reportCallIssue]
    hs.plot_waterfall(run)  # pyright: ignore[reportArgumentType]


def print_wait(retry: hs.Retry) -> None:
    print(retry.wait_s, retry.diagnosis)


async def diagnoses(error: Exception) -> None:
    diagnosis = hs.diagnose(error)
    assert_type(diagnosis, hs.Diagnosis)
    assert_type(diagnosis.kind, str)
    assert_type(diagnosis.retryable, bool)
    assert_type(diagnosis.wait_s, float | None)
    assert_type(hs.errors_table(), DataFrame)
    hs.diagnose()  # pyright: ignore[reportCallIssue]
    patient = hs.retrying(float, attempts=3, on_retry=print_wait)
    assert_type(patient("1"), float)

    @hs.retrying(deadline_s=30)
    async def answer(question: str) -> int:
        return len(question)

    assert_type(await answer("Hello"), int)


async def fails_over(gateway: hs.Gateway) -> None:
    breaker = hs.CircuitBreaker(failures=3, cool_down_s=10)
    reply = hs.failover(gateway, "Hello", models=["a", "b"], breaker=breaker)
    assert_type(reply, hs.FailoverReply)
    stream = hs.failover(gateway, "Hello", models=["a"], stream=True)
    assert_type(stream, hs.FailoverStream)
    assert_type(await hs.afailover(gateway, "Hello", models=["a"]), hs.FailoverReply)
    async_stream = await hs.afailover(gateway, "Hello", models=["a"], stream=True)
    assert_type(async_stream, hs.AsyncFailoverStream)
    assert_type(hs.plot_circuit(breaker, outage_s=(1, 2)), Figure)
    assert_type(hs.plot_herd({"a": [1.0]}), Figure)
    assert_type(hs.plot_attempts({"a": [{"status": 200}]}), Figure)
    hs.failover(gateway, "Hello")  # pyright: ignore[reportCallIssue]
    hs.CircuitBreaker(3)  # pyright: ignore[reportCallIssue]
    try:
        pass
    except hs.AllFailedError as error:
        assert_type(error.errors, list[Exception])
        assert_type(error.lost, int)


async def long_prompts(gateway: hs.Gateway, text: str) -> None:
    assert_type(hs.count_tokens(text), hs.TokenCount)
    assert_type(hs.split_prompt(text, max_tokens=100), list[str])
    plan = hs.plan_long(gateway, "Sum up.", text)
    assert_type(plan, hs.LongPlan)
    assert_type(plan.most_usd, Decimal | None)
    assert_type(hs.plot_parts(plan), Figure)
    assert_type(await hs.ask_long(gateway, "Sum up.", text), hs.LongReply)
    assert_type(hs.ask_long_sync(gateway, "Sum up.", text).parts, hs.BatchResult)
    hs.split_prompt(text, 100)  # pyright: ignore[reportCallIssue]


def costs(reply: hs.Reply, folder: Path) -> None:
    rate = hs.catalog.published_rate()
    assert reply.usage
    usd = hs.cost_of(reply.usage, reply.model)
    assert_type(usd, Decimal)
    assert_type(hs.to_usd(hs.to_krw(usd, rate), rate), Decimal)
    assert_type(hs.estimate("Hello", max_tokens=10), hs.Estimate)
    assert_type(hs.monthly_cost("mistral-small-2603", "1000000"), hs.MonthlyCost)
    assert_type(hs.plot_costs(hs.compare_models(tokens=1_000_000)), Figure)
    assert_type(hs.plot_premium(hs.premium()), Figure)
    assert_type(hs.fit_table(), DataFrame)
    print(hs.table([{"model": "one", "USD": Decimal(1)}]), hs.table(hs.fit_table()))
    months = hs.break_even(one_off_usd=100, monthly_saving_usd="12.50")
    assert_type(months, hs.BreakEven)
    assert_type(hs.plot_break_even({"a": months}, months=12), Figure)
    assert_type(hs.roi(one_off_usd=100, monthly_saving_usd=50), hs.Roi)
    runway = hs.runway(1000, model="codestral-2508", tokens_per_month="1e6", rate=rate)
    assert_type(runway, hs.Runway)
    assert_type(hs.crossover("codestral-2508", "mistral-small-2603"), hs.Crossover)
    assumed = hs.Assumptions(tokens=1_000_000, model="a", baseline="b", rate=rate)
    assert_type(hs.plot_sensitivity(hs.sensitivity(assumed, swing="0.1")), Figure)
    assert_type(hs.write_report(folder, assumed), Path)
    audit = hs.audit_claim("1.50", "codestral-2508", 1_000_000)
    assert_type(audit, hs.Audit)
    assert_type(hs.plot_audit([audit]), Figure)
    assert_type(hs.common_volume(), hs.Explanation | None)
    assert_type(hs.audit_comparison("a", "b", cheaper_by="0.5"), hs.Comparison)
    assert_type(hs.audit_table(), DataFrame)
    hs.use_style()
    assert_type(hs.plot_bars({"a": usd, "b": 2.0}, "USD", "Costs"), Figure)
    hs.to_krw(1.5, rate)  # pyright: ignore[reportArgumentType]
    hs.break_even(100, 12)  # pyright: ignore[reportCallIssue]
    hs.compare_models(tokens=1, prices="cheapest")  # pyright: ignore[reportArgumentType]


def panels(gateway: hs.Gateway, client: openai.OpenAI) -> None:
    print(hs.compare_panel(gateway), hs.playground(gateway, "Hello"), hs.stream_panel(gateway))
    print(hs.batch_panel(gateway), hs.latency_panel(gateway), hs.errors_panel(gateway))
    print(hs.failover_panel(gateway), hs.long_panel(gateway, "A text."), hs.cost_panel())
    hs.playground(client)  # pyright: ignore[reportArgumentType]
    hs.long_panel(gateway)  # pyright: ignore[reportCallIssue]


def errors() -> None:
    ours: list[type[hs.HolySheepError]] = [
        hs.AllFailedError,
        hs.BudgetError,
        hs.ClientClosedError,
        hs.ConfigurationError,
        hs.GatewayError,
        hs.IncompleteStreamError,
        hs.JournalError,
        hs.LongPromptError,
        hs.NotAskedError,
        hs.UnexpectedReplyError,
    ]
    warnings: list[type[UserWarning]] = [
        hs.BatchStoppedWarning,
        hs.CutShortWarning,
        hs.EnvFileWarning,
        hs.JournalWarning,
        hs.LatencyStoppedWarning,
        hs.StalePriceWarning,
        hs.AssumedPriceWarning,
        hs.UnpricedWarning,
    ]
    value_error: type[ValueError] = hs.InputError
    lookup_error: type[LookupError] = hs.UnknownPriceError
    timeout_error: type[TimeoutError] = hs.DeadlineError
    wrong: type[Warning] = hs.InputError  # pyright: ignore[reportAssignmentType]
    print(ours, warnings, value_error, lookup_error, timeout_error, wrong)
