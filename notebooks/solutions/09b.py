requests = 3 + len(range(12, 60, 10))  # what opens it, and a trial every ten seconds
hs.check("09b", requests)
