"""``doctor()``: is this machine ready for the lessons, and if not, what is there to do?"""

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
NOT_READY = "Do what each line with FAIL says, then run this cell again."
REINSTALL = "In the project's folder run: python start.py"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check: ``fix`` is what to do when it is not ``ok``."""

    name: str
    ok: bool
    detail: str
    fix: str = ""

    def __str__(self) -> str:
        line = f"{'ok' if self.ok else 'FAIL':<4}  {self.name:<10} {self.detail}"
        return line if self.ok else f"{line}\n{'':16} what to do: {self.fix}"

    def html_row(self) -> str:
        word, colour = ("ok", "#1b6e3c") if self.ok else ("FAIL", "#b3261e")
        fix = "" if self.ok else f"<br><strong>what to do:</strong> <code>{escape(self.fix)}</code>"
        return (
            f"<tr><td><strong style='color:{colour}'>{word}</strong></td>"
            f"<th scope='row' style='text-align:left'>{escape(self.name)}</th>"
            f"<td style='text-align:left'>{escape(self.detail)}{fix}</td></tr>"
        )


@dataclass(frozen=True, slots=True)
class Report:
    """What ``doctor()`` found, shown as a table that says what to do about each failure."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        return all(finding.ok for finding in self.findings)

    def __repr__(self) -> str:
        end = READY if self.ok else NOT_READY
        return "\n".join([*map(str, self.findings), end])

    def _repr_html_(self) -> str:
        rows = "".join(finding.html_row() for finding in self.findings)
        end = READY if self.ok else NOT_READY
        return f"<table>{rows}</table><p><strong>{end}</strong></p>"


def doctor() -> Report:
    """Check versions, kernel, widgets, key, gateway and fonts; nothing is changed.

    An environment variable has a line of its own if it prevents calls: a proxy, certificates, or
    additional headers for the SDK.

    With a key, the check asks the live gateway for its list of models, which costs nothing. The
    report says whether there is a key, and never shows it. This function raises no error: a check
    that fails is a line of the report.

    Returns:
        A report with a line for each check. Where a check fails, the line says what to do.

    Example:
        >>> hs.doctor()
        ok    python     ...
    """
    checks = (_python, _packages, _kernel, _widgets, _key, _gateway, _fonts)
    return Report((*(check() for check in checks), *_variables()))


def _python() -> Finding:
    here = f"{platform.python_version()} on {platform.system()}"
    fix = "Install Python 3.11 or newer, then run: python start.py"
    return Finding("python", sys.version_info >= (3, 11), here, fix)


def _packages() -> Finding:
    from packaging.requirements import Requirement

    try:
        needed = [Requirement(text) for text in metadata.requires(PACKAGE) or ()]
    except metadata.PackageNotFoundError:
        return Finding("packages", False, f"{PACKAGE} is not installed in this Python", REINSTALL)
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
    detail = "a Jupyter kernel" if found else "this Python is no Jupyter kernel"
    fix = "Open the lessons with python start.py, and choose the kernel Python 3"
    return Finding("kernel", found, detail, fix)


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
        return Finding("key", False, "what is set can't be a key", str(error))
    return Finding("key", True, "a key is set" if key else "no key is set, so the mock answers")


def _gateway() -> Finding:
    fix = "Check the address, the key and the network. Offline, use hs.connect('mock')."
    try:
        gateway = connect()
        count = len(gateway.client(max_retries=0, timeout=10).models.list().data)
    except (HolySheepError, openai.OpenAIError, OSError) as error:
        if (found := diagnose(error)).kind == "tls":
            fix = f"{found.advice} Offline, use hs.connect('mock')."
        return Finding("gateway", False, f"{type(error).__name__}: {short(str(error), 600)}", fix)
    return Finding("gateway", True, f"{gateway.mode}, {count} models behind the key")


def _variables() -> Iterator[Finding]:
    """A line for each variable that HTTP libraries read in silence, if it causes a fault."""
    if added := config.custom_headers():
        names, variable = ", ".join(name for name, _ in added), config.CUSTOM_HEADERS
        detail = f"because of {variable}, plain SDK clients send {names} to every server; "
        detail += "gw.client() does not"
        fix = f"Unset {variable}. Headers for the gateway go to gw.client(default_headers={{...}})."
        yield Finding("headers", False, detail, fix)
    try:
        for proxy in config.named_proxies("http", "https", "all"):
            config.usable_proxy(*proxy, asynchronous=True)
        if found := config.proxy_of(ANY_MOCK):
            detail = f"{found[0]} is set, and NO_PROXY does not name this computer, so plain SDK "
            detail += "clients ask the proxy for the mock; gw.client() does not"
            fix = "Set NO_PROXY=127.0.0.1,localhost, or open the lessons with python start.py"
            yield Finding("proxy", False, detail, fix)
    except ConfigurationError as error:
        yield Finding("proxy", False, "the proxy can't be used", str(error))
    try:
        config.certificates()
    except ConfigurationError as error:
        yield Finding("certificates", False, "the file with certificates can't be used", str(error))
    except OSError as error:  # the system's own: no variable is to blame
        reason = error.strerror or type(error).__name__
        fix = f"Set {config.CERTIFICATES} to a .pem file that can be read. Or: {REINSTALL}"
        detail = f"this system's certificates can't be read: {reason}"
        yield Finding("certificates", False, detail, fix)


def _fonts() -> Finding:
    from holysheep_helpers.notebook.figures import KOREAN_FONT, korean_font_found

    return Finding("fonts", korean_font_found(), f"{KOREAN_FONT} for Korean in figures", REINSTALL)
