requests_per_second = 20
request_s = 1.2
at_once = requests_per_second * request_s
hs.check("04a", at_once)
