run = hs.measure_latency(drill, QUESTION, runs=20, max_tokens=5, progress=False)
hs.check("05a", run)
