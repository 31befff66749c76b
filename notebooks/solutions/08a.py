drill.mock.reset()
drill.mock.script([busy] * 9)
client = drill.client(max_retries=0)
for _ in range(3):
    met(hs.ask, client, "Say hello.")
hs.check("08a", drill.mock.entries())
