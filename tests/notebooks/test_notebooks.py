"""What every lesson promises, looked up in the stored files (nbval runs them)."""

import re
import statistics
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.notebooks.expectations import Expect, expectations
from tests.notebooks.solutions import CHECK, bound, exercises, needed
from tools import notebooks as r

FILES = sorted(r.NOTEBOOKS.glob("*.ipynb"))
SOLUTIONS = r.NOTEBOOKS / "solutions"
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")

every_notebook = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def sources(cells: list[dict]) -> list[str]:
    return [text for cell in cells if (text := r.text_of(cell["source"]).strip())]


def markdown(file: Path) -> list[str]:
    return sources([cell for cell in r.load(file)["cells"] if cell["cell_type"] == "markdown"])


def code(file: Path) -> list[str]:
    return sources(list(r.code_cells(r.load(file))))


def test_lessons_are_numbered_without_a_gap() -> None:
    numbers = [int(file.stem[:2]) for file in FILES]
    assert numbers
    assert numbers == list(range(len(FILES)))
    assert all(re.fullmatch(r"\d\d(_[a-z0-9]+)+", file.stem) for file in FILES)


@every_notebook
def test_every_code_cell_was_run_in_order_and_none_failed(file: Path) -> None:
    cells = [cell for cell in r.code_cells(r.load(file)) if r.text_of(cell["source"]).strip()]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert outputs
    assert [output for output in outputs if output["output_type"] == "error"] == []
    assert [output for output in outputs if output.get("name") == "stderr"] == []


@every_notebook
def test_the_file_is_as_the_script_stores_it(file: Path) -> None:
    notebook = r.load(file)
    assert file.read_bytes() == r.dump(notebook).encode("utf-8"), "python start.py notebooks"
    assert notebook["metadata"] == r.METADATA
    assert r.WIDGET_VIEW not in r.dump(notebook)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(ids) == len(set(ids))


@every_notebook
def test_code_cells_are_short(file: Path) -> None:
    lengths = [len(source.splitlines()) for source in code(file)]
    assert max(lengths) <= 15
    assert statistics.median(lengths[1:]) <= 4  # without Colab's cell, which is folded


@every_notebook
def test_each_lesson_stands_alone(file: Path) -> None:
    cells = [cell for cell in r.code_cells(r.load(file)) if not cell["id"].endswith("-colab")]
    first = sources(cells)[0]
    assert "import holysheep_helpers as hs" in first
    if file != FILES[0]:
        assert "hs.connect(" in first


@every_notebook
def test_it_opens_with_one_title_and_closes_with_the_way_on(file: Path) -> None:
    texts = markdown(file)
    assert texts[0].startswith("# ")
    assert sum(len(re.findall(r"^# ", text, re.MULTILINE)) for text in texts) == 1
    targets = LINK.findall(texts[-1])
    on = FILES.index(file) + 1
    assert (FILES[on].name if on < len(FILES) else FILES[0].name) in targets


@every_notebook
def test_relative_links_lead_somewhere(file: Path) -> None:
    links = [link for text in markdown(file) for link in LINK.findall(text)]
    files = [unquote(link.split("#")[0]) for link in links if not re.match(r"[a-z]+:|#", link)]
    assert [link for link in files if not (file.parent / link).exists()] == []


IGNORED_SHARE = {"05_latency": 0.7, "06_load": 0.8}
"""Of most lessons 30%; these are about times, which are never the same twice."""


@every_notebook
def test_most_outputs_are_compared(file: Path) -> None:
    cells = list(r.code_cells(r.load(file)))
    ignored = [r.text_of(cell["source"]) for cell in cells if r.IGNORED in r.tags(cell)]
    assert len(ignored) <= IGNORED_SHARE.get(file.stem, 0.3) * len(cells)


@every_notebook
def test_what_is_not_compared_is_expected_instead(file: Path) -> None:
    cells = {cell["id"]: cell for cell in r.code_cells(r.load(file))}
    ignored = {name for name, cell in cells.items() if r.IGNORED in r.tags(cell)}
    expected = set(expectations(file))
    assert ignored - expected == set()
    assert expected - cells.keys() == set()


@every_notebook
def test_no_cell_is_there_for_a_tests_sake(file: Path) -> None:
    assert [
        source for source in code(file) if re.search(r"\bassert\b|AssertionError", source)
    ] == []
    outputs = [output for cell in r.code_cells(r.load(file)) for output in cell["outputs"]]
    printed = "".join(r.text_of(output.get("text", "")) for output in outputs)
    assert re.findall(r"^.*: (?:True|False)$", printed, re.MULTILINE) == []


@pytest.mark.parametrize(
    ("expected", "says"),
    [
        (Expect("x == 1", x="2"), None),
        (Expect("x == 2", x="3"), "it does not hold: x == 2"),
        (Expect("x > 0", x="x + 1"), "it holds for a wrong value, too"),
        (Expect("x == 1", x="1 / 0"), "division by zero"),
    ],
)
def test_an_expectation_must_hold_and_must_be_able_to_fail(
    expected: Expect, says: str | None
) -> None:
    names: dict[str, object] = {"x": 1}
    if says is None:
        exec(expected.code(), names)
        assert names.keys() == {"x", "__builtins__"}
    else:
        with pytest.raises((AssertionError, ZeroDivisionError), match=says):
            exec(expected.code(), names)


def test_each_exercise_has_a_solution_and_each_solution_an_exercise() -> None:
    asked = [name for file in FILES for name in exercises(file)]
    assert len(asked) == len(set(asked))
    assert sorted(asked) == sorted(file.stem for file in SOLUTIONS.glob("*.py"))


@every_notebook
def test_exercises_bear_their_lessons_number(file: Path) -> None:
    assert {name[:2] for name in exercises(file)} <= {file.stem[:2]}


@every_notebook
def test_an_unsolved_exercise_does_not_pass(file: Path) -> None:
    for name, cell in exercises(file).items():
        printed = "".join(r.text_of(output.get("text", "")) for output in cell["outputs"])
        assert "Not yet" in printed, name
        assert "Right:" not in printed, name


@every_notebook
def test_a_solution_needs_nothing_that_stands_behind_its_exercise(file: Path) -> None:
    """They are tried when the whole lesson has been run: each must work in its own place, too."""
    whole, asked = code(file), "\n".join(code(file))
    for at, source in enumerate(whole):
        for name in CHECK.findall(source):
            names = needed((SOLUTIONS / f"{name}.py").read_text("utf-8"))
            assert names <= bound(whole[: at + 1]), name
            behind = [later for later in whole[at + 1 :] if not CHECK.findall(later)]
            assert names & bound(behind) == set(), name
    assert CHECK.findall(asked) == list(exercises(file))


def test_what_a_cell_needs_and_gives_is_found() -> None:
    cell = "%matplotlib inline\nimport a.b, c as d\nx = await f(y)\ndef g(z): return len(z), w\n"
    cell += "try: x\nexcept OSError as e: print(e)"
    assert bound([cell]) == {"a", "d", "x", "g", "z", "e"}
    assert needed(cell) - {"get_ipython"} == {"f", "y", "w"}
