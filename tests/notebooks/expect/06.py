"""What must hold after a cell of lesson 6 whose output is not compared, by the cell's id."""

from tests.notebooks.expectations import Expect

EXPECT = {
    "06-23": Expect(
        "calibration.streams == 32 and calibration.error_s >= 0.00025",
        calibration="SimpleNamespace(streams=31, error_s=1.0)",
    ),
    "06-25": Expect("run.calibration == calibration and len(run) == 20", calibration="None"),
    "06-27": Expect(
        "all(stream.id in truth for stream in run.runs)", truth="dict(list(truth.items())[:3])"
    ),
    "06-37": Expect(
        "sweep[4].answers_per_s > 2 * sweep[1].answers_per_s",
        sweep="dict.fromkeys(sweep, sweep[1])",
    ),
    "06-38a": Expect("measured_s > 2 * alone_s", measured_s="alone_s"),
    "06-39": Expect(
        "sweep[16].goodput(ttft_s=0.1).share < 0.5 < sweep[4].goodput(ttft_s=0.1).share",
        sweep="dict.fromkeys(sweep, sweep[4])",
    ),
    "06-52": Expect(
        "sum(value > 0.2 for value in opened.values('user_ttft_s')) > 4", opened="closed"
    ),
    "06-54": Expect("len(mistral) == len(gemini) == 20", gemini="gemini_1"),
    "06-56": Expect(
        "set(itself.rows) == {'ttft_s', 'itl_s', 'e2e_s'}", itself="SimpleNamespace(rows={})"
    ),
    "06-43": Expect("len(my_run) == 10 and not my_run.failed", my_run="run"),
    "06-61": Expect("mistral.model != gemini.model", gemini="mistral"),
}
