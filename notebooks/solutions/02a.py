def tokens_of(messages):
    return sum(hs.count_tokens(one["content"]).tokens for one in messages)


def fit(messages, limit):
    system = [one for one in messages if one["role"] == "system"]
    others = [one for one in messages if one["role"] != "system"]
    while tokens_of(system + others) > limit or others[0]["role"] == "assistant":
        del others[0]
    return system + others


hs.check("02a", fit)
