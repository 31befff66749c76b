"""What must hold in a lesson's kernel after a cell whose output is not the same twice.

``expect/NN.py`` has it for lesson NN, by the cell's id: an expression that must be true, and by
name a value with which it must not be. Both are tried after the cell, in the lesson's own kernel.
"""

from __future__ import annotations

import runpy
import tomllib
from pathlib import Path

from tests.support import panel_words as counter
from tests.support.project import ROOT

FOLDER = Path(__file__).with_name("expect")

IN_KERNEL = """
def _expected(check, wrong):
    from types import SimpleNamespace

    names = {{**globals(), "SimpleNamespace": SimpleNamespace}}
    if not eval(check, names):
        raise AssertionError(f"it does not hold: {{check}}")
    spoilt = {{name: eval(value, names) for name, value in wrong.items()}}
    try:
        holds = eval(check, {{**names, **spoilt}})
    except Exception:
        holds = False
    if holds:
        raise AssertionError(f"it holds for a wrong value, too: {{check}}, with {{wrong}}")

try:
    _expected({check!r}, {wrong!r})
finally:
    del _expected
"""


class Expect:
    """``check`` must be true, and with the ``wrong`` values, as expressions, it must not be."""

    def __init__(self, check: str, **wrong: str) -> None:
        self.check, self.wrong = check, wrong

    def code(self) -> str:
        """What the kernel runs; it raises where the check does not hold, or can't fail."""
        return IN_KERNEL.format(check=self.check, wrong=self.wrong)


def expectations(lesson: Path) -> dict[str, Expect]:
    """Those of a lesson, by the id of their cell."""
    file = FOLDER / f"{lesson.name[:2]}.py"
    return runpy.run_path(str(file))["EXPECT"] if file.is_file() else {}


def panel_words(lesson: Path) -> Expect:
    """That a lesson's panel says as many words as the length of the lesson takes it to say."""
    told = tomllib.loads((ROOT / "docs" / "course.toml").read_text("utf-8"))[lesson.stem]
    says = f"__import__('runpy').run_path({counter.__file__!r})['says']"
    return Expect(f"{says}(panel, {told['panel_words']})", panel="SimpleNamespace(_view=None)")
