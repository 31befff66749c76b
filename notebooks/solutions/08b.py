parts = hs.split_prompt(scan, max_tokens=300)
hs.check("08b", (scan, parts))
