"""What tools/reading_level.py reads in a notebook, and that it downloads nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("textstat", reason="python start.py test installs it")

import nltk

from tools import reading_level as levels

TEXT = """# A title is not read.

Call `ask` once, e.g. with [a link](there.md). It costs 0.01 USD and
*more* if you wait: nothing is free!

| a table | is not read. |
|---|---|

- one point.
- a second point is read as a sentence
- A third point is read.

```python
print("Code is not read.")
```

Short one. And "this is quoted." So is this.
"""


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("textstat asked for a download")

    monkeypatch.setattr(nltk, "download", refused)


def notebook(file: Path, *texts: str) -> None:
    cells = [{"cell_type": "markdown", "source": text} for text in texts]
    code = {"cell_type": "code", "source": "# Not one word of this is read."}
    file.write_text(json.dumps({"cells": [*cells, code]}), "utf-8")


def test_whole_sentences_are_read_and_nothing_else() -> None:
    assert levels.sentences(TEXT) == [
        "Call code once for example with a link.",
        "It costs 001 USD and more if you wait.",
        "nothing is free.",
        "A third point is read.",
        "And this is quoted.",
        "So is this.",
    ]


def test_the_indices_are_those_of_their_formulas(tmp_path: Path) -> None:
    notebook(tmp_path / "one.ipynb", "The model answers every question.", "It costs you nothing.")
    found = levels.level(levels.markdown(tmp_path / "one.ipynb"))
    words, short, letters, sentences = 9, 3, 45, 2
    assert (found.words, found.words_a_sentence) == (words, words / sentences)
    assert found.eflaw == (words + short) / sentences
    ari = 4.71 * (letters + sentences) / words + 0.5 * words / sentences - 21.43
    assert found.ari == pytest.approx(ari, abs=0.06)


def test_a_row_can_be_measured_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notebook(tmp_path / "one.ipynb", "The model answers every question.")
    kernel = "---\njupytext:\nkernelspec:\n  name: python3\n---\nIt costs you nothing."
    (tmp_path / "two.md").write_text(kernel, "utf-8")
    (tmp_path / "README.md").write_text("This is no notebook.", "utf-8")
    assert levels.main(["--measure", str(tmp_path)]) == 0
    assert re.search(r"^2 notebooks +9 +4\.5 ", capsys.readouterr().out, re.MULTILINE)
    assert levels.main(["--measure", str(tmp_path / "none")]) == 1
    assert "There is no notebook in" in capsys.readouterr().err


def test_every_lesson_and_every_other_course_has_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert levels.main([]) == 0
    names = [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()[1:]]
    lessons = [file.stem for file in levels.notebooks([levels.ROOT / "notebooks"])]
    assert len(lessons) > 10
    assert names[:-4] == [*lessons, "all lessons"]
    assert names[-4:] == [
        "anthropics/courses",
        "INRIA/scikit-learn-mooc",
        "numpy/numpy-tutorials",
        "xarray-contrib/xarray-tutorial",
    ]
