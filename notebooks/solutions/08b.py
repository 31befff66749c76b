def back_off(attempt, draw):
    return draw.uniform(0, 2.0 ** (attempt - 1))


hs.check("08b", back_off)
