"""The docstrings of the public names: each one can be scanned, and each example runs."""

import ast
import asyncio
import doctest
import inspect
import io
import re
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout

import pytest

import holysheep_helpers as hs

NAMES = [name for name in hs.__all__ if name != "catalog"]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


def section(doc: str, title: str) -> str:
    """The indented text below a title such as ``Args:``; empty if there is none."""
    found = re.search(rf"^{title}:\n((?:(?: .*)?\n?)*)", doc + "\n", re.MULTILINE)
    return found[1] if found else ""


@pytest.mark.parametrize("name", NAMES)
def test_a_docstring_can_be_scanned(name: str) -> None:
    value = getattr(hs, name)
    doc = inspect.getdoc(value) or ""
    first, _, rest = doc.partition("\n")
    assert first.endswith(".")
    assert len(first) <= 90
    assert not rest or rest.startswith("\n")
    if is_error(value):
        return
    if isinstance(value, type):
        assert section(doc, "Attributes") or section(doc, "Args")
    else:
        args = section(doc, "Args")
        missing = [
            parameter.name
            for parameter in inspect.signature(value).parameters.values()
            if not re.search(rf"^ +\**{parameter.name}: ", args, re.MULTILINE)
        ]
        assert missing == []
        assert section(doc, "Returns")
    assert section(doc, "Example")


class Examples:
    """Runs the examples of one docstring as a notebook would: ``await`` works at the top."""

    def __init__(self, gw: hs.Gateway) -> None:
        self.names = {"hs": hs, "gw": gw, "__name__": "example"}
        self.runner = asyncio.Runner()

    def output(self, source: str) -> str:
        code = compile(source, "<example>", "single", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        printed = io.StringIO()
        with redirect_stdout(printed):
            if code.co_flags & inspect.CO_COROUTINE:
                self.runner.run(eval(code, self.names))
            else:
                eval(code, self.names)
        return printed.getvalue()


@pytest.fixture
def examples(gw: hs.Gateway, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> Iterator:
    monkeypatch.chdir(str(tmp_path))
    monkeypatch.setattr(sys, "displayhook", sys.__displayhook__)
    found = Examples(gw)
    with found.runner:
        yield found


@pytest.mark.process
@pytest.mark.parametrize("name", [name for name in NAMES if not is_error(getattr(hs, name))])
def test_an_example_gives_what_its_docstring_says(name: str, examples: Examples) -> None:
    doc = section(inspect.getdoc(getattr(hs, name)) or "", "Example")
    lines = doctest.DocTestParser().get_examples(inspect.cleandoc(doc) + "\n")
    assert lines
    checker = doctest.OutputChecker()
    for line in lines:
        got = examples.output(line.source)
        assert checker.check_output(line.want, got, OPTIONS), f"{line.source}gave {got!r}"


def test_a_wrong_example_is_found(examples: Examples) -> None:
    assert examples.output("1 + 1\n") == "2\n"
    assert not doctest.OutputChecker().check_output("3\n", "2\n", OPTIONS)
    assert examples.output("(await hs.batch(gw, ['Hi'], progress=False))[0].error is None\n") == (
        "True\n"
    )
