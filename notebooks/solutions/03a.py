stream = hs.stream(gw, "Say hello in Korean and in English.")
stream.read()
hs.check("03a", stream)
