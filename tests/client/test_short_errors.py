"""An error of a helper is short in a notebook; nothing else there is changed."""

from __future__ import annotations

import pickle
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import holysheep_helpers as hs
from holysheep_helpers.exceptions import Portable
from holysheep_helpers.mock.handle import MockHandle
from tests.support.keys import made_up

LAST = "%tb shows the whole traceback."
Run = Callable[[str], list[str]]


pytestmark = pytest.mark.filterwarnings("ignore::holysheep_helpers.UnpricedWarning")


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gw: hs.Gateway, live: Callable[..., hs.Gateway]
) -> Iterator[Any]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    options = Config()
    options.HistoryManager.enabled = False
    options.InteractiveShell.colors = "nocolor"
    shell = InteractiveShell.instance(config=options)
    shell.push({"hs": hs, "gw": live(), "poor": live(budget_usd=0)})
    yield shell
    InteractiveShell.clear_instance()


@pytest.fixture
def run(shell: Any, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(cell: str) -> list[str]:
        capsys.readouterr()
        shell.run_cell(cell, store_history=True)
        shown = capsys.readouterr()
        return (shown.out + shown.err).splitlines()

    return run


FUNCTION = "def ask(model):\n    return hs.ask(gw, 'x', model=model)"
CELLS = {
    "a wrong model": ("hs.ask(gw, 'x', model='gpt4')", "NotFoundError: ", "Nearest known ids: "),
    "a wrong model of a stream": ("hs.stream(gw, 'x', model='gpt4')", "NotFoundError: ", "Nearest"),
    "an await": ("await hs.astream(gw, 'x', model='gpt4')", "NotFoundError: ", "Nearest"),
    "an empty prompt": ("hs.ask(gw, '')", "InputError: The prompt is empty", "write a question"),
    "a mode": ("hs.connect('x')", "ConfigurationError: The mode is", "HOLYSHEEP_MODE"),
    "a budget": (
        "hs.ask(poor, 'x')",
        "BudgetError: Not sent",
        "larger",
    ),
    "a cause": (
        "raise hs.InputError('a') from ValueError('b\\nc')",
        "InputError: a",
        "ValueError: b",
    ),
}


@pytest.mark.parametrize(("cell", "title", "advice"), CELLS.values(), ids=CELLS)
def test_it_shows_the_line_what_is_wrong_and_what_to_do(
    run: Run, shell: Any, cell: str, title: str, advice: str
) -> None:
    before = shell.CustomTB, shell.custom_exceptions, shell.showtraceback
    shown = run(f"x = 1\n\n{cell}")
    assert shown[:2] == ["Cell In[1], line 3", f"----> 3 {cell}"]
    assert shown[2].startswith(title)
    assert advice in "\n".join(shown[2:])
    assert shown[-1] == LAST
    assert len(shown) <= 9
    whole = "\n".join(run("%tb"))
    assert "Traceback (most recent call last)" in whole
    assert title in whole
    assert LAST not in whole
    assert (shell.CustomTB, shell.custom_exceptions, shell.showtraceback) == before


def test_a_function_of_the_learner_is_shown_with_the_cell_that_called_it(run: Run) -> None:
    run(FUNCTION)
    shown = run("ask(\n    'gpt4',\n)")
    assert shown[:4] == [
        "Cell In[2], line 1",
        "----> 1 ask(",
        "Cell In[1], line 2",
        "----> 2 return hs.ask(gw, 'x', model=model)",
    ]
    assert len(shown) <= 9


def test_the_key_is_not_shown_and_the_note_on_it_is(run: Run) -> None:
    key = made_up(32)
    shown = "\n".join(run(f"key = {key!r}") + run("hs.connect(key)"))
    assert key not in shown
    assert "delete the cell and its output" in shown


def test_a_page_of_a_server_does_not_fill_the_screen(run: Run, mock: MockHandle) -> None:
    page = "<p>sorry</p>\n" * 400
    mock.script([{"kind": "status", "status": 404, "body": {"error": {"message": page}}}])
    shown = run("hs.ask(gw, 'x')")
    assert len(shown) <= 9
    assert max(map(len, shown)) <= 600


def test_a_stream_that_loses_its_connection_is_short(run: Run, mock: MockHandle) -> None:
    mock.script([{"kind": "disconnect", "after": 2}])
    shown = run("list(hs.stream(gw, 'x'))")
    assert shown[-1] == LAST
    assert any(line.startswith("Cause: ") for line in shown)
    assert len(shown) <= 9


def test_what_the_sdk_raises_by_itself_stays_whole(run: Run) -> None:
    cell = "gw.client().chat.completions.create(model='gpt4', messages=[])"
    shown = run(cell)
    assert len(shown) > 20
    assert shown[1].endswith("Traceback (most recent call last)")
    assert LAST not in shown


def test_another_look_that_the_learner_chose_stays(run: Run) -> None:
    assert LAST in run("hs.ask(gw, '')")
    run("%xmode Minimal")
    assert run("hs.ask(gw, '')")[0].startswith("InputError: ")


def test_outside_of_a_notebook_a_traceback_is_whole(live: Callable[..., hs.Gateway]) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        hs.ask(live(), "x", model="gpt4")
    told = "".join(traceback.format_exception(caught.value))
    assert told.startswith("Traceback")
    assert LAST not in told
    read: Any = pickle.loads(pickle.dumps(Portable(caught.value)))
    assert read.__notes__ == caught.value.__notes__
    assert not hasattr(read, "_render_traceback_")
