seen = len(drill.mock.entries())


async def opening(prompt, pieces):
    count = 0
    async with await hs.astream(drill, prompt) as stream:
        async for _ in stream:
            count += 1
            if count == pieces:
                break
    return stream


stream = await opening("Explain step by step how streaming works.", 10)
hs.check("03b", (stream, drill.mock.entries()[seen:]))
