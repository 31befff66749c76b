stream = hs.stream(gw, "Explain step by step how streaming works.")
stream.read()
writing_s = stream.timeline[-1][0] - stream.ttft_s
speed = (stream.usage.completion_tokens - 1) / writing_s
hs.check("03c", (stream, speed))
