"""The package as a whole: cheap to import, small modules, the public names that others build on."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import holysheep_helpers as hs
from tests.notebooks.test_keys import ROOT, project_files

SOURCES = [file for file in project_files() if file.suffix == ".py"]


def test_importing_it_imports_nothing_heavy() -> None:
    program = (
        "import sys, holysheep_helpers as hs\n"
        "hs.catalog.models(); dir(hs)\n"
        "heavy = {'openai', 'matplotlib', 'pandas', 'ipywidgets', 'httptools', 'httpx2'}\n"
        "heavy |= {'asyncio', 'numpy'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, encoding="utf-8", timeout=60
    )
    assert done.stdout == "[]\n", done.stderr


def test_asking_a_question_needs_no_plotting() -> None:
    program = (
        "import sys, holysheep_helpers as hs\n"
        "hs.connect, hs.ask, hs.stream\n"
        "heavy = {'matplotlib', 'pandas', 'numpy', 'ipywidgets', 'httptools'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, encoding="utf-8", timeout=60
    )
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize("name", hs.__all__)
def test_every_public_name_is_there_and_explained(name: str) -> None:
    value = getattr(hs, name)
    assert inspect.getdoc(value)
    assert name in dir(hs)


def test_what_type_checkers_see_is_what_there_is() -> None:
    tree = ast.parse((ROOT / "holysheep_helpers" / "__init__.py").read_text("utf-8"))
    seen = {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("holysheep")
        for alias in node.names
    }
    assert seen == set(hs.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'aks'"):
        hs.aks  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("function", "signature"),
    [
        (hs.connect, "mode base_url api_key plan budget_usd time_scale"),
        (hs.ask, "gateway_or_client prompt system model preset sdk_parameters"),
        (hs.stream, "gateway_or_client prompt system model preset sdk_parameters"),
        (hs.astream, "gateway_or_client prompt system model preset sdk_parameters"),
        (
            hs.failover,
            "gateway_or_client prompt models system preset breaker stream sdk_parameters",
        ),
        (
            hs.afailover,
            "gateway_or_client prompt models system preset breaker stream sdk_parameters",
        ),
        (hs.CircuitBreaker, "failures cool_down_s clock"),
        (
            hs.batch,
            "gateway_or_client prompts model models system max_concurrency requests_per_minute "
            "tokens_per_minute journal budget_usd deadline_s progress sdk_parameters",
        ),
        (
            hs.measure_latency,
            "gateway_or_client prompt model runs warmup concurrency rate max_tokens stagger "
            "budget_usd progress unique system preset sdk_parameters",
        ),
        (hs.calibrate, "concurrency runs max_tokens stagger"),
        (
            hs.plan_long,
            "gateway_or_client instruction text model system max_tokens part_tokens overlap "
            "combine",
        ),
        (
            hs.ask_long,
            "gateway_or_client instruction text model system max_tokens part_tokens overlap "
            "combine max_concurrency journal budget_usd progress sdk_parameters",
        ),
        (hs.ask_long_sync, "gateway_or_client instruction text options"),
        (hs.batch_sync, "gateway_or_client prompts options"),
        (hs.diagnose, "error"),
        (hs.retrying, "call attempts deadline_s on_retry restart_streams"),
        (hs.cost_of, "usage model prices today"),
        (hs.monthly_cost, "model tokens input_share cached_share prices today"),
        (
            hs.compare_models,
            "models tokens input_share cached_share baseline rate months growth prices today",
        ),
        (hs.premium, "models input_share"),
        (hs.break_even, "one_off_usd monthly_saving_usd monthly_running_usd growth"),
        (hs.roi, "one_off_usd monthly_saving_usd monthly_running_usd growth months"),
        (hs.runway, "credit_krw model tokens_per_month rate input_share growth prices"),
        (hs.sensitivity, "assumptions swing result"),
        (hs.crossover, "model other prices"),
        (hs.estimate, "work model runs max_tokens system sdk_parameters"),
        (hs.audit_claim, "usd model tokens input_share prices"),
        (hs.audit_comparison, "model other cheaper_by input_share prices"),
        (hs.count_tokens, "text model"),
        (hs.split_prompt, "text max_tokens model overlap"),
        (hs.check, "exercise answer"),
        (hs.doctor, ""),
        (hs.login, ""),
    ],
)
def test_the_names_that_others_build_on(function: object, signature: str) -> None:
    assert callable(function)
    parameters = inspect.signature(function).parameters
    assert list(parameters) == signature.split()


def test_no_module_has_grown_too_long() -> None:
    lengths = {f.name: len(f.read_text("utf-8").splitlines()) for f in SOURCES}
    assert {name: count for name, count in lengths.items() if count > 300} == {}


# Each may import those before it alone; the mock is one room, which knows only what is named.
FLOORS = (
    *("errors", "facts", "catalog", "addresses", "tokens", "mock", "amounts", "price_age"),
    *("direct_prices", "cost", "monthly", "premiums", "returns", "credit", "what_if"),
    *("audits", "table_audits", "comparisons", "fit"),
    *("keys", "spend", "budget"),
    *("pacing", "waits", "causes", "kinds", "errors_page", "refusals", "diagnosing"),
    *("token_counts", "splitting"),
    *("deadlines", "gateway", "connecting", "chat", "stream_opening", "streaming"),
    *("retry_policy", "retries"),
    *("circuit", "fallback_turns", "fallback_streams", "fallbacks"),
    *("journal", "batch_prompts", "batch_call", "batch_result", "progress"),
    *("estimates", "purse"),
    *("batch_route", "asking", "batch_job", "batch_stream", "batching"),
    *("long_plan", "long_prompts", "estimating"),
    *("stats", "timed_stream", "reply_bytes", "latency_wire", "latency_client", "latency_load"),
    "calibration",
    *("latency_data", "latency_summary", "latency_compare", "latency_run"),
    *("measurement", "planning", "latency", "calibrating"),
    "cost_report",
    *("plots", "plots_batch", "plots_latency", "plots_load", "plots_waterfall", "samples"),
    *("plots_errors", "plots_circuit", "plots_parts", "plots_cost", "plots_returns"),
    *(
        "exercise_checks_errors",
        "exercise_checks_failover",
        "exercise_checks_long",
        "exercise_checks_cost",
    ),
    *("exercise_checks", "exercise_checks_latency", "exercises", "checkup"),
    *("controls", "panel_places", "panel_warnings", "panel_view", "panel_work", "soon"),
    *("widgets", "widgets_batch", "widgets_latency"),
    *("widgets_errors", "widgets_failover", "widgets_long", "widgets_cost"),
)
THE_MOCK_KNOWS = {"errors", "catalog", "addresses", "tokens", "mock"}


def imports_of(file: Path) -> set[str]:
    """The rooms of this package that a file imports from, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module == "holysheep_helpers":
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        found |= {name.split(".")[1] for name in names if name.startswith("holysheep_helpers.")}
    return found


def test_imports_point_down_only() -> None:
    package = ROOT / "holysheep_helpers"
    rooms = {f.stem: imports_of(f) for f in package.glob("*.py") if f.name != "__init__.py"}
    rooms["mock"] = set().union(*(imports_of(f) for f in (package / "mock").glob("*.py")))
    assert set(rooms) == set(FLOORS)
    assert rooms["mock"] <= THE_MOCK_KNOWS
    upward = {
        room: above
        for room, known in rooms.items()
        if (above := known - {room} - set(FLOORS[: FLOORS.index(room)]))
    }
    assert upward == {}


def test_no_module_hides_a_public_name() -> None:
    """Importing ``holysheep_helpers.x`` would put the module in the place of ``hs.x``."""
    modules = {f.stem for f in (ROOT / "holysheep_helpers").glob("*.py")}
    assert modules & set(hs.__all__) == {"catalog"}


def test_no_sleep_in_a_test() -> None:
    found = [
        f.name for f in SOURCES if "tests" in f.parts and "time.sleep(" in f.read_text("utf-8")
    ]
    assert found == ["test_package.py"]  # this line
