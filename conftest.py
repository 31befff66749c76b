"""Keeps what the user has set away from every test; notebooks' kernels inherit it from here."""

import os

import sys

import pytest

pytest_plugins = ["tests.notebooks.strict"]

# What decides which tests must run, rather than how the package behaves.
KEPT = ("HOLYSHEEP_REQUIRE_", "HOLYSHEEP_SCHEMA")
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
