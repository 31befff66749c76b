"""What must hold after a cell of lesson 7 whose output is not compared, by the cell's id."""

from tests.notebooks.expectations import Expect

EXPECT = {
    "07-27": Expect(
        "stream.elapsed_s > 1 and stream.finish_reason == 'length'",
        stream="SimpleNamespace(elapsed_s=0.3, finish_reason='length')",
    ),
}
