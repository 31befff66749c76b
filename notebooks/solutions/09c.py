down = {"kind": "status", "status": 503, "headers": {"x-should-retry": "false"}}
drill.mock.script(down, every=1, model=MODELS[0])
result = await hs.batch(drill, prompts[:10], models=MODELS, **short)
hs.check("09c", result)
