drill.mock.script("bundle")
once = {"runs": 1, "warmup": 0, "max_tokens": 100, "progress": False}
stream = hs.measure_latency(drill, QUESTION, **once).runs[0]
decoding_s = stream.texts[-1].at_s - stream.texts[0].at_s
speed = (len(stream.texts) - 1) * stream.tokens_per_chunk / decoding_s
hs.check("05b", (stream, speed))
