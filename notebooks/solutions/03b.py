stream = hs.stream(gw, "Explain step by step how streaming works.")
for count, _ in enumerate(stream, start=1):
    if count == 10:
        break
hs.check("03b", stream)
