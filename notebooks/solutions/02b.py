price = hs.catalog.published_price("mistral-small-2603")
one_call = (25 * price.input_usd_per_mtok + 100 * price.output_usd_per_mtok) / 1_000_000
won = hs.to_krw(100_000 * one_call, hs.catalog.published_rate())
hs.check("02b", won)
