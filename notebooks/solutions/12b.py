left_usd, saving_usd, months = Decimal(1000), Decimal(51), 0
while left_usd > 0 and months < 120:
    left_usd -= saving_usd - 5
    saving_usd *= Decimal("1.05")
    months += 1
hs.check("12b", months)
