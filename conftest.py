"""Keeps what the user has set away from every test; notebooks' kernels inherit it from here."""

import gc
import os
import re
import sys
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ["tests.notebooks.strict"]

# What decides which tests must run, rather than how the package behaves.
KEPT = ("HOLYSHEEP_REQUIRE_", "HOLYSHEEP_SCHEMA")
# What takes long comes first, so that no worker waits for another at the end.
FIRST = (
    "notebooks/05_latency.ipynb",
    "notebooks/06_load.ipynb",
    "tests/browser/",
    "tests/notebooks/test_live.py",
    "notebooks/",
    "tests/notebooks/test_strict.py",
    "tests/client/test_budget_states.py",
)
LOOPBACK = "127.0.0.1,localhost"


def pytest_configure() -> None:
    for name in list(os.environ):
        if name.startswith(("HOLYSHEEP_", "OPENAI_")) and not name.startswith(KEPT):
            del os.environ[name]
    os.environ["HOLYSHEEP_ENV_FILE"] = os.devnull  # no .env file is read
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = LOOPBACK
    # Workers and kernels by the dozen import the same modules: they are compiled once.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def pytest_sessionstart(session: pytest.Session) -> None:
    """Make Matplotlib's list of fonts now: in a notebook it would print a warning if it is slow."""
    if not hasattr(session.config, "workerinput"):
        import matplotlib.font_manager  # noqa: F401


@pytest.hookimpl(tryfirst=True)  # before -m looks at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.startswith(("notebooks/", "tests/browser/")):
            item.add_marker("process")

    def place(item: pytest.Item) -> int:
        places = (at for at, first in enumerate(FIRST) if item.nodeid.startswith(first))
        return next(places, len(FIRST))

    items.sort(key=place)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """The collector of garbage need not look at every module and test again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> "LoadScopeScheduling | None":
    """With ``--dist=loadfile``: a file stays with one worker, the browser's files with two."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Schedule(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            lesson = re.match(r"tests/browser/test_lesson_(\d+)", nodeid)
            return f"browser {int(lesson[1]) % 2}" if lesson else super()._split_scope(nodeid)

    return Schedule(config, log)
