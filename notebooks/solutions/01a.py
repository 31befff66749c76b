seen = len(drill.mock.entries())

mine = OpenAI(base_url=drill.base_url, api_key=drill.client().api_key)
reply = mine.chat.completions.create(
    model="gemini-2.5-flash", messages=[{"role": "user", "content": "Say hello."}]
)

hs.check("01a", drill.mock.entries()[seen:])
