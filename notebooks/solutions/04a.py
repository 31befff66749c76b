in_flight = 20 * 1.2
hs.check("04a", in_flight)
