"""How an error of a helper looks in a notebook: the learner's line, what is wrong, what to do."""

from __future__ import annotations

import linecache
import sys
from functools import partial
from textwrap import shorten
from traceback import walk_tb
from typing import Any, TypeVar

Raised = TypeVar("Raised", bound=BaseException)

LETTERS = 600
"""What is shown of a message in one line; a server's page in an error would fill the screen."""


def brief(error: Raised) -> Raised:
    """The same error of the SDK, raised by a helper: short in a notebook, as the helpers' own."""
    vars(error)["_render_traceback_"] = partial(in_a_notebook, error)
    return error


def in_a_notebook(error: BaseException) -> list[str]:
    """The lines that IPython shows for an error whose ``_render_traceback_`` this is.

    They are few where a cell has just failed. ``%tb`` asks when the error is no longer being
    handled, and gets the whole traceback, as does another ``%xmode`` than the default one.
    """
    from IPython.core.getipython import get_ipython

    shell: Any = get_ipython()
    look = shell.InteractiveTB
    steps, own = walk_tb(error.__traceback__), shell.user_global_ns
    learners = [(step.f_code.co_filename, line) for step, line in steps if step.f_globals is own]
    if sys.exception() is not error or look.mode != "Context" or not learners:
        return look.structured_traceback(type(error), error, error.__traceback__)
    lines: list[str] = []
    for file, line in dict.fromkeys((learners[0], learners[-1])):  # the cell, its function
        kind, name = shell.compile.format_code_name(file) or ("File", file)
        lines.append(f"{kind} {name}, line {line}")
        lines.append(f"----> {line} {linecache.getline(file, line).strip()}")
    said = [_titled(error), *getattr(error, "__notes__", ())]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        said.append(f"Cause: {_titled(cause)}")
    lines.extend(shorten(one, LETTERS, placeholder=" …") for one in said)
    return [*lines, "%tb shows the whole traceback."]


def _titled(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
