parts = hs.split_prompt("\n".join(log), max_tokens=120, overlap=50)
hs.check("10c", (log, parts))
