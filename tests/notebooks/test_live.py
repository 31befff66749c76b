"""Every lesson with a key: a second mock, at an address of its own, stands in for the gateway."""

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from tests.notebooks.test_notebooks import FILES, every_notebook
from tools import course, live_cost
from tools import notebooks as r


@pytest.mark.process
@every_notebook
def test_it_runs_live_and_costs_what_the_readme_says(
    file: Path, live_lesson: Callable[[Path], live_cost.Live]
) -> None:
    run = live_lesson(file)
    done, asked = run.notebook, run.entries
    assert r.errors(done) == []
    assert "LIVE gateway: calls leave this computer and cost money" in r.dump(done)
    assert live_cost.KEY not in r.dump(done)
    assert run.address in r.dump(done)  # in the card
    expected = ("UnpricedWarning", "StalePriceWarning")
    assert [one for one in r.warnings(done) if not any(name in one for name in expected)] == []
    (stated,) = (one for one in course.lessons() if one.file == file)
    assert len(asked) == stated.calls  # "Cost live" in the first cell
    row = live_cost.row(file, live_cost.bill(asked))
    readme = live_cost.README.read_text("utf-8").splitlines()
    assert {entry["status"] for entry in asked} <= {200}
    rows = [line for line in readme if line.startswith(row[:5]) and line.count("|") == 5]
    assert rows == [row] * bool(asked), "python tools/live_cost.py"


def test_the_sum_in_the_readme_is_that_of_its_rows() -> None:
    told = live_cost.README.read_text("utf-8")
    rows = re.findall(r"^\| \d\d \| (\d+) \| (\S+) \| (\S+) \|$", told, re.MULTILINE)
    found = re.search(r"together: (\d+) calls, (\S+) USD\*\* .*?, (\S+) USD if each took", told)
    assert found
    calls, usd, long_usd = (sum(map(Decimal, column)) for column in zip(*rows, strict=True))
    assert int(found[1]) == calls == sum(one.calls for one in course.lessons())
    assert abs(Decimal(found[2]) - usd) <= Decimal("0.0002")  # all are rounded up
    assert abs(Decimal(found[3]) - long_usd) <= Decimal("0.02")


def test_the_table_is_written_between_its_marks_whatever_stood_there() -> None:
    bills = [(FILES[3], live_cost.Bill(3, 1, Decimal("0.000011"), Decimal("0.0021")))]
    empty = "a\n<!-- live -->\n<!-- /live -->\nz\n"
    once = live_cost.written(bills, empty)
    assert "together: 3 calls, 0.0001 USD** with" in once
    assert "not in it: 1." in once
    assert "| 03 | 3 | 0.00002 | 0.003 |\n<!-- /live -->\nz\n" in once
    assert live_cost.written(bills, once) == once
    for wrong in ("no marks", "<!-- /live -->\n<!-- live -->\n", empty + empty):
        with pytest.raises(course.CourseError, match="once, in order"):
            live_cost.written(bills, wrong)
