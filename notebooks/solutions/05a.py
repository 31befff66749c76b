answer = hs.measure_latency(queue, QUESTION, runs=20, **short)
hs.check("05a", answer)
