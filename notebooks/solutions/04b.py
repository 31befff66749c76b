drill.mock.script([400, None, None] * 4)
result = await hs.batch(drill, prompts[:12], **short)
result = await result.retry_failed()
hs.check("04b", result)
