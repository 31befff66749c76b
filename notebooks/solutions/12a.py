running_usd = 90 - Decimal(600) / 12
print(hs.break_even(one_off_usd=600, monthly_saving_usd=90, monthly_running_usd=running_usd))
hs.check("12a", running_usd)
