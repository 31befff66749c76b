MODEL = "gemini-2.5-flash"

reply = gw.client().chat.completions.create(
    model=MODEL, messages=[{"role": "user", "content": "Say hello in Korean and in English."}]
)
hs.check("01a", reply)
