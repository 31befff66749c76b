system = "Answer in Korean, in one sentence."

reply = hs.ask(gw, "Explain what an API gateway is in two sentences.", system=system, temperature=0)
hs.check("02c", reply)
