def my_failover():
    try:
        return ask(MODELS[0])
    except openai.APIError as error:
        if not hs.diagnose(error).other_model:
            raise
        return ask(MODELS[1])


hs.check("09a", (drill, my_failover))
