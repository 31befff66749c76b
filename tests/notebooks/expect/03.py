"""What must hold after a cell of lesson 3 whose output is not compared, by the cell's id."""

from tests.notebooks.expectations import Expect

EXPECT = {
    "03-08": Expect("0 < first_s < total_s", first_s="total_s + 1"),
    "03-32": Expect(
        "entry['client_left'] and entry['completion_tokens'] < 60",
        entry="dict(client_left=True, completion_tokens=176)",
    ),
    "03-35": Expect(
        "stream.finish_reason == 'stop' and len(stream.text) > 500",
        stream="SimpleNamespace(finish_reason=None, text=text)",
    ),
}
