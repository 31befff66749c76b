"""The public names of the package, by the lesson that teaches them.

``__init__.py`` reads this list, line by line: one name a line.
"""

__all__: list[str]

# 00 Start here, and the exercises of every lesson
from .lessons.doctor import doctor as doctor
from .lessons.exercises import check as check
from .lessons.exercises import hint as hint
from .lessons.tables import table as table

# 01 Connect
from .client.connect import connect as connect
from .client.connect import login as login
from .client.settings import EnvFileWarning as EnvFileWarning
from .client.gateway import Gateway as Gateway
from . import catalog as catalog

# 02 Ask, and what an answer costs
from .client.chat import ask as ask
from .client.chat import Reply as Reply
from .pricing.money import cost_of as cost_of
from .pricing.money import to_krw as to_krw

# 03 Stream
from .client.chat import stream as stream
from .client.chat import astream as astream
from .client.chat import Stream as Stream
from .client.chat import AsyncStream as AsyncStream

# 04 Batch
from .batches.batch import batch as batch
from .batches.batch import batch_sync as batch_sync
from .batches.batch import batch_iter as batch_iter
from .batches.batch import last_batch as last_batch
from .batches.results import BatchResult as BatchResult
from .batches.results import BatchItem as BatchItem
from .lessons.tables import customer_messages as customer_messages

# 05 Latency, 06 Load
from .latency.measure import measure_latency as measure_latency
from .latency.measure import calibrate as calibrate
from .latency.run import LatencyRun as LatencyRun
from .latency.data import TimedStream as TimedStream
from .latency.data import Calibration as Calibration

# 07 Errors, 08 Retries
from .diagnosis.diagnose import diagnose as diagnose
from .diagnosis.diagnose import Diagnosis as Diagnosis
from .diagnosis.kinds import errors_table as errors_table
from .resilience.retry import retrying as retrying
from .resilience.retry import Retry as Retry

# 09 Failover
from .resilience.failover import failover as failover
from .resilience.failover import afailover as afailover
from .resilience.failover import FailoverReply as FailoverReply
from .resilience.failover import FailoverStream as FailoverStream
from .resilience.failover import AsyncFailoverStream as AsyncFailoverStream
from .resilience.circuit_breaker import CircuitBreaker as CircuitBreaker

# 10 Long prompts
from .catalog.splitting import count_tokens as count_tokens
from .catalog.splitting import TokenCount as TokenCount
from .catalog.splitting import split_prompt as split_prompt
from .batches.long_prompts import plan_long as plan_long
from .batches.long_prompts import ask_long as ask_long
from .batches.long_prompts import ask_long_sync as ask_long_sync
from .batches.long_prompts import LongPlan as LongPlan
from .batches.long_prompts import LongReply as LongReply

# 11 Cost, 12 Return on investment
from .client.spend import estimate as estimate
from .client.spend import Estimate as Estimate
from .costs.months import monthly_cost as monthly_cost
from .costs.months import MonthlyCost as MonthlyCost
from .costs.months import compare_models as compare_models
from .lessons.tables import fit_table as fit_table
from .pricing.money import to_usd as to_usd
from .costs.months import premium as premium
from .costs.audits import common_volume as common_volume
from .costs.moves import break_even as break_even
from .costs.moves import BreakEven as BreakEven
from .costs.moves import roi as roi
from .costs.moves import Roi as Roi
from .costs.moves import runway as runway
from .costs.moves import Runway as Runway
from .costs.moves import crossover as crossover
from .costs.moves import Crossover as Crossover
from .costs.moves import sensitivity as sensitivity
from .costs.moves import Assumptions as Assumptions
from .costs.audits import audit_claim as audit_claim
from .costs.audits import Audit as Audit
from .costs.audits import audit_comparison as audit_comparison
from .costs.audits import Comparison as Comparison
from .costs.audits import audit_table as audit_table
from .costs.audits import Explanation as Explanation
from .costs.report import write_report as write_report

# Errors and warnings
from .exceptions import HolySheepError as HolySheepError
from .exceptions import ConfigurationError as ConfigurationError
from .exceptions import InputError as InputError
from .exceptions import UnknownPriceError as UnknownPriceError
from .client.spend import BudgetError as BudgetError
from .exceptions import NotAskedError as NotAskedError
from .exceptions import UnexpectedReplyError as UnexpectedReplyError
from .exceptions import IncompleteStreamError as IncompleteStreamError
from .exceptions import GatewayError as GatewayError
from .exceptions import ClientClosedError as ClientClosedError
from .exceptions import DeadlineError as DeadlineError
from .exceptions import AllFailedError as AllFailedError
from .exceptions import JournalError as JournalError
from .batches.long_prompts import LongPromptError as LongPromptError
from .client.chat import CutShortWarning as CutShortWarning
from .client.spend import UnpricedWarning as UnpricedWarning
from .pricing.money import StalePriceWarning as StalePriceWarning
from .pricing.money import AssumedPriceWarning as AssumedPriceWarning
from .batches.batch import BatchStoppedWarning as BatchStoppedWarning
from .batches.batch import JournalWarning as JournalWarning
from .latency.measure import LatencyStoppedWarning as LatencyStoppedWarning

# Panels, in the order of the lessons
from .lessons.panels import compare_panel as compare_panel
from .lessons.panels import playground as playground
from .lessons.panels import stream_panel as stream_panel
from .batches.panels import batch_panel as batch_panel
from .latency.panel import latency_panel as latency_panel
from .resilience.panels import errors_panel as errors_panel
from .resilience.panels import failover_panel as failover_panel
from .batches.panels import long_panel as long_panel
from .costs.panel import cost_panel as cost_panel

# Figures, in the order of the lessons
from .notebook.figures import use_style as use_style
from .lessons.plots import plot_bars as plot_bars
from .lessons.plots import plot_streams as plot_streams
from .batches.plots import plot_gantt as plot_gantt
from .batches.plots import plot_pace as plot_pace
from .batches.plots import plot_sweep as plot_sweep
from .latency.plots import plot_ecdf as plot_ecdf
from .latency.plots import plot_waterfall as plot_waterfall
from .latency.plots import plot_before_after as plot_before_after
from .latency.plots import plot_latency_sweep as plot_latency_sweep
from .resilience.plots import plot_attempts as plot_attempts
from .resilience.plots import plot_herd as plot_herd
from .resilience.plots import plot_circuit as plot_circuit
from .batches.plots import plot_parts as plot_parts
from .costs.plots import plot_costs as plot_costs
from .costs.plots import plot_premium as plot_premium
from .costs.plots import plot_break_even as plot_break_even
from .costs.plots import plot_sensitivity as plot_sensitivity
from .costs.plots import plot_audit as plot_audit
