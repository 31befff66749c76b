"""What must hold after a cell of lesson 4 whose output is not compared, by the cell's id."""

from tests.notebooks.expectations import Expect

EXPECT = {
    "04-08": Expect("end_s - middle_s < middle_s - start_s", end_s="2 * middle_s - start_s"),
    "04-10": Expect(
        "four.elapsed_s < one.elapsed_s and len(four.ok) == len(one.ok) == 12", four="one"
    ),
    "04-23": Expect("len(paced.ok) == paced.sent == 40", paced="four"),
    "04-24a": Expect("len(held.ok) == 40 and held.sent == 41", held="paced"),
    "04-25": Expect(
        "[len(sweep[n].ok) for n in (1, 2, 4, 8, 16, 32)] == [40] * 6",
        sweep="dict(sweep) | {32: four}",
    ),
    "04-34": Expect("child.returncode != 0", child="SimpleNamespace(returncode=0)"),
    "04-36": Expect("len(result.ok) == 60 and result.restored >= 15", result="held"),
    "04-37": Expect(
        "result.restored + result.sent == 60 and twice <= result.possibly_paid_twice <= 5",
        twice="6",
    ),
    "04-41": Expect("len(result.ok) == 24 and result.sent > 24", result="four"),
    "04-50": Expect(
        "20 < len(result.ok) < 100 and 0.0009 < result.spent_usd <= 0.001", result="paced"
    ),
    "04-52": Expect("result.sent <= 5 and not result.ok", result="paced"),
}
