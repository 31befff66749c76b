"""The package as a whole: cheap to import, and the public names that others build on."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
import zipfile
from importlib import import_module
from pathlib import Path

import pytest

import holysheep_helpers as hs
from tests.support.project import ROOT, project_files

SOURCES = [file for file in project_files() if file.suffix == ".py"]


@pytest.mark.process
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


@pytest.mark.process
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
    tree = ast.parse((ROOT / "holysheep_helpers" / "__init__.pyi").read_text("utf-8"))
    seen = [
        (alias.name, alias.asname, f".{node.module or ''}")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    assert all(name == public for name, public, _ in seen)
    assert sorted(name for name, _, _ in seen) == hs.__all__  # each once
    for name, _, module in seen:
        if module != ".":
            home = import_module(module, "holysheep_helpers")
            assert getattr(hs, name) is getattr(home, name)


def test_the_type_test_uses_each_public_name() -> None:
    source = (ROOT / "tests" / "typing" / "api.py").read_text("utf-8")
    assert set(hs.__all__) - set(re.findall(r"\bhs\.(\w+)", source)) == set()


@pytest.mark.process
def test_the_package_works_from_a_zip_file(tmp_path: Path) -> None:
    archive = tmp_path / "package.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for file in project_files():
            zipped.write(file, file.relative_to(ROOT))
    program = "import holysheep_helpers as hs; print(hs.InputError.__module__, hs.__file__)"
    done = subprocess.run(
        [sys.executable, "-O", "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(archive)},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    file = archive / "holysheep_helpers" / "__init__.py"
    assert done.stdout == f"holysheep_helpers.exceptions {file}\n", done.stderr


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("asks", ". Did you mean 'ask'?"),
        ("costof", ". Did you mean 'cost_of'?"),
        ("x", ""),
    ],
)
def test_an_unknown_name_is_an_attribute_error(name: str, nearest: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(hs, name)
    assert str(caught.value) == f"module 'holysheep_helpers' has no attribute {name!r}{nearest}"


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


def test_no_module_hides_a_public_name() -> None:
    """Importing ``holysheep_helpers.x`` would put the module in the place of ``hs.x``."""
    wings = {f.stem for f in (ROOT / "holysheep_helpers").iterdir()}
    assert wings & set(hs.__all__) == {"catalog"}


def test_no_sleep_in_a_test() -> None:
    found = [
        f.name for f in SOURCES if "tests" in f.parts and "time.sleep(" in f.read_text("utf-8")
    ]
    assert found == ["test_package.py"]  # this line
