parts = hs.split_prompt(scan, max_tokens=300)
hs.check("10b", (scan, parts))
