reply = hs.ask(
    gw,
    "Name three things to check before you call an API in production.",
    temperature=0,
    max_tokens=300,
)
hs.check("02a", reply)
