drill.mock.reset()
drill.mock.script([busy] * 2)

client = drill.client(max_retries=0)
for _ in range(3):
    if met(hs.ask, client, "Say hello.") is None:
        break

hs.check("08a", drill.mock.entries())
