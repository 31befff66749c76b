def support_prompt(question, date):
    return [
        {"role": "system", "content": RULES},
        {"role": "user", "content": f"Today is {date}. {question}"},
    ]


hs.check("11a", (drill, support_prompt))
