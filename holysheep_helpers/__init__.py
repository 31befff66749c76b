"""HolySheep Notebooks: the one small module that every lesson imports as ``hs``.

Names are handed on lazily, so that ``import holysheep_helpers`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holysheep_helpers import catalog as catalog
    from holysheep_helpers.batches.batch import BatchStoppedWarning as BatchStoppedWarning
    from holysheep_helpers.batches.batch import batch as batch
    from holysheep_helpers.batches.batch import batch_iter as batch_iter
    from holysheep_helpers.batches.batch import batch_sync as batch_sync
    from holysheep_helpers.batches.batch import last_batch as last_batch
    from holysheep_helpers.batches.long_prompts import LongPlan as LongPlan
    from holysheep_helpers.batches.long_prompts import LongPromptError as LongPromptError
    from holysheep_helpers.batches.long_prompts import LongReply as LongReply
    from holysheep_helpers.batches.long_prompts import ask_long as ask_long
    from holysheep_helpers.batches.long_prompts import ask_long_sync as ask_long_sync
    from holysheep_helpers.batches.long_prompts import plan_long as plan_long
    from holysheep_helpers.batches.panels import batch_panel as batch_panel
    from holysheep_helpers.batches.panels import long_panel as long_panel
    from holysheep_helpers.batches.plots import plot_gantt as plot_gantt
    from holysheep_helpers.batches.plots import plot_pace as plot_pace
    from holysheep_helpers.batches.plots import plot_parts as plot_parts
    from holysheep_helpers.batches.plots import plot_sweep as plot_sweep
    from holysheep_helpers.batches.results import BatchItem as BatchItem
    from holysheep_helpers.batches.results import BatchResult as BatchResult
    from holysheep_helpers.catalog.tokens import TokenCount as TokenCount
    from holysheep_helpers.catalog.tokens import count_tokens as count_tokens
    from holysheep_helpers.catalog.tokens import split_prompt as split_prompt
    from holysheep_helpers.client.budget import BudgetError as BudgetError
    from holysheep_helpers.client.budget import Estimate as Estimate
    from holysheep_helpers.client.budget import estimate as estimate
    from holysheep_helpers.client.chat import AsyncStream as AsyncStream
    from holysheep_helpers.client.chat import CutShortWarning as CutShortWarning
    from holysheep_helpers.client.chat import Reply as Reply
    from holysheep_helpers.client.chat import Stream as Stream
    from holysheep_helpers.client.chat import ask as ask
    from holysheep_helpers.client.chat import astream as astream
    from holysheep_helpers.client.chat import stream as stream
    from holysheep_helpers.client.connect import connect as connect
    from holysheep_helpers.client.connect import login as login
    from holysheep_helpers.client.gateway import Gateway as Gateway
    from holysheep_helpers.costs.audits import Audit as Audit
    from holysheep_helpers.costs.audits import Comparison as Comparison
    from holysheep_helpers.costs.audits import Explanation as Explanation
    from holysheep_helpers.costs.audits import audit_claim as audit_claim
    from holysheep_helpers.costs.audits import audit_comparison as audit_comparison
    from holysheep_helpers.costs.audits import audit_table as audit_table
    from holysheep_helpers.costs.audits import common_volume as common_volume
    from holysheep_helpers.costs.months import MonthlyCost as MonthlyCost
    from holysheep_helpers.costs.months import compare_models as compare_models
    from holysheep_helpers.costs.months import monthly_cost as monthly_cost
    from holysheep_helpers.costs.months import premium as premium
    from holysheep_helpers.costs.moves import Assumptions as Assumptions
    from holysheep_helpers.costs.moves import BreakEven as BreakEven
    from holysheep_helpers.costs.moves import Crossover as Crossover
    from holysheep_helpers.costs.moves import Roi as Roi
    from holysheep_helpers.costs.moves import Runway as Runway
    from holysheep_helpers.costs.moves import break_even as break_even
    from holysheep_helpers.costs.moves import crossover as crossover
    from holysheep_helpers.costs.moves import roi as roi
    from holysheep_helpers.costs.moves import runway as runway
    from holysheep_helpers.costs.moves import sensitivity as sensitivity
    from holysheep_helpers.costs.panel import cost_panel as cost_panel
    from holysheep_helpers.costs.plots import plot_audit as plot_audit
    from holysheep_helpers.costs.plots import plot_break_even as plot_break_even
    from holysheep_helpers.costs.plots import plot_costs as plot_costs
    from holysheep_helpers.costs.plots import plot_premium as plot_premium
    from holysheep_helpers.costs.plots import plot_sensitivity as plot_sensitivity
    from holysheep_helpers.costs.report import write_report as write_report
    from holysheep_helpers.diagnosis.diagnose import Diagnosis as Diagnosis
    from holysheep_helpers.diagnosis.diagnose import diagnose as diagnose
    from holysheep_helpers.diagnosis.kinds import errors_table as errors_table
    from holysheep_helpers.exceptions import AllFailedError as AllFailedError
    from holysheep_helpers.exceptions import ConfigurationError as ConfigurationError
    from holysheep_helpers.exceptions import DeadlineError as DeadlineError
    from holysheep_helpers.exceptions import HolySheepError as HolySheepError
    from holysheep_helpers.exceptions import IncompleteStreamError as IncompleteStreamError
    from holysheep_helpers.exceptions import InputError as InputError
    from holysheep_helpers.exceptions import JournalError as JournalError
    from holysheep_helpers.exceptions import NotAskedError as NotAskedError
    from holysheep_helpers.exceptions import UnexpectedReplyError as UnexpectedReplyError
    from holysheep_helpers.exceptions import UnknownPriceError as UnknownPriceError
    from holysheep_helpers.latency.data import Calibration as Calibration
    from holysheep_helpers.latency.data import TimedStream as TimedStream
    from holysheep_helpers.latency.measure import LatencyStoppedWarning as LatencyStoppedWarning
    from holysheep_helpers.latency.measure import calibrate as calibrate
    from holysheep_helpers.latency.measure import measure_latency as measure_latency
    from holysheep_helpers.latency.panel import latency_panel as latency_panel
    from holysheep_helpers.latency.plots import plot_before_after as plot_before_after
    from holysheep_helpers.latency.plots import plot_ecdf as plot_ecdf
    from holysheep_helpers.latency.plots import plot_latency_sweep as plot_latency_sweep
    from holysheep_helpers.latency.plots import plot_waterfall as plot_waterfall
    from holysheep_helpers.latency.run import LatencyRun as LatencyRun
    from holysheep_helpers.lessons.doctor import doctor as doctor
    from holysheep_helpers.lessons.exercises import check as check
    from holysheep_helpers.lessons.exercises import hint as hint
    from holysheep_helpers.lessons.panels import compare_panel as compare_panel
    from holysheep_helpers.lessons.panels import playground as playground
    from holysheep_helpers.lessons.panels import stream_panel as stream_panel
    from holysheep_helpers.lessons.tables import customer_messages as customer_messages
    from holysheep_helpers.lessons.tables import fit_table as fit_table
    from holysheep_helpers.notebook.figures import plot_bars as plot_bars
    from holysheep_helpers.notebook.figures import plot_streams as plot_streams
    from holysheep_helpers.pricing.calls import StalePriceWarning as StalePriceWarning
    from holysheep_helpers.pricing.calls import cost_of as cost_of
    from holysheep_helpers.pricing.calls import to_krw as to_krw
    from holysheep_helpers.pricing.calls import to_usd as to_usd
    from holysheep_helpers.resilience.circuit_breaker import CircuitBreaker as CircuitBreaker
    from holysheep_helpers.resilience.failover import AsyncFailoverStream as AsyncFailoverStream
    from holysheep_helpers.resilience.failover import FailoverReply as FailoverReply
    from holysheep_helpers.resilience.failover import FailoverStream as FailoverStream
    from holysheep_helpers.resilience.failover import afailover as afailover
    from holysheep_helpers.resilience.failover import failover as failover
    from holysheep_helpers.resilience.panels import errors_panel as errors_panel
    from holysheep_helpers.resilience.panels import failover_panel as failover_panel
    from holysheep_helpers.resilience.plots import plot_attempts as plot_attempts
    from holysheep_helpers.resilience.plots import plot_circuit as plot_circuit
    from holysheep_helpers.resilience.plots import plot_herd as plot_herd
    from holysheep_helpers.resilience.retry import Retry as Retry
    from holysheep_helpers.resilience.retry import retrying as retrying

_HOME = {
    "AllFailedError": "exceptions",
    "Assumptions": "costs.moves",
    "AsyncFailoverStream": "resilience.failover",
    "AsyncStream": "client.chat",
    "Audit": "costs.audits",
    "BatchItem": "batches.results",
    "BatchResult": "batches.results",
    "BatchStoppedWarning": "batches.batch",
    "BreakEven": "costs.moves",
    "BudgetError": "client.budget",
    "Calibration": "latency.data",
    "CircuitBreaker": "resilience.circuit_breaker",
    "Comparison": "costs.audits",
    "ConfigurationError": "exceptions",
    "Crossover": "costs.moves",
    "CutShortWarning": "client.chat",
    "DeadlineError": "exceptions",
    "Diagnosis": "diagnosis.diagnose",
    "Estimate": "client.budget",
    "Explanation": "costs.audits",
    "FailoverReply": "resilience.failover",
    "FailoverStream": "resilience.failover",
    "Gateway": "client.gateway",
    "HolySheepError": "exceptions",
    "IncompleteStreamError": "exceptions",
    "InputError": "exceptions",
    "JournalError": "exceptions",
    "LatencyRun": "latency.run",
    "LatencyStoppedWarning": "latency.measure",
    "LongPlan": "batches.long_prompts",
    "LongPromptError": "batches.long_prompts",
    "LongReply": "batches.long_prompts",
    "MonthlyCost": "costs.months",
    "NotAskedError": "exceptions",
    "Reply": "client.chat",
    "Retry": "resilience.retry",
    "Roi": "costs.moves",
    "Runway": "costs.moves",
    "StalePriceWarning": "pricing.calls",
    "Stream": "client.chat",
    "TimedStream": "latency.data",
    "TokenCount": "catalog.tokens",
    "UnexpectedReplyError": "exceptions",
    "UnknownPriceError": "exceptions",
    "afailover": "resilience.failover",
    "ask": "client.chat",
    "ask_long": "batches.long_prompts",
    "ask_long_sync": "batches.long_prompts",
    "astream": "client.chat",
    "audit_claim": "costs.audits",
    "audit_comparison": "costs.audits",
    "audit_table": "costs.audits",
    "batch": "batches.batch",
    "batch_iter": "batches.batch",
    "batch_panel": "batches.panels",
    "batch_sync": "batches.batch",
    "break_even": "costs.moves",
    "calibrate": "latency.measure",
    "check": "lessons.exercises",
    "common_volume": "costs.audits",
    "compare_models": "costs.months",
    "compare_panel": "lessons.panels",
    "connect": "client.connect",
    "cost_of": "pricing.calls",
    "cost_panel": "costs.panel",
    "count_tokens": "catalog.tokens",
    "crossover": "costs.moves",
    "customer_messages": "lessons.tables",
    "diagnose": "diagnosis.diagnose",
    "doctor": "lessons.doctor",
    "errors_panel": "resilience.panels",
    "errors_table": "diagnosis.kinds",
    "estimate": "client.budget",
    "failover": "resilience.failover",
    "failover_panel": "resilience.panels",
    "fit_table": "lessons.tables",
    "hint": "lessons.exercises",
    "last_batch": "batches.batch",
    "latency_panel": "latency.panel",
    "login": "client.connect",
    "long_panel": "batches.panels",
    "measure_latency": "latency.measure",
    "monthly_cost": "costs.months",
    "plan_long": "batches.long_prompts",
    "playground": "lessons.panels",
    "plot_attempts": "resilience.plots",
    "plot_audit": "costs.plots",
    "plot_bars": "notebook.figures",
    "plot_before_after": "latency.plots",
    "plot_break_even": "costs.plots",
    "plot_circuit": "resilience.plots",
    "plot_costs": "costs.plots",
    "plot_ecdf": "latency.plots",
    "plot_gantt": "batches.plots",
    "plot_herd": "resilience.plots",
    "plot_latency_sweep": "latency.plots",
    "plot_pace": "batches.plots",
    "plot_parts": "batches.plots",
    "plot_premium": "costs.plots",
    "plot_sensitivity": "costs.plots",
    "plot_streams": "notebook.figures",
    "plot_sweep": "batches.plots",
    "plot_waterfall": "latency.plots",
    "premium": "costs.months",
    "retrying": "resilience.retry",
    "roi": "costs.moves",
    "runway": "costs.moves",
    "sensitivity": "costs.moves",
    "split_prompt": "catalog.tokens",
    "stream": "client.chat",
    "stream_panel": "lessons.panels",
    "to_krw": "pricing.calls",
    "write_report": "costs.report",
    "to_usd": "pricing.calls",
}

__all__ = sorted([*_HOME, "catalog"])  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name == "catalog":
        return import_module("holysheep_helpers.catalog")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
