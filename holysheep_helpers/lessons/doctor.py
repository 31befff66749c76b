"""``doctor()``: is this machine ready for the lessons, and if not, what cures it?"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from html import escape
from importlib import metadata

import openai

from holysheep_helpers._checks import short
from holysheep_helpers.client.connect import connect, find_key
from holysheep_helpers.client.settings import read_settings
from holysheep_helpers.diagnosis import config
from holysheep_helpers.diagnosis.diagnose import diagnose
from holysheep_helpers.exceptions import ConfigurationError, HolySheepError

PACKAGE = "holysheep-notebooks"
ANY_MOCK = "http://127.0.0.1/v1"

READY = "Everything is ready."
REINSTALL = "In the project's folder run: python start.py"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: ``cure`` is what to do when it is not ``ok``."""

    name: str
    ok: bool
    detail: str
    cure: str = ""

    def __str__(self) -> str:
        line = f"{'ok' if self.ok else 'FAIL':<4}  {self.name:<10} {self.detail}"
        return line if self.ok else f"{line}\n{'cure:':>22} {self.cure}"

    def html_row(self) -> str:
        word, colour = ("ok", "#1b6e3c") if self.ok else ("FAIL", "#b3261e")
        cure = "" if self.ok else f"<br><strong>cure:</strong> <code>{escape(self.cure)}</code>"
        return (
            f"<tr><td><strong style='color:{colour}'>{word}</strong></td>"
            f"<th scope='row' style='text-align:left'>{escape(self.name)}</th>"
            f"<td style='text-align:left'>{escape(self.detail)}{cure}</td></tr>"
        )


@dataclass(frozen=True, slots=True)
class Report:
    """What ``doctor()`` found; shown as a table, with a cure beside each failure."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        return all(finding.ok for finding in self.findings)

    def __repr__(self) -> str:
        failed = sum(not finding.ok for finding in self.findings)
        end = f"{failed} to mend, see the cures." if failed else READY
        return "\n".join([*map(str, self.findings), end])

    def _repr_html_(self) -> str:
        rows = "".join(finding.html_row() for finding in self.findings)
        end = READY if self.ok else "Mend what says FAIL, then run this cell again."
        return f"<table>{rows}</table><p><strong>{end}</strong></p>"


def doctor() -> Report:
    """Check versions, kernel, widgets, key, gateway and fonts; nothing is changed.

    Variables of the environment have a line each if they stand in the way: a proxy, certificates,
    more headers for the SDK.

    With a key it asks the live gateway for its list of models, which costs nothing. A key is
    reported as present or absent, never shown. It raises nothing: what fails is a finding.

    Returns:
        A report with a line for each check, and with what to do where one fails.

    Example:
        >>> hs.doctor()
        ok    python     ...
    """
    checks = (_python, _packages, _kernel, _widgets, _key, _gateway, _fonts)
    return Report((*(check() for check in checks), *_variables()))


def _python() -> Finding:
    here = f"{platform.python_version()} on {platform.system()}"
    cure = "Install Python 3.11 or newer, then run: python start.py"
    return Finding("python", sys.version_info >= (3, 11), here, cure)


def _packages() -> Finding:
    from packaging.requirements import Requirement

    try:
        needed = [Requirement(text) for text in metadata.requires(PACKAGE) or ()]
    except metadata.PackageNotFoundError:
        return Finding("packages", False, f"{PACKAGE} is not installed here", REINSTALL)
    here = [need for need in needed if need.marker is None or need.marker.evaluate()]
    return compare_versions(here, metadata.version)


def compare_versions(needed: Iterable, installed: Callable[[str], str]) -> Finding:
    """A finding on ``packaging`` requirements, given a function from name to version."""
    wrong, seen = [], []
    for need in needed:
        try:
            version = installed(need.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{need.name} is missing")
            continue
        if need.specifier.contains(version, prereleases=True):
            seen.append(f"{need.name} {version}")
        else:
            wrong.append(f"{need.name} {version} is not {need.specifier}")
    return Finding("packages", not wrong, "; ".join(wrong) or ", ".join(seen), REINSTALL)


def _kernel() -> Finding:
    found = "ipykernel" in sys.modules
    detail = "a Jupyter kernel" if found else "no Jupyter kernel (a plain Python)"
    cure = "Open the lessons with: python start.py, and choose the kernel Python 3"
    return Finding("kernel", found, detail, cure)


def _widgets() -> Finding:
    try:
        here = metadata.version("ipywidgets")
        lab = metadata.version("jupyterlab_widgets")
    except metadata.PackageNotFoundError as error:
        return Finding("widgets", False, f"{error.name} is missing", REINSTALL)
    return Finding("widgets", True, f"ipywidgets {here} with jupyterlab_widgets {lab}")


def _key() -> Finding:
    try:
        key = find_key(None, read_settings())
    except HolySheepError as error:
        return Finding("key", False, "the key can't be right", str(error))
    return Finding("key", True, "set (not shown)" if key else "none: the mock will answer")


def _gateway() -> Finding:
    cure = "hs.connect('mock') works offline; for live, check address, key and network"
    try:
        gateway = connect()
        count = len(gateway.client(max_retries=0, timeout=10).models.list().data)
    except (HolySheepError, openai.OpenAIError, OSError) as error:
        if (found := diagnose(error)).kind == "tls":
            cure = f"hs.connect('mock') works offline; for live: {found.advice}"
        return Finding("gateway", False, f"{type(error).__name__}: {short(str(error), 600)}", cure)
    return Finding("gateway", True, f"{gateway.mode}, {count} models behind the key")


def _variables() -> Iterator[Finding]:
    """A line for each variable that HTTP libraries read in silence, if it stands in the way."""
    if added := config.custom_headers():
        names, variable = ", ".join(name for name, _ in added), config.CUSTOM_HEADERS
        detail = f"{variable} makes plain SDK clients send {names} to every server; "
        detail += "gw.client() leaves that out"
        cure = f"unset {variable}; what the gateway needs: gw.client(default_headers={{...}})"
        yield Finding("headers", False, detail, cure)
    try:
        for proxy in config.named_proxies("http", "https", "all"):
            config.usable_proxy(*proxy, asynchronous=True)
        if found := config.proxy_of(ANY_MOCK):
            detail = f"{found[0]} is set, and NO_PROXY does not name this computer: a plain SDK "
            detail += "client asks the proxy for the mock; gw.client() does not"
            cure = "NO_PROXY=127.0.0.1,localhost (python start.py sets it)"
            yield Finding("proxy", False, detail, cure)
    except ConfigurationError as error:
        yield Finding("proxy", False, "the proxy can't be used", str(error))
    try:
        config.certificates()
    except ConfigurationError as error:
        yield Finding("certificates", False, "there are none to check servers by", str(error))
    except OSError as error:  # the system's own: no variable is to blame
        cure = f"set {config.CERTIFICATES} to a .pem file that can be read, or: {REINSTALL}"
        detail = f"the system's own can't be read ({error.strerror or type(error).__name__})"
        yield Finding("certificates", False, detail, cure)


def _fonts() -> Finding:
    from holysheep_helpers.notebook.figures import KOREAN_FONT, korean_font_found

    return Finding("fonts", korean_font_found(), f"{KOREAN_FONT} for Korean in figures", REINSTALL)
