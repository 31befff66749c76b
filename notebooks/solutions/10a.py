characters = sum(len(text) for text in korean)
tokens = sum(hs.count_tokens(text).tokens for text in korean)
hs.check("10a", characters / tokens)
