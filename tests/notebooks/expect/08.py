"""What must hold after a cell of lesson 8 whose output is not compared, by the cell's id."""

from tests.notebooks.expectations import Expect

EXPECT = {
    "08-56": Expect(
        "[len(entries) for entries in seen.values()] == [1, 3, 3]",
        seen="dict(seen) | {'hs.retrying': []}",
    ),
    "08-69": Expect("ours_s > sdk_s", ours_s="sdk_s"),
}
