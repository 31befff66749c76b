"""The project's own files agree with each other."""

import os
import re
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement

from tests.notebooks.test_keys import ROOT, project_files

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
NAMED = {"jupyterlab", "openai", "ipywidgets", "pandas", "numpy", "matplotlib", "nbval"}
FILES = [file.relative_to(ROOT) for file in project_files()]


def bounds(lines: list[str]) -> dict[str, str]:
    needs = [Requirement(line) for line in lines]
    return {need.name: str(need.specifier) for need in needs}


def test_conda_has_the_same_bounds_and_leaves_the_rest_to_pip() -> None:
    lines = [line for line in CONDA["dependencies"] if isinstance(line, str)]
    (pip,) = [line["pip"] for line in CONDA["dependencies"] if isinstance(line, dict)]
    conda = bounds(lines)
    assert conda.pop("python") == PROJECT["project"]["requires-python"]
    assert conda.pop("pip") == ""
    ours = bounds(PROJECT["project"]["dependencies"]) | bounds(PROJECT["dependency-groups"]["dev"])
    assert conda == {name: ours[name] for name in NAMED}
    assert pip == ["-e ."]
    assert CONDA["channels"] == ["conda-forge"]


def test_every_dependency_has_a_lower_bound() -> None:
    listed = PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]
    (extra,) = PROJECT["project"]["optional-dependencies"].values()
    assert [name for name, bound in bounds(listed + extra).items() if ">=" not in bound] == []
    assert set(extra) <= set(listed)  # what a learner may add is what the tests use


def test_no_lock_file_and_no_package_host_in_any_file() -> None:
    hosts = re.compile(r"pypi\.(?:org|python)|python" + r"hosted\.org|anaconda\.(?:org|com)")
    assert [file for file in FILES if file.name in ("uv.lock", "poetry.lock", ".env")] == []
    named = [file for file in FILES if hosts.search((ROOT / file).read_bytes().decode("latin-1"))]
    assert named == []


def test_file_names_are_legal_on_windows() -> None:
    forbidden = re.compile(
        r'[<>:"\\|?*\x00-\x1f]|[. ]$|^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)', re.I
    )
    assert [file for file in FILES for part in file.parts if forbidden.search(part)] == []
    lowered = [str(file).lower() for file in FILES]
    assert len(lowered) == len(set(lowered))
    assert max(len(str(file)) for file in FILES) < 100


def test_the_readme_names_the_two_commands_and_every_lesson() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert "\npython start.py\n" in readme
    assert "\npython start.py test\n" in readme
    linked = re.findall(r"\]\(([^)#\s]+)\)", readme)
    assert [link for link in linked if "://" not in link and not (ROOT / link).exists()] == []
    lessons = {f"notebooks/{file.name}" for file in (ROOT / "notebooks").glob("*.ipynb")}
    assert lessons <= set(linked)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no run bit")
def test_ci_can_be_run() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_text_files_are_utf8_with_lf() -> None:
    text = [f for f in FILES if f.suffix in (".py", ".md", ".toml", ".yml", ".ipynb", ".cfg")]
    for file in text:
        content = (ROOT / file).read_bytes()
        content.decode("utf-8")
        assert b"\r" not in content, file
        assert content.endswith(b"\n") or not content, file
