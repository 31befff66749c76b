journal = str(folder / "paid_once.jsonl")
for _ in range(2):
    result = await hs.batch(drill, prompts[:10], journal=journal, **short)
hs.check("04c", result)
