"""The package as a whole: cheap to import, small modules, the public names that others build on."""

import ast
import inspect
import subprocess
import sys

import pytest

import holysheep_helpers as hs
from tests.notebooks.test_keys import ROOT, project_files

SOURCES = [file for file in project_files() if file.suffix == ".py"]


def test_importing_it_imports_nothing_heavy() -> None:
    program = (
        "import sys, holysheep_helpers as hs\n"
        "hs.catalog.models(); dir(hs)\n"
        "heavy = {'openai', 'matplotlib', 'pandas', 'ipywidgets', 'uvicorn', 'httpx2', 'asyncio'}\n"
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
        "print(sorted({'matplotlib', 'pandas', 'ipywidgets', 'uvicorn'} & set(sys.modules)))\n"
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
        (hs.connect, "mode base_url api_key plan budget_usd"),
        (hs.ask, "gateway_or_client prompt system model preset sdk_parameters"),
        (hs.stream, "gateway_or_client prompt system model preset sdk_parameters"),
        (hs.astream, "gateway_or_client prompt system model preset sdk_parameters"),
        (hs.cost_of, "usage model"),
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


def test_no_sleep_in_a_test() -> None:
    found = [
        f.name for f in SOURCES if "tests" in f.parts and "time.sleep(" in f.read_text("utf-8")
    ]
    assert found == ["test_package.py"]  # this line
