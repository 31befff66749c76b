"""Every lesson with a key: a second mock, at an address of its own, stands in for the gateway."""

from pathlib import Path

from tests.notebooks import regenerate as r
from tests.notebooks.test_notebooks import FILES, every_notebook
from tools import course, live_cost


@every_notebook
def test_it_runs_live_and_costs_what_the_readme_says(file: Path, tmp_path: Path) -> None:
    done, asked, address = live_cost.run_live(file, tmp_path)
    assert "LIVE gateway: calls leave this computer and cost money" in r.dump(done)
    assert live_cost.KEY not in r.dump(done)
    assert address in r.dump(done)  # in the card
    outputs = [output for cell in r.code_cells(done) for output in cell["outputs"]]
    warned = [r.text_of(o["text"]) for o in outputs if o.get("name") == "stderr"]
    expected = ("UnpricedWarning", "StalePriceWarning")
    assert [text for text in warned if not any(name in text for name in expected)] == []
    (stated,) = (one for one in course.lessons() if one.file == file)
    assert len(asked) == stated.calls  # "Cost live" in the first cell
    row = live_cost.row(file, live_cost.bill(asked))
    readme = live_cost.README.read_text("utf-8").splitlines()
    if file == FILES[0]:
        assert asked == []
        assert not any(line.startswith(row[:7]) for line in readme)
    else:
        assert {entry["status"] for entry in asked} == {200}
        assert row in readme, "python tools/live_cost.py"
