month = {"tokens": 30_000_000, "input_share": "0.8"}
before = hs.monthly_cost("gpt-4.1", **month)
after = hs.monthly_cost("mistral-small-2603", **month)
won = hs.to_krw(12 * (before.usd - after.usd), hs.catalog.published_rate())
hs.check("11b", won)
