queue.mock.script([None, 503, None, {"kind": "end_early", "after": 7}])
mixed = hs.measure_latency(queue, QUESTION, runs=8, warmup=0, max_tokens=20, progress=False)


def share_in_time(run, limit_s):
    in_time = [not stream.failed and stream.user_ttft_s <= limit_s for stream in run.runs]
    return sum(in_time) / len(in_time)


hs.check("06b", (mixed, share_in_time))
