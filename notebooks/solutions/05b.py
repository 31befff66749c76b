drill.mock.script("bundle")
once = {"runs": 1, "warmup": 0, "max_tokens": 100, "progress": False}
stream = hs.measure_latency(drill, QUESTION, **once).runs[0]


def decode_speed(stream):
    decoding_s = stream.texts[-1].at_s - stream.texts[0].at_s
    return (len(stream.texts) - 1) * stream.tokens_per_chunk / decoding_s


hs.check("05b", (stream, decode_speed))
