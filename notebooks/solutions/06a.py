done_per_s = 8 / 0.5
seconds = 40 / done_per_s
hs.check("06a", seconds)
