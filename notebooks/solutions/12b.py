def months_until_paid(saving_usd, growth):
    left_usd, months = Decimal(1000), 0
    while left_usd > 0:
        left_usd -= saving_usd - 5
        saving_usd *= 1 + growth
        months += 1
    return months


hs.check("12b", months_until_paid)
