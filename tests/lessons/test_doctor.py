"""``hs.doctor``: each thing that can be wrong is found, with the command that fixes it."""

from __future__ import annotations

import sys
from importlib import metadata
from types import ModuleType

import pytest
from packaging.requirements import Requirement

import holysheep_helpers as hs
from holysheep_helpers.lessons import doctor
from holysheep_helpers.lessons.doctor import Finding, Report, compare_versions
from tests.support.keys import made_up

NAMES = ["python", "packages", "kernel", "widgets", "key", "gateway", "fonts"]


def finding(name: str) -> Finding:
    (found,) = [found for found in hs.doctor().findings if found.name == name]
    return found


@pytest.mark.process
def test_a_good_machine_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    report = hs.doctor()
    assert [found.name for found in report.findings] == NAMES
    assert [found for found in report.findings if not found.ok] == []
    assert report.ok
    assert repr(report).splitlines()[-1] == "Everything is ready."
    assert report._repr_html_().endswith("<p><strong>Everything is ready.</strong></p>")
    assert "no key is set, so the mock answers" in repr(report)
    assert f"openai {metadata.version('openai')}" in repr(report)


def test_every_failure_says_what_to_do() -> None:
    report = Report((Finding("python", True, "fine"), Finding("key", False, "<bad>", "run <this>")))
    assert not report.ok
    assert "FAIL  key        <bad>\n                 what to do: run <this>" in repr(report)
    assert repr(report).endswith("Do what each line with FAIL says, then run this cell again.")
    shown = report._repr_html_()
    assert "FAIL" in shown
    assert "&lt;bad&gt;" in shown
    assert "<code>run &lt;this&gt;</code>" in shown


@pytest.mark.process
def test_outside_a_notebook_the_kernel_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    assert not finding("kernel").ok
    assert "python start.py" in finding("kernel").fix


def test_an_old_python_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 9))
    assert (doctor._python().ok, "3.11" in doctor._python().fix) == (False, True)


def test_a_package_that_is_too_old_or_missing_is_found() -> None:
    installed = {"openai": "2.1.0", "pandas": "3.0.1"}

    def version(name: str) -> str:
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    needed = [Requirement(text) for text in ("openai>=3", "pandas>=3", "ipywidgets>=8")]
    found = compare_versions(needed, version)
    assert found.detail == "openai 2.1.0 is not >=3; ipywidgets is missing"
    assert (found.ok, found.fix) == (False, "In the project's folder run: python start.py")
    assert compare_versions(needed[1:2], version).ok


@pytest.mark.process
def test_a_project_that_is_not_installed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PACKAGE", "no-such-package")
    assert finding("packages").detail == "no-such-package is not installed in this Python"


def test_missing_widgets_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert doctor._widgets().detail == "ipywidgets is missing"


def test_a_bad_key_is_found_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    key = made_up(30)
    monkeypatch.setenv("HOLYSHEEP_API_KEY", f"{key} ")
    report = hs.doctor()
    assert not finding("key").ok
    assert "space" in finding("key").fix
    assert not finding("gateway").ok
    assert key not in repr(report) + report._repr_html_()


def test_a_gateway_that_is_down_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLYSHEEP_API_KEY", made_up(30))
    monkeypatch.setenv("HOLYSHEEP_BASE_URL", "http://127.0.0.1:9/v1")
    assert finding("key").detail == "a key is set"
    assert not finding("gateway").ok
    assert finding("gateway").detail.startswith("APIConnectionError")
    assert "hs.connect('mock')" in finding("gateway").fix


@pytest.mark.process
def test_a_missing_font_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holysheep_helpers.notebook.figures.korean_font_found", lambda: False)
    assert not finding("fonts").ok
