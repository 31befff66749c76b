"""The project's own files agree with each other."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import start
from holysheep_helpers.lessons import copies
from tests.support.project import ROOT, project_files
from tools import links
from tools.offline import wheels

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
    one = re.fullmatch(r"python=(3\.\d+)", lines.pop(0))  # conda's own: any 3.13, not 3.13.0
    assert one
    assert SpecifierSet(PROJECT["project"]["requires-python"]).contains(f"{one[1]}.0")
    conda = bounds(lines)
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
@pytest.mark.parametrize("name", [".ci/run", "postBuild"])
def test_ci_and_binder_can_run_theirs(name: str) -> None:
    assert os.access(ROOT / name, os.X_OK)


def test_binder_makes_the_copy_that_its_link_opens() -> None:
    *_, last = (ROOT / "postBuild").read_text("utf-8").splitlines()
    assert last.split()[1:] == start.Environment().copy[1:]
    folder, _, lesson = links.FIRST.partition("/")
    assert folder == copies.FOLDER
    assert (ROOT / "notebooks" / lesson).is_file()


def test_text_files_are_utf8_with_lf() -> None:
    text = [f for f in FILES if f.suffix in (".py", ".md", ".toml", ".yml", ".ipynb", ".cfg")]
    for file in text:
        content = (ROOT / file).read_bytes()
        content.decode("utf-8")
        assert b"\r" not in content, file
        assert content.endswith(b"\n") or not content, file


def test_the_wheel_has_what_a_copy_is_made_of() -> None:
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    pages = {f"docs/{page}" for page in copies.PAGES}
    assert set(wheel["only-include"]) == {"holysheep_helpers", "notebooks", *pages}
    packed = "holysheep_helpers/lessons/course"
    assert wheel["sources"] == {name: f"{packed}/{name}" for name in ("notebooks", "docs")}


def test_the_dev_container_sets_itself_up_and_opens_the_first_lesson() -> None:
    file = ROOT / ".devcontainer" / "devcontainer.json"
    container = json.loads(file.read_text("utf-8"))
    assert re.fullmatch(r"mcr\.microsoft\.com/devcontainers/python:3\.1[1-9]", container["image"])
    assert container["postCreateCommand"] == "python start.py setup"
    assert container["customizations"]["codespaces"]["openFiles"] == [start.FIRST_LESSON]
    assert container["postAttachCommand"] == f"code {start.FIRST_LESSON}"
    editor = container["customizations"]["vscode"]
    assert {"ms-python.python", "ms-toolsai.jupyter"} <= set(editor["extensions"])
    inside = start.Environment(on="linux").python.removeprefix(str(ROOT)).replace(os.sep, "/")
    where = "${containerWorkspaceFolder}" + inside
    assert editor["settings"]["python.defaultInterpreterPath"] == where


def test_the_workflow_runs_the_readmes_command_on_three_systems() -> None:
    text = (ROOT / ".github" / "workflows" / "tests.yml").read_text("utf-8")
    assert "has not been run" in text.split("name:")[0]
    (job,) = yaml.safe_load(text)["jobs"].values()
    matrix = job["strategy"]["matrix"]
    assert matrix["os"] == ["ubuntu-latest", "macos-latest", "windows-latest"]
    oldest = "{}.{}".format(*start.OLDEST)
    assert matrix["python"][0] == oldest
    assert all(
        SpecifierSet(PROJECT["project"]["requires-python"]).contains(v) for v in matrix["python"]
    )
    assert [step["run"] for step in job["steps"] if "run" in step] == ["python start.py test"]


def test_the_pythons_named_in_the_project_are_one_range() -> None:
    assert PROJECT["project"]["requires-python"] == ">={}.{}".format(*start.OLDEST)
    assert wheels.PYTHONS[0] == "{}.{}".format(*start.OLDEST)


def test_links_are_those_that_the_script_writes(capsys: pytest.CaptureFixture[str]) -> None:
    assert links.main(["--check"]) == 0, capsys.readouterr().out


def test_links_open_the_right_lessons() -> None:
    repository, files = links.address(), links.lessons()
    text = links.block(repository, files)
    found = re.findall(r"\[(\w+)\]\((\S+?)\)", text)
    place = repository.removeprefix("https://github.com/")
    assert found[:2] == [
        (
            "Binder",
            f"https://mybinder.org/v2/gh/{place}/main?urlpath=lab/tree/{start.FIRST_LESSON}",
        ),
        ("Codespaces", f"https://codespaces.new/{place}?quickstart=1"),
    ]
    for (number, link), file in zip(found[2:], files, strict=True):
        assert number == file.stem[:2]
        prefix = f"https://colab.research.google.com/github/{place}/blob/main/"
        assert ROOT / link.removeprefix(prefix) == file
    assert ("These links work after" in text) == (links.NOBODY in repository)
    assert "They lead" not in links.block("https://github.com/someone/else", files)
    accounts = re.findall(
        r"github\.com/([\w-]+)/holysheep-notebooks", (ROOT / "README.md").read_text("utf-8")
    )
    assert set(accounts) <= {place.split("/")[0]}


def test_a_new_address_reaches_the_readme_and_each_first_cell() -> None:
    lesson = Path("03_stream.ipynb")
    other = "https://github.com/someone/else"
    cells = [{"cell_type": "markdown", "id": "03-01"}, {"cell_type": "code", "id": "03-02"}]
    text = json.dumps({"cells": cells})
    once = links.notebook(text, lesson, other)
    assert links.notebook(once, lesson, other) == once
    moved = json.loads(links.notebook(once, lesson, links.address()))["cells"]
    assert [cell["id"] for cell in moved] == ["03-01", "03-colab", "03-02"]
    assert links.address() in "".join(moved[1]["source"])
    moved[1]["execution_count"] = 1  # it was run since
    run = links.notebook(json.dumps({"cells": moved}), lesson, links.address())
    assert json.loads(run)["cells"][1]["execution_count"] == 1
    again = links.notebook(run, lesson, other)
    assert json.loads(again)["cells"][1]["execution_count"] is None
    assert other not in json.dumps(moved)
    page = f"a\n{links.BEGIN}\nold\n{links.END}\nz\n"
    new = links.readme(page, other, [lesson])
    assert "old" not in new
    assert "github/someone/else/blob/main/notebooks/03_stream.ipynb" in new
    assert new.startswith("a\n")
    assert new.endswith("z\n")
    with pytest.raises(SystemExit, match="add the lines"):
        links.readme("no marks", other, [lesson])


@pytest.mark.parametrize("in_colab", [True, False])
@pytest.mark.parametrize("installed", [True, False])
def test_colabs_cell_installs_there_alone_and_only_once(in_colab: bool, installed: bool) -> None:
    """Its commands, by name, are what a kernel would be told to run."""
    told: list[str] = []
    lines = links.CELL.format(address="ADDRESS").splitlines()
    plain = [re.sub(r"^( +)[!%](.*)$", r'\1tell("\2")', line) for line in lines]
    source = (
        "\n".join(plain)
        .replace("from importlib.util import find_spec", "")
        .replace("import sys", "")
    )
    modules = {"google.colab": None} if in_colab else {}
    names = {"sys": type("sys", (), {"modules": modules}), "tell": told.append}
    exec(source, names | {"find_spec": lambda name: installed or None})
    assert bool(told) == (in_colab and not installed)
    assert told == [] or told[1] == "pip install -q /content/lessons"
