"""What must hold after a cell of lesson 0 whose output is not compared, by the cell's id."""

from tests.notebooks.expectations import Expect

EXPECT = {
    "00-04": Expect("report.ok", report="SimpleNamespace(ok=False)"),
}
