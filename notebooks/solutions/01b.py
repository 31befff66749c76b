client = OpenAI(
    base_url=gw.base_url,
    api_key=gw.client().api_key,
)
hs.check("01b", client)
