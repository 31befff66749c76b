"""What must hold after a cell of lesson 5 whose output is not compared, by the cell's id."""

from tests.notebooks.expectations import Expect

EXPECT = {
    "05-06": Expect("set(chunks) == {111}", chunks="(*chunks[1:], 110)"),
    "05-08": Expect("firsts[0] > 0.118 + 0.060", firsts="firsts[1:]"),
    "05-10": Expect("min(sync_s) > 0.118 + 0.060 and len(sync_s) == 5", sync_s="[0.142] * 5"),
    "05-12": Expect("tokens > 3 * seen", tokens="seen"),
    "05-14": Expect("tokens == 111 and 0.008 < itl_s < 0.012", itl_s="total_s / tokens + first_s"),
    "05-16": Expect("chunks == 37", chunks="111"),
    "05-18": Expect(
        "len(first_run) == 20 and not first_run.failed", first_run="first_run.runs[:19]"
    ),
    "05-20": Expect("list(table.index) == list(range(20))", table="table.head(4)"),
    "05-29": Expect(
        "first_run.warmups[0].new_connection", first_run="SimpleNamespace(warmups=first_run.runs)"
    ),
    "05-31": Expect(
        "len(set(first_run.values('ttft_s'))) == 20",
        first_run="SimpleNamespace(values=lambda _: [0.1] * 20)",
    ),
    "05-33": Expect("p95s[25] < p95s[975] <= 1000 * max(values)", p95s="[1.0] * 1000"),
    "05-35": Expect(
        "medians['stream, first token'] < 0.8 * medians['whole reply']",
        medians="dict.fromkeys(medians, 1.0)",
    ),
    "05-43": Expect("len(my_run) == 10 and not my_run.failed", my_run="first_run"),
    "05-58": Expect(
        "thinking.answer_ttft_s > thinking.ttft_s",
        thinking="SimpleNamespace(answer_ttft_s=0.1, ttft_s=0.1)",
    ),
    "05-60": Expect("kept == first_run", kept="my_run"),
    "05-60b": Expect("len(twice.runs) == 2 and not twice.failed", twice="first_run"),
}
