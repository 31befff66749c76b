"""What must hold after a cell of lesson 9 whose output is not compared, by the cell's id."""

from tests.notebooks.expectations import Expect

EXPECT = {
    "09-35": Expect(
        "result.sent - 100 <= 10 and len(result.ok) == 100",
        result="SimpleNamespace(sent=200, ok=result.ok)",
    ),
}
